// WorkerVms: all VMs of one worker.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "event/loop.h"
#include "wasm/vm.h"
#include "wasm/vm_slot.h"

namespace weir::wasm {

/// One generation's VMs for one worker, built and not adopted yet.
struct PreparedVms {
  std::vector<std::pair<std::shared_ptr<const VmGroup>, std::unique_ptr<Vm>>> fresh;
  /// All groups of the generation, the ones with fresh VMs among them.
  std::vector<std::shared_ptr<const VmGroup>> groups;
};

/// Owner: the Host. Thread: the worker's, but for deliver(), on_queue_item() and on_use_over().
/// VMs leave in two steps. Retired or dead ones take no new streams; one that an edit has retired does, from snapshots that have its
/// plugins where the newest has not, while there are any. When its last stream has left (or at expire()) the roots end and the
/// engine thread disposes of it. One that dies meanwhile is not replaced.
class WorkerVms final : public VmOwner, public QueueListener, public UseListener {
 public:
  WorkerVms(router::FilterHost& host, Host::CalloutMaker make_callouts, VmBuilder& builder,
            Services& services, unsigned worker);
  ~WorkerVms() override;

  /// The VM for a new stream of this plugin and its root there; null when there is none now.
  Vm* pick(const Plugin& plugin, RootContext*& root) noexcept;
  /// Has the stream wait for this plugin's VM; false when none is being started.
  bool await(const Plugin& plugin, LeafContext& stream);

  void adopt(uint64_t generation, PreparedVms prepared);
  void expire(uint64_t generation);
  /// Ends all of them now.
  void stop();
  /// Ends all of them, roots that want to stay at kRootGrace at the latest; then `done`, from the loop.
  void end(void (*done)(void* argument), void* argument);
  /// Roots that are ending have had their time.
  void drop_grace();

  /// From the engine thread: a VM that a slot asked for (null: `why` it failed).
  void deliver(std::shared_ptr<const VmGroup> group, std::unique_ptr<Vm> vm, std::string why,
               uint64_t cost_ns);

  // VmOwner
  void on_vm_failed(Vm& vm) override;
  void on_vm_work(Vm&) override { end_of_turn_.schedule(); }
  void on_vm_idle(Vm& vm) override;
  void on_vm_worn(Vm& vm) override;
  event::Loop& loop() override { return loop_; }
  Callouts& callouts() override { return *callouts_; }
  WatchCell& watch_cell() override { return services_.watchdog.cell(worker_); }
  QueueListener& queue_listener() override { return *this; }
  // QueueListener
  void on_queue_item(uint64_t vm_serial, uint32_t root_id, uint32_t queue_id) override;
  // UseListener
  void on_use_over() override;

  static constexpr std::chrono::seconds kRootGrace{
      5};  // for roots that answered false to proxy_on_done

 private:
  struct Place {
    VmSlot* slot;
    uint64_t serial;  // of the VM for which `root` was looked up
    RootContext* root;
  };
  struct Retired {
    std::unique_ptr<Vm> vm;
    uint64_t generation;  // the last that used it
    bool kept = false;    // streams of older snapshots may still come
    bool ending = false;  // its roots have been asked to end
    std::unique_ptr<event::Timer> grace{};
  };
  struct Delivery {
    std::shared_ptr<const VmGroup> group;
    std::unique_ptr<Vm> vm;
    std::string why;
    uint64_t cost_ns;
  };
  static void run_end_of_turn(void* self);
  static void on_grace(void* self);
  void work();
  void sweep();
  void take_deliveries();
  void notify_queue(uint64_t vm_serial, uint32_t root_id, uint32_t queue_id);
  Retired& retire(std::unique_ptr<Vm> vm, uint64_t generation);
  Vm* pick_kept(const Plugin& plugin, RootContext*& root) noexcept;
  bool wanted(const Vm& vm) const;
  void drop_unused();
  void retire_all();
  void leave_thread();
  void renew();
  bool finished(size_t at);
  template <typename Visitor>
  void for_each_vm(Visitor&& visit);

  router::FilterHost& host_;
  const Host::CalloutMaker make_callouts_;
  event::Loop& loop_;
  VmBuilder& builder_;
  Services& services_;
  const unsigned worker_;
  std::unique_ptr<Callouts> callouts_;
  event::EndOfTurn end_of_turn_;
  bool attached_ = false;
  uint64_t generation_ = 0;
  std::unordered_map<Key, Place, KeyHash> places_;  // by plugin key
  std::map<Key, std::unique_ptr<VmSlot>> slots_;    // by group key
  std::vector<Retired> retired_;
  void (*on_ended_)(void*) =
      nullptr;  // set: no VM comes any more, and the last one to leave ends it
  void* on_ended_argument_ = nullptr;

  std::mutex mutex_;
  std::vector<Delivery> deliveries_;  // under the mutex
};

}  // namespace weir::wasm
