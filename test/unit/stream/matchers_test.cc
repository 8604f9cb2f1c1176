#include <weir/matchers.h>

#include <gmock/gmock.h>

#include "unit/stream/matcher_builder.h"

namespace weir::test {
namespace {

using ::testing::ElementsAre;

TEST(StringMatcher, EachFormWithAndWithoutCase) {
  struct Case {
    const char *form, *text, *value;
    bool strict, loose;
  };
  const Case cases[] = {
      {"exact", "abc", "abc", true, true},     {"exact", "abc", "ABC", false, true},
      {"exact", "abc", "abcd", false, false},  {"exact", "", "", true, true},
      {"exact", "", "a", false, false},        {"prefix", "ab", "abc", true, true},
      {"prefix", "ab", "ABc", false, true},    {"prefix", "abc", "ab", false, false},
      {"suffix", "bc", "abc", true, true},     {"suffix", "bc", "aBC", false, true},
      {"suffix", "abc", "bc", false, false},   {"contains", "b", "abc", true, true},
      {"contains", "bc", "aBCd", false, true}, {"contains", "x", "abc", false, false},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(string_matcher({{one.form, one.text}}).matches(one.value), one.strict)
        << one.form << " " << one.text << " " << one.value;
    EXPECT_EQ(string_matcher({{one.form, one.text}, {"ignore_case", true}}).matches(one.value),
              one.loose)
        << one.form << " " << one.text << " " << one.value;
  }
  const StringMatcher regex = string_matcher({{"safe_regex", Object{{"regex", "a+"}}}});
  EXPECT_TRUE(regex.matches("aaa"));
  EXPECT_FALSE(regex.matches("aab"));
  EXPECT_FALSE(StringMatcher().matches(""));
}

TEST(StringMatcher, WithoutCaseNothingHasIt) {
  const auto read = [](Object message) {
    std::vector<std::string> errors;
    auto out = made_of(std::move(message), errors, &StringMatcher::read_without_case);
    EXPECT_EQ(errors, std::vector<std::string>());
    return out;
  };
  EXPECT_TRUE(read({{"exact", "Abc"}}).matches("aBC"));
  EXPECT_TRUE(read({{"prefix", "Ab"}}).matches("aBC"));
  const StringMatcher regex = read({{"safe_regex", Object{{"regex", "A|Bc+"}}}});
  EXPECT_TRUE(regex.matches("bCC"));
  EXPECT_FALSE(regex.matches("ac"));
}

TEST(StringMatcher, DescribesItself) {
  EXPECT_EQ(string_matcher({{"prefix", "x-"}}).describe(), "prefix:x-");
  EXPECT_EQ(string_matcher({{"exact", "A"}, {"ignore_case", true}}).describe(), "exact/i:A");
  EXPECT_EQ(string_matcher({{"safe_regex", Object{{"regex", "a+"}}}}).describe(), "safe_regex:a+");
  EXPECT_EQ(StringMatcher().describe(), "");
}

RequestHead head_with(std::initializer_list<std::pair<const char*, const char*>> headers) {
  RequestHead head;
  head.set_method("GET");
  head.set_path("/p");
  head.set_authority("a.com");
  for (const auto& [name, value] : headers) head.headers.add(name, value);
  return head;
}

TEST(HeaderMatchers, Presence) {
  const RequestHead with = head_with({{"x", ""}}), without = head_with({});
  const HeaderMatchers bare = header_matcher({{"name", "X"}});
  EXPECT_TRUE(bare.matches(with));
  EXPECT_FALSE(bare.matches(without));
  const HeaderMatchers inverted =
      header_matcher({{"name", "x"}, {"present_match", true}, {"invert_match", true}});
  EXPECT_FALSE(inverted.matches(with));
  EXPECT_TRUE(inverted.matches(without));
  const HeaderMatchers absent = header_matcher({{"name", "x"}, {"present_match", false}});
  EXPECT_FALSE(absent.matches(with));
  EXPECT_TRUE(absent.matches(without));
  EXPECT_FALSE(
      header_matcher(
          {{"name", "x"}, {"present_match", false}, {"treat_missing_header_as_empty", true}})
          .matches(without));
}

TEST(HeaderMatchers, AMissingHeaderMatchesNothingEvenInverted) {
  Object message{{"name", "x"}, {"string_match", Object{{"exact", "v"}}}};
  EXPECT_FALSE(header_matcher(message).matches(head_with({})));
  message.insert_or_assign("invert_match", true);
  EXPECT_FALSE(header_matcher(message).matches(head_with({})));
  EXPECT_TRUE(header_matcher(message).matches(head_with({{"x", "w"}})));
  EXPECT_FALSE(header_matcher(message).matches(head_with({{"x", "v"}})));
  message.insert_or_assign("treat_missing_header_as_empty", true);
  EXPECT_TRUE(header_matcher(message).matches(head_with({})));
}

TEST(HeaderMatchers, SeveralFieldsAreOneList) {
  for (const char* name : {"x", "accept"}) {
    const HeaderMatchers list =
        header_matcher({{"name", name}, {"string_match", Object{{"exact", "a,b"}}}});
    EXPECT_TRUE(list.matches(head_with({{name, "a"}, {"y", "c"}, {name, "b"}}))) << name;
    EXPECT_FALSE(list.matches(head_with({{name, "a"}, {"y", "b"}}))) << name;
  }
}

TEST(HeaderMatchers, RangeIsHalfOpenAndWantsAWholeNumber) {
  const HeaderMatchers range =
      header_matcher({{"name", "n"}, {"range_match", Object{{"start", -5}, {"end", 10}}}});
  for (const char* good : {"-5", "0", "9"})
    EXPECT_TRUE(range.matches(head_with({{"n", good}}))) << good;
  for (const char* bad : {"-6", "10", "", "1x", "x", "9999999999999999999999"})
    EXPECT_FALSE(range.matches(head_with({{"n", bad}}))) << bad;
}

TEST(HeaderMatchers, PartsOfTheRequestLine) {
  const auto is = [](const char* name, const char* suffix) {
    return header_matcher({{"name", name}, {"string_match", Object{{"suffix", suffix}}}})
        .matches(head_with({}));
  };
  EXPECT_TRUE(is(":authority", ".com"));
  EXPECT_TRUE(is("Host", ".com"));
  EXPECT_TRUE(is(":path", "/p"));
  EXPECT_TRUE(is(":method", "GET"));
  EXPECT_FALSE(is(":path", ".com"));
  EXPECT_FALSE(is(":unknown", "GET"));
  // An empty part is missing.
  EXPECT_TRUE(
      header_matcher({{"name", ":scheme"}, {"present_match", false}}).matches(head_with({})));
}

TEST(HeaderMatchers, DeprecatedForms) {
  const auto matches = [](const char* form, filters::test::Value text, const char* value) {
    return header_matcher({{"name", "x"}, {form, std::move(text)}})
        .matches(head_with({{"x", value}}));
  };
  EXPECT_TRUE(matches("exact_match", "abc", "abc"));
  EXPECT_FALSE(matches("exact_match", "abc", "abcd"));
  EXPECT_TRUE(matches("prefix_match", "ab", "abc"));
  EXPECT_FALSE(matches("prefix_match", "bc", "abc"));
  EXPECT_TRUE(matches("suffix_match", "bc", "abc"));
  EXPECT_FALSE(matches("suffix_match", "ab", "abc"));
  EXPECT_TRUE(matches("contains_match", "b", "abc"));
  EXPECT_FALSE(matches("contains_match", "x", "abc"));
  EXPECT_TRUE(matches("safe_regex_match", Object{{"regex", "a.c"}}, "abc"));
  EXPECT_FALSE(matches("safe_regex_match", Object{{"regex", "a."}}, "abc"));
  // An empty exact_match asks for the header alone.
  EXPECT_TRUE(matches("exact_match", "", "abc"));
  EXPECT_FALSE(header_matcher({{"name", "x"}, {"exact_match", ""}}).matches(head_with({})));
}

TEST(HeaderMatchers, AllOfAListMustMatch) {
  std::vector<std::string> errors;
  const auto read = [&errors](Object message) {
    return made_of(std::move(message), errors,
                   [](ConfigView& view) { return HeaderMatchers::read(view, "headers"); });
  };
  const HeaderMatchers none = read({{"headers", List{}}});
  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(none.matches(head_with({})));
  EXPECT_TRUE(read({}).empty());
  const HeaderMatchers both =
      read({{"headers", List{Object{{"name", "a"}}, Object{{"name", "b"}}}}});
  EXPECT_EQ(errors, std::vector<std::string>());
  EXPECT_FALSE(both.empty());
  EXPECT_FALSE(both.matches(head_with({{"a", ""}})));
  EXPECT_TRUE(both.matches(head_with({{"b", ""}, {"a", ""}})));
}

TEST(HeaderMatchers, Mistakes) {
  const auto errors_of = [](Object message) {
    std::vector<std::string> errors;
    made_of(std::move(message), errors, &HeaderMatchers::read_one);
    return errors;
  };
  EXPECT_THAT(errors_of({}), ElementsAre(": the required field \"name\" is missing"));
  for (const char* form : {"prefix_match", "suffix_match", "contains_match"})
    EXPECT_THAT(errors_of({{"name", "x"}, {form, ""}}),
                ElementsAre(std::string(form) + ": must not be empty"));
  for (const char* form : {"prefix", "suffix", "contains"})
    EXPECT_THAT(errors_of({{"name", "x"}, {"string_match", Object{{form, ""}}}}),
                ElementsAre(std::string(form) + ": must not be empty"));
  EXPECT_THAT(errors_of({{"name", "x"}, {"range_match", Object{{"start", 5}, {"end", 5}}}}),
              ElementsAre("end: must be greater than \"start\": the end is excluded"));
  EXPECT_THAT(errors_of({{"name", "x"},
                         {"string_match",
                          Object{{"safe_regex", Object{{"regex", "a"}}}, {"ignore_case", true}}}}),
              ElementsAre("ignore_case: has no effect on a regular expression; write (?i) in it"));
  for (Object two :
       {Object{{"name", "x"}, {"exact_match", "a"}, {"present_match", true}},
        Object{{"name", "x"}, {"string_match", Object{{"exact", "a"}, {"prefix", "b"}}}},
        Object{{"name", "x"}, {"string_match", Object{}}},
        Object{{"name", "x"}, {"safe_regex_match", Object{{"regex", "("}}}},
        Object{{"name", "x"}, {"safe_regex_match", Object{}}}})
    EXPECT_FALSE(errors_of(std::move(two)).empty());
}

}  // namespace
}  // namespace weir::test
