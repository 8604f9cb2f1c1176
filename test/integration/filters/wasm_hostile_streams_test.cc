// Guests that mean harm to the streams that they filter: what clients, other streams and other filters see of it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

constexpr const char* kOpen = "failure_policy: FAIL_OPEN";

std::string origin_answer(const Peer::Message& request) {
  return response("origin", 200, "x-seen: " + request.header("x-mark") + "\r\n");
}

void wait_for_no_streams(TestProxy& proxy) {
  proxy.wait_for("the streams' end", [&proxy] {
    const std::string page = proxy.admin("/wasm");
    for (size_t at = page.find("\"streams\":"); at != std::string::npos;
         at = page.find("\"streams\":", at + 1))
      if (page.compare(at, 11, "\"streams\":0") != 0) return false;
    return true;
  });
}

// ---- local replies ----------------------------------------------------------------------------------

TEST(HostileReplies, ContinueAfterOneDoesNotAskTheOrigin) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(Plugin{}, origin.port()));
  Peer client = proxy.connect();
  const Peer::Message answer =
      ask(client, "x-do: request_headers=reply_and_continue|201|first|x-of:first\r\n");
  EXPECT_EQ(answer.status(), 201);
  EXPECT_EQ(answer.header("x-of"), "first");
  EXPECT_EQ(origin.requests(), 0u);
  EXPECT_EQ(ask(client).body, "origin");
}

TEST(HostileReplies, AfterTheAnswerTheyAreNothing) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(Plugin{}, origin.port()));
  Peer client = proxy.connect();
  for (int i = 0; i < 3; ++i) {
    const Peer::Message answer =
        ask(client, "x-do: done=reply|201|late;log=reply|202|later;delete=reply|203|last\r\n");
    EXPECT_EQ(answer.status(), 200) << "nothing of the one before is in its place";
    EXPECT_EQ(answer.body, "origin");
  }
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 0u);
}

TEST(HostileReplies, TenMegabytesComeWhole) {
  TestProxy proxy(yaml_with(Plugin{}));
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client, "x-do: request_headers=reply_fill|200|10485760\r\n");
  EXPECT_EQ(answer.header("content-length"), "10485760");
  EXPECT_EQ(answer.body.size(), 10'485'760u);
  EXPECT_EQ(ask(client).status(), 200);
}

// ---- pauses -----------------------------------------------------------------------------------------

struct PauseCase {
  const char* name;
  const char* actions;
  int status;
};
void PrintTo(const PauseCase& each, std::ostream* out) { *out << each.name; }

class EndlessPauseTest : public ::testing::TestWithParam<PauseCase> {};

TEST_P(EndlessPauseTest, EndsWithTheIdleTimeOfTheStream) {
  AutoOrigin origin(origin_answer);
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.filters = filter(Plugin{});
  yaml.hcm = "stream_idle_timeout: 0.1s\n";
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 2\r\nx-do: " +
              std::string(GetParam().actions) + "\r\n\r\nhi");
  EXPECT_EQ(client.read_message().status(), GetParam().status);
  EXPECT_EQ(proxy.counter("http.ingress.downstream_rq_idle_timeout"), 1u);
  wait_for_no_streams(proxy);
  EXPECT_EQ(proxy.gauge("http.ingress.downstream_rq_active"), 0);
  Peer other = proxy.connect();
  EXPECT_EQ(ask(other).status(), 200);
}

INSTANTIATE_TEST_SUITE_P(Callbacks, EndlessPauseTest,
                         ::testing::Values(PauseCase{"requestHead", "request_headers=pause", 408},
                                           PauseCase{"requestBody", "request_body=pause", 408},
                                           PauseCase{"responseHead", "response_headers=pause", 504},
                                           PauseCase{"responseBody", "response_body=pause", 504}),
                         [](const auto& info) { return std::string(info.param.name); });

// ---- contexts that are never given back -------------------------------------------------------------

TEST(HostileContexts, StreamsThatAreNeverDoneAreDeleted) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(Plugin{}, origin.port()));
  Peer client = proxy.connect();
  for (int i = 0; i < 300; ++i)
    ASSERT_EQ(ask(client, "x-do: done=return|0\r\n").status(), 200) << i;
  wait_for_no_streams(proxy);
  EXPECT_NE(ask(client, "x-do: request_headers=streams\r\n").status(), 0);
  EXPECT_NE(proxy.admin("/wasm").find("\"name\":\"proxy_on_delete\",\"calls\":30"),
            std::string::npos)
      << proxy.admin("/wasm");
}

TEST(HostileContexts, ARootThatIsNeverDoneGoesAllTheSame) {
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.filters = filter(Plugin{.configuration = "done=return|0"});
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).status(), 200);
  yaml.filters = filter(Plugin{});
  proxy.write_config(yaml.text());
  proxy.wait_for_generation(2);
  EXPECT_EQ(ask(client).status(), 200);
  proxy.wait_for("the old VM's end", [&proxy] { return proxy.gauge("wasm.wasm_vm_count") == 1; });
}

// ---- ticks ------------------------------------------------------------------------------------------

TEST(HostileTicks, ManyShortOnesLeaveTheWorkerToItsStreams) {
  constexpr int kVms = 30;
  Yaml yaml;
  yaml.routes = kDirect;
  for (int i = 0; i < kVms; ++i) {
    const std::string name = i == 0 ? "slow" : "fast" + std::to_string(i);
    yaml.filters +=
        filter(Plugin{.configuration = std::string("configure=tick|") + (i == 0 ? "10" : "1") +
                                       ";tick=metric_inc|counter|" + name + "|1",
                      .vm = "vm_id: " + name,
                      .name = name});
  }
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  proxy.wait_for("the ticks of 10 ms", [&] {
    EXPECT_EQ(ask(client).status(), 200);
    return proxy.counter("wasmcustom.slow") >= 20;
  });
  // None is shorter than that: without the bound it would have ticked ten times as often.
  const uint64_t fast = proxy.counter("wasmcustom.fast1");
  EXPECT_GT(fast, 0u);
  EXPECT_LE(fast, 2 * proxy.counter("wasmcustom.slow") + 20);
}

TEST(HostileTicks, APeriodOfZeroIsNone) {
  TestProxy proxy(yaml_with(Plugin{.configuration = "configure=tick|10;tick=tick|0;"
                                                    "tick=metric_inc|counter|ticks|1"}));
  proxy.wait_for("the tick", [&proxy] { return proxy.counter("wasmcustom.ticks") == 1; });
  Peer client = proxy.connect();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask(client).status(), 200);
  EXPECT_EQ(proxy.counter("wasmcustom.ticks"), 1u);
}

// ---- filters against each other ---------------------------------------------------------------------

TEST(HostilePairs, EachUndoesWhatTheOtherDoesAndTheStreamEnds) {
  AutoOrigin origin(origin_answer);
  const auto plugin = [](const std::string& name, const std::string& path) {
    const std::string clear = "=foreign|clear_route_cache|;";
    return filter(Plugin{
        .configuration = "request_headers=set|:path|" + path + ";request_headers=set|x-mark|" +
                         name + ";request_headers" + clear + "request_body" + clear +
                         "request_body=body_append|" + name + ";response_headers" + clear +
                         "response_headers=set|x-last|" + name + ";log" + clear,
        .name = name});
  };
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.routes =
      "- match: {path: /one}\n  direct_response: {status: 201}\n"
      "- match: {prefix: /}\n  route: {cluster: origin}\n";
  yaml.filters = plugin("one", "/one") + plugin("two", "/two");
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  for (int i = 0; i < 20; ++i) {
    const Peer::Message answer = ask(client, "", "/one");
    EXPECT_EQ(answer.status(), 200) << "the last word on the route is the second's";
    EXPECT_EQ(answer.header("x-seen"), "two");
    EXPECT_EQ(answer.header("x-last"), "one") << "responses pass the other way";
  }
  EXPECT_EQ(proxy.counter("wasm.one.traps") + proxy.counter("wasm.two.traps"), 0u);
}

TEST(HostilePairs, WhatBothAddIsBounded) {
  const std::string big(1500, 'v');
  const auto plugin = [&big](const std::string& name) {
    std::string text;
    for (int i = 0; i < 10; ++i) text += "response_headers=add|x-" + name + "|" + big + ";";
    return filter(
        Plugin{.configuration = text, .vm = "limits: {max_header_map_bytes: 8192}", .name = name});
  };
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.filters = plugin("one") + plugin("two");
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client);
  EXPECT_EQ(answer.status(), 200);
  EXPECT_LT(answer.head.size(), 16384u);
  EXPECT_GT(proxy.counter("wasm.one.limit.headers"), 0u);
  EXPECT_EQ(proxy.counter("wasm.two.limit.headers") + proxy.counter("wasm.one.limit.headers"), 15u)
      << "five fit, whoever adds them";
}

// ---- configurations ---------------------------------------------------------------------------------

class HostileConfigurations : public ::testing::Test {
 protected:
  HostileConfigurations() { yaml_.routes = kDirect; }
  void start() {
    proxy_.emplace(yaml_.text(), TestProxy::Options{.workers = 1, .from_file = true});
    client_ = proxy_->connect();
  }
  /// The one before serves on.
  std::string rejection(const std::string& text) {
    proxy_->write_config(text);
    proxy_->wait_for_rejection(++rejections_);
    EXPECT_EQ(ask(client_).status(), 200);
    return proxy_->admin("/reload");
  }
  Yaml yaml_;
  std::optional<TestProxy> proxy_;
  Peer client_;
  uint64_t rejections_ = 0;
};

TEST_F(HostileConfigurations, FiftyMegabytesAreRefused) {
  start();
  Yaml large = yaml_;
  large.filters = filter(Plugin{.configuration = std::string(50u << 20, 'x')});
  EXPECT_NE(rejection(large.text()).find("larger than"), std::string::npos);
}

TEST_F(HostileConfigurations, OneThatFitsReachesTheGuestWhole) {
  start();
  yaml_.filters = filter(Plugin{.configuration = "configure=params;response_headers=add|x-on|1;" +
                                                 std::string(4u << 20, ' ')});
  proxy_->write_config(yaml_.text());
  proxy_->wait_for_generation(2);
  EXPECT_EQ(ask(client_).header("x-on"), "1");
}

TEST_F(HostileConfigurations, BytesThatAreNoUtf8AreBytesOrAnError) {
  start();
  // "response_headers=add|x-raw|\xff\xfe!", as bytes.
  yaml_.filters =
      filter(Plugin{.any = "{\"@type\": type.googleapis.com/google.protobuf.BytesValue, value: "
                           "\"cmVzcG9uc2VfaGVhZGVycz1hZGR8eC1yYXd8//4h\"}"});
  proxy_->write_config(yaml_.text());
  proxy_->wait_for_generation(2);
  EXPECT_EQ(ask(client_).header("x-raw"), "\xff\xfe!");
  Yaml raw = yaml_;
  raw.filters = filter(Plugin{.configuration = "response_headers=add|x-raw|\xff\xfe\xc3"});
  EXPECT_NE(rejection(raw.text()), "");
}

TEST_F(HostileConfigurations, AModuleOfAHundredMegabytesIsRefused) {
  start();
  const std::string path = proxy_->folder().path() + "/large.wasm";
  std::ofstream(path) << std::string("\0asm\1\0\0\0", 8);
  std::filesystem::resize_file(path, 100u << 20);
  yaml_.filters = filter(Plugin{.guest = path});
  EXPECT_NE(rejection(yaml_.text()).find("the module is larger than"), std::string::npos);
}

// ---- a route's configuration ------------------------------------------------------------------------

class HostileRouteTest : public ::testing::TestWithParam<std::string> {
 protected:
  /// "/bad" has a configuration that fails; what `fields` says holds there, what `base` says elsewhere.
  std::string yaml(const std::string& fields, const std::string& base) const {
    Yaml yaml;
    yaml.origin_port = origin_.port();
    yaml.filters = filter(Plugin{.configuration = "response_headers=add|x-base|1",
                                 .vm = "limits: {call_timeout: 0.05s}",
                                 .plugin = base});
    yaml.routes =
        "- match: {path: /bad}\n  route: {cluster: origin}\n  typed_per_filter_config: {wasm_p: "
        "{\"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, config: "
        "{name: bad, configuration: {\"@type\": type.googleapis.com/google.protobuf.StringValue, "
        "value: '" +
        GetParam() + "'}, " + fields + "}}}\n- match: {prefix: /}\n  route: {cluster: origin}\n";
    return yaml.text();
  }
  AutoOrigin origin_{origin_answer};
};

TEST_P(HostileRouteTest, FailsItsOwnStreamsAlone) {
  TestProxy proxy(yaml("failure_policy: FAIL_CLOSED", kOpen));
  for (int i = 1; i <= 3; ++i) {
    Peer bad = proxy.connect();
    EXPECT_EQ(ask(bad, "", "/bad").status(), 503);
    Peer good = proxy.connect();
    const Peer::Message answer = ask(good, "", "/good");
    EXPECT_EQ(answer.body, "origin");
    EXPECT_EQ(answer.header("x-base"), "1") << "with its filter";
  }
  EXPECT_EQ(proxy.counter("wasm.bad.failed_streams"), 3u);
  EXPECT_EQ(proxy.counter("wasm.bad.traps") + proxy.counter("wasm.bad.timeouts"), 3u);
  for (const char* count : {"failed_streams", "bypassed_streams", "traps", "timeouts"})
    EXPECT_EQ(proxy.counter(std::string("wasm.p.") + count), 0u) << count;
}

TEST_P(HostileRouteTest, FollowsThePolicyOfTheRoute) {
  TestProxy proxy(yaml(kOpen, "failure_policy: FAIL_CLOSED"));
  Peer client = proxy.connect();
  for (int i = 1; i <= 3; ++i) {
    const Peer::Message answer = ask(client, "", "/bad");
    EXPECT_EQ(answer.body, "origin");
    EXPECT_FALSE(answer.has("x-base"));
    EXPECT_EQ(ask(client, "", "/good").header("x-base"), "1");
  }
  EXPECT_EQ(proxy.counter("wasm.bad.bypassed_streams"), 3u);
  EXPECT_EQ(proxy.counter("wasm.p.failed_streams"), 0u);
}

INSTANTIATE_TEST_SUITE_P(Ways, HostileRouteTest,
                         ::testing::Values("request_headers=trap", "request_headers=loop",
                                           "request_headers=recurse", "request_headers=exit|1",
                                           "context_create=trap"));

// ---- panics -----------------------------------------------------------------------------------------

TEST(RecoveredPanics, AreFailuresWhereThePluginSaysHowTheyAreLogged) {
  AutoOrigin origin(origin_answer);
  const std::string panic = "x-do: request_headers=log|4|[p] recovered from panic: cookie\r\n";
  {
    TestProxy proxy(yaml_with(Plugin{}, origin.port()));
    Peer client = proxy.connect();
    EXPECT_EQ(ask(client, panic).status(), 200) << "a log line like any other";
  }
  for (const bool open : {false, true}) {
    TestProxy proxy(yaml_with(
        Plugin{.plugin = std::string("fail_on_log: [{contains: recovered from panic}]\n      ") +
                         (open ? kOpen : "failure_policy: FAIL_CLOSED")},
        origin.port()));
    Peer client = proxy.connect();
    EXPECT_EQ(ask(client, "x-do: request_headers=log|4|nothing of it\r\n").status(), 200);
    EXPECT_EQ(ask(client, panic).status(), open ? 200 : 503);
    EXPECT_EQ(proxy.counter("wasm.p.traps"), 1u);
    EXPECT_NE(proxy.admin("/wasm").find("it logged: [p] recovered from panic: cookie"),
              std::string::npos);
    EXPECT_EQ(ask(client).status(), 200) << "in a fresh VM";
  }
}

TEST(RecoveredPanics, CountWhereverTheyAreWritten) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(Plugin{.plugin = "fail_on_log: [{prefix: panic}]"}, origin.port()));
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client, "x-do: request_headers=write_line|2|panic: here\r\n").status(), 503);
  EXPECT_EQ(ask(client, "x-do: request_headers=log|0|panic at trace\r\n").status(), 503);
  EXPECT_EQ(ask(client).status(), 200);
}

TEST(RecoveredPanics, InAStartRejectTheEdit) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  yaml.filters = filter(
      Plugin{.configuration = "configure=log|4|panic", .plugin = "fail_on_log: [{exact: panic}]"});
  proxy.write_config(yaml.text());
  // The probe logs more than what it is told to: it is no exact match.
  proxy.wait_for_generation(2);
  yaml.filters = filter(Plugin{.configuration = "configure=log|4|panic",
                               .plugin = "fail_on_log: [{contains: panic}]"});
  proxy.write_config(yaml.text());
  proxy.wait_for_rejection(1);
  EXPECT_NE(proxy.admin("/reload").find("it logged: "), std::string::npos);
}

TEST(HostileCallouts, ATrapInTheirAnswerEndsTheVmAlone) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(Plugin{.configuration = "http_call_response=trap"}, origin.port()));
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client, "x-do: request_headers=pause_until_call|origin|/|1000\r\n").status(), 503);
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 1u);
  EXPECT_EQ(ask(client).body, "origin");
}

}  // namespace
}  // namespace weir::test
