#include <gtest/gtest.h>

#include "wasm/vm_slot.h"

namespace weir::wasm {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kBudget = CostWindow::kBudgetNs;
const MonotonicTime kStart{1000h};

TEST(CostWindow, IsExhaustedAboveItsBudget) {
  CostWindow window;
  EXPECT_FALSE(window.exhausted(kStart));
  window.add(kStart, kBudget);
  EXPECT_FALSE(window.exhausted(kStart));
  window.add(kStart, 1);
  EXPECT_TRUE(window.exhausted(kStart));
}

TEST(CostWindow, SumsTheLastTenSeconds) {
  CostWindow window;
  for (int second = 0; second < 10; ++second) window.add(kStart + second * 1s, kBudget / 10);
  EXPECT_FALSE(window.exhausted(kStart + 9s));
  window.add(kStart + 9s, 1);
  EXPECT_TRUE(window.exhausted(kStart + 9s));
  EXPECT_FALSE(window.exhausted(kStart + 10s)) << "the first second is forgotten";
  window.add(kStart + 10s, kBudget / 10);
  EXPECT_TRUE(window.exhausted(kStart + 10s)) << "and only that one";
}

TEST(CostWindow, ForgetsAllAfterAQuietTime) {
  for (const auto quiet : {10s, 11s, 15s, 100000s}) {
    CostWindow window;
    window.add(kStart, kBudget + 1);
    EXPECT_TRUE(window.exhausted(kStart + 9s));
    EXPECT_FALSE(window.exhausted(kStart + quiet)) << quiet.count();
  }
}

TEST(CostWindow, AClockThatStandsBackChangesNothing) {
  CostWindow window;
  window.add(kStart, kBudget);
  window.add(kStart - 5s, 1);
  EXPECT_TRUE(window.exhausted(kStart - 5s));
  EXPECT_TRUE(window.exhausted(kStart + 9s));
  EXPECT_FALSE(window.exhausted(kStart + 10s));
}

}  // namespace
}  // namespace weir::wasm
