// What is read as an expression, and what is not.
#include <gtest/gtest.h>

#include "unit/wasm/cel/run.h"

namespace weir::wasm::cel {
namespace {

std::string repeat(std::string_view text, size_t count) {
  std::string out;
  for (; count > 0; --count) out += text;
  return out;
}

TEST(CelParser, Numbers) {
  EXPECT_EQ(run("0"), "0");
  EXPECT_EQ(run("0x1F"), "31");
  EXPECT_EQ(run("7u"), "7u");
  EXPECT_EQ(run("0xffU"), "255u");
  EXPECT_EQ(run("18446744073709551615u"), "18446744073709551615u");
  EXPECT_EQ(run("9223372036854775807"), "9223372036854775807");
  EXPECT_EQ(run("-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(run("1.5"), "1.5");
  EXPECT_EQ(run(".5"), "0.5");
  EXPECT_EQ(run("1e3"), "1000.");
  EXPECT_EQ(run("2.5E-1"), "0.25");
  for (const char* bad : {"9223372036854775808", "-9223372036854775809", "18446744073709551616u",
                          "0x", "1x", "1.5.5", "1e999", "12abc", "0x1.5"})
    EXPECT_TRUE(run(bad).starts_with("refused: ")) << bad << ": " << run(bad);
}

TEST(CelParser, Texts) {
  EXPECT_EQ(run(R"('a"b')"), R"("a"b")");
  EXPECT_EQ(run(R"("a\n\t\\\"\x41\u00e9\U0001F600\101")"), "\"a\n\t\\\"A\u00e9\U0001F600A\"");
  EXPECT_EQ(run(R"(r"\n" + R'\d')"), R"("\n\d")");
  EXPECT_EQ(run("'''a'b\n\"c'''"), "\"a'b\n\"c\"");
  EXPECT_EQ(run("\"\"\"\"\"\""), "\"\"");
  EXPECT_EQ(run(R"(b"\xff\377a" == b'\377\xffa')"), "true");
  EXPECT_EQ(run(R"(bR'\x' == Rb"\x")"), "true");
  for (const char* bad :
       {"'", "'a", "'a\nb'", R"('\q')", R"('\x4')", R"('\u12')", R"('\ud800')", R"('\U00110000')",
        R"('\477')", R"(b'\u0041')", "'''a''", "rr'a'", "'\xff'"})
    EXPECT_TRUE(run(bad).starts_with("refused: ")) << bad << ": " << run(bad);
}

TEST(CelParser, PrecedenceAndDirection) {
  EXPECT_EQ(run("1 + 2 * 3 - 4"), "3");
  EXPECT_EQ(run("10 - 3 - 2"), "5");
  EXPECT_EQ(run("100 / 10 / 5 * 2 % 3"), "1");
  EXPECT_EQ(run("(1 + 2) * 3"), "9");
  EXPECT_EQ(run("1 + 1 == 2 && 2 < 3 || false && 1 / 0 == 1"), "true");
  EXPECT_EQ(run("true || false && false"), "true");
  EXPECT_EQ(run("-2 * -3"), "6");
  EXPECT_EQ(run("!!true"), "true");
  EXPECT_EQ(run("!true == false"), "true");
  EXPECT_EQ(run("--1"), "1");
  EXPECT_EQ(run("true ? (false ? 1 : 2) : 3"), "2");
  EXPECT_EQ(run("false ? 1 : false ? 2 : 3"), "3");
  EXPECT_EQ(run("1 in [1] == true"), "true");
  EXPECT_EQ(run("[1, 2,][1] // the last\n + 1"), "3");
  EXPECT_EQ(run("{'a': {'b': 3},}.a.b"), "3");
}

TEST(CelParser, WhatIsNoExpressionIsRefusedWithItsPlace) {
  EXPECT_EQ(run(""), "refused: a value is missing (byte 0)");
  EXPECT_EQ(run("1 +"), "refused: a value is missing (byte 3)");
  EXPECT_EQ(run("1 2"), "refused: an operator is missing (byte 2)");
  EXPECT_EQ(run("f(1)"), "refused: there is no function \"f\" with such arguments (byte 4)");
  EXPECT_EQ(run("(1"), "refused: expected \")\" (byte 2)");
  EXPECT_EQ(run("a.matches('(')").substr(0, 9), "refused: ");
  for (const char* bad : {"a b",
                          "[1",
                          "[1 2]",
                          "{1}",
                          "{1: 2",
                          "a.",
                          "a.1b",
                          "a[",
                          "a ? b",
                          "a ? : b",
                          "in",
                          "for",
                          "size()",
                          "size(1, 2)",
                          "'a'.size(1)",
                          "startsWith('a', 'b')",
                          "has(a)",
                          "has(1)",
                          "has(a.b, c)",
                          "[1].all(1, true)",
                          "[1].all(a.b, true)",
                          "[1].map()",
                          "Message{a: 1}",
                          "a #",
                          "a = b",
                          "a & b",
                          "a.b(",
                          ",",
                          "a,",
                          "@",
                          "\xff",
                          "as as"})
    EXPECT_TRUE(run(bad).starts_with("refused: ")) << bad << ": " << run(bad);
}

// Each nests in another way; the parser and the evaluator recurse over all of them.
TEST(CelParser, DepthIsBounded) {
  const size_t most = kMaxHeight;
  using Brackets = std::pair<std::string, std::string>;
  for (const Brackets& each : std::vector<Brackets>{{"(", ")"},
                                                    {"[", "]"},
                                                    {"{1: ", "}"},
                                                    {"-", ""},
                                                    {"!", ""},
                                                    {"size([", "])"},
                                                    {"1 in [", "]"},
                                                    {"[1].all(x, ", ")"},
                                                    {"true ? 1 : ", ""},
                                                    {"1 + (", ")"}}) {
    const auto nested = [&each](size_t count) {
      return parse(repeat(each.first, count) + "1" + repeat(each.second, count));
    };
    EXPECT_TRUE(nested(20)) << each.first;
    EXPECT_FALSE(nested(most + 1)) << each.first;
    EXPECT_FALSE(nested(1500)) << each.first;
  }
  for (const std::string each : {".a", "[0]", " + 1", ".map(x, x)", ".size()", " == 1"}) {
    EXPECT_TRUE(parse("a" + repeat(each, 20))) << each;
    EXPECT_FALSE(parse("a" + repeat(each, most + 1))) << each;
  }
}

TEST(CelParser, ChainsOfAndAndOrAreFlat) {
  EXPECT_EQ(run("true" + repeat(" && true", 1000)), "true");
  EXPECT_EQ(run("false" + repeat(" || false", 1000)), "false");
}

TEST(CelParser, LengthIsBounded) {
  EXPECT_EQ(run(std::string(kMaxSourceBytes - 1, ' ') + "1"), "1");
  EXPECT_EQ(run(std::string(kMaxSourceBytes, ' ') + "1"), "refused: it is too long");
}

}  // namespace
}  // namespace weir::wasm::cel
