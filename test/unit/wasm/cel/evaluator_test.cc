// What expressions come to.
#include "wasm/cel/evaluator.h"

#include <gtest/gtest.h>

#include "unit/wasm/cel/run.h"
#include "wasm/pairs.h"

namespace weir::wasm::cel {
namespace {

constexpr const char* kMismatch = "error: no such overload";
constexpr const char* kOutOfRange = "error: a number is out of range";

TEST(Cel, Arithmetic) {
  EXPECT_EQ(run("7 / -2"), "-3");
  EXPECT_EQ(run("-7 % 3"), "-1");
  EXPECT_EQ(run("7u / 2u + 1u"), "4u");
  EXPECT_EQ(run("1.5 * 2.0 - 0.5"), "2.5");
  EXPECT_EQ(run("1.0 / 0.0 > 1e300"), "true");
  EXPECT_EQ(run("'a' + 'b' == 'ab' && b'a' + b'b' == b'ab'"), "true");
  EXPECT_EQ(run("[1] + [] + ['a']"), "[1, \"a\"]");
  for (const char* beyond :
       {"9223372036854775807 + 1", "-9223372036854775808 - 1", "-(-9223372036854775808)",
        "9223372036854775807 * 2", "-9223372036854775808 / -1", "1u - 2u",
        "18446744073709551615u + 1u", "18446744073709551615u * 2u"})
    EXPECT_EQ(run(beyond), kOutOfRange) << beyond;
  for (const char* bad : {"1 / 0", "1 % 0", "1u / 0u", "1u % 0u"})
    EXPECT_EQ(run(bad), "error: division by zero") << bad;
  EXPECT_EQ(run("-9223372036854775808 % -1"), "0");
  for (const char* bad : {"1 + 1u", "1 + 1.0", "'a' + 1", "1.5 % 1.0", "-1u", "-'a'", "!1",
                          "true + true", "null + null", "[] - []"})
    EXPECT_EQ(run(bad), kMismatch) << bad;
}

TEST(Cel, NumbersAreComparedAsNumbers) {
  for (const char* holds : {"1 == 1u",
                            "1 == 1.0",
                            "1u == 1.0",
                            "1 < 1.5",
                            "2u > 1.5",
                            "-1 < 0u",
                            "0u > -1",
                            "9007199254740993 > 9007199254740992.0",
                            "18446744073709551615u < 18446744073709551616.0",
                            "9223372036854775807 < 9223372036854775808.0",
                            "-9223372036854775808 >= -9223372036854775808.0",
                            "1 in [1.0]",
                            "'b' > 'a'",
                            "false < true",
                            "b'a' < b'b'",
                            "1 != 2",
                            "'a' != 1",
                            "null == null",
                            "[1, 2] == [1.0, 2u]",
                            "{'a': 1, 'b': 2} == {'b': 2u, 'a': 1.0}",
                            "{'a': 1} != {'a': 1, 'b': 2}",
                            "[] != {}",
                            "'a' != b'a'",
                            "{1: 'x'}[1.0] == 'x'"})
    EXPECT_EQ(run(holds), "true") << holds;
  const char* nan = "(0.0 / 0.0)";
  for (const std::string test : {" < 1", " >= 1", " == 1.0"})
    EXPECT_EQ(run(nan + test), "false") << test;
  EXPECT_EQ(run(std::string(nan) + " != " + nan), "true");
  for (const char* bad : {"1 < 'a'", "[] < []", "null < null", "{} >= {}", "true < 1"})
    EXPECT_EQ(run(bad), kMismatch) << bad;
}

TEST(Cel, AndAndOrAbsorbErrors) {
  EXPECT_EQ(run("1 / 0 == 1 && false"), "false");
  EXPECT_EQ(run("false && 1 / 0 == 1"), "false");
  EXPECT_EQ(run("1 / 0 == 1 || true"), "true");
  EXPECT_EQ(run("'a' || true"), "true");
  EXPECT_EQ(run("nowhere && true || 1 == 1"), "true");
  EXPECT_EQ(run("1 / 0 == 1 && true"), "error: division by zero");
  EXPECT_EQ(run("false || 1 / 0 == 1"), "error: division by zero");
  EXPECT_EQ(run("true && 1"), kMismatch);
  EXPECT_EQ(run("nowhere || false"), "error: no such attribute");
  EXPECT_EQ(run("true ? 1 : 1 / 0"), "1");
  EXPECT_EQ(run("1 ? 1 : 2"), kMismatch);
  EXPECT_EQ(run("1 / 0 == 1 ? 1 : 2"), "error: division by zero");
}

TEST(Cel, ListsAndMaps) {
  EXPECT_EQ(run("[1, 'a', [true]][2][0]"), "true");
  EXPECT_EQ(run("[1, 2][1u] + [1, 2][0.0]"), "3");
  for (const char* bad : {"[1][1]", "[1][-1]", "[1][0.5]"})
    EXPECT_EQ(run(bad), "error: an index is out of range") << bad;
  EXPECT_EQ(run("[1]['a']"), kMismatch);
  EXPECT_EQ(run("{'a': 1}['b']"), "error: no such key");
  EXPECT_EQ(run("{'a': 1}.b"), "error: no such key");
  EXPECT_EQ(run("{1.5: 1}"), "error: a key of this type cannot be");
  EXPECT_EQ(run("{1: 1, 1u: 2}"), "error: a key stands twice");
  EXPECT_EQ(run("{true: 1}[true]"), "1");
  EXPECT_EQ(run("'a' in {'a': 1} && !('b' in {'a': 1}) && !(1 in [])"), "true");
  EXPECT_EQ(run("1 in 'a'"), kMismatch);
  EXPECT_EQ(run("'a'[0]"), kMismatch);
  EXPECT_EQ(run("[1 / 0]"), "error: division by zero");
  EXPECT_EQ(run("has({'a': 1}.a) && !has({'a': 1}.b)"), "true");
  EXPECT_EQ(run("has([1].a)"), kMismatch);
}

TEST(Cel, FunctionsOfTexts) {
  EXPECT_EQ(run("size('h\u00e9')"), "2");
  EXPECT_EQ(run("'h\u00e9'.size() + b'h\u00e9'.size() + [1].size() + size({1: 2})"), "7");
  EXPECT_EQ(run("'abc'.startsWith('ab') && 'abc'.endsWith('bc') && 'abc'.contains('b')"), "true");
  EXPECT_EQ(run("'abc'.startsWith('b') || 'abc'.endsWith('b') || 'abc'.contains('ac')"), "false");
  EXPECT_EQ(run("'/v1/users'.matches('^/v[0-9]+/') && matches('abc', 'b')"), "true");
  EXPECT_EQ(run("'abc'.matches('a' + 'b$')"), "false");
  EXPECT_EQ(run("'abc'.matches('(' + '')"), "error: a pattern is wrong");
  for (const char* bad : {"size(1)", "'a'.contains(1)", "1.5.matches('a')", "b'a'.startsWith('a')"})
    EXPECT_EQ(run(bad), kMismatch) << bad;
}

TEST(Cel, Conversions) {
  for (const char* holds : {"int('-12') == -12",
                            "int(3.9) == 3",
                            "int(-3.9) == -3",
                            "int(7u) == 7",
                            "uint('7') == 7u",
                            "uint(3.9) == 3u",
                            "uint(7) == 7u",
                            "double('1.5') == 1.5",
                            "double(2) == 2.0",
                            "double(2u) == 2.0",
                            "string(12) == '12'",
                            "string(12u) == '12'",
                            "string(1.5) == '1.5'",
                            "string(true) == 'true'",
                            "string(b'a') == 'a'",
                            "bytes('a') == b'a'",
                            "bool('true')",
                            "!bool('0')",
                            "dyn(1) == 1",
                            "int(timestamp('1970-01-01T00:00:07.5Z')) == 7",
                            "int(timestamp('1969-12-31T23:59:59.5Z')) == -1"})
    EXPECT_EQ(run(holds), "true") << holds;
  for (const char* bad :
       {"int('')", "int('1.5')", "int('9223372036854775808')", "uint('-1')", "double('x')",
        "bool('yes')", "duration('1')", "duration('1x')", "duration('')", "duration('.s')",
        "duration('400000000h')", "timestamp('2024-02-30T00:00:00Z')", "timestamp('2024-01-01')",
        "timestamp('2024-01-01T00:00:00')", "timestamp('2024-01-01T24:00:00Z')",
        "timestamp('2024-01-01T00:00:00.Z')", "timestamp('9999-01-01T00:00:00Z')"})
    EXPECT_EQ(run(bad), "error: a text cannot be converted") << bad;
  for (const char* beyond : {"int(9223372036854775808u)", "int(1e19)", "int(0.0 / 0.0)", "uint(-1)",
                             "uint(-1.0)", "uint(1e20)", "timestamp(9223372036854775807)"})
    EXPECT_EQ(run(beyond), kOutOfRange) << beyond;
  EXPECT_EQ(run(R"(string(b"\xff"))"), "error: bytes that are not UTF-8");
  EXPECT_EQ(run("int([])"), kMismatch);
}

TEST(Cel, Times) {
  for (const char* holds :
       {"duration('1h30m') == duration('5400s')",
        "duration('1.5s') > duration('1499ms')",
        "duration('-1us') < duration('0')",
        "duration('0.5h') == duration('30m')",
        "timestamp('2024-02-29T12:00:00Z') + duration('24h') == timestamp('2024-03-01T12:00:00Z')",
        "timestamp('2024-01-01T01:00:00+01:00') == timestamp('2024-01-01T00:00:00Z')",
        "timestamp(1) - timestamp(0) == duration('1s')",
        "duration('1s') + timestamp(0) == timestamp(1)",
        "timestamp(3) - duration('2s') == timestamp(1)",
        "string(timestamp('2024-02-29T12:00:00.250Z')) == '2024-02-29T12:00:00.25Z'",
        "string(duration('-90.5s')) == '-90.5s'",
        "string(duration('2m')) == '120s'",
        "timestamp('2024-02-29T13:14:15.678Z').getFullYear() == 2024",
        "timestamp('2024-02-29T13:14:15.678Z').getMonth() == 1",
        "timestamp('2024-02-29T13:14:15.678Z').getDate() == 29",
        "timestamp('2024-02-29T13:14:15.678Z').getDayOfMonth() == 28",
        "timestamp('2024-02-29T13:14:15.678Z').getDayOfWeek() == 4",
        "timestamp('2024-02-29T13:14:15.678Z').getDayOfYear() == 59",
        "timestamp('2024-02-29T13:14:15.678Z').getHours() == 13",
        "timestamp('2024-02-29T13:14:15.678Z').getMinutes() == 14",
        "timestamp('2024-02-29T13:14:15.678Z').getSeconds() == 15",
        "timestamp('2024-02-29T13:14:15.678Z').getMilliseconds() == 678",
        "timestamp('1969-12-31T23:00:00Z').getHours() == 23",
        "duration('3h10m').getHours() == 3",
        "duration('3h10m').getMinutes() == 190",
        "duration('1.5s').getMilliseconds() == 500"})
    EXPECT_EQ(run(holds), "true") << holds << ": " << run(holds);
  for (const char* bad :
       {"timestamp(1) + timestamp(1)", "duration('1s') - timestamp(1)", "timestamp(1) + 1",
        "duration('1s').getFullYear()", "(1).getHours()", "timestamp(1) < duration('1s')"})
    EXPECT_EQ(run(bad), kMismatch) << bad;
  EXPECT_EQ(run("timestamp(9000000000) + duration('2000000h')"), kOutOfRange);
  // Every moment that there is has its parts.
  EXPECT_EQ(run("string(timestamp(-9223372036) - duration('854775808ns'))"),
            "\"1677-09-21T00:12:43.145224192Z\"");
}

TEST(Cel, Macros) {
  EXPECT_EQ(run("[1, 2, 3].filter(x, x > 1)"), "[2, 3]");
  EXPECT_EQ(run("[1, 2, 3].map(x, x * x)"), "[1, 4, 9]");
  EXPECT_EQ(run("[1, 2, 3].map(x, x != 2, -x)"), "[-1, -3]");
  EXPECT_EQ(run("{'a': 1, 'b': 2}.filter(k, k == 'b')"), "[\"b\"]");
  EXPECT_EQ(run("[1, 2].all(x, x > 0) && ![1, 2].all(x, x > 1) && [].all(x, false)"), "true");
  EXPECT_EQ(run("[1, 2].exists(x, x > 1) && ![].exists(x, true)"), "true");
  EXPECT_EQ(run("[1, 2].exists_one(x, x > 1) && ![2, 3].exists_one(x, x > 1)"), "true");
  EXPECT_EQ(run("[1, 0].exists(x, 1 / x == 1) && ![0, 2].all(x, 1 / x > 0)"), "true");
  EXPECT_EQ(run("[0, 2].exists(x, 1 / x == 1)"), "error: division by zero");
  EXPECT_EQ(run("[0, 1].all(x, 1 / x > 0)"), "error: division by zero");
  EXPECT_EQ(run("[1, 0].exists_one(x, 1 / x == 1)"), "error: division by zero");
  EXPECT_EQ(run("[1, 0].filter(x, 1 / x == 1)"), "error: division by zero");
  EXPECT_EQ(run("[1, 0].map(x, 1 / x)"), "error: division by zero");
  EXPECT_EQ(run("[1, 0].map(x, true, 1 / x)"), "error: division by zero");
  EXPECT_EQ(run("[1].all(x, x)"), kMismatch);
  EXPECT_EQ(run("[1].filter(x, x)"), kMismatch);
  EXPECT_EQ(run("(1).all(x, true)"), kMismatch);
  EXPECT_EQ(run("[[1, 2], [3]].map(x, x.map(y, y + size(x)))"), "[[3, 4], [4]]");
  EXPECT_EQ(run("[1].map(x, [2].map(x, x))"), "[[2]]") << "the inner one counts";
}

TEST(Cel, Attributes) {
  FakeAttributes with;
  with.all["request/path"] = Value::text("/a");
  with.all["request/size"] = Value::integer(7);
  with.all["request/headers/x-a"] = Value::text("1");
  with.all["request/headers"] = Value::map({{Value::text("x-a"), Value::text("1")}});
  with.all["node/list/0"] = Value::text("first");
  with.all["node/nothing"] = Value();
  EXPECT_EQ(run("request.path == '/a' && request.size > 5", with), "true");
  EXPECT_EQ(run("request.headers['x-a'] == '1' && request['headers'].size() == 1", with), "true");
  EXPECT_EQ(run("'x-a' in request.headers && !('x-b' in request.headers)", with), "true");
  EXPECT_EQ(run("request.headers.exists(k, request.headers[k] == '1')", with), "true");
  EXPECT_EQ(run("has(request.path) && !has(request.other) && !has(other.path)", with), "true");
  EXPECT_EQ(run("node.list[0]", with), "\"first\"");
  EXPECT_EQ(run("node.nothing == null", with), "true");
  EXPECT_EQ(run(".request.path", with), "\"/a\"");
  EXPECT_EQ(run("[1].map(request, request)", with), "[1]") << "variables stand before attributes";
  EXPECT_EQ(run("request.other", with), "error: no such attribute");
  EXPECT_EQ(run(R"(request["a\x00b"])", with), "error: no such key");
  EXPECT_EQ(run("request[1.5]", with), "error: no such key");
  EXPECT_EQ(run("request.path.more", with), "error: no such attribute");
}

TEST(Cel, AnAttributeThatIsNotNeededIsNotRead) {
  FakeAttributes none;
  EXPECT_EQ(run("false && a.b == 1", none), "false");
  EXPECT_EQ(run("true ? 1 : a.b", none), "1");
  EXPECT_EQ(none.reads, 0u);
}

TEST(Cel, StepsAreBounded) {
  std::string ten = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]";
  std::string all = "true";
  for (const char* name : {"a", "b", "c"}) all = ten + ".all(" + name + ", " + all + ")";
  EXPECT_EQ(run(all), "true");
  for (const char* name : {"d", "e", "f"}) all = ten + ".all(" + name + ", " + all + ")";
  EXPECT_EQ(run(all), "error: it takes too long");
  EXPECT_EQ(run(all + " || true"), "error: it takes too long") << "nothing absorbs it";
}

TEST(Cel, PatternsAreBounded) {
  EXPECT_TRUE(run("'a'.matches('((a{10}){10}){10}')").starts_with("refused: "));
  EXPECT_EQ(run("'a'.matches('((a{10}){10}){10}' + '')"), "error: a pattern is wrong");
  std::string many = "'a'.matches('a')";
  for (unsigned i = 1; i < kMaxPatterns; ++i) many += " && 'a'.matches('a')";
  EXPECT_EQ(run(many), "true");
  EXPECT_TRUE(
      run(many + " && 'a'.matches('a')").starts_with("refused: there are too many patterns"));
  EXPECT_EQ(run("[0,1,2,3,4,5,6,7,8,9,10].all(x, 'a'.matches('a' + ''))"),
            "error: it takes too long");
  FakeAttributes with;
  with.all["long"] = Value::text(std::string(1 << 20, 'a'));
  EXPECT_EQ(run("long.matches('(a|b|c)?(d|e|f)?(g|h|i)?x')", with), "error: it takes too long");
  EXPECT_EQ(run("long.contains('" + std::string(500, 'a') + "b')", with),
            "error: it takes too long");
}

TEST(Cel, PathsOfAttributesAreBounded) {
  FakeAttributes with;
  with.all["long"] = Value::text(std::string(Evaluator::kMaxPathBytes, 'k'));
  EXPECT_EQ(run("[long].exists(k, a[k] == 1)", with), "error: no such attribute");
  EXPECT_EQ(with.reads, 1u) << "it is not even asked for";
  EXPECT_EQ(run("[long].exists(k, has(a[k].b))", with), "error: no such attribute");
  with.all["all"] = Value::text(std::string(1 << 20, 'a'));
  EXPECT_EQ(run("[0,1,2,3,4,5,6,7,8,9,10].all(x, has(all.b) || has(all.c) || true)", with), "true");
}

TEST(Cel, WhatIsOnlyLookedForIsPaid) {
  FakeAttributes with;
  with.all["all/it"] = Value::text(std::string(1 << 20, 'a'));
  EXPECT_EQ(run("[0,1,2,3,4,5,6,7,8,9,10].all(x, has(all.it))", with), "error: it takes too long");
  const std::string key(1000, 'k');
  std::string keys = "{";
  for (char c = 'a'; c < 'i'; ++c) keys += (c == 'a' ? "'" : ",'") + key + c + "':1";
  EXPECT_EQ(run("[" + keys + "}].all(m, !('" + key + "z' in m))"), "true");
}

TEST(Cel, SizesAreBounded) {
  // Each doubles what the one before has made.
  std::string doubled = "['0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef']";
  for (int i = 0; i < 40; ++i) doubled += ".map(x, x + x)";
  EXPECT_EQ(run(doubled), "error: it takes too long");
  std::string lists = "[1]";
  for (int i = 0; i < 40; ++i) lists += ".map(x, [x, x])";
  EXPECT_TRUE(run(lists).starts_with("error: ")) << run(lists);
  std::string deep = "[1]";
  for (int i = 0; i < 40; ++i) deep += ".map(x, [[x]])";
  EXPECT_EQ(run(deep), "error: a list is too large");
  std::string same = "{0: 0";
  for (int i = 1; i < 800; ++i) same += "," + std::to_string(i) + ":0";
  same += "}";
  EXPECT_EQ(run("[" + same + "].all(x, [x,x,x,x,x,x,x,x].all(y, x == y))"),
            "error: it takes too long");
}

TEST(Cel, ValuesAreWrittenAsProperties) {
  const auto written = [](std::string_view source, size_t max = 1000) {
    FakeAttributes none;
    Evaluator evaluator(none);
    std::string out;
    const Status status = serialise(evaluator.run(*parse(source)), max, out);
    return status == Status::kOk ? out : "status " + std::to_string(static_cast<int>(status));
  };
  using namespace std::string_literals;
  EXPECT_EQ(written("'text'"), "text");
  EXPECT_EQ(written("b'\\xff'"), "\xff");
  EXPECT_EQ(written("258"), "\2\1\0\0\0\0\0\0"s);
  EXPECT_EQ(written("258u"), "\2\1\0\0\0\0\0\0"s);
  EXPECT_EQ(written("1.0"), "\0\0\0\0\0\0\xf0\x3f"s);
  EXPECT_EQ(written("true"), "\1");
  EXPECT_EQ(written("duration('258ns')"), "\2\1\0\0\0\0\0\0"s);
  EXPECT_EQ(written("['a', true]"), encode_pairs({{"a", ""}, {"\1", ""}}));
  EXPECT_EQ(written("{'a': 'b', 'c': ['d']}"),
            encode_pairs({{"a", "b"}, {"c", encode_pairs({{"d", ""}})}}));
  EXPECT_EQ(written("null"), "status 3");
  EXPECT_EQ(written("[null]"), "status 3");
  EXPECT_EQ(written("'12345'", 4), "status 3");
  EXPECT_EQ(written("['12345', '12345']", 20), "status 3");
}

}  // namespace
}  // namespace weir::wasm::cel
