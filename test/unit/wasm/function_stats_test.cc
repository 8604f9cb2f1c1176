// What callbacks have cost: who is counted what, and what becomes of it in the metrics.
#include "wasm/function_stats.h"

#include <gtest/gtest.h>

#include <chrono>

#include "unit/wasm/fake_guest.h"

namespace weir::wasm {
namespace {

unsigned index_of(std::string_view name) {
  for (unsigned i = 0; i < kMaxExports; ++i)
    if (export_name(i) == name) return i;
  ADD_FAILURE() << name;
  return 0;
}

FunctionStats::Totals totals(FakeGuest& guest, std::string_view name) {
  return guest.services.stats.plugin("p").functions.totals(index_of(name));
}

Plugin named(std::string name) {
  Plugin plugin;
  plugin.name = std::move(name);
  return plugin;
}

void burn(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

TEST(FunctionStats, EachCallbackIsCountedByItself) {
  FakeGuest guest(named("p"));
  for (int i = 0; i < 3; ++i) guest.in_stream([] {});
  guest.in_root([] { burn(std::chrono::milliseconds(3)); });
  const auto headers = totals(guest, "proxy_on_request_headers");
  const auto tick = totals(guest, "proxy_on_tick");
  EXPECT_EQ(headers.calls, 3u);
  EXPECT_LT(headers.time_us, tick.time_us);
  EXPECT_EQ(tick.calls, 1u);
  EXPECT_GE(tick.time_us, 2900u);
  EXPECT_EQ(tick.worst_us, tick.time_us);
  uint64_t long_ones = 0;
  for (size_t i = 0; i < kTimeBuckets; ++i)
    if (i >= kTimeBoundsUs.size() || kTimeBoundsUs[i] > 2500) long_ones += tick.buckets[i];
  EXPECT_EQ(long_ones, 1u);
}

TEST(FunctionStats, GrowthFailuresAndLimitsBelongToTheirCallback) {
  FakeGuest guest(named("p"));
  auto& bytes = static_cast<FakeInstance&>(guest.vm->instance()).bytes;
  guest.in_stream([] {});  // knows what the module began with
  guest.in_root([&bytes] { bytes.resize(bytes.size() + 2 * 65536); });
  guest.in_root([&guest] {
    guest.vm->count_limit(LimitKind::kMetrics);
    guest.vm->count_limit(LimitKind::kMetrics);
  });
  guest.result = CallEnd::kTrap;
  guest.in_stream([] {});
  const auto headers = totals(guest, "proxy_on_request_headers");
  const auto tick = totals(guest, "proxy_on_tick");
  EXPECT_EQ(headers.grown_bytes, 0u);
  EXPECT_EQ(tick.grown_bytes, 2u * 65536);
  EXPECT_EQ(headers.failures, 1u);
  EXPECT_EQ(headers.limit_hits, 0u);
  EXPECT_EQ(tick.failures, 0u);
  EXPECT_EQ(tick.limit_hits, 2u);
}

TEST(FunctionStats, ThreadsAreSummedUp) {
  stats::Store store(3);
  FunctionStats functions(store, "wasm.p.function.", 3);
  const TimeBounds bounds;
  functions.cells(0)[1].count(bounds.ticks[3], 2, bounds);
  functions.cells(1)[1].count(bounds.ticks[3] + 1, 3, bounds);
  functions.starting_cells()[1].count(1, 0, bounds);
  const auto sum = functions.totals(1);
  EXPECT_EQ(sum.calls, 3u);
  EXPECT_EQ(sum.host_calls, 5u);
  EXPECT_EQ(sum.buckets[3], 1u) << "bounds are inclusive";
  EXPECT_EQ(sum.buckets[4], 1u);
  EXPECT_NEAR(static_cast<double>(sum.worst_us), 25.0, 1.0);
  EXPECT_EQ(functions.totals(2).calls, 0u);
}

TEST(FunctionStats, ArePublishedAsMetrics) {
  stats::Store store(1);
  FunctionStats functions(store, "wasm.p.function.", 1);
  const TimeBounds bounds;
  const unsigned tick = index_of("proxy_on_tick");
  functions.publish();
  EXPECT_EQ(stats::to_text(store, "", false), "") << "what was not called has no metrics";
  for (int round = 1; round <= 2; ++round) {
    for (int i = 0; i < 5; ++i) functions.cells(0)[tick].count(bounds.ticks[2], 4, bounds);
    functions.publish();
    functions.publish();
    const std::string name = "wasm.p.function.proxy_on_tick.";
    EXPECT_EQ(store.counter_value(name + "calls"), 5u * round);
    EXPECT_EQ(store.counter_value(name + "host_calls"), 20u * round);
    EXPECT_NEAR(static_cast<double>(store.counter_value(name + "time_us")), 50.0 * round, 2.0);
    EXPECT_NEAR(static_cast<double>(store.gauge_value(name + "worst_us")), 10.0, 1.0);
  }
  const std::string text = stats::to_prometheus(store, "", false);
  EXPECT_NE(text.find("duration_us_bucket{weir_wasm_plugin=\"p\","
                      "weir_wasm_function=\"proxy_on_tick\",le=\"5\"} 0"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("le=\"10\"} 10"), std::string::npos) << text;
  EXPECT_NE(text.find("envoy_wasm_function_calls{weir_wasm_plugin=\"p\","
                      "weir_wasm_function=\"proxy_on_tick\"} 10"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace weir::wasm
