// ConfigView as the author of an extension sees it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/json_text.h"
#include "config/loader.h"
#include "config/scalar.h"
#include "config/text_view.h"
#include "config/yaml_tree.h"

namespace weir::config {
namespace {

using std::chrono::nanoseconds;
using ::testing::ElementsAre;

/// Reads `yaml` with `read` and returns what was reported, one message a line.
template <typename Read>
std::string errors_of(const std::string& yaml, Read read) {
  std::vector<Diagnostic> diagnostics;
  {
    auto view = view_of(yaml, diagnostics);
    read(*view);
  }
  std::string out;
  for (const Diagnostic& diagnostic : diagnostics) out += diagnostic.to_string() + "\n";
  return out;
}

TEST(ConfigView, ReadsEveryKind) {
  EXPECT_EQ(errors_of("text: a\nquoted: \"1\"\nflag: true\nwhole: -5\nreal: 1.5e3\nwait: 2m\nlist: "
                      "[a, 1, true]\n"
                      "level: HIGH\nnumbered: 1\nmap: {k1: v1, k2: v2}\nchild: {x: 1}\nchildren: "
                      "[{x: 1}, {x: 2}]\n"
                      "\"@type\": type.googleapis.com/a.b.C\ndata: {inline_string: raw}\n",
                      [](ConfigView& view) {
                        EXPECT_EQ(view.text("text"), "a");
                        EXPECT_EQ(view.text("quoted"), "1");
                        EXPECT_EQ(view.text("absent", "fallback"), "fallback");
                        EXPECT_TRUE(view.boolean("flag", false));
                        EXPECT_EQ(view.integer("whole", 0, -10, 10), -5);
                        EXPECT_DOUBLE_EQ(view.number("real", 0), 1500);
                        EXPECT_EQ(view.duration("wait", {}), std::chrono::minutes(2));
                        EXPECT_THAT(view.texts("list"), ElementsAre("a", "1", "true"));
                        EXPECT_EQ(view.enumeration("level", {"LOW", "HIGH"}, 0), 1u);
                        EXPECT_EQ(view.enumeration("numbered", {"LOW", "HIGH"}, 0), 1u);
                        auto map = view.message("map");
                        EXPECT_THAT(map->keys(), ElementsAre("k1", "k2"));
                        EXPECT_EQ(map->text("k1") + map->text("k2"), "v1v2");
                        EXPECT_EQ(map->path(), "map");
                        EXPECT_EQ(view.message("child")->integer("x", 0, 0, 9), 1);
                        auto children = view.messages("children");
                        ASSERT_EQ(children.size(), 2u);
                        EXPECT_EQ(children[1]->path(), "children[1]");
                        EXPECT_EQ(
                            children[0]->integer("x", 0, 0, 9) + children[1]->integer("x", 0, 0, 9),
                            3);
                        EXPECT_EQ(view.type(), "a.b.C");
                        EXPECT_EQ(view.data_source("data"), "raw");
                        EXPECT_EQ(view.message("absent"), nullptr);
                        EXPECT_TRUE(view.messages("absent").empty());
                        EXPECT_FALSE(view.data_source("absent").has_value());
                        EXPECT_FALSE(view.failed());
                      }),
            "");
}

TEST(ConfigView, TakesCamelCaseToo) {
  EXPECT_EQ(errors_of("maxTokens: 5\nfill_interval: 1s\nxY: 1\n",
                      [](ConfigView& view) {
                        EXPECT_EQ(view.integer("max_tokens", 0, 0, 9), 5);
                        EXPECT_TRUE(view.has("fill_interval"));
                        EXPECT_TRUE(view.has("x_y"));
                      }),
            "");
}

TEST(ConfigView, ReportsWhatNobodyRead) {
  EXPECT_EQ(errors_of("max_tokens: 5\nmax_token: 6\nchild: {deep: {x: 1}}\n",
                      [](ConfigView& view) {
                        view.integer("max_tokens", 0, 0, 9);
                        auto deep = view.message("child")->message("deep");
                        deep->text("y");
                      }),
            "test.yaml:2:1: unknown field \"max_token\" (did you mean \"max_tokens\"?)\n"
            "test.yaml:3:16: child.deep: unknown field \"x\" (did you mean \"y\"?)\n");
}

TEST(ConfigView, ReportsWrongValuesAndGoesOn) {
  EXPECT_EQ(errors_of("a: [1]\nb: 5x\nc: 99\nd: MIDDLE\ne: -1s\nf: {}\ng: text\nh: [{}, 5]\n",
                      [](ConfigView& view) {
                        EXPECT_EQ(view.text("a", "d"), "d");
                        EXPECT_EQ(view.integer("b", 3, 0, 9), 3);
                        EXPECT_EQ(view.integer("c", 3, 0, 9), 3);
                        EXPECT_EQ(view.enumeration("d", {"LOW", "HIGH"}, 1), 1u);
                        EXPECT_EQ(view.duration("e", nanoseconds(7)), nanoseconds(7));
                        EXPECT_FALSE(view.boolean("f", false));
                        EXPECT_EQ(view.message("g"), nullptr);
                        EXPECT_EQ(view.messages("h").size(), 1u);
                        EXPECT_TRUE(view.failed());
                      }),
            "test.yaml:1:4: a: expected a text, found a list\n"
            "test.yaml:2:4: b: expected a whole number, found \"5x\"\n"
            "test.yaml:3:4: c: out of range: 99 is not within 0 to 9\n"
            "test.yaml:4:4: d: unknown value \"MIDDLE\"; it is one of LOW, HIGH\n"
            "test.yaml:5:4: e: expected a duration such as 1.5s or 250ms, found \"-1s\"\n"
            "test.yaml:6:4: f: expected true or false, found a mapping\n"
            "test.yaml:7:4: g: expected a mapping, found \"text\"\n"
            "test.yaml:8:9: h[1]: expected a mapping, found \"5\"\n");
}

TEST(ConfigView, OwnersReportErrorsAtTheirFields) {
  EXPECT_EQ(errors_of("a: 1\nb: {c: 2}\nd: 3\n",
                      [](ConfigView& view) {
                        view.error("a", "is odd");
                        auto child = view.message("b");
                        child->error("c", "is even");
                        child->error("", "is a child");
                        EXPECT_TRUE(child->failed());
                        EXPECT_TRUE(view.failed());
                        view.unsupported("d", "");
                        view.unsupported("absent", "");
                      }),
            "test.yaml:1:4: a: is odd\n"
            "test.yaml:2:4: b: is a child\n"
            "test.yaml:2:8: b.c: is even\n"
            "test.yaml:3:1: \"d\" is not supported yet\n");
  EXPECT_EQ(
      errors_of("fail_open: true\n",
                [](ConfigView& view) { view.unsupported("fail_open", "use failure_policy"); }),
      "test.yaml:1:1: \"fail_open\" is not supported: use failure_policy\n");
}

TEST(ConfigView, FailureOfASiblingIsNotOurs) {
  errors_of("a: {x: bad}\nab: {x: 1}\n", [](ConfigView& view) {
    auto a = view.message("a");
    auto ab = view.message("ab");
    a->integer("x", 0, 0, 9);
    ab->integer("x", 0, 0, 9);
    EXPECT_TRUE(a->failed());
    EXPECT_FALSE(ab->failed());
    EXPECT_TRUE(view.failed());
  });
}

TEST(ConfigView, JsonIsCanonicalAndTyped) {
  EXPECT_EQ(
      errors_of(
          "s: {b: [1, 1.5e3, -0.5, 007, true, False, ~, \"true\", \"1\", x y], a: {}, \"q\\\"\": "
          "\"n\\n\"}\n",
          [](ConfigView& view) {
            EXPECT_EQ(
                view.json("s").value(),
                "{\"a\":{},\"b\":[1,1.5e3,-0.5,\"007\",true,false,null,\"true\",\"1\",\"x y\"],"
                "\"q\\\"\":\"n\\n\"}");
            EXPECT_FALSE(view.json("absent").has_value());
          }),
      "");
}

TEST(ConfigView, OfNothingIsEmpty) {
  EXPECT_EQ(errors_of("{}", [](ConfigView& view) { EXPECT_FALSE(view.has("a")); }), "");
}

TEST(Scalar, Durations) {
  EXPECT_EQ(parse_duration("1.5s"), nanoseconds(1'500'000'000));
  EXPECT_EQ(parse_duration("0s"), nanoseconds(0));
  EXPECT_EQ(parse_duration("250ms"), nanoseconds(250'000'000));
  EXPECT_EQ(parse_duration("10us"), nanoseconds(10'000));
  EXPECT_EQ(parse_duration("7ns"), nanoseconds(7));
  EXPECT_EQ(parse_duration("1h"), std::chrono::hours(1));
  EXPECT_EQ(parse_duration("0.1s"), nanoseconds(100'000'000));
  for (const char* bad : {"", "s", "1", "-1s", "-0s", "1 s", "1s ", "1S", "1d", ".5s", "1.s",
                          "1e400s", "nans", "infs", "1e12h"}) {
    EXPECT_FALSE(parse_duration(bad).has_value()) << bad;
  }
}

TEST(Scalar, Integers) {
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("-12"), -12);
  EXPECT_EQ(parse_integer("5.0"), 5);
  EXPECT_EQ(parse_integer("1e3"), 1000);
  EXPECT_EQ(parse_integer("9223372036854775807"), INT64_MAX);
  for (const char* bad :
       {"", "-", "+1", "01", "0x10", "1.5", "1e30", "9223372036854775808", " 1", "1_000", "inf"}) {
    EXPECT_FALSE(parse_integer(bad).has_value()) << bad;
  }
}

TEST(Scalar, Base64) {
  EXPECT_EQ(parse_base64("aGk="), "hi");
  EXPECT_EQ(parse_base64("aGk"), "hi") << "protobuf takes it without padding";
  EXPECT_EQ(parse_base64("-_8"), "\xfb\xff") << "and in the URL alphabet";
  EXPECT_EQ(parse_base64(""), "");
  for (const char* bad : {"a", "aGk=a", "a b=", "===="})
    EXPECT_FALSE(parse_base64(bad).has_value()) << bad;
}

TEST(Tree, NamesOfFields) {
  EXPECT_TRUE(names_field("per_connection_limit", "per_connection_limit"));
  EXPECT_TRUE(names_field("perConnectionLimit", "per_connection_limit"));
  EXPECT_FALSE(names_field("perConnectionlimit", "per_connection_limit"));
  EXPECT_FALSE(names_field("per", "per_connection_limit"));
  EXPECT_FALSE(names_field("perConnectionLimits", "per_connection_limit"));
  EXPECT_TRUE(names_field("defaultHostForHttp10", "default_host_for_http_10"));
}

TEST(Tree, Paths) {
  EXPECT_EQ(path_below("", "a"), "a");
  EXPECT_EQ(path_below("a", "b"), "a.b");
  EXPECT_EQ(path_below("a", "b.c"), "a[\"b.c\"]");
  EXPECT_EQ(path_below("a", size_t{3}), "a[3]");
}

}  // namespace
}  // namespace weir::config
