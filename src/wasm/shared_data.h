// SharedData: key/value stores of guests, one per vm_id, shared by all threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "wasm/enums.h"
#include "wasm/limits.h"
#include "wasm/shared_stats.h"

namespace weir::wasm {

/// One vm_id's data. Thread-safe. Keeps below a number of bytes and of keys by forgetting what was written longest ago, and
/// forgets what is older than its limits say. That costs each call a few entries at most; sweep() does the rest.
class SharedStore {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Item {
    std::string value;
    uint32_t cas = 0;
  };
  struct Size {
    size_t keys = 0;
    size_t bytes = 0;  // of keys and values
  };
  /// `stats` outlives it; null: nothing is counted.
  explicit SharedStore(SharedDataLimits limits = {}, SharedDataStats* stats = nullptr)
      : limits_(limits), stats_(stats) {}

  std::optional<Item> get(std::string_view key, Time now);
  /// `cas` 0 or an absent key: unconditional. `evicted` is set when something had to go (or the item itself is too big to keep).
  Status set(std::string_view key, std::string_view value, uint32_t cas, Time now, bool& evicted);
  /// For all entries, also those that are there.
  void limit(SharedDataLimits limits);
  SharedDataLimits limits() const;
  /// Frees what is too old, up to some thousand entries; nobody waits for more than a few of them.
  void sweep(Time now);
  /// What is too old and not yet freed counts.
  Size size() const;

 private:
  struct Node {
    std::string key;
    Item item;
    Time written;
  };
  using Nodes = std::list<Node>;
  bool is_old(const Node& node, Time now) const noexcept {
    return limits_.ttl.count() != 0 && now - node.written >= limits_.ttl;
  }
  /// The end: not there, or too old, and then it is freed.
  Nodes::iterator find(std::string_view key, Time now);
  size_t drop_old(Time now, size_t most);
  void make_room(size_t bytes, bool& evicted);
  void forget(Nodes::iterator node);

  mutable std::mutex mutex_;
  SharedDataLimits limits_;
  SharedDataStats* stats_;
  Nodes by_age_;  // oldest write first
  base::StringMap<Nodes::iterator> index_;
  size_t bytes_ = 0;
};

/// Makes and counts the stores. Owner: the Host. Thread-safe. A store goes with its last user.
class SharedStores {
  struct Entry {
    Entry(stats::Store& to, std::string_view vm_id, SharedDataLimits limits)
        : stats(to, vm_id), store(limits, &stats) {}
    SharedDataStats stats;
    SharedStore store;
    size_t users = 0;
  };

 public:
  explicit SharedStores(stats::Store& stats) : stats_(stats) {}

  class Use {
   public:
    Use() = default;
    Use(Use&& other) noexcept : stores_(other.stores_), entry_(other.entry_) {
      other.stores_ = nullptr;
    }
    Use& operator=(Use&& other) noexcept;
    ~Use() { reset(); }
    void reset() noexcept;
    SharedStore* operator->() const noexcept { return &entry_->second.store; }
    explicit operator bool() const noexcept { return stores_ != nullptr; }

   private:
    friend class SharedStores;
    SharedStores* stores_ = nullptr;
    std::pair<const std::string, Entry>* entry_ = nullptr;
  };
  /// `limits` are those of a store that has not been there.
  Use use(const std::string& vm_id, SharedDataLimits limits);
  size_t size() const;
  /// Sweeps all, and brings their gauges up to date.
  void publish(SharedStore::Time now);
  /// By vm_id.
  template <typename Visitor>
  void for_each(Visitor&& visit) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [vm_id, entry] : stores_) visit(vm_id, entry.store);
  }

 private:
  stats::Store& stats_;
  mutable std::mutex mutex_;  // may be held when a store's is taken, not the other way
  std::map<std::string, Entry, std::less<>> stores_;
};

}  // namespace weir::wasm
