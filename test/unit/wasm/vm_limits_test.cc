// Limits of a VM: what is counted, and what is said of it.
#include <gtest/gtest.h>

#include <chrono>

#include "support/log_lines.h"
#include "unit/wasm/fake_guest.h"
#include "wasm/abi/abi.h"

namespace weir::wasm {
namespace {

using test::LogLines;

Plugin named(std::string name) {
  Plugin plugin;
  plugin.name = std::move(name);
  return plugin;
}

/// Lines that one a second comes to, for what has lasted since `began`.
size_t at_most(std::chrono::steady_clock::time_point began) {
  const auto past = std::chrono::steady_clock::now() - began;
  return 1 + static_cast<size_t>(std::chrono::duration_cast<std::chrono::seconds>(past).count());
}

TEST(VmLimits, EveryTimeCountsAndOneIsLogged) {
  const LogLines lines;
  FakeGuest guest(named("p"));
  const auto began = std::chrono::steady_clock::now();
  guest.in_stream([&guest] {
    for (int i = 0; i < 1000; ++i) guest.vm->count_limit(LimitKind::kMetrics);
  });
  EXPECT_EQ(guest.store.counter_value("wasm.p.limit.metrics"), 1000u);
  EXPECT_EQ(guest.vm->roots().front()->cell().limit_hits, 1000u);
  EXPECT_GE(lines.with("limit=metrics"), 1u);
  EXPECT_LE(lines.with("limit=metrics"), at_most(began));
}

TEST(VmLimits, OneLimitDoesNotHideAnother) {
  const LogLines lines;
  FakeGuest guest(named("p")), other(named("q"));
  guest.in_stream([&guest] {
    for (int i = 0; i < 10; ++i) guest.vm->count_limit(LimitKind::kMetrics);
    guest.vm->count_limit(LimitKind::kHeaders);
  });
  other.in_stream([&other] { other.vm->count_limit(LimitKind::kMetrics); });
  EXPECT_EQ(lines.with("plugin=p limit=headers"), 1u);
  EXPECT_EQ(lines.with("plugin=q limit=metrics"), 1u);
}

TEST(VmLimits, LogLinesOfAGuestBeyondTheRateAreCountedAndNotWritten) {
  const LogLines lines;
  Plugin plugin = named("p");
  plugin.vm.limits.max_log_lines_per_second = 3;
  FakeGuest guest(plugin);
  const auto began = std::chrono::steady_clock::now();
  guest.in_stream([&guest] {
    for (int i = 0; i < 100; ++i) guest.vm->log(4, "said");
  });
  const size_t written = lines.with("text=said");
  EXPECT_GE(written, 3u);
  EXPECT_LE(written, 3 * (at_most(began) + 1)) << "seconds are the clock's own";
  EXPECT_EQ(guest.store.counter_value("wasm.p.limit.log_lines"), 100 - written);
  EXPECT_LE(lines.with("limit=log_lines"), at_most(began));
}

TEST(VmLimits, TheLastPageOfMemoryCounts) {
  Plugin plugin = named("p");
  plugin.vm.limits.max_memory_bytes = 3 * 64 * 1024;
  FakeGuest guest(plugin);
  const auto grow_to = [&guest](size_t pages) {
    guest.in_root([&guest, pages] {
      static_cast<FakeInstance&>(guest.vm->instance()).bytes.resize(pages * 64 * 1024);
    });
    return guest.store.counter_value("wasm.p.limit.memory");
  };
  EXPECT_EQ(grow_to(2), 0u);
  EXPECT_EQ(grow_to(3), 1u) << "the next page is refused";
  EXPECT_EQ(grow_to(3), 1u) << "said once";
}

TEST(VmLimits, StreamsAtOnce) {
  const LogLines lines;
  Plugin plugin = named("p");
  plugin.vm.limits.max_streams = 2;
  FakeGuest guest(plugin);
  RootContext& root = *guest.vm->roots().front();
  FakeGuest::Stream first, second;
  guest.vm->enter_stream(first);
  EXPECT_TRUE(guest.vm->admits(root));
  guest.vm->enter_stream(second);
  EXPECT_FALSE(guest.vm->admits(root));
  EXPECT_FALSE(guest.vm->admits(root));
  EXPECT_EQ(guest.store.counter_value("wasm.p.limit.streams"), 2u);
  EXPECT_EQ(lines.with("plugin=p limit=streams"), 1u);
  guest.vm->leave_stream(first);
  EXPECT_TRUE(guest.vm->admits(root));
  guest.vm->leave_stream(second);
}

/// Until so much time is gone.
void burn(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

TEST(VmLimits, AShareOfTheWorker) {
  const LogLines lines;
  Plugin plugin = named("p");
  plugin.vm.limits.max_cpu_percent = 5;
  FakeGuest guest(plugin);
  RootContext& root = *guest.vm->roots().front();
  guest.in_root([] { burn(std::chrono::milliseconds(5)); });
  EXPECT_TRUE(guest.vm->admits(root));
  guest.in_root([] { burn(std::chrono::milliseconds(55)); });
  EXPECT_FALSE(guest.vm->admits(root));
  EXPECT_EQ(guest.store.counter_value("wasm.p.limit.cpu"), 1u);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!guest.vm->admits(root) && std::chrono::steady_clock::now() < deadline)
    burn(std::chrono::milliseconds(10));
  EXPECT_TRUE(guest.vm->admits(root)) << "a second later";
}

TEST(VmLimits, AHeapThatIsFullCountsAsMemory) {
  const LogLines lines;
  FakeGuest guest(named("p"));
  guest.result = CallEnd::kTrap;
  guest.in_stream(
      [&guest] { static_cast<FakeInstance&>(guest.vm->instance()).heap_is_full = true; });
  EXPECT_TRUE(guest.vm->dead());
  EXPECT_NE(guest.vm->death().find("the engine's heap limit is reached"), std::string::npos);
  EXPECT_EQ(guest.store.counter_value("wasm.p.traps"), 1u);
  EXPECT_EQ(guest.store.counter_value("wasm.p.limit.memory"), 1u);
}

}  // namespace
}  // namespace weir::wasm
