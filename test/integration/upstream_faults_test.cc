// An origin that breaks at every step of an exchange: the client gets the right status or a visible cut, never another answer's bytes,
// and the pool keeps no broken connection.
#include <gtest/gtest.h>

#include "support/test_proxy.h"

namespace weir::test {
namespace {

struct Scene {
  Origin origin;
  Yaml yaml;
  std::unique_ptr<TestProxy> proxy;
  Scene() {
    yaml.origin_port = origin.port();
    proxy = std::make_unique<TestProxy>(yaml.text());
  }
};

struct BadResponse {
  const char* name;
  std::string bytes;
};
void PrintTo(const BadResponse& each, std::ostream* out) { *out << each.name; }
class HostileOrigin : public ::testing::TestWithParam<BadResponse> {};

TEST_P(HostileOrigin, IsA502AndNeverPooled) {
  Scene scene;
  Peer client = scene.proxy->connect();
  client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = scene.origin.accept();
  upstream.read_message();
  upstream.send(GetParam().bytes);
  const Peer::Message answer = client.read_message();
  EXPECT_EQ(answer.status(), 502) << answer.head;
  EXPECT_TRUE(upstream.closed());
  client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer fresh = scene.origin.accept();
  EXPECT_EQ(fresh.read_message().first_line(), "GET /2 HTTP/1.1");
  fresh.send(response("two"));
  EXPECT_EQ(client.read_message().body, "two");
}

using namespace std::string_literals;
INSTANTIATE_TEST_SUITE_P(
    Heads, HostileOrigin,
    ::testing::Values(
        BadResponse{
            "ClAndTe",
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"},
        BadResponse{"TwoLengths",
                    "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"},
        BadResponse{"UnknownCoding", "HTTP/1.1 200 OK\r\ntransfer-encoding: magic\r\n\r\n"},
        BadResponse{"Status000", "HTTP/1.1 000 X\r\ncontent-length: 0\r\n\r\n"},
        BadResponse{"Status9999", "HTTP/1.1 9999 X\r\ncontent-length: 0\r\n\r\n"},
        BadResponse{"Status2", "HTTP/1.1 2 X\r\ncontent-length: 0\r\n\r\n"},
        BadResponse{"Http09", "<html>hello</html>\r\n\r\n"},
        BadResponse{"NulInHeader", "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0\r\n\r\n"s},
        BadResponse{
            "Unasked101",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"},
        BadResponse{"ManyHeaders",
                    [] {
                      std::string head = "HTTP/1.1 200 OK\r\n";
                      for (int i = 0; i < 5000; ++i) head += "x-" + std::to_string(i) + ": 1\r\n";
                      return head + "content-length: 0\r\n\r\n";
                    }()}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(UpstreamFaults, CloseBeforeTheHeadIsA503) {
  Scene scene;
  Peer client = scene.proxy->connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 1\r\n\r\nx");
  Peer upstream = scene.origin.accept();
  upstream.read_message();
  upstream.close();
  EXPECT_EQ(client.read_message().status(), 503);
}

TEST(UpstreamFaults, ResetInTheMiddleOfABodyCutsTheClientVisibly) {
  Scene scene;
  Peer client = scene.proxy->connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = scene.origin.accept();
  upstream.read_message();
  upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
  EXPECT_EQ(client.read_head().substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(client.read(4), "half");
  upstream.reset();
  EXPECT_TRUE(client.closed());
}

TEST(UpstreamFaults, ChunkedBodyCutShortHasNoLastChunk) {
  Scene scene;
  Peer client = scene.proxy->connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = scene.origin.accept();
  upstream.read_message();
  upstream.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n");
  client.read_head();
  client.read(9);
  upstream.close();
  EXPECT_EQ(client.read_to_end().find("0\r\n"), std::string::npos);
}

TEST(UpstreamFaults, StaleReusedConnectionIsRetriedOnceForIdempotentRequests) {
  Scene scene;
  Peer client = scene.proxy->connect();
  client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = scene.origin.accept();
  upstream.read_message();
  upstream.send(response("one"));
  EXPECT_EQ(client.read_message().body, "one");
  client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  upstream.read_message();
  upstream.close();  // without a byte of the response
  Peer fresh = scene.origin.accept();
  EXPECT_EQ(fresh.read_message().first_line(), "GET /2 HTTP/1.1");
  fresh.send(response("two"));
  EXPECT_EQ(client.read_message().body, "two");
}

TEST(UpstreamFaults, SurplusBytesNeverBecomeAnotherAnswer) {
  Scene scene;
  Peer client = scene.proxy->connect();
  client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = scene.origin.accept();
  upstream.read_message();
  upstream.send(response("one") + response("poison"));
  EXPECT_EQ(client.read_message().body, "one");
  client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer fresh = scene.origin.accept();
  fresh.read_message();
  fresh.send(response("two"));
  EXPECT_EQ(client.read_message().body, "two");
}

TEST(UpstreamFaults, AnAttemptThatDoesNotConnectIsCounted) {
  Scene scene;
  scene.origin.stop_listening();
  scene.yaml.routes =
      "- match: {prefix: /}\n  route: {cluster: origin}\n  response_headers_to_add: [{header: "
      "{key: x-attempts, value: \"%UPSTREAM_REQUEST_ATTEMPT_COUNT%\"}}]\n";
  TestProxy proxy(scene.yaml.text());
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const Peer::Message answer = client.read_message();
  EXPECT_EQ(answer.status(), 503);
  EXPECT_EQ(answer.header("x-attempts"), "1");
}

TEST(UpstreamFaults, EarlyResponseDoesNotPoisonThePool) {
  Scene scene;
  Peer client = scene.proxy->connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 100\r\n\r\nstart");
  Peer upstream = scene.origin.accept();
  upstream.read_head();
  upstream.send(response("early", 413));
  const Peer::Message answer = client.read_message();
  EXPECT_EQ(answer.status(), 413);
  EXPECT_EQ(answer.body, "early");
  Peer other = scene.proxy->connect();
  other.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer fresh = scene.origin.accept();
  EXPECT_EQ(fresh.read_message().first_line(), "GET /next HTTP/1.1");
}

TEST(UpstreamFaults, RouteTimeoutIsA504) {
  Scene scene;
  scene.yaml.routes = "- match: {prefix: /}\n  route: {cluster: origin, timeout: 0.05s}\n";
  TestProxy proxy(scene.yaml.text());
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = scene.origin.accept();
  upstream.read_message();
  const Peer::Message answer = client.read_message();
  EXPECT_EQ(answer.status(), 504);
  EXPECT_EQ(answer.body, "upstream request timeout");
  EXPECT_TRUE(upstream.closed());
}

TEST(UpstreamFaults, ClientResetCancelsTheUpstreamRequest) {
  Scene scene;
  Peer client = scene.proxy->connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = scene.origin.accept();
  upstream.read_message();
  client.reset();
  EXPECT_TRUE(upstream.closed());
}

TEST(UpstreamFaults, InformationalResponsesPassAndFloodsDoNot) {
  Scene scene;
  Peer client = scene.proxy->connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = scene.origin.accept();
  upstream.read_message();
  upstream.send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + response("final"));
  Peer::Message answer = client.read_message(false);
  EXPECT_EQ(answer.status(), 103);
  EXPECT_EQ(answer.header("link"), "</a>");
  answer = client.read_message();
  EXPECT_EQ(answer.body, "final");
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  upstream.read_message();
  std::string flood;
  for (int i = 0; i < 50; ++i) flood += "HTTP/1.1 102 Processing\r\n\r\n";
  upstream.send(flood);
  do answer = client.read_message();
  while (answer.status() < 200);
  EXPECT_EQ(answer.status(), 502);
}

TEST(SlowPeers, HeadThatNeverEndsIsA408) {
  Scene scene;
  scene.yaml.hcm = "request_headers_timeout: 0.05s\n";
  TestProxy proxy(scene.yaml.text());
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nX-");
  const Peer::Message answer = client.read_message();
  EXPECT_EQ(answer.status(), 408);
  EXPECT_TRUE(client.closed());
}

TEST(SlowPeers, BodyThatStallsIsA408AndTheUpstreamRequestIsAborted) {
  Scene scene;
  scene.yaml.hcm = "stream_idle_timeout: 0.05s\n";
  TestProxy proxy(scene.yaml.text());
  Peer client = proxy.connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 100\r\n\r\nsome");
  Peer upstream = scene.origin.accept();
  upstream.read_head();
  EXPECT_EQ(client.read_message().status(), 408);
  upstream.read(4);
  EXPECT_TRUE(upstream.closed());
}

TEST(SlowPeers, SlowReaderHoldsTheOriginBack) {
  Scene scene;
  scene.yaml.listener = "per_connection_buffer_limit_bytes: 65536\n";
  scene.yaml.cluster = "per_connection_buffer_limit_bytes: 65536\n";
  TestProxy proxy(scene.yaml.text());
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = scene.origin.accept();
  upstream.read_message();
  constexpr size_t kSize = 64 * 1024 * 1024;  // more than the kernel's buffers hold
  std::jthread sender([&upstream] {
    upstream.send("HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(kSize) + "\r\n\r\n");
    const std::string block(1024 * 1024, 'x');
    try {
      for (size_t sent = 0; sent < kSize; sent += block.size()) upstream.send(block);
    } catch (const std::exception&) {
    }
  });
  client.read_head();
  proxy.wait_for("reading is held", [&proxy] {
    return proxy.counter("http.ingress.downstream_flow_control_paused_reading_total") > 0 ||
           proxy.counter("cluster.origin.upstream_flow_control_paused_reading_total") > 0;
  });
  size_t got = 0;
  while (got < kSize) got += client.read(1024 * 1024).size();
  EXPECT_EQ(got, kSize);
}

}  // namespace
}  // namespace weir::test
