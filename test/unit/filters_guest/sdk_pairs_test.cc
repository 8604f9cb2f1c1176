#include <gtest/gtest.h>

#include "proxy_wasm_data.h"

namespace {

TEST(SdkPairs, WritesTheWireFormat) {
  const HeaderStringPairs pairs{{"a", "bc"}};
  const std::string expected("\1\0\0\0\1\0\0\0\2\0\0\0a\0bc\0", 17);
  EXPECT_EQ(weir_sdk::serialize_pairs(pairs), expected);
  EXPECT_EQ(weir_sdk::serialize_pairs(HeaderStringPairs{}), "");
}

TEST(SdkPairs, ReadsBackWhatItWrote) {
  const HeaderStringPairs pairs{
      {":path", "/"}, {"x", ""}, {"x", std::string("n\0l", 3)}, {"", "\xff"}};
  const std::string block = weir_sdk::serialize_pairs(pairs);
  const auto read = weir_sdk::parse_pairs(block);
  ASSERT_EQ(read.size(), pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) {
    EXPECT_EQ(read[i].first, pairs[i].first);
    EXPECT_EQ(read[i].second, pairs[i].second);
  }
}

TEST(SdkPairs, ReadsNothingFromMalformedBlocks) {
  const std::string block =
      weir_sdk::serialize_pairs(HeaderStringPairs{{"key", "value"}, {"k", "v"}});
  for (size_t size = 0; size < block.size(); ++size) {
    EXPECT_TRUE(weir_sdk::parse_pairs(std::string_view(block).substr(0, size)).empty()) << size;
  }
  EXPECT_TRUE(weir_sdk::parse_pairs(std::string("\xff\xff\xff\xff", 4)).empty());
  EXPECT_TRUE(
      weir_sdk::parse_pairs(std::string("\1\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 12)).empty());
  EXPECT_TRUE(weir_sdk::parse_pairs(std::string(4, '\0')).empty());
}

TEST(SdkPairs, ReadsValuesOfTheExactSizeOnly) {
  auto* bytes = static_cast<char*>(malloc(8));
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(i == 0 ? 7 : 0);
  const WasmData data(bytes, 8);
  uint64_t eight = 0;
  uint32_t four = 0;
  EXPECT_TRUE(data.value(&eight));
  EXPECT_EQ(eight, 7U);
  EXPECT_FALSE(data.value(&four));
}

}  // namespace
