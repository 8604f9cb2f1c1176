// All VMs of one worker: whose they are, and how they leave.
#include "unit/wasm/worker_fixture.h"

namespace weir::wasm {
namespace {

/// Does what the test says when its VM leaves it.
struct Stream final : StreamContext {
  void apply_effects() override {}
  void on_vm_gone() override {
    std::exchange(vm, nullptr)->leave_stream(*this);
    if (then) then();
  }
  void on_wait_over() override {}
  Vm* vm = nullptr;
  std::function<void()> then;
};

class WorkerVmsTest : public WorkerVmsFixture {
 protected:
  void enter(Stream& stream, const Group& group) {
    stream.vm = pick(group, stream.root);
    ASSERT_NE(stream.vm, nullptr);
    stream.vm->enter_stream(stream);
  }
};

TEST_F(WorkerVmsTest, ALateBuildIsForTheSlotThatAskedForIt) {
  const Group first = group("p");
  adopt(1, {}, {first});
  kill(first);
  turn();
  ASSERT_EQ(builds_.size(), 1u);
  adopt(2, {}, {});
  const Group again = group("p");  // an edit takes it out, the next one brings it back
  adopt(3, {}, {again});
  kill(again);
  turn();
  ASSERT_EQ(builds_.size(), 2u);
  const int disposed = disposed_;
  vms_.deliver(builds_[0], nullptr, "it did not start", 0);
  turn();
  EXPECT_EQ(store_.counter_value("wasm.p.vm_reload_failure"), 0u);
  vms_.deliver(builds_[0], make_vm(first), {}, 0);
  turn();
  EXPECT_EQ(disposed_, disposed + 1);
  EXPECT_EQ(vm_of(again), nullptr) << "its own is still on its way";
  vms_.deliver(builds_[1], make_vm(again), {}, 0);
  turn();
  EXPECT_NE(vm_of(again), nullptr);
}

TEST_F(WorkerVmsTest, WhileStreamsOfOldVmsEndOthersMayDie) {
  const std::vector<Group> old{group("a"), group("b"), group("c"), group("d")};
  const Group current = group("current");
  adopt(1, {}, {old[0], old[1], old[2], old[3], current});
  std::vector<Stream> streams(old.size());
  int gone = 0;
  for (size_t i = 0; i < old.size(); ++i) {
    enter(streams[i], old[i]);
    streams[i].then = [&] {
      if (++gone == 1) kill(current);
    };
  }
  adopt(2, {current}, {});
  EXPECT_EQ(gone, 0);
  vms_.expire(2);
  EXPECT_EQ(gone, 4);
  turn();
  EXPECT_EQ(disposed_, 5);
  EXPECT_EQ(builds_.size(), 1u);
}

TEST_F(WorkerVmsTest, AnAllocatorWithoutMemoryIsCounted) {
  const Group one = group("p");
  adopt(1, {}, {one});
  Vm& vm = *vm_of(one);
  guest_ = [&vm](std::string_view function, std::span<const Value>) {
    if (function == "malloc") return CallResult{.end = CallEnd::kOk, .value = 0};
    EXPECT_EQ(vm.give("text", 64, 68), Status::kInvalidMemoryAccess);
    return CallResult{.end = CallEnd::kOk, .value = 0};
  };
  const Value args[] = {1, 0, 0};
  vm.call(*vm.roots().front(), vm.exports().request_headers, args);
  EXPECT_FALSE(vm.dead());
  EXPECT_EQ(store_.counter_value("wasm.p.allocator_nulls"), 1u);
}

}  // namespace
}  // namespace weir::wasm
