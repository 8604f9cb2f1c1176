// A VM that keeps failing is set aside: what counts, what is seen of it, and how it comes back.
#include <gtest/gtest.h>

#include "unit/upstream/origin.h"
#include "unit/wasm/fake_slot.h"
#include "wasm/describe.h"

namespace weir::wasm {
namespace {

using namespace std::chrono_literals;

Plugin plugin_with(std::chrono::milliseconds pause) {
  Plugin plugin;
  plugin.name = "p";
  plugin.backoff_base = plugin.backoff_max = 1ms;
  plugin.vm.quarantine = {
      .failures = 3, .window = 60s, .base_interval = pause, .max_interval = pause * 4};
  return plugin;
}

/// The VM runs out of time, and another takes its place where one may.
void time_out(FakeWorker& worker) {
  worker.kill(CallEnd::kTerminated);
  while (worker.builds > 0) worker.deliver();
}

TEST(VmQuarantine, TimeOutsBringIt) {
  FakeWorker worker(plugin_with(1h));
  for (int i = 0; i < 2; ++i) time_out(worker);
  ASSERT_NE(worker.slot->current(), nullptr);
  EXPECT_EQ(worker.gauge("wasm.p.quarantined"), 0);
  time_out(worker);
  EXPECT_EQ(worker.slot->current(), nullptr);
  EXPECT_EQ(worker.gauge("wasm.p.quarantined"), 1);
  EXPECT_EQ(worker.counter("wasm.p.quarantined_total"), 1u);
  FakeGuest::Stream stream;
  EXPECT_FALSE(worker.slot->await(stream)) << "the failure policy holds at once";
}

TEST(VmQuarantine, TrapsDoNot) {
  FakeWorker worker(plugin_with(1h));
  for (int i = 0; i < 50; ++i) {
    worker.kill(CallEnd::kTrap);
    while (worker.builds > 0) worker.deliver();
    ASSERT_NE(worker.slot->current(), nullptr) << i;
  }
  EXPECT_EQ(worker.counter("wasm.p.quarantined_total"), 0u);
}

TEST(VmQuarantine, TrapsThatCostTooMuchDo) {
  FakeWorker worker(plugin_with(1h));
  worker.slot->count_cost(CostWindow::kBudgetNs + 1);
  for (int i = 0; i < 3; ++i) {
    worker.kill(CallEnd::kTrap);
    test::run_until(worker.loop(), "the back-off", [&worker] {
      return worker.builds > 0 || worker.gauge("wasm.p.quarantined") > 0;
    });
    while (worker.builds > 0) worker.deliver();
  }
  EXPECT_EQ(worker.slot->current(), nullptr);
  EXPECT_EQ(worker.counter("wasm.p.vm_reload_backoff"), 2u);
  EXPECT_EQ(worker.gauge("wasm.p.quarantined"), 1);
}

TEST(VmQuarantine, StartsThatFailBringIt) {
  FakeWorker worker(plugin_with(1h));
  worker.kill(CallEnd::kTrap);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(test::run_until(worker.loop(), "a start", [&worker] { return worker.builds > 0; }));
    EXPECT_EQ(worker.gauge("wasm.p.quarantined"), 0);
    worker.deliver_failure();
  }
  EXPECT_EQ(worker.gauge("wasm.p.quarantined"), 1);
  test::run_some_turns(worker.loop());
  EXPECT_EQ(worker.builds, 0u);
}

TEST(VmQuarantine, SparesThatDoNotStartLeaveTheOneThatServes) {
  FakeWorker worker(plugin_with(1h));
  worker.kill(CallEnd::kTrap);
  worker.deliver();
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(test::run_until(worker.loop(), "a start", [&worker] { return worker.builds > 0; }));
    worker.deliver_failure();
  }
  EXPECT_NE(worker.slot->current(), nullptr);
  EXPECT_EQ(worker.gauge("wasm.p.quarantined"), 0);
}

TEST(VmQuarantine, ItComesBackByItself) {
  FakeWorker worker(plugin_with(20ms));
  for (int i = 0; i < 3; ++i) time_out(worker);
  EXPECT_EQ(worker.gauge("wasm.p.quarantined"), 1);
  EXPECT_TRUE(test::run_until(worker.loop(), "the pause's end",
                              [&worker] { return worker.gauge("wasm.p.quarantined") == 0; }));
  while (worker.builds > 0) worker.deliver();
  EXPECT_NE(worker.slot->current(), nullptr);
}

TEST(VmQuarantine, IsShown) {
  FakeWorker worker(plugin_with(1h));
  EXPECT_NE(describe(worker.services).find("\"alerts\":[]"), std::string::npos);
  for (int i = 0; i < 3; ++i) time_out(worker);
  const std::string page = describe(worker.services);
  for (const char* part :
       {"\"alerts\":[\"QUARANTINED: plugin p on worker_0 until 20", "\"state\":\"quarantined\"",
        "\"quarantines\":[{\"thread\":\"worker_0\"", "it ran longer than 100 ms"})
    EXPECT_NE(page.find(part), std::string::npos) << part << " in " << page;
}

TEST(VmQuarantine, EndsWithItsSlot) {
  FakeWorker worker(plugin_with(1h));
  for (int i = 0; i < 3; ++i) time_out(worker);
  EXPECT_EQ(worker.slot->retire(), nullptr);
  EXPECT_EQ(worker.gauge("wasm.p.quarantined"), 0) << "another generation begins anew";
}

}  // namespace
}  // namespace weir::wasm
