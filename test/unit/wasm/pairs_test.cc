#include "wasm/pairs.h"

#include <gtest/gtest.h>

#include "wasm/limits.h"

namespace weir::wasm {
namespace {

using namespace std::string_view_literals;

std::string u32(uint32_t value) {
  std::string out;
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}

TEST(Pairs, HaveTheWireFormat) {
  EXPECT_EQ(encode_pairs({{"a", "bc"}}), "\1\0\0\0\1\0\0\0\2\0\0\0a\0bc\0"sv);
  EXPECT_EQ(encode_pairs({{"a", ""}, {"", "b"}}),
            "\2\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0a\0\0\0b\0"sv);
  EXPECT_EQ(encode_pairs({}), "\0\0\0\0"sv);
  EXPECT_EQ(pairs_size(2, 7), encode_pairs({{"abc", ""}, {"d", "efg"}}).size());
}

TEST(Pairs, AreReadAsTheyWereWritten) {
  const PairViews pairs{{":path", "/"}, {"x", ""}, {"x", "n\0l"sv}, {"", "\xff"}};
  const std::string bytes = encode_pairs(pairs);
  const auto read = decode_pairs(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, pairs);
}

TEST(Pairs, TheEmptyMapHasThreeForms) {
  for (const std::string_view empty : {""sv, "\0"sv, "\0\0\0\0"sv}) {
    const auto read = decode_pairs(empty);
    ASSERT_TRUE(read) << empty.size();
    EXPECT_TRUE(read->empty());
  }
  for (const std::string_view no_map : {"\1"sv, "\0\0"sv, "\0\0\0"sv, "\0\0\0\0\0"sv})
    EXPECT_FALSE(decode_pairs(no_map)) << no_map.size();
}

TEST(Pairs, EveryCutAndEverySurplusIsMalformed) {
  const std::string bytes = encode_pairs({{"key", "value"}, {"k", "v"}});
  for (size_t size = 2; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_pairs(std::string_view(bytes).substr(0, size))) << size;
  EXPECT_FALSE(decode_pairs(bytes + '\0'));
  EXPECT_FALSE(decode_pairs(bytes + "x"));
}

TEST(Pairs, TextsEndWithNul) {
  std::string bytes = encode_pairs({{"key", "value"}});
  const size_t behind_key = 4 + 8 + 3;
  bytes[behind_key] = 'x';
  EXPECT_FALSE(decode_pairs(bytes));
  bytes[behind_key] = '\0';
  bytes.back() = 'x';
  EXPECT_FALSE(decode_pairs(bytes));
}

TEST(Pairs, SizesThatWrapAroundAreMalformed) {
  EXPECT_FALSE(decode_pairs(u32(0xffffffff)));
  EXPECT_FALSE(decode_pairs(u32(0x20000000) + std::string(64, '\0')));  // times 8 is 0 in 32 bits
  for (const uint32_t size : {0xffffffffu, 0xfffffffeu, 0x80000000u}) {
    EXPECT_FALSE(decode_pairs(u32(1) + u32(size) + u32(0) + std::string(8, '\0'))) << size;
    EXPECT_FALSE(decode_pairs(u32(1) + u32(0) + u32(size) + std::string(8, '\0'))) << size;
  }
}

TEST(Pairs, NumberAndSizeAreBounded) {
  const PairViews most(kMaxPairs, {"k", "v"});
  EXPECT_TRUE(decode_pairs(encode_pairs(most)));
  EXPECT_FALSE(decode_pairs(encode_pairs(PairViews(kMaxPairs + 1, {"k", "v"}))));
  const std::string value(kMaxPairsBytes - pairs_size(1, 1), 'v');
  const std::string longer = value + "v";
  EXPECT_TRUE(decode_pairs(encode_pairs({{"k", value}})));
  EXPECT_FALSE(decode_pairs(encode_pairs({{"k", longer}})));
}

}  // namespace
}  // namespace weir::wasm
