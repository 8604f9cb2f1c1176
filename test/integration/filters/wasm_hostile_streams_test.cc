// Guests that mean harm to the streams that they filter: what clients, other streams and other filters see of it.
#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <vector>

#include "base/log.h"
#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

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
  const char* body;
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
              std::string(GetParam().actions) + "\r\n\r\n" + GetParam().body);
  if (GetParam().status == 200) {
    client.read_head();
    EXPECT_EQ(client.read_to_end(), "") << "half answered: cut";
  } else {
    EXPECT_EQ(client.read_message().status(), GetParam().status);
  }
  EXPECT_EQ(proxy.counter("http.ingress.downstream_rq_idle_timeout"), 1u);
  wait_for_no_streams(proxy);
  EXPECT_EQ(proxy.gauge("http.ingress.downstream_rq_active"), 0);
  Peer other = proxy.connect();
  EXPECT_EQ(ask(other).status(), 200);
}

INSTANTIATE_TEST_SUITE_P(
    Callbacks, EndlessPauseTest,
    ::testing::Values(PauseCase{"unfinishedRequest", "request_headers=pause", "h", 408},
                      PauseCase{"requestHead", "request_headers=pause", "hi", 504},
                      PauseCase{"requestBody", "request_body=pause", "hi", 504},
                      PauseCase{"responseHead", "response_headers=pause", "hi", 504},
                      PauseCase{"responseBody", "response_body=pause", "hi", 200}),
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
  EXPECT_GE(proxy.counter("wasm.two.limit.headers") + proxy.counter("wasm.one.limit.headers"), 15u)
      << "five fit, whoever adds them";
}

// ---- logs -------------------------------------------------------------------------------------------

TEST(HostileLogs, ALineStaysOneLineOfPrintableText) {
  TestProxy proxy(yaml_with(Plugin{}));
  proxy.admin("/logging?wasm=info", "POST");
  static std::mutex mutex;
  static std::vector<std::string> lines;
  base::set_log_output([](std::string_view line) {
    const std::lock_guard lock(mutex);
    if (line.find("guest") != std::string_view::npos) lines.emplace_back(line);
  });
  Peer client = proxy.connect();
  EXPECT_EQ(
      ask(client, "x-do: request_headers=log_raw;request_headers=log_big|1048576\r\n").status(),
      200);
  base::set_log_output(nullptr);
  bool raw = false;
  bool big = false;
  for (std::string& line : lines) {
    if (line.ends_with('\n')) line.pop_back();
    raw |= line.find("probe: raw") != std::string::npos && line.find("[31m") != std::string::npos;
    big |= line.find("LLLLLLLL") != std::string::npos;
    EXPECT_LT(line.size(), 17u * 1024);
    for (const char c : line) EXPECT_GE(static_cast<unsigned char>(c), ' ') << line;
  }
  EXPECT_TRUE(raw) << "with all that is in it";
  EXPECT_TRUE(big);
  proxy.admin("/logging?wasm=warning", "POST");
}

// ---- traps in places of their own -------------------------------------------------------------------

TEST(HostileTrailers, ATrapThereEndsTheStreamAlone) {
  AutoOrigin origin([](const Peer::Message&) {
    return "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-t: 1\r\n\r\n";
  });
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.filters = filter(Plugin{});
  yaml.hcm = "http_protocol_options: {enable_trailers: true}\n";
  yaml.cluster =
      "typed_extension_protocol_options:\n  "
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
      "    \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
      "    explicit_http_config: {http_protocol_options: {enable_trailers: true}}\n";
  TestProxy proxy(yaml.text());
  const auto post = [](Peer& client, const std::string& actions) {
    client.send("POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: chunked\r\nx-do: " + actions +
                "\r\n\r\n2\r\nhi\r\n0\r\nx-t: 1\r\n\r\n");
  };
  Peer first = proxy.connect();
  post(first, "request_body=pause_until_end;request_trailers=trap");
  EXPECT_EQ(first.read_message().status(), 503);
  Peer second = proxy.connect();
  post(second, "response_trailers=trap");
  second.read_head();
  second.read_to_end();
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 2u);
  Peer third = proxy.connect();
  EXPECT_EQ(ask(third).status(), 200);
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
