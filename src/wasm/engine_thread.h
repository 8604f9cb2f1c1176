// EngineThread: the thread of low priority on which modules are compiled and VMs are built, started and destroyed.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "wasm/host.h"
#include "wasm/vm.h"
#include "wasm/vm_group.h"
#include "wasm/vm_slot.h"

namespace weir::wasm {

/// Work for the engine thread; destroyed there.
class EngineTask {
 public:
  virtual ~EngineTask() = default;
  virtual void run() = 0;
};
template <typename F>
class EngineTaskOf final : public EngineTask {
 public:
  explicit EngineTaskOf(F function) : function_(std::move(function)) {}
  void run() override { function_(); }

 private:
  F function_;
};

/// Owner: the Host. Tasks run in order; urgent ones (rebuilds of VMs) overtake the others, one at a time.
class EngineThread {
 public:
  /// `watch_cell` is the thread's own cell of the watchdog.
  EngineThread(Services& services, unsigned watch_cell, Host::EngineLoader loader);
  ~EngineThread();
  /// Runs what is queued and joins. Tasks still find the thread's owner as it was.
  void stop();
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  template <typename F>
  void post(F function) {
    enqueue(std::make_unique<EngineTaskOf<F>>(std::move(function)), false);
  }
  template <typename F>
  void post_urgent(F function) {
    enqueue(std::make_unique<EngineTaskOf<F>>(std::move(function)), true);
  }

  // ---- on the engine thread
  /// Loads the engine (once) and compiles the group's module (once per digest and limit).
  Result<void> compile(VmGroup& group);
  /// Builds and starts a VM; without `isolate` it gets one of its own. Answers null when it failed: `failure` says why.
  std::unique_ptr<Vm> build(const std::shared_ptr<const VmGroup>& group, Vm::Role role,
                            unsigned worker, StartFailure& failure,
                            std::shared_ptr<Isolate> isolate = nullptr);
  /// Forgets compiled modules that no VM and no plugin uses.
  void drop_unused_modules();

 private:
  void run();
  void enqueue(std::unique_ptr<EngineTask> task, bool urgent);

  Services& services_;
  const unsigned watch_cell_;
  const Host::EngineLoader loader_;
  Engine* engine_ = nullptr;
  std::map<std::pair<Key, uint64_t>, std::weak_ptr<const Module>> modules_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<EngineTask>> urgent_, tasks_;
  bool overtakes_ = false;  // the last task was an urgent one
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace weir::wasm
