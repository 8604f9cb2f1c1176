#include "wasm/watchdog.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "unit/wasm/fake_guest.h"

namespace weir::wasm {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kDeadline = 10s;

uint64_t nanoseconds(std::chrono::nanoseconds time) { return static_cast<uint64_t>(time.count()); }

/// A guest call that goes on until the watchdog ends it.
struct Call {
  Call(Watchdog& to, unsigned index, std::chrono::nanoseconds budget)
      : watchdog(to), cell(to.cell(index)), sequence(cell.next()) {
    instance.on_terminate = [this](uint64_t meant) {
      EXPECT_EQ(meant, sequence);
      if (++ends == 1) ended_at.set_value(Clock::now());
    };
    cell.begin(sequence, instance, nanoseconds(budget));
    watchdog.note_call();
  }
  ~Call() {
    cell.end();
    watchdog.forget(instance);
  }
  /// Waits without using the processor.
  bool wait() { return future.wait_for(kDeadline) == std::future_status::ready; }

  Watchdog& watchdog;
  WatchCell& cell;
  const uint64_t sequence;
  FakeInstance instance;
  std::atomic<int> ends{0};
  std::promise<Clock::time_point> ended_at;
  std::future<Clock::time_point> future = ended_at.get_future();
};

TEST(Watchdog, EndsACallThatUsesNoProcessorAtTenTimesItsBudget) {
  Watchdog watchdog(1);
  watchdog.attach(0);
  const auto began = Clock::now();
  Call call(watchdog, 0, 20ms);
  ASSERT_TRUE(call.wait());
  // The thread has slept: by its own clock the budget is hardly touched, so nothing may end the call earlier.
  EXPECT_GE(call.future.get() - began, 200ms);
  watchdog.detach(0);  // waits for the sample that is under way
  EXPECT_EQ(watchdog.terminations(), 1u);
}

TEST(Watchdog, EndsACallThatUsesTheProcessor) {
  Watchdog watchdog(1);
  watchdog.attach(0);
  Call call(watchdog, 0, 10ms);
  const auto deadline = Clock::now() + kDeadline;
  while (call.future.wait_for(0s) != std::future_status::ready && Clock::now() < deadline) {
  }
  EXPECT_TRUE(call.wait());
  watchdog.detach(0);
}

TEST(Watchdog, WithoutABudgetACallMayGoOn) {
  Watchdog watchdog(2);
  Call endless(watchdog, 0, 0ns);
  Call other(watchdog, 1, 2ms);
  ASSERT_TRUE(other.wait());
  EXPECT_EQ(endless.ends, 0);
}

TEST(Watchdog, EndsEachCallOnceAndTheNextOneAnew) {
  Watchdog watchdog(2);
  Call first(watchdog, 0, 1ms);
  ASSERT_TRUE(first.wait());
  {
    Call later(watchdog, 1, 5ms);  // many samples see the first one, which has been told
    ASSERT_TRUE(later.wait());
  }
  first.cell.end();
  Call second(watchdog, 0, 1ms);
  EXPECT_NE(second.sequence, first.sequence);
  ASSERT_TRUE(second.wait());
  EXPECT_EQ(first.ends, 1);
}

TEST(Watchdog, NumbersOfCallsAreUniqueAmongCells) {
  Watchdog watchdog(3);
  EXPECT_NE(watchdog.cell(0).next(), watchdog.cell(1).next());
  EXPECT_NE(watchdog.cell(1).next(), watchdog.cell(2).next());
  EXPECT_NE(watchdog.cell(0).next(), 0u) << "which means that none runs";
}

}  // namespace
}  // namespace weir::wasm
