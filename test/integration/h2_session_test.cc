// The life of a client's HTTP/2 connection: drains, timeouts, PINGs, edits while streams are open.
#include <gtest/gtest.h>

#include "support/h2_peer.h"

namespace weir::test {
namespace {

AutoOrigin::Handler says(std::string text) {
  return [text = std::move(text)](const Peer::Message&) { return response(text); };
}

void wait_for_end(H2Client& client) {
  client.wait_until("the end of the connection", [&client] {
    if (!client.ended()) client.poll();
    return client.ended();
  });
}

TEST(H2Session, IdleConnectionSaysGoaway) {
  AutoOrigin origin(says("ok"));
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm = "drain_timeout: 0.02s\ncommon_http_protocol_options: {idle_timeout: 0.05s}\n";
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  EXPECT_EQ(client.get("/").body, "ok");
  wait_for_end(client);
  EXPECT_TRUE(client.draining());
  EXPECT_EQ(proxy.counter("http.ingress.downstream_cx_idle_timeout"), 1u);
}

TEST(H2Session, EndsAfterItsRequestsAndLetsTheLastOnesFinish) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm =
      "drain_timeout: 0.05s\ncommon_http_protocol_options: {max_requests_per_connection: 2}\n";
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  H2Exchange& first = client.start("GET", "/1");
  Peer one = origin.accept();
  one.read_head();
  H2Exchange& second = client.start("GET", "/2");
  Peer two = origin.accept();
  two.read_head();
  client.wait_until("GOAWAY", [&client] { return client.draining(); });
  two.send(response("2"));
  client.wait(second);
  one.send(response("1"));
  client.wait(first);
  EXPECT_EQ(first.body + second.body, "12");
  wait_for_end(client);
  EXPECT_EQ(proxy.counter("http.ingress.downstream_cx_max_requests_reached"), 1u);
}

TEST(H2Session, EndsByAgeButNotItsStreams) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm =
      "drain_timeout: 0.02s\ncommon_http_protocol_options: {max_connection_duration: 0.05s}\n";
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  H2Exchange& exchange = client.start("GET", "/");
  Peer upstream = origin.accept();
  upstream.read_head();
  client.wait_until("GOAWAY", [&client] { return client.draining(); });
  upstream.send(response("late"));
  client.wait(exchange);
  EXPECT_EQ(exchange.body, "late");
  wait_for_end(client);
  EXPECT_EQ(proxy.counter("http.ingress.downstream_cx_max_duration_reached"), 1u);
  proxy.wait_for("no connection",
                 [&proxy] { return proxy.gauge("http.ingress.downstream_cx_http2_active") == 0; });
}

TEST(H2Session, AResetGoesBeforeTheEndOfADrainedConnection) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm =
      "drain_timeout: 0.02s\ncommon_http_protocol_options: {max_connection_duration: 0.05s}\n";
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  H2Exchange& exchange = client.start("GET", "/");
  Peer upstream = origin.accept();
  upstream.read_head();
  upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
  client.wait_until("half of the body", [&exchange] { return exchange.body == "half"; });
  proxy.wait_for("the second GOAWAY",
                 [&proxy] { return proxy.counter("http.ingress.http2.goaway_sent") == 2; });
  upstream.close();
  client.wait_until("the reset", [&exchange] { return exchange.reset; });
  wait_for_end(client);
}

TEST(H2Session, DrainedListenersSayGoaway) {
  AutoOrigin origin(says("ok"));
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm = "drain_timeout: 0.02s\n";
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  EXPECT_EQ(client.get("/").body, "ok");
  proxy.admin("/drain_listeners?graceful&skip_exit", "POST");
  wait_for_end(client);
  EXPECT_TRUE(client.draining());
}

TEST(H2Session, OneIdleStreamEndsAlone) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.routes =
      "- match: {prefix: /idle}\n  route: {cluster: origin, idle_timeout: 0.05s}\n"
      "- match: {prefix: /}\n  route: {cluster: origin}\n";
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  H2Exchange& other = client.start("GET", "/other");
  Peer upstream = origin.accept();
  upstream.read_head();
  H2Exchange& idle = client.start("GET", "/idle");
  client.wait(idle);
  EXPECT_EQ(idle.status, 504);
  EXPECT_EQ(idle.body, "stream timeout");
  upstream.send(response("alive"));
  client.wait(other);
  EXPECT_EQ(other.body, "alive");
}

TEST(H2Session, ResponseThatNobodyTakesIsReset) {
  AutoOrigin origin(says(std::string(100'000, 'x')));
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm = "stream_idle_timeout: 0.05s\n";
  TestProxy proxy(yaml.text());
  http::h2::Options options;
  options.initial_stream_window_size = 65535;
  H2Client client(proxy.connect(), options);
  H2Exchange& held = client.start("GET", "/");
  client.hold(held);
  client.wait_until("the reset", [&held] { return held.reset; });
  EXPECT_EQ(proxy.counter("http.ingress.http2.tx_flush_timeout"), 1u);
  EXPECT_EQ(proxy.gauge("http.ingress.http2.streams_active"), 0);
}

TEST(H2Session, HalfAPrefaceHasTheTimeOfAHead) {
  Yaml yaml;
  yaml.hcm = "request_headers_timeout: 0.05s\n";
  TestProxy proxy(yaml.text());
  Peer peer = proxy.connect();
  peer.send("PRI * HTTP/2.0\r\n");
  EXPECT_EQ(peer.read_to_end(), "");
  EXPECT_EQ(proxy.counter("http.ingress.downstream_rq_header_timeout"), 1u);
}

TEST(H2Session, UnansweredPingsEndTheConnection) {
  Yaml yaml;
  yaml.hcm = "http2_protocol_options: {connection_keepalive: {interval: 0.02s, timeout: 0.05s}}\n";
  TestProxy proxy(yaml.text());
  Peer peer = proxy.connect();
  peer.send({"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33});
  peer.read_to_end();
  EXPECT_EQ(proxy.counter("http.ingress.http2.keepalive_timeout"), 1u);
  // Whoever answers stays.
  AutoOrigin origin(says("ok"));
  yaml.origin_port = origin.port();
  TestProxy other(yaml.text());
  H2Client client(other.connect());
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  while (std::chrono::steady_clock::now() < end) EXPECT_EQ(client.get("/").body, "ok");
  EXPECT_EQ(other.counter("http.ingress.http2.keepalive_timeout"), 0u);
}

TEST(H2Session, BrokenFramesEndAllStreams) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  client.start("GET", "/");
  Peer upstream = origin.accept();
  upstream.read_head();
  // DATA on stream 0.
  client.socket().peer().send({"\0\0\1\0\0\0\0\0\0x", 10});
  wait_for_end(client);
  EXPECT_TRUE(upstream.closed());
  EXPECT_EQ(proxy.counter("http.ingress.downstream_cx_protocol_error"), 1u);
  proxy.wait_for("the stream's end",
                 [&proxy] { return proxy.gauge("http.ingress.downstream_rq_active") == 0; });
}

TEST(H2Session, EditsBreakNothing) {
  AutoH2Origin origin([](H2Origin& self, H2Request& request) {
    self.respond(request, 200, request.body.empty() ? "ok" : request.body);
  });
  const auto yaml = [&origin](int edit) {
    Yaml text;
    text.origin_port = origin.port();
    text.cluster =
        http_protocol_options("explicit_http_config: {http2_protocol_options: {hpack_table_size: " +
                              std::to_string(4096 + edit % 3) + "}}");
    text.routes =
        "- match: {prefix: /}\n  route: {cluster: origin}\n"
        "  response_headers_to_add: [{header: {key: x-edit, value: \"" +
        std::to_string(edit) + "\"}}]\n";
    return text.text();
  };
  TestProxy proxy(yaml(1), {.workers = 2, .from_file = true});
  // Long streams, open over all edits.
  H2Client client(proxy.connect());
  std::vector<H2Exchange*> open;
  for (int i = 0; i < 10; ++i) open.push_back(&client.start("POST", "/long", EndStream::kNo));
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> good{0}, bad{0};
  std::vector<std::thread> load;
  for (int i = 0; i < 2; ++i)
    load.emplace_back([&proxy, &stop, &good, &bad] {
      try {
        H2Client own(proxy.connect());
        while (!stop) ++(own.get("/").body == "ok" ? good : bad);
      } catch (const std::runtime_error&) {
        ++bad;
      }
    });
  const uint64_t before = proxy.generation();
  for (int edit = 1; edit <= 100; ++edit) {
    proxy.write_config(yaml(1 + edit));
    proxy.wait_for_generation(before + static_cast<uint64_t>(edit));
  }
  EXPECT_EQ(client.get("/").header("x-edit"), "101");
  stop = true;
  for (std::thread& each : load) each.join();
  for (H2Exchange* each : open) {
    client.send_body(*each, "still here", EndStream::kYes);
    client.wait(*each);
    EXPECT_EQ(each->body, "still here");
    EXPECT_EQ(each->header("x-edit"), "1");
  }
  EXPECT_EQ(bad, 0u);
  EXPECT_GT(good, 0u);
  EXPECT_FALSE(client.draining());
  EXPECT_EQ(proxy.counter("http.ingress.downstream_cx_destroy"), 2u);
}

}  // namespace
}  // namespace weir::test
