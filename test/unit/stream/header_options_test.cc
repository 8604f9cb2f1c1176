#include <weir/header_options.h>

#include <gmock/gmock.h>

#include "unit/stream/matcher_builder.h"

namespace weir::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HeaderOptionsTest : public ::testing::Test {
 protected:
  static Object option(const char* key, std::string value) {
    return Object{{"header", Object{{"key", key}, {"value", value.c_str()}}}};
  }
  HeaderOptions read(List list) {
    errors.clear();
    return made_of(Object{{"add", std::move(list)}}, errors,
                   [](ConfigView& view) { return HeaderOptions::read(view, "add"); });
  }
  std::vector<std::string> errors_of(Object one) {
    const HeaderOptions options = read(List{std::move(one)});
    EXPECT_EQ(options.empty(), !errors.empty());
    return errors;
  }
  std::string applied(List list) {
    const HeaderOptions options = read(std::move(list));
    EXPECT_THAT(errors, IsEmpty());
    options.apply(stream.response.headers, stream);
    return filters::test::text(stream.response.headers);
  }
  std::vector<std::string> errors;
  filters::test::FakeStream stream;
};

TEST_F(HeaderOptionsTest, Actions) {
  stream.response.headers.add("a", "1");
  stream.response.headers.add("b", "1");
  List list;
  for (const char* action : {"APPEND_IF_EXISTS_OR_ADD", "ADD_IF_ABSENT",
                             "OVERWRITE_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS"}) {
    for (const char* name : {"a", "c"}) {
      Object one = option(name, action[0] == 'O' ? "over" : "add");
      one.insert_or_assign("append_action", action);
      list.push_back(std::move(one));
    }
  }
  EXPECT_EQ(applied(std::move(list)), "a=over;b=1;c=over;");
}

TEST_F(HeaderOptionsTest, TheDeprecatedAppend) {
  stream.response.headers.add("a", "1");
  Object over = option("a", "2"), append = option("A", "3");
  over.insert_or_assign("append", false);
  append.insert_or_assign("append", true);
  EXPECT_EQ(applied(List{std::move(over), std::move(append)}), "a=2;a=3;");
}

TEST_F(HeaderOptionsTest, ValuesAreMadeFromTheStream) {
  stream.info.response_code = 201;
  stream.request.set_method("GET");
  Object empty = option("kept", "%REQ(X-NONE)%"), bare = option("bare", "");
  empty.insert_or_assign("keep_empty_value", true);
  bare.insert_or_assign("keep_empty_value", true);
  EXPECT_EQ(applied(List{option("code", "%RESPONSE_CODE%"), option("percent", "5%%"),
                         option("dropped", "%REQ(X-NONE)%"), option("also-dropped", ""),
                         std::move(empty), std::move(bare), option("m", "%REQ(:METHOD)%!")}),
            "code=201;percent=5%;kept=;bare=;m=GET!;");
}

TEST_F(HeaderOptionsTest, WhatAPeerSentCannotEndTheLine) {
  for (const char* evil : {"a\r\nb: c", "a\nb", "a\x01"}) {
    stream.request.headers.set("evil", evil);
    EXPECT_EQ(applied(List{option("x", "%REQ(evil)%")}), "") << evil;
  }
}

TEST_F(HeaderOptionsTest, AFieldThatIsToBeOverwrittenDoesNotSurviveABadValue) {
  stream.request.headers.set("evil", "a\nb");
  for (const char* action : {"OVERWRITE_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS"}) {
    stream.response.headers.set("x", "spoofed");
    Object over = option("x", "%REQ(evil)%");
    over.insert_or_assign("append_action", action);
    EXPECT_EQ(applied(List{std::move(over)}), "") << action;
  }
}

TEST_F(HeaderOptionsTest, NoneAndOne) {
  EXPECT_TRUE(read({}).empty());
  EXPECT_TRUE(HeaderOptions().empty());
  HeaderOptions().apply(stream.response.headers, stream);
  const HeaderOptions one = made_of(option("a", "1"), errors, &HeaderOptions::read_one);
  EXPECT_FALSE(one.empty());
  one.apply(stream.response.headers, stream);
  EXPECT_EQ(filters::test::text(stream.response.headers), "a=1;");
}

TEST_F(HeaderOptionsTest, Mistakes) {
  constexpr size_t kMost = 16384;
  EXPECT_THAT(errors_of({}), ElementsAre(": the required field \"header\" is missing"));
  EXPECT_THAT(errors_of(option("", "x")), ElementsAre(": the required field \"key\" is missing"));
  EXPECT_THAT(errors_of(option("a b", "x")), ElementsAre("key: \"a b\" is not a header name"));
  for (const char* name : {":path", "Host"})
    EXPECT_THAT(errors_of(option(name, "x")),
                ElementsAre("key: \"" + std::string(name[0] == ':' ? ":path" : "host") +
                            "\" cannot be changed here; use a host or path rewrite"));
  EXPECT_THAT(errors_of(option(std::string(kMost, 'a').c_str(), "x")), IsEmpty());
  EXPECT_THAT(errors_of(option(std::string(kMost + 1, 'a').c_str(), "x")),
              ElementsAre("key: longer than 16384 bytes"));
  EXPECT_THAT(errors_of(option("a", std::string(kMost, 'x'))), IsEmpty());
  EXPECT_THAT(errors_of(option("a", std::string(kMost + 1, 'x'))),
              ElementsAre("value: longer than 16384 bytes"));
  for (const char* value : {"a\nb", "\x01", "\x7f"})
    EXPECT_THAT(errors_of(option("a", value)),
                ElementsAre("value: a control character cannot stand in a header"));
  EXPECT_THAT(errors_of(option("a", "\tx")), IsEmpty());
  EXPECT_EQ(errors_of(option("a", "%NOPE%")).size(), 1u);
  Object both = option("a", "x");
  both.insert_or_assign("append", true);
  both.insert_or_assign("append_action", "ADD_IF_ABSENT");
  read(List{std::move(both)});
  EXPECT_FALSE(errors.empty());
}

TEST_F(HeaderOptionsTest, NamesThatMayBeChanged) {
  const auto name_of = [this](const char* name) {
    errors.clear();
    return made_of({}, errors,
                   [name](ConfigView& view) { return changeable_header_name(view, "f", name); });
  };
  EXPECT_EQ(name_of("X-One"), "x-one");
  EXPECT_THAT(errors, IsEmpty());
  for (const char* bad : {"", "host", ":path", "a:b", "a\xc3\xa4"}) {
    EXPECT_EQ(name_of(bad), "") << bad;
    EXPECT_EQ(errors.size(), 1u) << bad;
  }
}

}  // namespace
}  // namespace weir::test
