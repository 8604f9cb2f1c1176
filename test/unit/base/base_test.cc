#include <gtest/gtest.h>
#include <unistd.h>
#include <weir/stream_info.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <set>
#include <string>

#include "base/check.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/intrusive_list.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "base/regex.h"

namespace weir::base {
namespace {

std::string captured;
void capture(std::string_view line) { captured += line; }

class Log : public testing::Test {
 protected:
  void SetUp() override {
    captured.clear();
    set_log_output(&capture);
    set_all_log_levels(Level::kInfo);
  }
  void TearDown() override { set_log_output(nullptr); }
};

TEST_F(Log, LineHasLevelComponentAndEscapedFields) {
  set_thread_name("worker_7");
  WEIR_LOG(kHttp, kWarn, "stream reset",
           {{"id", 7u},
            {"why", "a \"b\"\n"},
            {"name", std::string("plain")},
            {"n", -3},
            {"ok", true},
            {"x", 1.5},
            {"e", ""}});
  EXPECT_EQ(captured.substr(0, 1), "[");
  EXPECT_EQ(captured.substr(25),
            "[worker_7][warning][http] stream reset id=7 why=\"a \\\"b\\\"\\n\" name=plain n=-3 "
            "ok=true x=1.5 e=\"\"\n");
  captured.clear();
  WEIR_LOG(kMain, kInfo, "bare");
  EXPECT_EQ(captured.substr(25), "[worker_7][info][main] bare\n");
}

TEST_F(Log, LevelsArePerComponentAndNothingIsEvaluatedBelow) {
  int evaluated = 0;
  const auto value = [&evaluated] { return ++evaluated; };
  WEIR_LOG(kPool, kDebug, "hidden", {{"n", value()}});
  EXPECT_EQ(evaluated, 0);
  set_log_level(Component::kPool, Level::kDebug);
  WEIR_LOG(kPool, kDebug, "shown", {{"n", value()}});
  WEIR_LOG(kHttp, kDebug, "hidden", {{"n", value()}});
  EXPECT_EQ(evaluated, 1);
  set_log_level(Component::kPool, Level::kOff);
  WEIR_LOG(kPool, kCritical, "hidden", {{"n", value()}});
  EXPECT_EQ(evaluated, 1);
  EXPECT_EQ(parse_level("warn"), Level::kWarn);
  EXPECT_EQ(parse_level("loud"), std::nullopt);
  EXPECT_EQ(parse_component("wasm"), Component::kWasm);
  EXPECT_EQ(component_name(Component::kAccess), "access");
}

TEST_F(Log, ComponentLevelsAreAllTakenOrNone) {
  const auto levels = parse_component_levels("http:debug,wasm:warn");
  ASSERT_TRUE(levels);
  const ComponentLevels wanted = {{Component::kHttp, Level::kDebug},
                                  {Component::kWasm, Level::kWarn}};
  EXPECT_EQ(*levels, wanted);
  EXPECT_EQ(component_levels_text(*levels), "http:debug,wasm:warning");
  for (const char* bad : {"", "http", "http:", ":debug", "http:loud", "nothing:debug",
                          "http:debug,", "http:debug,,wasm:debug", "http:debug, wasm:debug"})
    EXPECT_FALSE(parse_component_levels(bad)) << bad;
  EXPECT_EQ(parse_component_levels("http:debug,wasm").error().detail, "not component:level: wasm");
}

TEST_F(Log, LimitersCountWhatTheySwallow) {
  for (int i = 0; i < 10; ++i) WEIR_LOG_EVERY_MS(3600000, kHttp, kInfo, "once");
  EXPECT_EQ(std::count(captured.begin(), captured.end(), '\n'), 1);
  LogLimiter limiter(3600000);
  uint64_t suppressed = 99;
  EXPECT_TRUE(limiter.allow(suppressed));
  EXPECT_EQ(suppressed, 0u);
  EXPECT_FALSE(limiter.allow(suppressed));
}

TEST_F(Log, WritesToAFileAndReopensItAfterRotation) {
  set_log_output(nullptr);
  const std::string path = testing::TempDir() + "weir_log_test_" + std::to_string(::getpid());
  ASSERT_TRUE(open_log(path));
  WEIR_LOG(kMain, kInfo, "first");
  ASSERT_EQ(std::rename(path.c_str(), (path + ".1").c_str()), 0);
  WEIR_LOG(kMain, kInfo, "second");
  ASSERT_TRUE(reopen_log());
  WEIR_LOG(kMain, kInfo, "third");
  const auto old = read_file(path + ".1");
  const auto now = read_file(path);
  ASSERT_TRUE(old && now);
  EXPECT_NE(old->find("second"), std::string::npos);
  EXPECT_EQ(old->find("third"), std::string::npos);
  EXPECT_NE(now->find("third"), std::string::npos);
  ::unlink(path.c_str());
  ::unlink((path + ".1").c_str());
  EXPECT_FALSE(open_log("/nonexistent/dir/log"));
  ASSERT_TRUE(open_log(""));
}

TEST(Check, FailsLoudly) {
  EXPECT_DEATH(WEIR_CHECK(1 + 1 == 3), "1 \\+ 1 == 3");
  set_abort_on_bug(false);
  const uint64_t before = bug_count();
  WEIR_BUG("only counted");
  EXPECT_EQ(bug_count(), before + 1);
  set_abort_on_bug(true);
}

struct Item : ListNode<> {
  explicit Item(int n) : number(n) {}
  int number;
};

TEST(IntrusiveList, LinksUnlinksAndSurvivesDeath) {
  IntrusiveList<Item> list;
  Item a(1), b(2);
  {
    Item c(3);
    list.push_back(a);
    list.push_back(b);
    list.push_front(c);
    std::string order;
    for (Item& item : list) order += std::to_string(item.number);
    EXPECT_EQ(order, "312");
    EXPECT_EQ(list.size(), 3u);
  }
  EXPECT_EQ(list.size(), 2u);
  IntrusiveList<Item>::erase(a);
  EXPECT_FALSE(a.linked());
  EXPECT_EQ(list.pop_front(), &b);
  EXPECT_EQ(list.pop_front(), nullptr);
  {
    IntrusiveList<Item> other;
    other.push_back(a);
  }
  EXPECT_FALSE(a.linked());
}

TEST(Digest, KnownValues) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Regex, MatchesReplacesAndRefuses) {
  const auto regex = Regex::compile("^/v(\\d+)/");
  ASSERT_TRUE(regex);
  EXPECT_TRUE(regex->partial_match("/v12/x"));
  EXPECT_FALSE(regex->full_match("/v12/x"));
  EXPECT_EQ(regex->replace_all("/v12/x", "/\\1/"), "/12/x");
  EXPECT_FALSE(Regex::compile("(unclosed"));
  EXPECT_FALSE(Regex::compile("(((x{100}){10}){10})"));
  EXPECT_FALSE(Regex::compile("a(b|c)*d{50}", 20));
}

TEST(Random, LooksRandom) {
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random_u64());
  EXPECT_EQ(seen.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(random_below(7), 7u);
  const std::string id = uuid4();
  EXPECT_EQ(id.size(), 36u);
  EXPECT_EQ(id[14], '4');
  EXPECT_TRUE(std::string("89ab").find(id[19]) != std::string::npos);
  EXPECT_EQ(id[8], '-');
  EXPECT_EQ(id[23], '-');
  EXPECT_NE(id, uuid4());
}

TEST(Hash, DependsOnEveryByteAndLength) {
  std::set<uint64_t> seen;
  for (size_t n = 0; n < 100; ++n) seen.insert(hash_bytes(std::string(n, 'a')));
  for (size_t i = 0; i < 60; ++i) {
    std::string text(60, 'a');
    text[i] = 'b';
    seen.insert(hash_bytes(text));
  }
  EXPECT_EQ(seen.size(), 160u);
  StringMap<int> map;
  map["key"] = 1;
  EXPECT_EQ(map.find(std::string_view("key"))->second, 1);
}

TEST(Json, WritesBalancedText) {
  std::string out;
  JsonWriter json(out);
  json.begin_object()
      .key("a")
      .number(1)
      .key("b")
      .begin_array()
      .text("x\"\xff")
      .number(-2.5)
      .null()
      .end_array();
  json.key("c")
      .boolean(true)
      .key("d")
      .begin_object()
      .end_object()
      .key("e")
      .number(0.0 / 0.0)
      .end_object();
  EXPECT_EQ(out,
            "{\"a\":1,\"b\":[\"x\\\"\xef\xbf\xbd\",-2.5,null],\"c\":true,\"d\":{},\"e\":null}");
  EXPECT_TRUE(json_valid(out));
  EXPECT_FALSE(json_valid("{\"a\":}"));
  EXPECT_FALSE(json_valid(std::string_view("2\0x", 3)));
  EXPECT_FALSE(json_pretty(std::string_view("{}\0", 3)));
  EXPECT_EQ(json_pretty("{\"b\":1}").value(), "{\n  \"b\": 1\n}");
}

TEST(File, ReadsWithinABound) {
  const std::string path = testing::TempDir() + "weir_file_test_" + std::to_string(::getpid());
  std::ofstream(path) << std::string(10000, 'x');
  EXPECT_EQ(read_file(path).value().size(), 10000u);
  EXPECT_EQ(read_file(path, 9999).error().code, Code::kPayloadTooLarge);
  EXPECT_EQ(read_file(path, 10000).value().size(), 10000u);
  std::ofstream(path, std::ios::trunc).close();
  EXPECT_EQ(read_file(path).value(), "");
  ::unlink(path.c_str());
  EXPECT_EQ(read_file(path).error().code, Code::kNotFound);
  EXPECT_FALSE(read_file("/"));
}

TEST(StreamInfo, FlagsHaveEnvoysNames) {
  StreamInfo info;
  EXPECT_EQ(response_flags_text(info.flags), "");
  info.set_flag(ResponseFlag::kUpstreamRequestTimeout);
  info.set_flag(ResponseFlag::kNoClusterFound);
  EXPECT_EQ(response_flags_text(info.flags), "UT,NC");
  EXPECT_EQ(response_flag_name(ResponseFlag::kDownstreamProtocolError), "DPE");
  EXPECT_EQ(response_flag_name(ResponseFlag::kUnauthorizedExternalService), "UAEX");
  EXPECT_EQ(response_flag_name(ResponseFlag::kUnconditionalDropOverload), "UDO");
  EXPECT_EQ(response_flag_name(ResponseFlag::kCount_), "-");
  EXPECT_EQ(response_flag_long_name(ResponseFlag::kFailedLocalHealthCheck),
            "FailedLocalHealthCheck");
  EXPECT_EQ(response_flag_long_name(ResponseFlag::kUnconditionalDropOverload),
            "UnconditionalDropOverload");
  EXPECT_EQ(response_flag_long_name(ResponseFlag::kCount_), "-");
}

}  // namespace
}  // namespace weir::base
