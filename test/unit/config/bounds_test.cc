// What a configuration may not do to the process that reads it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/yaml_tree.h"
#include "fixture.h"

namespace weir::config::test {
namespace {

using ::testing::HasSubstr;

TEST_F(LoaderTest, NothingIsAConfiguration) {
  EXPECT_EQ(texts(load("").diagnostics), "t.yaml: the configuration is empty\n");
  EXPECT_EQ(texts(load("~\n").diagnostics), "t.yaml: the configuration is empty\n");
}

TEST_F(LoaderTest, OneFileIsOneDocument) {
  EXPECT_EQ(texts(load("node: {}\n---\nnode: {}\n").diagnostics),
            "t.yaml:2:1: a second document; one file is one document\n");
}

TEST_F(LoaderTest, BytesThatAreNoTextAreRefused) {
  constexpr char kMessage[] = ": a byte that is neither UTF-8 nor allowed in YAML\n";
  EXPECT_EQ(texts(load("node: {id: a\xff}\n").diagnostics), std::string("t.yaml:1:13") + kMessage);
  EXPECT_EQ(texts(load("node:\n  id: a\x01\n").diagnostics), std::string("t.yaml:2:8") + kMessage);
  EXPECT_EQ(texts(load(std::string("node:\n\0", 7)).diagnostics),
            std::string("t.yaml:2:1") + kMessage);
  EXPECT_EQ(texts(load("\xff\xfen\0o\0").diagnostics), std::string("t.yaml:1:1") + kMessage)
      << "UTF-16";
}

TEST_F(LoaderTest, AnchorBombIsRefused) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) bomb += (j > 0 ? ", *a" : "*a") + std::to_string(i - 1);
    bomb += "]\n";
  }
  LoadResult result = load(bomb);
  EXPECT_EQ(result.configuration, nullptr);
  EXPECT_EQ(texts(result.diagnostics),
            "t.yaml:6:5: a5: more than 500000 values, aliases counted at each use\n");
}

TEST_F(LoaderTest, AnchorsOfLongTextsAreBounded) {
  std::string bomb = "a: &a " + std::string(1 << 20, 'x') + "\nb: [";
  for (int i = 0; i < 70; ++i) bomb += "*a, ";
  EXPECT_THAT(texts(load(bomb + "]\n").diagnostics),
              HasSubstr("more than 64 MiB of text in aliases"));
}

TEST_F(LoaderTest, DeepNestingIsRefused) {
  for (size_t depth : {101u, 5000u, 100000u}) {
    EXPECT_THAT(
        texts(
            load("node: " + std::string(depth, '[') + std::string(depth, ']') + "\n").diagnostics),
        HasSubstr("nested deeper than 100 levels"));
    LoadResult open = load("node: " + std::string(depth, '['));
    EXPECT_EQ(open.configuration, nullptr);
    EXPECT_EQ(open.diagnostics.size(), 1u);
  }
  std::string block;
  for (size_t i = 0; i < 200; ++i) block += std::string(i, ' ') + "a:\n";
  EXPECT_THAT(texts(load(block).diagnostics), HasSubstr("nested deeper than 100 levels"));
}

TEST_F(LoaderTest, DepthCountsThroughAliases) {
  std::string text = "a: &a " + std::string(60, '[') + std::string(60, ']') + "\n";
  text += "b: " + std::string(60, '[') + "*a" + std::string(60, ']') + "\n";
  EXPECT_THAT(texts(load(text).diagnostics), HasSubstr("nested deeper than 100 levels"));
}

TEST_F(LoaderTest, HugeTextIsRefused) {
  EXPECT_EQ(texts(load(std::string(kMaxTextBytes + 1, ' ')).diagnostics),
            "t.yaml: larger than 32 MiB\n");
}

TEST_F(LoaderTest, ErrorsAreCappedAndCounted) {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "unknown" + std::to_string(i) + ": 1\n";
  LoadResult result = load(text);
  ASSERT_EQ(result.diagnostics.size(), 501u);
  EXPECT_EQ(result.diagnostics.back().to_string(), "t.yaml: and 1500 more errors");
}

TEST_F(LoaderTest, LongTextsAreShortenedInMessages) {
  const std::string long_path = "/" + std::string(120, 'a');
  EXPECT_THAT(texts(load("static_resources:\n  listeners:\n  - address: {pipe: {path: " +
                         long_path + "}}\n")
                        .diagnostics),
              HasSubstr("static_resources.listeners[0].address.pipe.path: "));
  EXPECT_LT(texts(load("node: {id: [" + std::string(5000, 'b') +
                       "]}\nreload: {watch: " + std::string(5000, 'c') + "}\n")
                      .diagnostics)
                .size(),
            500u);
}

TEST_F(LoaderTest, DirectResponseBodiesAreBounded) {
  LoadResult result = load(
      with_routes("- match: {prefix: /}\n  direct_response: {status: 200, body: {inline_string: " +
                  std::string(4097, 'x') + "}}\n"));
  EXPECT_THAT(texts(result.diagnostics), HasSubstr("direct_response.body: 4097 bytes are more than "
                                                   "max_direct_response_body_size_bytes, 4096"));
}

}  // namespace
}  // namespace weir::config::test
