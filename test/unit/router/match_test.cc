#include "router/match.h"

#include <gtest/gtest.h>

namespace weir::router {
namespace {

using Kind = StringMatch::Kind;

StringMatch text_match(Kind kind, std::string text, bool ignore_case = false) {
  StringMatch match;
  match.kind = kind;
  match.text = std::move(text);
  match.ignore_case = ignore_case;
  return match;
}

TEST(StringMatch, EachKindWithAndWithoutCase) {
  struct Case {
    Kind kind;
    const char *text, *value;
    bool strict, loose;
  };
  const Case cases[] = {
      {Kind::kExact, "abc", "abc", true, true},     {Kind::kExact, "abc", "ABC", false, true},
      {Kind::kExact, "abc", "abcd", false, false},  {Kind::kPrefix, "ab", "abc", true, true},
      {Kind::kPrefix, "ab", "ABc", false, true},    {Kind::kPrefix, "abc", "ab", false, false},
      {Kind::kSuffix, "bc", "abc", true, true},     {Kind::kSuffix, "bc", "aBC", false, true},
      {Kind::kSuffix, "abc", "bc", false, false},   {Kind::kContains, "b", "abc", true, true},
      {Kind::kContains, "bc", "aBCd", false, true}, {Kind::kContains, "x", "abc", false, false},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(text_match(one.kind, one.text).matches(one.value), one.strict)
        << one.text << " " << one.value;
    EXPECT_EQ(text_match(one.kind, one.text, true).matches(one.value), one.loose)
        << one.text << " " << one.value;
  }
  StringMatch regex;
  regex.kind = Kind::kRegex;
  regex.regex = *base::Regex::compile("a+");
  EXPECT_TRUE(regex.matches("aaa"));
  EXPECT_FALSE(regex.matches("aab"));
}

RequestHead head_with(std::initializer_list<std::pair<const char*, const char*>> headers) {
  RequestHead head;
  head.set_method("GET");
  head.set_path("/p");
  head.set_authority("a.com");
  for (const auto& [name, value] : headers) head.headers.add(name, value);
  return head;
}

HeaderMatch named(const char* name, HeaderMatch::Kind kind) {
  HeaderMatch match;
  match.name = name;
  match.kind = kind;
  return match;
}

TEST(HeaderMatch, Presence) {
  HeaderMatch match = named("x", HeaderMatch::Kind::kPresent);
  const RequestHead with = head_with({{"x", ""}}), without = head_with({});
  EXPECT_TRUE(matches(match, with));
  EXPECT_FALSE(matches(match, without));
  match.invert = true;
  EXPECT_FALSE(matches(match, with));
  EXPECT_TRUE(matches(match, without));
  match.invert = false;
  match.present = false;
  EXPECT_TRUE(matches(match, without));
  match.treat_missing_as_empty = true;
  EXPECT_FALSE(matches(match, without));
}

TEST(HeaderMatch, AMissingHeaderMatchesNothingEvenInverted) {
  HeaderMatch match = named("x", HeaderMatch::Kind::kString);
  match.string = text_match(Kind::kExact, "v");
  EXPECT_FALSE(matches(match, head_with({})));
  match.invert = true;
  EXPECT_FALSE(matches(match, head_with({})));
  EXPECT_TRUE(matches(match, head_with({{"x", "w"}})));
  EXPECT_FALSE(matches(match, head_with({{"x", "v"}})));
  match.treat_missing_as_empty = true;
  EXPECT_TRUE(matches(match, head_with({})));
}

TEST(HeaderMatch, SeveralFieldsAreOneList) {
  HeaderMatch match = named("x", HeaderMatch::Kind::kString);
  match.string = text_match(Kind::kExact, "a,b");
  EXPECT_TRUE(matches(match, head_with({{"x", "a"}, {"x", "b"}})));
}

TEST(HeaderMatch, RangeIsHalfOpenAndWantsAWholeNumber) {
  HeaderMatch match = named("n", HeaderMatch::Kind::kRange);
  match.range_start = -5;
  match.range_end = 10;
  for (const char* good : {"-5", "0", "9"})
    EXPECT_TRUE(matches(match, head_with({{"n", good}}))) << good;
  for (const char* bad : {"-6", "10", "", "1x", "x", "9999999999999999999999"})
    EXPECT_FALSE(matches(match, head_with({{"n", bad}}))) << bad;
}

TEST(HeaderMatch, PseudoHeaders) {
  HeaderMatch match = named(":authority", HeaderMatch::Kind::kString);
  match.string = text_match(Kind::kSuffix, ".com");
  EXPECT_TRUE(matches(match, head_with({})));
  match.name = ":path";
  EXPECT_FALSE(matches(match, head_with({})));
  match.name = "host";
  EXPECT_TRUE(matches(match, head_with({})));
}

TEST(QueryMatch, TheFirstValueOfTheParameterCounts) {
  std::vector<QueryMatch> list(1);
  list[0].name = "a";
  list[0].string = text_match(Kind::kExact, "1");
  EXPECT_TRUE(matches_all(list, "b=2&a=1&a=2"));
  EXPECT_FALSE(matches_all(list, "a=2&a=1"));
  EXPECT_FALSE(matches_all(list, "aa=1"));
  EXPECT_FALSE(matches_all(list, ""));
  list[0].string.reset();
  EXPECT_TRUE(matches_all(list, "a"));
  EXPECT_TRUE(matches_all(list, "x&a="));
  list[0].present = false;
  EXPECT_TRUE(matches_all(list, "x"));
  EXPECT_FALSE(matches_all(list, "a"));
}

TEST(SplitPath, QueryAndFragment) {
  EXPECT_EQ(split_path("/a?b=c?d").path, "/a");
  EXPECT_EQ(split_path("/a?b=c?d").query, "b=c?d");
  EXPECT_EQ(split_path("/a#x?y").path, "/a");
  EXPECT_EQ(split_path("/a#x?y").query, "");
  EXPECT_EQ(split_path("/a?").path, "/a");
}

}  // namespace
}  // namespace weir::router
