// SharedQueues: FIFO queues between guests, across VMs and threads.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wasm/enums.h"
#include "wasm/limits.h"
#include "wasm/shared_stats.h"

namespace weir::wasm {

/// Who wants to hear of new items.
class QueueListener {
 public:
  virtual ~QueueListener() = default;
  /// From any thread; posts to the listener's own, where SharedQueues::hear() says how often the root is to be called.
  virtual void on_queue_item(uint64_t vm_serial, uint32_t root_id, uint32_t queue_id) = 0;
};

/// Owner: the Host. Thread-safe. Queues live as long as the process; what is in them is bounded.
class SharedQueues {
 public:
  static constexpr size_t kMaxItems = 1024;
  static constexpr size_t kMaxHeard =
      16;  // items of one announcement; the rest gets one of its own
  static constexpr size_t kMaxBytes = 4 * 1024 * 1024;
  static constexpr size_t kMaxQueues = 8192;
  static constexpr size_t kMaxNameBytes = 1024;
  struct Use {  // of one vm_id
    uint32_t queues = 0;
    size_t items = 0;
    size_t bytes = 0;
  };

  explicit SharedQueues(stats::Store& stats) : stats_(stats) {}

  /// Makes the queue or takes over its notification; items that wait are announced to who did not have it before. 0 when there
  /// are too many queues, or the name is too long.
  /// `limits` hold for the vm_id from now on.
  uint32_t add(std::string_view vm_id, std::string_view name, QueueListener* listener,
               uint64_t vm_serial, uint32_t root_id, QueueLimits limits = {});
  std::optional<uint32_t> resolve(std::string_view vm_id, std::string_view name) const;
  /// Beyond the bounds the queue's oldest items go, or this one where that is not enough; `dropped` is set.
  Status enqueue(uint32_t id, std::string_view value, bool& dropped);
  Status dequeue(uint32_t id, std::string& value);
  /// What on_queue_item() told of has come to its thread: of how many items the root is to hear now. No more than there are, and
  /// no more than one announcement is on its way to a root.
  size_t hear(uint32_t id, uint64_t vm_serial, uint32_t root_id);
  /// The VM is gone: nobody is told of its queues' items until somebody registers.
  void forget(uint64_t vm_serial);
  /// Brings the gauges up to date.
  void publish();
  /// By vm_id, with what it uses of its limits.
  template <typename Visitor>
  void for_each(Visitor&& visit) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [vm_id, share] : shares_) visit(vm_id, share.use, share.limits);
  }

 private:
  struct Share {  // of one vm_id
    Share(stats::Store& to, std::string_view vm_id) : stats(to, vm_id) {}
    QueueStats stats;
    Use use;
    QueueLimits limits;
  };
  struct Registrant {
    QueueListener* listener = nullptr;
    uint64_t vm_serial = 0;
    uint32_t root_id = 0;
    bool is(uint64_t vm, uint32_t root) const noexcept {
      return vm_serial == vm && root_id == root;
    }
  };
  struct Queue {
    std::string take_front() {
      std::string item = std::move(items.front());
      items.pop_front();
      bytes -= item.size();
      share->use.bytes -= item.size();
      --share->use.items;
      return item;
    }
    std::deque<std::string> items;
    size_t bytes = 0;
    Share* share = nullptr;
    Registrant registrant;
    size_t due = 0;                // items that it has not heard of
    std::vector<Registrant> told;  // to whom an announcement is on its way
  };
  static void announce(Queue& queue, uint32_t id);
  stats::Store& stats_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, uint32_t> ids_;
  std::map<uint32_t, Queue> queues_;
  std::map<std::string, Share, std::less<>> shares_;  // by vm_id
};

/// Names of queues that exist for one canary only. What it puts there is thrown away.
class CanaryQueues {
 public:
  static constexpr size_t kMaxQueues = 1024;
  /// 0 when there are too many.
  uint32_t add(std::string_view name);
  std::optional<uint32_t> resolve(std::string_view name) const;

 private:
  static constexpr uint32_t kFirstId = 0x80000000;  // above all of SharedQueues
  std::vector<std::string> names_;
};

}  // namespace weir::wasm
