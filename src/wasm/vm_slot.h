// VmSlot: the place of one VM on one worker, which keeps it filled.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>

#include "event/loop.h"
#include "wasm/quarantine.h"
#include "wasm/vm.h"

namespace weir::wasm {

/// What failures cost a worker: the sum over the last ten seconds.
class CostWindow {
 public:
  static constexpr int64_t kSeconds = 10;
  static constexpr uint64_t kBudgetNs = 500'000'000;  // 5 %
  void add(MonotonicTime now, uint64_t ns) noexcept;
  bool exhausted(MonotonicTime now) noexcept;

 private:
  void move_to(MonotonicTime now) noexcept;
  std::array<uint64_t, kSeconds> by_second_{};
  int64_t second_ = 0;
};

/// Where a slot's new VMs come from.
class VmBuilder {
 public:
  virtual ~VmBuilder() = default;
  /// Has the engine thread build and start a VM; it comes back through WorkerVms.
  virtual void build(unsigned worker, std::shared_ptr<const VmGroup> group) = 0;
  /// Releases it, and has the engine thread destroy it.
  virtual void dispose(std::unique_ptr<Vm> vm) = 0;
};

/// Owner: WorkerVms. Thread: the worker's.
///
/// A trapped VM is replaced at once: by the spare, which is kept after a first trap, or as soon as another is built. When
/// failures cost the worker more than 5 % of its last ten seconds, and after failed starts, replacements wait with a growing
/// back-off. Streams that arrive while a replacement is being started wait for it, a second at most; where it has to back
/// off they get the plugin's failure policy at once. One that goes on failing is set aside (see Quarantine).
///
/// A VM that works is recycled so: recycle(); another is built while it serves; at the end of a turn renew() puts that one in
/// its place and returns it, for its streams to finish there. That waits too where building costs more than those 5 %.
class VmSlot {
 public:
  VmSlot(VmOwner& owner, VmBuilder& builder, HostStats& stats, unsigned worker,
         std::shared_ptr<const VmGroup> group);
  ~VmSlot();
  VmSlot(const VmSlot&) = delete;
  VmSlot& operator=(const VmSlot&) = delete;

  Vm* current() noexcept { return current_.get(); }
  const VmGroup& group() const noexcept { return *group_; }

  /// A VM that was built for this slot, the first one or a replacement.
  void install(std::unique_ptr<Vm> vm);
  void build_failed(const std::string& why, uint64_t cost_ns);
  void count_cost(uint64_t ns) noexcept { costs_.add(owner_.loop().now(), ns); }
  /// The current VM is dead: returns it and sees to another.
  std::unique_ptr<Vm> replace_dead();
  /// The current VM is to be replaced by a fresh one. Legal inside guest calls, and again while it is under way.
  void recycle();
  /// At the end of a turn: when the fresh VM is there it takes over, and the old one is returned. `draining` is how many of this
  /// slot's still have streams: beyond kMaxDraining the change waits.
  std::unique_ptr<Vm> renew(size_t draining);
  static constexpr size_t kMaxDraining = 4;
  /// No replacement is wanted any more; returns the VM. The spare is disposed of.
  std::unique_ptr<Vm> retire();

  /// Has the stream wait for the VM that is being started; false when none is.
  bool await(LeafContext& stream);
  /// At the end of a turn: streams whose wait is over go on.
  void serve_waiters();
  static constexpr std::chrono::seconds kPatience{1};

 private:
  static void on_patience(void* self);
  bool filling() const noexcept {
    return current_ == nullptr && building_ > 0 && !backoff_.armed() && !retired_;
  }
  static void on_backoff(void* self);
  static void on_age(void* self);
  void put(std::unique_ptr<Vm> vm);
  void take_over(std::unique_ptr<Vm> vm);
  void want_vm();
  void request_build();
  void build_when_affordable();
  void wait_backoff();
  bool set_aside(const std::string& why);
  void take_back();
  std::chrono::milliseconds next_backoff() noexcept;

  VmOwner& owner_;
  VmBuilder& builder_;
  HostStats& stats_;
  const unsigned worker_;
  const std::shared_ptr<const VmGroup> group_;
  std::unique_ptr<Vm> current_;
  std::unique_ptr<Vm> spare_;
  bool keep_spare_ = false;
  bool retired_ = false;
  bool recycling_ = false;
  unsigned building_ = 0;  // asked for and not delivered
  unsigned failures_ = 0;  // back-offs without a quiet time between them
  MonotonicTime last_backoff_{};
  CostWindow costs_;
  Quarantine quarantine_;  // while it is active, backoff_ is its timer
  event::Timer backoff_;
  event::Timer age_;  // until the current VM is recycled
  base::IntrusiveList<LeafContext, WaitersTag> waiters_;
  bool out_of_patience_ = false;
  event::Timer patience_;
};

}  // namespace weir::wasm
