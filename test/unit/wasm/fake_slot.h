// One slot of one worker, whose VMs are made when the test says so.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "unit/wasm/fake_guest.h"
#include "wasm/vm_slot.h"

namespace weir::wasm {

/// What is WorkerVms in the process: owner of the slot and its VMs, and the engine thread of the builds.
class FakeWorker final : public VmOwner, public VmBuilder, public QueueListener {
 public:
  explicit FakeWorker(Plugin plugin)
      : engine_([this](std::string_view, std::span<const Value>) { return next_call; }) {
    module_->memory()
        .function("proxy_abi_version_0_2_1", "")
        .function("malloc", "i>i")
        .function("proxy_on_request_headers", "iii>i");
    plugin.seal();
    group_->plugins.push_back(std::make_shared<const Plugin>(std::move(plugin)));
    group_->node = std::make_shared<const NodeProperty>(NodeInfo{});
    group_->engine = &engine_;
    group_->module = module_;
    slot = std::make_unique<VmSlot>(*this, *this, services.stats, 0, group_);
    slot->install(make_vm());
  }
  ~FakeWorker() override {
    if (auto last = slot->retire()) retired.push_back(std::move(last));
    for (auto& vm : retired) vm->release();
  }

  /// The oldest build that was asked for arrives.
  void deliver() {
    ASSERT_GT(builds, 0u);
    --builds;
    slot->install(make_vm());
  }
  void deliver_failure() {
    ASSERT_GT(builds, 0u);
    --builds;
    slot->build_failed("it does not start", 0);
  }
  void end_turn() {
    if (auto old = slot->renew(retired.size())) retired.push_back(std::move(old));
  }
  /// The current VM dies in a call.
  void kill(CallEnd how) {
    next_call.end = how;
    Vm& vm = *slot->current();
    const Value args[] = {1, 0, 0};
    vm.call(*vm.roots().front(), vm.exports().request_headers, args);
    next_call = {};
    retired.push_back(slot->replace_dead());
  }
  uint64_t counter(std::string_view name) { return store.counter_value(name); }
  int64_t gauge(std::string_view name) { return store.gauge_value(name); }

  // VmBuilder
  void build(unsigned, std::shared_ptr<const VmGroup>) override { ++builds; }
  void dispose(std::unique_ptr<Vm> vm) override { vm.reset(); }
  // VmOwner
  void on_vm_failed(Vm&) override {}
  void on_vm_work(Vm&) override { work = true; }
  void on_vm_idle(Vm&) override {}
  void on_vm_worn(Vm&) override { slot->recycle(); }
  event::Loop& loop() override { return loop_; }
  Callouts& callouts() override { std::abort(); }
  WatchCell& watch_cell() override { return services.watchdog.cell(0); }
  QueueListener& queue_listener() override { return *this; }
  void on_queue_item(uint64_t, uint32_t, uint32_t) override {}

  stats::Store store{1};
  Services services{store, 1};
  CallResult next_call{};
  unsigned builds = 0;  // asked for and not delivered
  bool work = false;
  std::vector<std::unique_ptr<Vm>> retired;

 private:
  std::unique_ptr<Vm> make_vm() {
    auto vm = std::make_unique<Vm>(group_, services, Vm::Role::kWorker, 0);
    if (vm->start(services.watchdog.cell(0), nullptr)) std::abort();
    return vm;
  }
  event::Loop loop_;
  FakeEngine engine_;
  std::shared_ptr<FakeModule> module_ = std::make_shared<FakeModule>();
  std::shared_ptr<VmGroup> group_ = std::make_shared<VmGroup>();

 public:
  std::unique_ptr<VmSlot> slot;
};

}  // namespace weir::wasm
