// A VM that works gives its place to a fresh one: when, and what becomes of both.
#include <gtest/gtest.h>

#include "unit/upstream/origin.h"
#include "unit/wasm/fake_slot.h"

namespace weir::wasm {
namespace {

using namespace std::chrono_literals;

Plugin plugin_with(Recycle recycle) {
  Plugin plugin;
  plugin.name = "p";
  plugin.vm.recycle = recycle;
  return plugin;
}

/// Streams that come and go.
void pass_streams(Vm& vm, int count) {
  for (int i = 0; i < count; ++i) {
    FakeGuest::Stream stream;
    stream.root = vm.roots().front().get();
    vm.enter_stream(stream);
    vm.leave_stream(stream);
  }
}

TEST(VmRecycle, TheOldOneServesUntilTheFreshOneIsThere) {
  FakeWorker worker(plugin_with({}));
  Vm* const first = worker.slot->current();
  worker.slot->recycle();
  worker.end_turn();
  EXPECT_EQ(worker.slot->current(), first);
  worker.deliver();
  EXPECT_EQ(worker.slot->current(), first) << "inside a callback of it nothing changes";
  worker.end_turn();
  EXPECT_NE(worker.slot->current(), first);
  ASSERT_EQ(worker.retired.size(), 1u);
  EXPECT_EQ(worker.retired.front().get(), first);
  EXPECT_FALSE(first->dead());
  EXPECT_EQ(worker.counter("wasm.p.vm_recycled"), 1u);
  EXPECT_EQ(worker.counter("wasm.p.vm_reload"), 0u);
  worker.end_turn();
  EXPECT_EQ(worker.retired.size(), 1u) << "once";
}

TEST(VmRecycle, StreamsThatEnteredAreCounted) {
  FakeWorker worker(plugin_with({.max_streams = 3}));
  pass_streams(*worker.slot->current(), 2);
  EXPECT_EQ(worker.builds, 0u);
  pass_streams(*worker.slot->current(), 1);
  EXPECT_EQ(worker.builds, 1u);
  pass_streams(*worker.slot->current(), 100);
  EXPECT_EQ(worker.builds, 1u) << "one replacement at a time";
  worker.deliver();
  worker.end_turn();
  pass_streams(*worker.slot->current(), 3);
  EXPECT_EQ(worker.builds, 1u) << "the fresh one counts anew";
}

TEST(VmRecycle, ByAge) {
  FakeWorker worker(plugin_with({.max_age = 20ms}));
  EXPECT_TRUE(test::run_until(worker.loop(), "its age", [&] { return worker.builds > 0; }));
  worker.deliver();
  worker.end_turn();
  EXPECT_TRUE(test::run_until(worker.loop(), "the next's age", [&] { return worker.builds > 0; }));
}

TEST(VmRecycle, ASpareTakesOverAtOnce) {
  FakeWorker worker(plugin_with({}));
  worker.kill(CallEnd::kTrap);
  worker.deliver();  // the replacement
  worker.deliver();  // the spare
  EXPECT_EQ(worker.builds, 0u);
  worker.slot->recycle();
  EXPECT_TRUE(worker.work) << "somebody has to come by at the end of the turn";
  worker.end_turn();
  EXPECT_EQ(worker.counter("wasm.p.vm_recycled"), 1u);
  EXPECT_EQ(worker.builds, 1u) << "the next spare";
}

TEST(VmRecycle, AReplacementThatDoesNotStartIsTriedAgain) {
  Plugin plugin = plugin_with({});
  plugin.backoff_base = plugin.backoff_max = 10ms;
  FakeWorker worker(plugin);
  Vm* const first = worker.slot->current();
  worker.slot->recycle();
  worker.deliver_failure();
  worker.slot->recycle();
  EXPECT_EQ(worker.builds, 0u) << "not at once";
  EXPECT_EQ(worker.slot->current(), first) << "which goes on";
  EXPECT_TRUE(test::run_until(worker.loop(), "another try", [&] { return worker.builds > 0; }));
  worker.deliver();
  worker.end_turn();
  EXPECT_NE(worker.slot->current(), first);
}

TEST(VmRecycle, WaitsWhileStartingCostsTooMuch) {
  Plugin plugin = plugin_with({});
  plugin.backoff_base = plugin.backoff_max = 10ms;
  FakeWorker worker(plugin);
  worker.slot->count_cost(CostWindow::kBudgetNs + 1);
  worker.slot->recycle();
  EXPECT_EQ(worker.builds, 0u);
  EXPECT_TRUE(test::run_until(worker.loop(), "the build", [&] { return worker.builds > 0; }));
  worker.deliver();
  worker.end_turn();
  EXPECT_EQ(worker.counter("wasm.p.vm_recycled"), 1u);
}

TEST(VmRecycle, OneThatDiesMeanwhileIsReplacedOnce) {
  FakeWorker worker(plugin_with({}));
  worker.slot->recycle();
  worker.kill(CallEnd::kTrap);
  EXPECT_EQ(worker.builds, 1u);
  worker.deliver();
  ASSERT_NE(worker.slot->current(), nullptr);
  worker.end_turn();
  EXPECT_EQ(worker.counter("wasm.p.vm_recycled"), 0u);
}

TEST(VmRecycle, OneThatDiesDoesNotWaitForTheBackOffOfASpare) {
  Plugin plugin = plugin_with({});
  plugin.backoff_base = plugin.backoff_max = 1h;
  FakeWorker worker(plugin);
  worker.kill(CallEnd::kTrap);
  worker.deliver();
  ASSERT_EQ(worker.builds, 1u) << "the spare";
  worker.deliver_failure();
  worker.kill(CallEnd::kTrap);
  FakeGuest::Stream stream;
  EXPECT_TRUE(worker.slot->await(stream)) << "another is being started";
  worker.deliver();
  ASSERT_NE(worker.slot->current(), nullptr);
  worker.deliver_failure();  // the spare again
  worker.kill(CallEnd::kTrap);
  worker.deliver_failure();
  EXPECT_EQ(worker.builds, 0u) << "what does not start at all waits";
}

TEST(VmRecycle, WaitsWhileTooManyOldOnesHaveStreams) {
  FakeWorker worker(plugin_with({}));
  for (size_t i = 0; i < VmSlot::kMaxDraining; ++i) {
    worker.slot->recycle();
    worker.deliver();
    worker.end_turn();
    EXPECT_EQ(worker.retired.size(), i + 1);
  }
  worker.slot->recycle();
  worker.deliver();
  worker.end_turn();
  EXPECT_EQ(worker.retired.size(), VmSlot::kMaxDraining);
  worker.retired.front()->release();
  worker.retired.erase(worker.retired.begin());
  worker.end_turn();
  EXPECT_EQ(worker.retired.size(), VmSlot::kMaxDraining) << "one has gone, one has come";
}

TEST(VmRecycle, OneWhoseIsolateIsFullMoves) {
  FakeWorker worker(plugin_with({}));
  Vm* const first = worker.slot->current();
  worker.next_call.crowded = true;
  const Value args[] = {1, 0, 0};
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(first->call(*first->roots().front(), first->exports().request_headers, args).ok);
    EXPECT_EQ(worker.builds, 1u);
  }
  worker.next_call = {};
  worker.deliver();
  worker.end_turn();
  EXPECT_NE(worker.slot->current(), first);
}

TEST(VmRecycle, ASlotThatIsRetiredBuildsNothing) {
  FakeWorker worker(plugin_with({.max_streams = 1}));
  std::unique_ptr<Vm> old = worker.slot->retire();
  worker.slot->recycle();
  pass_streams(*old, 1);
  EXPECT_EQ(worker.builds, 0u);
  old->release();
}

}  // namespace
}  // namespace weir::wasm
