// Guests that hold messages: what they see of them, and how they go on.
#include <gtest/gtest.h>

#include <atomic>

#include "base/log.h"
#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

std::string echo(const Peer::Message& request) { return response(request.body); }

Peer::Message post(Peer& client, const std::string& program, const std::string& body = "body") {
  client.send("POST / HTTP/1.1\r\nHost: a\r\nx-do: " + program +
              "\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  return client.read_message();
}

// ---- lengths ----------------------------------------------------------------------------------------

struct LengthCase {
  const char* name;
  const char* program;
  const char* body;  // of the answer
};
void PrintTo(const LengthCase& each, std::ostream* out) { *out << each.name; }
class PausedLengthTest : public ::testing::TestWithParam<LengthCase> {};

TEST_P(PausedLengthTest, IsThatOfTheBodyThatGoesOn) {
  AutoOrigin origin(&echo);
  TestProxy proxy(yaml_with(Plugin{}, origin.port()));
  Peer client = proxy.connect();
  EXPECT_EQ(post(client, GetParam().program).body, GetParam().body);
  EXPECT_EQ(post(client, "none").body, "body");  // the connection is as good as before
}

INSTANTIATE_TEST_SUITE_P(
    Ways, PausedLengthTest,
    ::testing::Values(
        LengthCase{"request", "request_headers=pause_until_tick|10;request_body=body_replace|BODY",
                   "BODY"},
        LengthCase{"requestAhead",
                   "request_headers=set|content-length|6;request_headers=pause_until_tick|10;"
                   "request_body=body_replace|longer",
                   "longer"},
        LengthCase{"requestBuffered",
                   "request_headers=pause_until_tick|10;request_body=pause_until_end;"
                   "request_body=body_replace|BODY",
                   "BODY"},
        LengthCase{"response",
                   "response_headers=pause_until_tick|10;response_body=body_replace|BODY", "BODY"},
        LengthCase{"responseAhead",
                   "response_headers=set|content-length|6;response_headers=pause_until_tick|10;"
                   "response_body=body_replace|longer",
                   "longer"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(WasmPause, LengthOfARequestWithoutABodyGoesWithTheResume) {
  Origin origin;
  TestProxy proxy(yaml_with(Plugin{}, origin.port()));
  Peer client = proxy.connect();
  client.send(
      "GET / HTTP/1.1\r\nHost: a\r\nx-do: request_headers=set|content-length|5;"
      "request_headers=pause_until_tick|10\r\n\r\n");
  Peer upstream = origin.accept();
  EXPECT_FALSE(upstream.read_message(false).has("content-length"));
  upstream.send(response("ok"));
  EXPECT_EQ(client.read_message().body, "ok");
}

// ---- bodies -----------------------------------------------------------------------------------------

TEST(WasmPause, ContinueInABodyCallbackThatDropsItIsHeard) {
  AutoOrigin origin(&echo);
  TestProxy proxy(yaml_with(Plugin{}, origin.port()));
  Peer client = proxy.connect();
  EXPECT_EQ(post(client,
                 "request_headers=remove|content-length;request_body=return|3;"
                 "request_body=continue")
                .body,
            "");
  EXPECT_EQ(post(client,
                 "response_headers=remove|content-length;response_body=return|3;"
                 "response_body=continue")
                .body,
            "");
}

TEST(WasmPause, AChunkBeyondTheLimitIsNotShown) {
  AutoOrigin origin(&echo);
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {max_body_bytes: 100}"}, origin.port()));
  Peer client = proxy.connect();
  client.send(
      "POST / HTTP/1.1\r\nHost: a\r\nx-do: request_body=metric_inc|counter|calls|1;"
      "request_body=pause_until_end\r\ncontent-length: 120\r\n\r\n" +
      std::string(60, 'x'));
  proxy.wait_for("the first chunk", [&] { return proxy.counter("wasmcustom.calls") == 1; });
  client.send(std::string(60, 'x'));
  EXPECT_EQ(client.read_message().status(), 413);
  EXPECT_EQ(proxy.counter("wasmcustom.calls"), 1u);
  EXPECT_EQ(proxy.counter("wasm.p.limit.body"), 1u);
}

TEST(WasmPause, AChunkBeyondTheLimitThatGoesOnIsShown) {
  AutoOrigin origin(
      [](const Peer::Message& request) { return response(std::to_string(request.body.size())); });
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {max_body_bytes: 100}"}, origin.port()));
  Peer client = proxy.connect();
  EXPECT_EQ(post(client, "request_body=metric_inc|counter|calls|1", std::string(500, 'x')).body,
            "500");
  EXPECT_GE(proxy.counter("wasmcustom.calls"), 1u);
}

// ---- a head alone -----------------------------------------------------------------------------------

struct HeadAlone {
  const char* guest;
  const char* plugin;
};
void PrintTo(const HeadAlone& each, std::ostream* out) { *out << each.guest; }
class HeadAloneTest : public ::testing::TestWithParam<HeadAlone> {};

TEST_P(HeadAloneTest, GetsTheBodyAlsoWhereItWaitedForItsVm) {
  AutoOrigin origin(&echo);
  // The start takes a while, so that the requests behind the trap wait for it.
  TestProxy proxy(yaml_with(Plugin{.guest = GetParam().guest,
                                   .vm_configuration = "vm_start=burn|300",
                                   .vm = "limits: {start_timeout: 10s}",
                                   .plugin = GetParam().plugin},
                            origin.port()));
  Peer held = proxy.connect();
  Peer passing = proxy.connect();
  Peer bare = proxy.connect();
  Peer bad = proxy.connect();
  EXPECT_EQ(ask(bad, "x-do: request_headers=trap\r\n").status(), 503);
  const std::string begin = "POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 4\r\nx-do: ";
  held.send(begin +
            "request_headers=pause;request_body=pause_until_end;request_body=body_replace|BODY"
            "\r\n\r\nbody");
  passing.send(begin + "request_body=body_replace|BODY\r\n\r\nbody");
  bare.send("GET / HTTP/1.1\r\nHost: a\r\nx-do: request_headers=pause_until_tick|10\r\n\r\n");
  EXPECT_EQ(held.read_message().body, "BODY");
  EXPECT_EQ(passing.read_message().body, "BODY");
  EXPECT_EQ(bare.read_message().status(), 200);
  EXPECT_EQ(proxy.counter("wasm.p.failed_streams"), 1u);
}

INSTANTIATE_TEST_SUITE_P(Guests, HeadAloneTest,
                         ::testing::Values(HeadAlone{"probe",
                                                     "allow_on_headers_stop_iteration: true"},
                                           HeadAlone{"probe_higress", ""}),
                         [](const auto& info) { return std::string(info.param.guest); });

// ---- the end ----------------------------------------------------------------------------------------

std::atomic<int> refused{0};
std::atomic<int> allowed{0};

TEST(WasmPause, TrailersOfAStreamThatEndedWhileTheyWerePausedAreNotToBeChanged) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm = "http_protocol_options: {enable_trailers: true}\n";
  yaml.cluster =
      "typed_extension_protocol_options:\n"
      "  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
      "    \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
      "    explicit_http_config: {http_protocol_options: {enable_trailers: true}}\n";
  yaml.filters = filter(Plugin{});
  TestProxy proxy(yaml.text());
  proxy.admin("/logging?wasm=info", "POST");
  base::set_log_output([](std::string_view line) {
    if (line.find("log.add=status:2") != std::string_view::npos) ++refused;
    if (line.find("log.add=ok") != std::string_view::npos) ++allowed;
  });
  Peer client = proxy.connect();
  client.send(
      "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nx-do: "
      "response_trailers=metric_inc|counter|paused|1;"
      "response_trailers=pause;log=add@3|x-late|1\r\n\r\n");
  Peer upstream = origin.accept();
  upstream.read_head();
  upstream.send(
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-a: 1\r\n\r\n");
  proxy.wait_for("the trailers", [&proxy] { return proxy.counter("wasmcustom.paused") == 1; });
  client.reset();
  proxy.wait_for("the log", [] { return refused + allowed > 0; });
  base::set_log_output(nullptr);
  EXPECT_EQ(refused.load(), 1);
  EXPECT_EQ(allowed.load(), 0);
}

}  // namespace
}  // namespace weir::test
