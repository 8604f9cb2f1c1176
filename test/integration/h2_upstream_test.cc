// Upstreams of HTTP/2 that refuse, reset, say GOAWAY or take few streams.
#include <gtest/gtest.h>

#include "support/h2_peer.h"
#include "support/tls_yaml.h"

namespace weir::test {
namespace {

Yaml http2_yaml(const Origin& origin, std::string_view options = "") {
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.cluster = http_protocol_options("explicit_http_config: {http2_protocol_options: {" +
                                       std::string(options) + "}}");
  return yaml;
}

TEST(H2Upstream, FurtherConnectionsAreOpenedWhenStreamsAreUsedUp) {
  Origin origin;
  TestProxy proxy(http2_yaml(origin).text());
  H2Client client(proxy.connect());
  H2Exchange& warm = client.start("GET", "/warm");
  http::h2::Options two;
  two.max_concurrent_streams = 2;
  H2Origin first(origin.accept(), two);
  first.respond(first.next(), 200, "ok");
  client.wait(warm);
  std::vector<H2Exchange*> all;
  for (int i = 0; i < 3; ++i) all.push_back(&client.start("GET", "/" + std::to_string(i)));
  H2Request& a = first.next();
  H2Request& b = first.next();
  H2Origin second(origin.accept(), two);
  H2Request& c = second.next();
  first.respond(a, 200, "1");
  second.respond(c, 200, "1");
  first.respond(b, 200, "1");
  for (H2Exchange* each : all) {
    client.wait(*each);
    EXPECT_EQ(each->status, 200);
  }
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_cx_total"), 2u);
}

TEST(H2Upstream, WaitersShareTheFirstConnection) {
  Origin origin;
  TestProxy proxy(http2_yaml(origin).text());
  H2Client client(proxy.connect());
  std::vector<H2Exchange*> all;
  for (int i = 0; i < 20; ++i) all.push_back(&client.start("GET", "/"));
  H2Origin upstream(origin.accept());
  for (int i = 0; i < 20; ++i) upstream.respond(upstream.next(), 200, "ok");
  for (H2Exchange* each : all) {
    client.wait(*each);
    EXPECT_EQ(each->body, "ok");
  }
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_cx_total"), 1u);
  EXPECT_EQ(proxy.gauge("cluster.origin.upstream_rq_active"), 0);
}

TEST(H2Upstream, GoawayFinishesItsStreamsAndMovesTheUnseen) {
  Origin origin;
  TestProxy proxy(http2_yaml(origin).text());
  H2Client client(proxy.connect());
  H2Exchange& seen = client.start("GET", "/seen");
  H2Origin first(origin.accept());
  H2Request& request = first.next();
  first.goaway();
  // On its way while the GOAWAY is, or after it: in both cases it arrives elsewhere.
  H2Exchange& moved = client.start("POST", "/moved", EndStream::kNo);
  client.send_body(moved, "body", EndStream::kYes);
  H2Origin second(origin.accept());
  H2Request& again = second.next();
  EXPECT_EQ(again.head.path(), "/moved");
  EXPECT_EQ(again.body, "body");
  second.respond(again, 200, "moved");
  client.wait(moved);
  EXPECT_EQ(moved.body, "moved");
  first.respond(request, 200, "seen");
  client.wait(seen);
  EXPECT_EQ(seen.body, "seen");
  first.wait_until("the end of the first connection", [&first] {
    first.poll();
    return first.ended();
  });
  EXPECT_EQ(first.requests(), 1u);
}

TEST(H2Upstream, ResetBeforeTheHeadIsA503AndAfterItAReset) {
  Origin origin;
  TestProxy proxy(http2_yaml(origin).text());
  H2Client client(proxy.connect());
  H2Exchange& early = client.start("GET", "/early");
  H2Origin upstream(origin.accept());
  upstream.reset(upstream.next());
  client.wait(early);
  EXPECT_EQ(early.status, 503);
  EXPECT_EQ(
      early.body,
      "upstream connect error or disconnect/reset before headers. reset reason: remote reset");
  H2Exchange& late = client.start("GET", "/late");
  H2Request& request = upstream.next();
  upstream.send_head(request, 200, EndStream::kNo);
  upstream.send_body(request, "half", EndStream::kNo);
  client.wait_until("the first half", [&late] { return late.body == "half"; });
  upstream.reset(request);
  client.wait(late);
  EXPECT_TRUE(late.reset);
  // The connection lives.
  H2Exchange& next = client.start("GET", "/next");
  upstream.respond(upstream.next(), 200, "ok");
  client.wait(next);
  EXPECT_EQ(next.body, "ok");
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_cx_total"), 1u);
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_rq_rx_reset"), 2u);
}

TEST(H2Upstream, ConnectionThatDiesEndsAllItsStreams) {
  Origin origin;
  TestProxy proxy(http2_yaml(origin).text());
  H2Client client(proxy.connect());
  H2Exchange& one = client.start("POST", "/1");
  H2Exchange& two = client.start("POST", "/2");
  {
    H2Origin upstream(origin.accept());
    upstream.next();
    H2Request& second = upstream.next();
    upstream.send_head(second, 200, EndStream::kNo);
    client.wait_until("the second head", [&two] { return two.has_head; });
  }
  client.wait(one);
  client.wait(two);
  EXPECT_EQ(one.status, 503);
  EXPECT_TRUE(two.reset);
  EXPECT_EQ(proxy.gauge("cluster.origin.upstream_rq_active"), 0);
  EXPECT_EQ(proxy.gauge("cluster.origin.upstream_cx_active"), 0);
}

TEST(H2Upstream, BytesThatAreNoHttp2AreA502) {
  Origin origin;
  TestProxy proxy(http2_yaml(origin).text());
  H2Client client(proxy.connect());
  H2Exchange& exchange = client.start("GET", "/");
  Peer upstream = origin.accept();
  upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  client.wait(exchange);
  EXPECT_EQ(exchange.status, 502);
}

TEST(H2Upstream, EarlyResponseCancelsTheRequest) {
  Origin origin;
  TestProxy proxy(http2_yaml(origin).text());
  H2Client client(proxy.connect());
  H2Exchange& exchange = client.start("POST", "/", EndStream::kNo);
  H2Origin upstream(origin.accept());
  H2Request& request = upstream.next(false);
  upstream.respond(request, 200, "enough");
  client.wait(exchange);
  EXPECT_EQ(exchange.body, "enough");
  H2Exchange& next = client.start("GET", "/next");
  upstream.respond(upstream.next(), 200, "ok");
  client.wait(next);
  EXPECT_EQ(next.body, "ok");
  EXPECT_EQ(proxy.gauge("cluster.origin.upstream_rq_active"), 0);
}

TEST(H2Upstream, ConnectionsEndByRequestsAgeAndIdleness) {
  struct Case {
    std::string_view option, stat;
    int requests;
  };
  for (const Case& one :
       {Case{"idle_timeout: 0.02s", "upstream_cx_idle_timeout", 1},
        {"max_requests_per_connection: 2", "upstream_cx_max_requests", 2},
        {"max_connection_duration: 0.02s", "upstream_cx_max_duration_reached", 1}}) {
    AutoH2Origin origin(
        [](H2Origin& self, H2Request& request) { self.respond(request, 200, "ok"); });
    Yaml yaml;
    yaml.origin_port = origin.port();
    yaml.cluster = http_protocol_options(
        "explicit_http_config: {http2_protocol_options: {}}\n"
        "    common_http_protocol_options: {" +
        std::string(one.option) + "}");
    TestProxy proxy(yaml.text());
    H2Client client(proxy.connect());
    for (int i = 0; i < one.requests; ++i) EXPECT_EQ(client.get("/").body, "ok");
    proxy.wait_for("the end of the connection", [&proxy] {
      return proxy.counter("cluster.origin.upstream_cx_destroy_local") == 1;
    });
    EXPECT_EQ(proxy.counter("cluster.origin." + std::string(one.stat)), 1u) << one.option;
    EXPECT_EQ(client.get("/").body, "ok");
  }
}

TEST(H2Upstream, UnansweredPingsEndTheConnection) {
  Origin origin;
  TestProxy proxy(
      http2_yaml(origin, "connection_keepalive: {interval: 0.02s, timeout: 0.05s}").text());
  H2Client client(proxy.connect());
  H2Exchange& exchange = client.start("POST", "/");
  Peer upstream = origin.accept();  // reads nothing, answers nothing
  client.wait(exchange);
  EXPECT_EQ(exchange.status, 503);
  EXPECT_EQ(proxy.counter("cluster.origin.http2.keepalive_timeout"), 1u);
}

TEST(H2Upstream, AnsweredPingsDoNot) {
  AutoH2Origin origin([](H2Origin& self, H2Request& request) { self.respond(request, 200, "ok"); });
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.cluster = http_protocol_options(
      "explicit_http_config: {http2_protocol_options: {connection_keepalive: "
      "{connection_idle_interval: 0.001s, timeout: 5s}}}");
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.get("/").body, "ok");
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_cx_total"), 1u);
  EXPECT_EQ(proxy.counter("cluster.origin.http2.keepalive_timeout"), 0u);
}

/// Requests over a cluster with auto_config whose host, another proxy, offers these protocols.
void expect_agreement(const std::string& offered, std::string_view stat, uint64_t connections) {
  AutoOrigin origin([](const Peer::Message&) { return response("ok"); });
  TestCa ca;
  TempFolder folder;
  folder.write("ca.pem", ca.pem());
  write_pair(folder, "server", ca.issue("DNS:host.test"));
  Yaml back;
  back.origin_port = origin.port();
  back.chain = downstream_tls("alpn_protocols: [" + offered + "], tls_certificates: [" +
                              pair_yaml(folder, "server") + "]");
  TestProxy host(back.text());
  Yaml front;
  front.origin_port = host.port();
  front.cluster =
      http_protocol_options("auto_config: {}") + upstream_tls(trusting(folder), "sni: host.test");
  TestProxy proxy(front.text());
  H2Client client(proxy.connect());
  std::vector<H2Exchange*> all;
  for (int i = 0; i < 3; ++i) all.push_back(&client.start("GET", "/"));
  for (H2Exchange* each : all) {
    client.wait(*each);
    EXPECT_EQ(each->body, "ok");
  }
  EXPECT_EQ(proxy.counter("cluster.origin." + std::string(stat)), connections) << offered;
}

TEST(H2Upstream, AlpnDecides) { expect_agreement("h2, http/1.1", "upstream_cx_http2_total", 1); }

TEST(H2Upstream, AlpnDecidesForHttp1) {
  expect_agreement("http/1.1", "upstream_cx_http2_total", 0);
}

TEST(H2Upstream, CircuitBreakersCountStreams) {
  Origin origin;
  Yaml yaml = http2_yaml(origin);
  yaml.cluster += "circuit_breakers: {thresholds: [{max_requests: 1}]}\n";
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  H2Exchange& first = client.start("GET", "/");
  H2Origin upstream(origin.accept());
  H2Request& request = upstream.next();
  H2Exchange& second = client.get("/");
  EXPECT_EQ(second.status, 503);
  EXPECT_EQ(second.header("x-envoy-overloaded"), "true");
  upstream.respond(request, 200, "ok");
  client.wait(first);
  EXPECT_EQ(first.body, "ok");
}

}  // namespace
}  // namespace weir::test
