#include "common/options.h"

#include <gtest/gtest.h>

namespace {

using weir_filter::Options;

TEST(FilterOptions, ReadsLines) {
  Options options;
  ASSERT_TRUE(options.parse("# a comment\n name = x-a \r\n\nvalue=b=c\nname=x-b"));
  EXPECT_EQ(options.get("name"), "x-b");
  EXPECT_EQ(options.get("value"), "b=c");
  EXPECT_EQ(options.get("missing", "fallback"), "fallback");
  EXPECT_EQ(options.entries().size(), 3U);
}

TEST(FilterOptions, TakesAnEmptyConfiguration) {
  Options options;
  EXPECT_TRUE(options.parse(""));
  EXPECT_TRUE(options.parse(" \n "));
  EXPECT_TRUE(options.parse("{}"));
  EXPECT_TRUE(options.entries().empty());
}

TEST(FilterOptions, ReadsAFlatObject) {
  Options options;
  ASSERT_TRUE(options.parse(
      R"( { "name" : "x-\u00e9\n\"", "n": -1.5e3, "on": true, "off":false, "none": null,
      "list": ["a", "b,c", 3], "empty": [] } )"))
      << options.error();
  EXPECT_EQ(options.get("name"), "x-\xc3\xa9\n\"");
  EXPECT_EQ(options.get("n"), "-1.5e3");
  EXPECT_TRUE(options.flag("on", false));
  EXPECT_FALSE(options.flag("off", true));
  EXPECT_EQ(options.get("none", "absent"), "absent");
  EXPECT_EQ(options.list("list"), (std::vector<std::string>{"a", "b", "c", "3"}));
  EXPECT_TRUE(options.list("empty").empty());
}

TEST(FilterOptions, DecodesSurrogatePairs) {
  Options options;
  ASSERT_TRUE(options.parse(R"({"a":"\ud83d\ude00"})"));
  EXPECT_EQ(options.get("a"), "\xf0\x9f\x98\x80");
}

TEST(FilterOptions, RejectsWhatItCannotRead) {
  for (const char* text :
       {"name", "=x", "{", R"({"a")", R"({"a":})", R"({"a":1)", R"({"a":1,})", R"({"a":"x)",
        R"({"a":{"b":1}})", R"({"a":[1,[2]]})", R"({"a":tru})", R"({"a":"\x"})",
        R"({"a":"\ud800"})", R"({"a":1} x)", R"({a:1})", R"({"a":"\u12)"}) {
    Options options;
    EXPECT_FALSE(options.parse(text)) << text;
    EXPECT_FALSE(options.error().empty()) << text;
  }
}

TEST(FilterOptions, NamesTheFirstUnknownOption) {
  constexpr std::string_view kKnown[] = {"a", "b"};
  Options options;
  ASSERT_TRUE(options.parse("a=1\nc=2"));
  EXPECT_EQ(options.first_unknown(kKnown), "c");
  ASSERT_TRUE(options.parse("a=1\nb=2"));
  EXPECT_EQ(options.first_unknown(kKnown), "");
}

TEST(FilterOptions, ChecksHeaders) {
  EXPECT_TRUE(weir_filter::is_header_name("x-a_1"));
  for (const char* bad : {"", "a b", "a:", "a\r\nb", "\xc3\xa9"})
    EXPECT_FALSE(weir_filter::is_header_name(bad)) << bad;
  EXPECT_TRUE(weir_filter::is_header_value("a b\t\xc3\xa9"));
  for (const char* bad : {"a\rb", "a\nb", "\x7f"})
    EXPECT_FALSE(weir_filter::is_header_value(bad)) << bad;
}

}  // namespace
