// The life of an HTTP/1 request through the running server, as dialogues of a raw client and a scripted origin.
#include <gtest/gtest.h>

#include "support/test_proxy.h"

namespace weir::test {
namespace {

TEST(H1Proxy, ForwardsRequestAndRelaysBody) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = origin.accept();
  const Peer::Message request = upstream.read_message();
  EXPECT_EQ(request.first_line(), "GET /x HTTP/1.1");
  EXPECT_EQ(request.header("host"), "a");
  EXPECT_TRUE(request.has("x-request-id"));
  upstream.send(response("hi"));
  const Peer::Message answer = client.read_message();
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.body, "hi");
  EXPECT_EQ(answer.header("server"), "weir");
}

TEST(H1Proxy, ReusesTheUpstreamConnection) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = origin.accept();
  for (int i = 1; i <= 3; ++i) {
    EXPECT_EQ(upstream.read_message().first_line(), "GET /" + std::to_string(i) + " HTTP/1.1");
    upstream.send(response("n" + std::to_string(i)));
    EXPECT_EQ(client.read_message().body, "n" + std::to_string(i));
    client.send("GET /" + std::to_string(i + 1) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_cx_total"), 1u);
}

TEST(H1Proxy, StreamsAPostBothWays) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  const std::string body(300'000, 'b');
  client.send("POST /p HTTP/1.1\r\nHost: a\r\ncontent-length: " + std::to_string(body.size()) +
              "\r\n\r\n" + body);
  Peer upstream = origin.accept();
  const Peer::Message request = upstream.read_message();
  EXPECT_EQ(request.body, body);
  upstream.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  EXPECT_EQ(client.read_message().body, "hello");
}

TEST(H1Proxy, AnswersWhenNobodyListensUpstream) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  origin.stop_listening();
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const Peer::Message answer = client.read_message();
  EXPECT_EQ(answer.status(), 503);
  EXPECT_NE(answer.body.find("upstream connect error or disconnect/reset before headers"),
            std::string::npos);
}

TEST(H1Proxy, RefusesSmugglingAndTellsTheOriginNothing) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send(
      "POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 4\r\ntransfer-encoding: "
      "chunked\r\n\r\n0\r\n\r\n");
  const Peer::Message answer = client.read_message();
  EXPECT_EQ(answer.status(), 400);
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(origin.quiet());
}

}  // namespace
}  // namespace weir::test
