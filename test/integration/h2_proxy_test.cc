// HTTP/2 through the running server, in all four combinations with HTTP/1.
#include <gtest/gtest.h>

#include "support/h2_peer.h"

namespace weir::test {
namespace {

std::string http2_cluster(std::string_view more = "") {
  return http_protocol_options("explicit_http_config: {http2_protocol_options: {" +
                               std::string(more) + "}}");
}

TEST(H2Down, ForwardsToHttp1) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  H2Exchange& exchange =
      client.start("POST", "/x?y=1", EndStream::kNo, {{"te", "trailers"}, {"cookie", "a=1"}});
  client.send_body(exchange, "hello", EndStream::kYes);
  Peer upstream = origin.accept();
  const Peer::Message request = upstream.read_message();
  EXPECT_EQ(request.first_line(), "POST /x?y=1 HTTP/1.1");
  EXPECT_EQ(request.header("host"), "test.example");
  EXPECT_EQ(request.header("x-forwarded-proto"), "http");
  EXPECT_EQ(request.header("cookie"), "a=1");
  EXPECT_EQ(request.body, "hello");
  upstream.send(
      "HTTP/1.1 200 OK\r\nconnection: close, x-hop\r\nx-hop: 1\r\nX-Kept: 2\r\n"
      "transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
  client.wait(exchange);
  EXPECT_EQ(exchange.status, 200);
  EXPECT_EQ(exchange.body, "hi");
  EXPECT_EQ(exchange.header("x-kept"), "2");
  EXPECT_EQ(exchange.header("server"), "weir");
  for (const char* name : {"connection", "transfer-encoding", "x-hop"})
    EXPECT_EQ(exchange.header(name), "") << name;
  EXPECT_EQ(proxy.counter("http.ingress.downstream_cx_http2_total"), 1u);
  EXPECT_EQ(proxy.counter("http.ingress.downstream_cx_http1_total"), 0u);
  EXPECT_EQ(proxy.counter("http.ingress.downstream_rq_http2_total"), 1u);
  EXPECT_EQ(proxy.gauge("http.ingress.downstream_cx_http2_active"), 1);
}

TEST(H2Down, StreamsDoNotWaitForEachOther) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  H2Exchange& slow = client.start("GET", "/slow");
  Peer first = origin.accept();
  first.read_message();
  H2Exchange& quick = client.start("GET", "/quick");
  Peer second = origin.accept();
  EXPECT_EQ(second.read_message().first_line(), "GET /quick HTTP/1.1");
  second.send(response("quick"));
  client.wait(quick);
  EXPECT_EQ(quick.body, "quick");
  EXPECT_FALSE(slow.has_head);
  first.send(response("slow"));
  client.wait(slow);
  EXPECT_EQ(slow.body, "slow");
}

TEST(H2Down, PrefaceSplitAnywhereIsRecognised) {
  AutoOrigin origin([](const Peer::Message&) { return response("ok"); });
  Yaml yaml;
  yaml.origin_port = origin.port();
  TestProxy proxy(yaml.text());
  // The settings frame of an empty client follows.
  const std::string preface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
  for (const size_t cut : {size_t{1}, size_t{3}, size_t{23}, size_t{24}, size_t{30}}) {
    Peer peer = proxy.connect();
    peer.send(preface.substr(0, cut));
    EXPECT_TRUE(cut >= 24 || peer.quiet()) << cut;
    peer.send(preface.substr(cut));
    const std::string frame = peer.read(9);
    EXPECT_EQ(frame[3], 4) << "SETTINGS come first";
  }
  // What begins alike may still be HTTP/1.
  Peer peer = proxy.connect();
  peer.send("P");
  EXPECT_TRUE(peer.quiet());
  peer.send("OST / HTTP/1.1\r\nHost: a\r\ncontent-length: 0\r\n\r\n");
  EXPECT_EQ(peer.read_message().status(), 200);
}

TEST(H2Down, CodecTypeDecides) {
  AutoOrigin origin([](const Peer::Message&) { return response("ok"); });
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm = "codec_type: HTTP1\n";
  {
    TestProxy proxy(yaml.text());
    Peer peer = proxy.connect();
    peer.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    EXPECT_TRUE(peer.read_to_end().starts_with("HTTP/1.1 4"));
  }
  yaml.hcm = "codec_type: HTTP2\n";
  TestProxy proxy(yaml.text());
  Peer peer = proxy.connect();
  EXPECT_EQ(peer.read(9)[3], 4) << "the server's preface comes unasked";
  peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  peer.read_to_end();
  H2Client client(proxy.connect());
  EXPECT_EQ(client.get("/").body, "ok");
}

TEST(H2Down, LocalRepliesHeadsAndInformationalHeads) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.routes =
      "- match: {prefix: /direct}\n  direct_response: {status: 418, body: {inline_string: tea}}\n"
      "- match: {prefix: /}\n  route: {cluster: origin}\n";
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  H2Exchange& direct = client.get("/direct");
  EXPECT_EQ(direct.status, 418);
  EXPECT_EQ(direct.body, "tea");
  H2Exchange& head = client.start("HEAD", "/h");
  Peer upstream = origin.accept();
  upstream.read_head();
  upstream.send(
      "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n");
  client.wait(head);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.informational, std::vector<int>{103});
  EXPECT_EQ(head.header("content-length"), "7");
  EXPECT_EQ(head.body, "");
}

TEST(H2Down, ClientResetsOneStreamAlone) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm =
      "access_log:\n"
      "- name: a\n"
      "  typed_config:\n"
      "    \"@type\": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog\n"
      "    path: LOG\n"
      "    log_format: {text_format_source: {inline_string: \"%PROTOCOL% %RESPONSE_FLAGS% "
      "%RESPONSE_CODE_DETAILS%\\n\"}}\n";
  TempFolder folder;
  const std::string log = folder.path() + "/log";
  yaml.hcm.replace(yaml.hcm.find("LOG"), 3, log);
  {
    TestProxy proxy(yaml.text());
    H2Client client(proxy.connect());
    H2Exchange& gone = client.start("GET", "/gone");
    Peer first = origin.accept();
    first.read_head();
    H2Exchange& kept = client.start("GET", "/kept");
    Peer second = origin.accept();
    second.read_head();
    client.reset(gone);
    EXPECT_TRUE(first.closed()) << "the upstream's work is cancelled";
    second.send(response("kept"));
    client.wait(kept);
    EXPECT_EQ(kept.body, "kept");
    EXPECT_EQ(proxy.counter("http.ingress.downstream_rq_rx_reset"), 1u);
    EXPECT_EQ(proxy.gauge("http.ingress.downstream_rq_active"), 0);
  }
  FILE* file = std::fopen(log.c_str(), "r");
  ASSERT_NE(file, nullptr);
  char text[256] = {};
  const size_t size = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  EXPECT_EQ(std::string(text, size), "HTTP/2 DR http2.remote_reset\nHTTP/2 - via_upstream\n");
}

TEST(H2Down, SlowReaderHoldsItsOwnStreamOnly) {
  const std::string big(8 * 1024 * 1024, 'b');
  AutoOrigin origin([&big](const Peer::Message& request) {
    return response(request.first_line().find("/big") != std::string::npos ? big : "small");
  });
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.listener = "per_connection_buffer_limit_bytes: 65536\n";
  TestProxy proxy(yaml.text());
  http::h2::Options options;
  options.initial_stream_window_size = 65535;
  H2Client client(proxy.connect(), options);
  H2Exchange& held = client.start("GET", "/big");
  client.hold(held);
  client.wait_until("the head of the held response", [&held] { return held.has_head; });
  proxy.wait_for("the upstream's reading to stop", [&proxy] {
    return proxy.counter("cluster.origin.upstream_flow_control_paused_reading_total") > 0;
  });
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.get("/small").body, "small");
  EXPECT_FALSE(held.done);
  client.release(held);
  client.wait(held);
  EXPECT_EQ(held.body.size(), big.size());
}

TEST(H2Down, RequestBodyWaitsForASlowUpstream) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.listener = "per_connection_buffer_limit_bytes: 16384\n";
  yaml.cluster = "per_connection_buffer_limit_bytes: 16384\n";
  yaml.hcm = "http2_protocol_options: {initial_stream_window_size: 65535}\n";
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  const std::string body(16 * 1024 * 1024, 'b');
  H2Exchange& exchange = client.start("POST", "/", EndStream::kNo);
  Peer upstream = origin.accept();
  upstream.set_receive_buffer(65536);
  client.send_body(exchange, body, EndStream::kYes);
  client.wait_until("the window to be used up", [&] {
    return proxy.counter("http.ingress.downstream_flow_control_paused_reading_total") > 0;
  });
  size_t received = 0;
  std::thread reader([&upstream, &received] {
    received = upstream.read_message().body.size();
    upstream.send(response("ok"));
  });
  EXPECT_NO_THROW(client.wait(exchange));
  reader.join();
  EXPECT_EQ(received, body.size());
  EXPECT_EQ(exchange.body, "ok");
}

TEST(H2Down, EarlyAnswerEndsOneStreamAlone) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  H2Exchange& early = client.start("POST", "/early", EndStream::kNo);
  Peer upstream = origin.accept();
  upstream.read_head();
  upstream.send(response("no"));
  client.wait(early);
  EXPECT_EQ(early.status, 200);
  EXPECT_EQ(early.body, "no");
  H2Exchange& next = client.start("GET", "/next");
  Peer second = origin.accept();
  second.read_head();
  second.send(response("next"));
  client.wait(next);
  EXPECT_EQ(next.body, "next");
  EXPECT_FALSE(client.draining());
}

TEST(H2Up, RequestsOfHttp1ClientsShareOneConnection) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.cluster = http2_cluster();
  TestProxy proxy(yaml.text());
  Peer one = proxy.connect();
  Peer two = proxy.connect();
  one.send(
      "POST /1 HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te\r\n"
      "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
  H2Origin upstream(origin.accept());
  H2Request& first = upstream.next();
  EXPECT_EQ(first.head.method(), "POST");
  EXPECT_EQ(first.head.path(), "/1");
  EXPECT_EQ(first.head.authority(), "a");
  EXPECT_EQ(first.head.scheme(), "http");
  EXPECT_EQ(first.header("te"), "trailers");
  EXPECT_EQ(first.header("transfer-encoding"), "");
  EXPECT_EQ(first.body, "hi");
  two.send("GET /2 HTTP/1.1\r\nHost: b\r\n\r\n");
  H2Request& second = upstream.next();
  upstream.respond(second, 200, "second", {{"x-a", "1"}});
  const Peer::Message answer = two.read_message();
  EXPECT_EQ(answer.body, "second");
  EXPECT_EQ(answer.header("x-a"), "1");
  upstream.respond(first, 204);
  EXPECT_EQ(one.read_message().status(), 204);
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_cx_total"), 1u);
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_cx_http2_total"), 1u);
  EXPECT_TRUE(origin.quiet());
}

TEST(H2Both, TrailersHeadsAndBodiesPass) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.cluster = http2_cluster();
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  H2Exchange& exchange = client.start("POST", "/", EndStream::kNo, {{"te", "trailers"}});
  client.send_body(exchange, "question", EndStream::kNo);
  client.send_trailers(exchange, {{"x-sum", "8"}});
  H2Origin upstream(origin.accept());
  H2Request& request = upstream.next();
  EXPECT_EQ(request.body, "question");
  EXPECT_EQ(request.trailers, (Fields{{"x-sum", "8"}}));
  EXPECT_EQ(request.header("te"), "trailers");
  upstream.informational(request, 103, {{"link", "</a>"}});
  upstream.send_head(request, 200, EndStream::kNo);
  upstream.send_body(request, "answer", EndStream::kNo);
  upstream.send_trailers(request, {{"grpc-status", "0"}});
  client.wait(exchange);
  EXPECT_EQ(exchange.informational, std::vector<int>{103});
  EXPECT_EQ(exchange.body, "answer");
  EXPECT_EQ(exchange.trailer("grpc-status"), "0");
}

TEST(H2Both, BytesFlowInBothDirectionsAtOnce) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.cluster = http2_cluster();
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  H2Exchange& exchange = client.start("POST", "/", EndStream::kNo);
  H2Origin upstream(origin.accept());
  H2Request& request = upstream.next(false);
  upstream.send_head(request, 200, EndStream::kNo);
  for (int i = 1; i <= 3; ++i) {
    const auto size = static_cast<size_t>(i);
    client.send_body(exchange, "p", EndStream::kNo);
    upstream.wait_until("a piece", [&] { return request.body.size() == size; });
    upstream.send_body(request, "q", EndStream::kNo);
    client.wait_until("an echo", [&] { return exchange.body.size() == size; });
  }
  client.send_body(exchange, "", EndStream::kYes);
  upstream.wait_until("the end", [&] { return request.done; });
  upstream.send_trailers(request, {{"a", "b"}});
  client.wait(exchange);
  EXPECT_EQ(exchange.trailer("a"), "b");
}

TEST(H2Both, DownstreamProtocolIsFollowed) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.cluster = http_protocol_options("use_downstream_protocol_config: {}");
  TestProxy proxy(yaml.text());
  H2Client client(proxy.connect());
  H2Exchange& exchange = client.start("GET", "/2");
  H2Origin upstream(origin.accept());
  upstream.respond(upstream.next(), 200, "h2");
  client.wait(exchange);
  EXPECT_EQ(exchange.body, "h2");
  Peer old = proxy.connect();
  old.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer plain = origin.accept();
  EXPECT_EQ(plain.read_message().first_line(), "GET /1 HTTP/1.1");
  plain.send(response("h1"));
  EXPECT_EQ(old.read_message().body, "h1");
}

}  // namespace
}  // namespace weir::test
