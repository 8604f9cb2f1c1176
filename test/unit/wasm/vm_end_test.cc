// How VMs of one worker end: what an edit keeps of them, and what their roots still hear.
#include <algorithm>

#include "unit/wasm/worker_fixture.h"
#include "wasm/abi/abi.h"

namespace weir::wasm {
namespace {

class VmEnd : public WorkerVmsFixture {
 protected:
  VmEnd() {
    module_->function("proxy_on_queue_ready", "ii")
        .function("proxy_on_done", "i>i")
        .function("proxy_on_delete", "i");
    guest_ = [this](std::string_view function, std::span<const Value> args) {
      if (function.starts_with("proxy_on_"))
        calls_.push_back(std::string(function.substr(9)) + " " + std::to_string(args[0]));
      if (function == "proxy_on_done") {
        if (on_done_) on_done_();
        return CallResult{.end = CallEnd::kOk, .value = stays_ != args[0]};
      }
      if (function == "proxy_on_queue_ready" && on_queue_) on_queue_();
      return CallResult{.end = CallEnd::kOk, .value = 1};
    };
  }
  void TearDown() override { vms_.stop(); }  // while what the guest notes is there
  PluginUses::Use hold(const Group& group) {
    return services_.uses.hold(group->plugins.front()->key);
  }
  size_t count(const std::string& call) const {
    return static_cast<size_t>(std::count(calls_.begin(), calls_.end(), call));
  }
  /// A queue of a root, with what it takes to call it.
  uint32_t queue_of(Vm& vm, uint32_t root) {
    return services_.queues.add("", "of " + std::to_string(root), &vms_, vm.record().serial, root);
  }
  void put(uint32_t queue, int items = 1) {
    bool dropped = false;
    for (int i = 0; i < items; ++i) services_.queues.enqueue(queue, "x", dropped);
    turn();
  }
  std::vector<std::string> calls_;  // callback and context
  Value stays_ = 0;                 // the root that answers false to proxy_on_done
  std::function<void()> on_done_, on_queue_;
};

// ---- what an edit keeps -----------------------------------------------------------------------------

TEST_F(VmEnd, AnOldVmIsThereForTheSnapshotsThatHaveItsPlugins) {
  const Group old = group("old");
  auto use = hold(old);
  adopt(1, {}, {old});
  Vm* const vm = vm_of(old);
  const Group next = group("next");
  adopt(2, {}, {next});
  EXPECT_EQ(vm_of(old), vm);
  EXPECT_NE(vm_of(next), nullptr);
  adopt(3, {next}, {});
  EXPECT_EQ(vm_of(old), vm) << "over further edits too";
  EXPECT_EQ(disposed_, 0);
  use.reset();
  turn();
  EXPECT_EQ(vm_of(old), nullptr);
  EXPECT_EQ(disposed_, 1);
  EXPECT_EQ(count("delete 1"), 1u);
}

TEST_F(VmEnd, AnOldVmEndsAtTheGenerationsMaximumAge) {
  const Group old = group("old");
  const auto use = hold(old);
  adopt(1, {}, {old});
  adopt(2, {}, {});
  vms_.expire(1);
  turn();
  EXPECT_EQ(disposed_, 0);
  vms_.expire(2);
  EXPECT_EQ(vm_of(old), nullptr);
  turn();
  EXPECT_EQ(disposed_, 1);
}

TEST_F(VmEnd, AnOldVmIsNotNeededBesideANewerOneOfItsPlugins) {
  const Group first = group("p");
  const auto use = hold(first);
  adopt(1, {}, {first});
  adopt(2, {}, {});
  EXPECT_EQ(disposed_, 0);
  const Group again = group("p");
  adopt(3, {}, {again});
  EXPECT_EQ(disposed_, 1);
  EXPECT_EQ(&vm_of(again)->group(), again.get());
  const auto shared = group_of({"p", "q"});
  const auto other = hold(group("q"));
  adopt(4, {}, {shared});
  EXPECT_EQ(disposed_, 2);
  const Group changed = group_of({"p", "r"});
  adopt(5, {}, {changed});
  EXPECT_EQ(disposed_, 2) << "q is held";
  EXPECT_EQ(&vm_of(again)->group(), changed.get());
  EXPECT_EQ(&vm_of(group("q"))->group(), shared.get());
}

TEST_F(VmEnd, AnOldVmThatDiesIsNotReplaced) {
  const Group old = group("old");
  const auto use = hold(old);
  adopt(1, {}, {old});
  adopt(2, {}, {});
  kill(old);
  EXPECT_EQ(vm_of(old), nullptr);
  turn();
  EXPECT_EQ(disposed_, 1);
  EXPECT_TRUE(builds_.empty());
}

TEST_F(VmEnd, WithoutASnapshotNothingIsKept) {
  adopt(1, {}, {group("old")});
  adopt(2, {}, {});
  EXPECT_EQ(disposed_, 1);
}

// ---- roots ------------------------------------------------------------------------------------------

TEST_F(VmEnd, NothingComesAfterDelete) {
  const Group both = group_of({"a", "b"});
  adopt(1, {}, {both});
  Vm& vm = *vm_of(both);
  const auto gone = static_cast<uint32_t>(vm.roots()[0]->id);
  const auto stays = static_cast<uint32_t>(vm.roots()[1]->id);
  stays_ = stays;
  const uint32_t of_gone = queue_of(vm, gone);
  const uint32_t of_stays = queue_of(vm, stays);
  adopt(2, {}, {});
  ASSERT_EQ(calls_.back(), "done " + std::to_string(stays));
  ASSERT_EQ(count("delete " + std::to_string(gone)), 1u);
  put(of_gone);
  EXPECT_EQ(count("queue_ready " + std::to_string(gone)), 0u);
  bool known = true;
  on_queue_ = [&] {
    known = vm.set_effective(gone);
    EXPECT_TRUE(vm.set_effective(stays));
    abi::done(vm, nullptr);
  };
  put(of_stays);
  EXPECT_FALSE(known);
  turn();
  EXPECT_EQ(calls_.back(), "delete " + std::to_string(stays));
  EXPECT_EQ(disposed_, 1);
}

TEST_F(VmEnd, DoneCountsOnlyForTheEndThatIsAsked) {
  const Group one = group("p");
  adopt(1, {}, {one});
  Vm& vm = *vm_of(one);
  const uint32_t queue = queue_of(vm, 1);
  on_queue_ = [&] { abi::done(vm, nullptr); };
  put(queue);
  stays_ = 1;
  adopt(2, {}, {});
  turn();
  EXPECT_EQ(count("done 1"), 1u);
  EXPECT_EQ(count("delete 1"), 0u);
  EXPECT_EQ(disposed_, 0);
  put(queue);
  turn();
  EXPECT_EQ(count("delete 1"), 1u);
  EXPECT_EQ(disposed_, 1);
}

TEST_F(VmEnd, DoneMayBeCalledInsideOnDone) {
  const Group one = group("p");
  adopt(1, {}, {one});
  Vm& vm = *vm_of(one);
  stays_ = 1;
  on_done_ = [&] { abi::done(vm, nullptr); };
  adopt(2, {}, {});
  turn();
  EXPECT_EQ(count("delete 1"), 1u);
  EXPECT_EQ(disposed_, 1);
}

TEST_F(VmEnd, AtTheEndOfTheProcessRootsThatWantToStayMay) {
  const Group one = group("p");
  adopt(1, {}, {one});
  Vm& vm = *vm_of(one);
  const uint32_t queue = queue_of(vm, 1);
  stays_ = 1;
  bool ended = false;
  vms_.end([](void* flag) { *static_cast<bool*>(flag) = true; }, &ended);
  turn();
  EXPECT_FALSE(ended);
  EXPECT_EQ(count("done 1"), 1u);
  on_queue_ = [&] { abi::done(vm, nullptr); };
  put(queue);
  turn();
  EXPECT_TRUE(ended);
  EXPECT_EQ(count("delete 1"), 1u);
  EXPECT_EQ(disposed_, 1);
}

TEST_F(VmEnd, RootsThatWantToStayMayBeDeniedIt) {
  adopt(1, {}, {group("p")});
  stays_ = 1;
  bool ended = false;
  vms_.end([](void* flag) { *static_cast<bool*>(flag) = true; }, &ended);
  turn();
  EXPECT_FALSE(ended);
  vms_.drop_grace();
  turn();
  EXPECT_TRUE(ended);
  EXPECT_EQ(disposed_, 1);
}

TEST_F(VmEnd, WithoutVmsAThreadEndsAtOnce) {
  bool ended = false;
  vms_.end([](void* flag) { *static_cast<bool*>(flag) = true; }, &ended);
  EXPECT_FALSE(ended) << "from the loop";
  turn();
  EXPECT_TRUE(ended);
}

// ---- queues -----------------------------------------------------------------------------------------

TEST_F(VmEnd, ARootIsCalledForEachItem) {
  const Group one = group("p");
  adopt(1, {}, {one});
  const uint32_t queue = queue_of(*vm_of(one), 1);
  put(queue, 7);
  EXPECT_EQ(count("queue_ready 1"), 7u);
  queue_of(*vm_of(one), 1);
  turn();
  EXPECT_EQ(count("queue_ready 1"), 7u);
  put(queue, 1);
  EXPECT_EQ(count("queue_ready 1"), 8u);
}

TEST_F(VmEnd, OneThatDiesInItIsNotCalledAgain) {
  const Group one = group("p");
  adopt(1, {}, {one});
  const uint32_t queue = queue_of(*vm_of(one), 1);
  int calls = 0;
  guest_ = [&calls](auto&&...) {
    ++calls;
    return CallResult{.end = CallEnd::kTrap, .value = 0};
  };
  put(queue, 7);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace weir::wasm
