#include "wasm/guest_memory.h"

#include <gtest/gtest.h>

#include "unit/wasm/fake_guest.h"

namespace weir::wasm {
namespace {

constexpr uint64_t kSize = 64 * 1024;

class GuestMemoryTest : public ::testing::Test {
 protected:
  GuestMemory memory() { return GuestMemory(instance_); }
  FakeInstance instance_;
};

TEST_F(GuestMemoryTest, RangesEndWithTheMemory) {
  const GuestMemory guest = memory();
  EXPECT_TRUE(guest.contains(0, kSize));
  EXPECT_TRUE(guest.contains(kSize - 1, 1));
  EXPECT_TRUE(guest.contains(kSize, 0));
  EXPECT_FALSE(guest.contains(kSize + 1, 0));
  EXPECT_FALSE(guest.contains(0, kSize + 1));
  EXPECT_FALSE(guest.contains(kSize - 1, 2));
  EXPECT_FALSE(guest.contains(kSize, 1));
}

TEST_F(GuestMemoryTest, SumsThatWrapAroundAreOutside) {
  const GuestMemory guest = memory();
  EXPECT_FALSE(guest.contains(0xffffffff, 1));
  EXPECT_FALSE(guest.contains(1, 0xffffffff));
  EXPECT_FALSE(guest.contains(8, UINT64_MAX - 4));
  EXPECT_FALSE(guest.view(0xffffffff, 2));
  EXPECT_FALSE(guest.view(0xfffffff0, 0x20));
  EXPECT_EQ(guest.writable(0x80000000, 0x80000000), nullptr);
}

TEST_F(GuestMemoryTest, ArgumentsAreNumbersOf32Bits) {
  // Engines may sign-extend an i32 into its slot.
  GuestMemory guest = memory();
  ASSERT_TRUE(guest.write(4, "abcd"));
  EXPECT_EQ(guest.view(0xffffffff'00000004, 0xffffffff'00000004), "abcd");
  EXPECT_FALSE(guest.view(0xffffffff'ffffffff, 1));
}

TEST_F(GuestMemoryTest, LoadsAndStoresWithoutAlignment) {
  const GuestMemory guest = memory();
  EXPECT_TRUE(guest.store<uint32_t>(3, 0x11223344));
  EXPECT_EQ(guest.load<uint32_t>(3), 0x11223344u);
  EXPECT_EQ(guest.load<uint8_t>(3), 0x44);
  EXPECT_TRUE(guest.store<uint64_t>(kSize - 8, 7));
  EXPECT_FALSE(guest.store<uint64_t>(kSize - 7, 7));
  EXPECT_FALSE(guest.load<uint32_t>(kSize - 3));
  EXPECT_EQ(guest.load<uint32_t>(kSize - 8), 7u) << "a refused store writes nothing";
}

TEST_F(GuestMemoryTest, WritesAllOrNothing) {
  const GuestMemory guest = memory();
  EXPECT_TRUE(guest.write(kSize - 3, "abc"));
  EXPECT_FALSE(guest.write(kSize - 3, "wxyz"));
  EXPECT_EQ(guest.view(kSize - 3, 3), "abc");
  EXPECT_TRUE(guest.write(kSize, ""));
  EXPECT_FALSE(guest.write(kSize + 1, ""));
}

TEST_F(GuestMemoryTest, WithoutMemoryOnlyNothingIsInside) {
  instance_.bytes.clear();
  const GuestMemory guest = memory();
  EXPECT_EQ(guest.view(0, 0), "");
  EXPECT_FALSE(guest.view(0, 1));
  EXPECT_FALSE(guest.view(1, 0));
  EXPECT_FALSE(guest.load<uint8_t>(0));
  EXPECT_TRUE(guest.write(0, ""));
}

}  // namespace
}  // namespace weir::wasm
