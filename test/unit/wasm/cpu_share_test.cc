#include "wasm/cpu_share.h"

#include <gtest/gtest.h>

namespace weir::wasm {
namespace {

constexpr uint64_t kSecond = 1'000'000;  // ticks
constexpr uint64_t kStart = 1000 * kSecond;

TEST(CpuShare, IsOverAboveTheLimit) {
  CpuShare share(20, kSecond);
  share.add(kStart, kSecond / 5);
  EXPECT_FALSE(share.over(kStart));
  share.add(kStart, 1);
  EXPECT_TRUE(share.over(kStart));
}

TEST(CpuShare, ForgetsWhatIsOlderThanASecond) {
  CpuShare share(20, kSecond);
  share.add(kStart, kSecond / 4);
  EXPECT_TRUE(share.over(kStart + kSecond * 8 / 10));
  EXPECT_FALSE(share.over(kStart + kSecond * 11 / 10));
  EXPECT_EQ(share.ticks(kStart + kSecond * 11 / 10), 0u);
  share.add(kStart + 100 * kSecond, 7);
  EXPECT_EQ(share.ticks(kStart + 100 * kSecond), 7u);
}

TEST(CpuShare, ComesBackAtThreeQuarters) {
  CpuShare share(20, kSecond);
  // 5 % in the first tenth of the second, 16 % in the next.
  share.add(kStart, kSecond / 20);
  share.add(kStart + kSecond / 10 + 10, kSecond * 16 / 100);
  EXPECT_TRUE(share.over(kStart + kSecond / 10 + 10));
  const uint64_t later = kStart + kSecond + kSecond / 20;
  EXPECT_EQ(share.ticks(later), kSecond * 16 / 100) << "below the limit again";
  EXPECT_TRUE(share.over(later)) << "but not far enough";
  EXPECT_FALSE(share.over(kStart + kSecond * 13 / 10));
}

TEST(CpuShare, AnEvenLoadBelowTheLimitPasses) {
  CpuShare share(20, kSecond);
  for (uint64_t i = 0; i < 10'000; ++i) {
    const uint64_t now = kStart + i * (kSecond / 1000);
    share.add(now, kSecond / 1000 * 19 / 100);
    ASSERT_FALSE(share.over(now)) << i;
  }
}

TEST(CpuShare, AClockThatStandsBackChangesNothing) {
  CpuShare share(20, kSecond);
  share.add(kStart, kSecond / 4);
  share.add(kStart - 5 * kSecond, 1);
  EXPECT_EQ(share.ticks(kStart - 5 * kSecond), kSecond / 4 + 1);
}

}  // namespace
}  // namespace weir::wasm
