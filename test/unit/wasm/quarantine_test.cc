#include <gtest/gtest.h>

#include "wasm/quarantine.h"

namespace weir::wasm {
namespace {

using namespace std::chrono_literals;

constexpr QuarantineOptions kThree{
    .failures = 3, .window = 60s, .base_interval = 10s, .max_interval = 35s};
const MonotonicTime kStart{1000h};

/// Three failures at once; the pause that they bring, 0 if none.
std::chrono::milliseconds fail_at(Quarantine& quarantine, MonotonicTime now) {
  EXPECT_FALSE(quarantine.note(now));
  EXPECT_FALSE(quarantine.note(now));
  return quarantine.note(now) ? quarantine.pause() : 0ms;
}

TEST(Quarantine, BeginsWithTheLastFailureOfAWindow) {
  Quarantine quarantine(kThree);
  EXPECT_FALSE(quarantine.note(kStart));
  EXPECT_FALSE(quarantine.note(kStart + 30s));
  EXPECT_FALSE(quarantine.active());
  EXPECT_TRUE(quarantine.note(kStart + 60s));
  EXPECT_TRUE(quarantine.active());
  EXPECT_EQ(quarantine.pause(), 10s);
}

TEST(Quarantine, FailuresThatAreFarApartAreForgotten) {
  Quarantine quarantine(kThree);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(quarantine.note(kStart + i * 31s)) << i;
}

TEST(Quarantine, PausesGrowToTheirMaximum) {
  Quarantine quarantine(kThree);
  MonotonicTime now = kStart;
  for (const auto expected : {10s, 20s, 35s, 35s}) {
    EXPECT_EQ(fail_at(quarantine, now), expected);
    now += expected;
    quarantine.release(now);
    EXPECT_FALSE(quarantine.active());
  }
}

TEST(Quarantine, OneGoodIntervalClearsIt) {
  Quarantine quarantine(kThree);
  EXPECT_EQ(fail_at(quarantine, kStart), 10s);
  quarantine.release(kStart + 10s);
  EXPECT_EQ(fail_at(quarantine, kStart + 70s), 20s) << "the window is not over";
  quarantine.release(kStart + 90s);
  EXPECT_EQ(fail_at(quarantine, kStart + 90s + 61s), 10s);
}

TEST(Quarantine, AfterALongPauseTheIntervalIsAsLong) {
  Quarantine quarantine(
      {.failures = 1, .window = 1s, .base_interval = 100s, .max_interval = 1000s});
  EXPECT_TRUE(quarantine.note(kStart));
  quarantine.release(kStart + 100s);
  EXPECT_TRUE(quarantine.note(kStart + 199s));
  EXPECT_EQ(quarantine.pause(), 200s);
  quarantine.release(kStart + 399s);
  EXPECT_TRUE(quarantine.note(kStart + 600s));
  EXPECT_EQ(quarantine.pause(), 100s);
}

TEST(Quarantine, WhileItLastsNothingCounts) {
  Quarantine quarantine(kThree);
  EXPECT_EQ(fail_at(quarantine, kStart), 10s);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(quarantine.note(kStart + 1s));
  quarantine.release(kStart + 10s);
  EXPECT_FALSE(quarantine.note(kStart + 10s));
}

TEST(Quarantine, ZeroFailuresAreNone) {
  Quarantine quarantine({.failures = 0});
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(quarantine.note(kStart));
}

}  // namespace
}  // namespace weir::wasm
