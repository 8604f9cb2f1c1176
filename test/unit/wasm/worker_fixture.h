// The VMs of one worker, without an engine and without a process around them.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "router/filter_host.h"
#include "unit/wasm/fake_guest.h"
#include "wasm/worker_vms.h"

namespace weir::wasm {

class FakeHost final : public router::FilterHost {
 public:
  upstream::WorkerClusters& clusters(unsigned) override { std::abort(); }
  event::Loop& loop(unsigned) override { return loop_; }
  unsigned workers() const noexcept override { return 1; }
  Host* wasm() override { return nullptr; }
  bool health_check_failed() const noexcept override { return false; }

 private:
  event::Loop loop_;
};

/// One worker whose VMs come and go as the test says.
class WorkerVmsFixture : public testing::Test, public VmBuilder {
 protected:
  using Group = std::shared_ptr<const VmGroup>;

  WorkerVmsFixture() {
    module_->memory()
        .function("proxy_abi_version_0_2_1", "")
        .function("malloc", "i>i")
        .function("proxy_on_request_headers", "iii>i")
        .function("proxy_on_new_connection", "i>i")
        .function("proxy_on_downstream_data", "iii>i");
  }
  ~WorkerVmsFixture() override { vms_.stop(); }
  Group group(const std::string& name) { return group_of({name}); }
  Group group_of(const std::vector<std::string>& names) {
    auto out = std::make_shared<VmGroup>();
    std::string text;
    for (const std::string& name : names) {
      Plugin plugin;
      plugin.name = name;
      plugin.seal();
      out->plugins.push_back(std::make_shared<const Plugin>(std::move(plugin)));
      text += name + ",";
    }
    out->key = digest_key(text);
    out->node = std::make_shared<const NodeProperty>(NodeInfo{});
    out->engine = &engine_;
    out->module = module_;
    return out;
  }
  std::unique_ptr<Vm> make_vm(const Group& group) {
    auto vm = std::make_unique<Vm>(group, services_, Vm::Role::kWorker, 0);
    if (vm->start(services_.watchdog.cell(0), nullptr)) std::abort();
    return vm;
  }
  void adopt(uint64_t generation, const std::vector<Group>& kept, const std::vector<Group>& fresh) {
    PreparedVms prepared;
    prepared.groups = kept;
    for (const Group& each : fresh) {
      prepared.groups.push_back(each);
      prepared.fresh.emplace_back(each, make_vm(each));
    }
    vms_.adopt(generation, std::move(prepared));
    turn();
  }
  void turn() { host_.loop(0).run_once(std::chrono::milliseconds(0)); }
  Vm* pick(const Group& group, RootContext*& root) {
    return vms_.pick(*group->plugins.front(), root);
  }
  Vm* vm_of(const Group& group) {
    RootContext* root = nullptr;
    return pick(group, root);
  }
  void kill(const Group& group) {
    Vm* vm = vm_of(group);
    ASSERT_NE(vm, nullptr);
    const auto before = std::exchange(
        guest_, [](auto&&...) { return CallResult{.end = CallEnd::kTrap, .value = 0}; });
    const Value args[] = {1, 0, 0};
    vm->call(*vm->roots().front(), vm->exports().request_headers, args);
    guest_ = before;
    ASSERT_TRUE(vm->dead());
  }
  void build(unsigned, std::shared_ptr<const VmGroup> group) override {
    builds_.push_back(std::move(group));
  }
  void dispose(std::unique_ptr<Vm> vm) override {
    ++disposed_;
    vm.reset();
  }

  stats::Store store_{1};
  Services services_{store_, 1};
  FakeHost host_;
  /// What the guests do.
  std::function<CallResult(std::string_view function, std::span<const Value> args)> guest_ =
      [](auto&&...) { return CallResult{.end = CallEnd::kOk, .value = 1}; };
  FakeEngine engine_{[this](std::string_view function, std::span<const Value> args) {
    return guest_(function, args);
  }};
  std::shared_ptr<FakeModule> module_ = std::make_shared<FakeModule>();
  std::vector<Group> builds_;
  int disposed_ = 0;
  WorkerVms vms_{host_, nullptr, *this, services_, 0};
};

}  // namespace weir::wasm
