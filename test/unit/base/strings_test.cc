#include "base/strings.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/time.h"

namespace weir::base {
namespace {

using Parts = std::vector<std::string_view>;

TEST(Base64, EncodesWhatItDecodes) {
  EXPECT_EQ(base64_encode(""), "");
  EXPECT_EQ(base64_encode("f"), "Zg==");
  EXPECT_EQ(base64_encode("fo"), "Zm8=");
  EXPECT_EQ(base64_encode("foo"), "Zm9v");
  EXPECT_EQ(base64_encode("\xff\xfe\xfd"), "//79");
  std::string text;
  for (int i = 0; i < 256; ++i) {
    EXPECT_EQ(base64_decode(base64_encode(text)), text);
    text += static_cast<char>(i);
  }
}

TEST(Strings, TrimsAndSplits) {
  EXPECT_EQ(trim(" \t a b \t"), "a b");
  EXPECT_EQ(trim(" \n"), "\n");
  EXPECT_EQ(split("a,,b,", ','), (Parts{"a", "", "b", ""}));
  EXPECT_EQ(split("", ','), (Parts{""}));
  const std::vector<std::string> parts{"a", "b"};
  EXPECT_EQ(join(parts, ", "), "a, b");
  EXPECT_EQ(replace_all("a-b-c", "-", "::"), "a::b::c");
}

TEST(Strings, ComparesWithoutCase) {
  EXPECT_TRUE(iequals("Keep-Alive", "keep-alive"));
  EXPECT_FALSE(iequals("keep", "keep-alive"));
  EXPECT_TRUE(istarts_with("Bearer x", "bearer "));
  EXPECT_TRUE(icontains("no, CLOSE", "close"));
  EXPECT_FALSE(icontains("clos", "close"));
  EXPECT_EQ(lower("MiXed-1"), "mixed-1");
}

TEST(Strings, ParsesNumbersStrictly) {
  EXPECT_EQ(parse_u64("18446744073709551615"), UINT64_MAX);
  for (const char* bad : {"", "+1", "-1", " 1", "1 ", "18446744073709551616", "0x1", "1a"}) {
    EXPECT_EQ(parse_u64(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(parse_i64("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(parse_i64("--1"), std::nullopt);
  EXPECT_EQ(parse_hex("fFff"), 0xffffu);
  EXPECT_EQ(parse_hex("0x1"), std::nullopt);
  EXPECT_EQ(parse_double("1.5"), 1.5);
  EXPECT_EQ(parse_double("inf"), std::nullopt);
  EXPECT_EQ(parse_double("1.5s"), std::nullopt);
  EXPECT_EQ(parse_double("1e999"), std::nullopt);
  EXPECT_EQ(parse_double("5e-7054"), 0.0);  // as near as a double comes
  EXPECT_EQ(concat("a", 1, 'b', size_t{2}, std::string("c")), "a1b2c");
}

TEST(Strings, ChecksUtf8) {
  EXPECT_EQ(utf8_length("g\xff"), 1u);
  EXPECT_EQ(utf8_length("\xc3\xbc\xff"), 2u);
  EXPECT_EQ(utf8_length("\xe2\x82\xac"), 3u);
  EXPECT_EQ(utf8_length("\xf0\x9f\x99\x82"), 4u);
  EXPECT_EQ(utf8_length(""), 0u);
  for (const char* bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\xaf", "\xff",
                          "\xc3", "\xf0\x80\x80\x80"}) {
    EXPECT_EQ(utf8_length(bad), 0u);
  }
}

TEST(Strings, Escapes) {
  std::string out;
  append_escaped(out, std::string_view("a\"b\\\n\t\x01\xff\xc3\xbc\0", 11));
  EXPECT_EQ(out, "a\\\"b\\\\\\n\\t\\x01\\xff\xc3\xbc\\x00");
  EXPECT_EQ(json_escape("q\"\\\n\x01\xff\xc3\xbc!\x7f"),
            "q\\\"\\\\\\n\\u0001\xef\xbf\xbd\xc3\xbc!\\u007f");
  EXPECT_EQ(percent_decode("a%20b%2Fc%zz%4"), "a b/c%zz%4");
}

TEST(Strings, Base64) {
  for (const auto& [plain, coded] : std::vector<std::pair<std::string, std::string>>{
           {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}}) {
    EXPECT_EQ(base64_decode(coded), plain);
  }
  for (const char* bad : {"Zg=", "Zg", "Zh==", "Z===", "====", "Zm 9", "Zg==Zg=="}) {
    EXPECT_EQ(base64_decode(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(hex_encode(std::string_view("\x00\xab", 2)), "00ab");
  EXPECT_EQ(hex_decode("00aBFf"), std::string("\x00\xab\xff", 3));
  EXPECT_EQ(hex_decode(""), "");
  for (const char* bad : {"a", "abc", "0g", "g0", " 0", "+1", "0x"})
    EXPECT_EQ(hex_decode(bad), std::nullopt) << bad;
}

TEST(Strings, SuggestsCloseWords) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("abcdefghij", "zzzzzzzzzz", 3), 4u);
  const std::vector<std::string_view> names{"stat_prefix", "route_config", "http_filters"};
  EXPECT_EQ(closest("statprefix", names), "stat_prefix");
  EXPECT_EQ(closest("http_filter", names), "http_filters");
  EXPECT_EQ(closest("bogus", names), "");
}

TEST(Time, Formats) {
  const SystemClockTime time{std::chrono::milliseconds(784111777123)};
  EXPECT_EQ(http_date(time), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(time + std::chrono::seconds(1)), "Sun, 06 Nov 1994 08:49:38 GMT");
  EXPECT_EQ(iso8601(time), "1994-11-06T08:49:37.123Z");
  std::string line;
  append_log_time(line, time);
  EXPECT_EQ(line, "1994-11-06 08:49:37.123");
  EXPECT_EQ(format_time("%Y/%m/%d %H:%M:%S.%3f %s %% %6f", time),
            "1994/11/06 08:49:37.123 784111777 % 123000");
  EXPECT_EQ(format_time("", time), "");
}

}  // namespace
}  // namespace weir::base
