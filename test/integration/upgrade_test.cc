// WebSockets and other upgrades over HTTP/1, as dialogues: what is granted, what is refused, and what never gets through.
#include <gtest/gtest.h>

#include "support/test_proxy.h"

namespace weir::test {
namespace {

constexpr std::string_view kAsk =
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
constexpr std::string_view kGrant =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
constexpr std::string_view kNext = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

std::string configuration(const Origin& origin, std::string_view hcm = "") {
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm = "upgrade_configs: [{upgrade_type: websocket}]\n" + std::string(hcm);
  return yaml.text();
}

/// A WebSocket's handshake from end to end.
struct Open {
  Peer client, upstream;
  std::string request;
};
Open open_tunnel(TestProxy& proxy, Origin& origin) {
  Open open;
  open.client = proxy.connect();
  open.client.send(kAsk);
  open.upstream = origin.accept();
  open.request = open.upstream.read_head();
  open.upstream.send(kGrant);
  EXPECT_TRUE(open.client.read_head().starts_with("HTTP/1.1 101 "));
  return open;
}

TEST(Upgrade, CarriesBytesBothWaysAfterThe101) {
  Origin origin;
  TestProxy proxy(configuration(origin));
  Peer client = proxy.connect();
  client.send(kAsk);
  Peer upstream = origin.accept();
  const std::string request = upstream.read_head();
  EXPECT_TRUE(request.starts_with("GET /chat HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("upgrade: websocket\r\n"), std::string::npos) << request;
  EXPECT_NE(request.find("connection: upgrade\r\n"), std::string::npos) << request;
  EXPECT_NE(request.find("sec-websocket-version: 13\r\n"), std::string::npos) << request;
  EXPECT_EQ(request.find("transfer-encoding"), std::string::npos) << request;
  upstream.send(std::string(kGrant) + "first");
  const std::string answer = client.read_head();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n")) << answer;
  EXPECT_NE(answer.find("upgrade: websocket\r\n"), std::string::npos) << answer;
  EXPECT_NE(answer.find("connection: upgrade\r\n"), std::string::npos) << answer;
  EXPECT_NE(answer.find("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
            std::string::npos);
  EXPECT_EQ(answer.find("content-length"), std::string::npos) << answer;
  EXPECT_EQ(answer.find("transfer-encoding"), std::string::npos) << answer;
  EXPECT_EQ(client.read(5), "first");
  client.send("GET / HTTP/1.1\r\n\r\n");  // bytes are bytes
  EXPECT_EQ(upstream.read(18), "GET / HTTP/1.1\r\n\r\n");
  upstream.send("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(client.read(19), "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(proxy.gauge("http.ingress.downstream_cx_upgrades_active"), 1);
  client.close();
  EXPECT_EQ(upstream.read_to_end(), "");
  upstream.close();
  proxy.wait_for("the end",
                 [&] { return proxy.gauge("http.ingress.downstream_cx_upgrades_active") == 0; });
  EXPECT_EQ(proxy.counter("http.ingress.downstream_cx_upgrades_total"), 1u);
}

TEST(Upgrade, EachDirectionEndsByItself) {
  Origin origin;
  TestProxy proxy(configuration(origin));
  {
    Open open = open_tunnel(proxy, origin);
    open.client.send("last words");
    open.client.half_close();
    EXPECT_EQ(open.upstream.read_to_end(), "last words");
    open.upstream.send("an answer all the same");
    EXPECT_EQ(open.client.read(22), "an answer all the same");
    open.upstream.close();
    EXPECT_EQ(open.client.read_to_end(), "");
  }
  {
    Open open = open_tunnel(proxy, origin);
    open.upstream.send("goodbye");
    open.upstream.half_close();
    EXPECT_EQ(open.client.read_to_end(), "goodbye");
    open.client.send("still here");
    EXPECT_EQ(open.upstream.read(10), "still here");
    open.client.send(std::string(300000, 'x'));
    open.client.close();
    EXPECT_EQ(open.upstream.read_to_end(), std::string(300000, 'x'));
  }
  proxy.wait_for("the end", [&] {
    return proxy.gauge("http.ingress.downstream_cx_active") == 0 &&
           proxy.gauge("cluster.origin.upstream_cx_active") == 0;
  });
}

TEST(Upgrade, AResetOfOneSideIsOneOfTheOther) {
  Origin origin;
  TestProxy proxy(configuration(origin));
  for (const bool half_closed : {false, true}) {
    Open open = open_tunnel(proxy, origin);
    if (half_closed) open.client.half_close(), open.upstream.read_to_end();
    open.upstream.reset();
    EXPECT_TRUE(open.client.ends_in_reset());
    Open second = open_tunnel(proxy, origin);
    if (half_closed) second.upstream.half_close(), second.client.read_to_end();
    second.client.reset();
    EXPECT_TRUE(second.upstream.ends_in_reset());
  }
}

// UP-01
TEST(Upgrade, BytesBehindTheRequestAreNotForwardedBeforeThe101) {
  Origin origin;
  TestProxy proxy(configuration(origin));
  for (const int status : {200, 403}) {
    Peer client = proxy.connect();
    client.send(std::string(kAsk) + std::string(kNext));
    Peer upstream = origin.accept();
    upstream.read_head();
    EXPECT_TRUE(upstream.quiet());
    upstream.send(response("no", status));
    EXPECT_EQ(client.read_message().status(), status);
    // The next request, on a connection on which nobody can have taken it for the payload.
    Peer second = origin.accept();
    EXPECT_TRUE(second.read_head().starts_with("GET /next "));
    second.send(response("next"));
    EXPECT_EQ(client.read_message().body, "next");
  }
}

TEST(Upgrade, BytesBehindTheRequestFollowTheGrant) {
  Origin origin;
  TestProxy proxy(configuration(origin));
  Peer client = proxy.connect();
  client.send(std::string(kAsk) + "early");
  Peer upstream = origin.accept();
  upstream.read_head();
  EXPECT_TRUE(upstream.quiet());
  upstream.send(kGrant);
  EXPECT_EQ(upstream.read(5), "early");
}

// UP-02
TEST(Upgrade, A200IsNoSwitchAndKeepsItsBody) {
  Origin origin;
  TestProxy proxy(configuration(origin));
  Peer client = proxy.connect();
  client.send(kAsk);
  Peer upstream = origin.accept();
  upstream.read_head();
  upstream.send(
      "HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
      "Content-Length: 4\r\n\r\nbody");
  const auto answer = client.read_message();
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.body, "body");
  EXPECT_FALSE(answer.has("upgrade"));
  client.send("\x81\x01x");  // a client that takes it for a switch
  EXPECT_EQ(client.read_message().status(), 400);
  EXPECT_EQ(upstream.read_to_end(), "");
}

// UP-03
TEST(Upgrade, A101ThatNobodyAskedForIs502) {
  Origin origin;
  TestProxy proxy(configuration(origin));
  Peer client = proxy.connect();
  for (const std::string_view request : {kNext, kAsk}) {
    client.send(request);
    Peer upstream = origin.accept();
    upstream.read_head();
    upstream.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n");
    EXPECT_EQ(client.read_message().status(), 502);
    EXPECT_TRUE(upstream.closed());
  }
}

// UP-04
TEST(Upgrade, H2cIsStrippedAndTheRestOfTheOfferForwarded) {
  Origin origin;
  TestProxy proxy(configuration(origin));
  Peer client = proxy.connect();
  client.send(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
      "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
  Peer upstream = origin.accept();
  const std::string request = upstream.read_head();
  for (const std::string_view word : {"upgrade", "settings", "connection"})
    EXPECT_EQ(request.find(word), std::string::npos) << request;
  upstream.send(response("plain"));
  EXPECT_EQ(client.read_message().body, "plain");
  Peer other = proxy.connect();
  other.send(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c, spdy/3.1, "
      "WebSocket\r\n\r\n");
  EXPECT_NE(upstream.read_head().find("upgrade: WebSocket\r\n"), std::string::npos);
}

TEST(Upgrade, OnlyWhatIsConfiguredIsServed) {
  Origin origin;
  TestProxy proxy(configuration(origin));
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: spdy/3.1\r\n\r\n" +
              std::string(kNext));
  const auto answer = client.read_message();
  EXPECT_EQ(answer.status(), 403);
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(origin.quiet());
  EXPECT_EQ(proxy.counter("http.ingress.downstream_rq_ws_on_non_ws_route"), 1u);
  EXPECT_EQ(proxy.counter("http.ingress.downstream_cx_upgrades_total"), 0u);
}

// UP-05
TEST(Upgrade, ARefusalOfTheUpstreamStaysHttp) {
  Origin origin;
  TestProxy proxy(configuration(origin));
  Peer client = proxy.connect();
  client.send(
      "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 777\r\n\r\n");
  Peer upstream = origin.accept();
  upstream.read_head();
  upstream.send(response("", 426, "Sec-WebSocket-Version: 13\r\n"));
  const auto answer = client.read_message();
  EXPECT_EQ(answer.status(), 426);
  EXPECT_EQ(answer.header("sec-websocket-version"), "13");
  EXPECT_FALSE(answer.has("connection"));
  client.send(kNext);  // the same connection
  Peer second = origin.accept();
  EXPECT_TRUE(second.read_head().starts_with("GET /next "));
  second.send(response("ok"));
  EXPECT_EQ(client.read_message().body, "ok");
}

// UP-08
TEST(Upgrade, AnAnswerOfAFilterIsAnOrdinaryOne) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm = "upgrade_configs: [{upgrade_type: websocket}]\n";
  yaml.filters =
      "- name: limit\n"
      "  typed_config:\n"
      "    \"@type\": "
      "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit\n"
      "    stat_prefix: limit\n"
      "    token_bucket: {max_tokens: 1, tokens_per_fill: 1, fill_interval: 3600s}\n"
      "    filter_enabled: {default_value: {numerator: 100}}\n"
      "    filter_enforced: {default_value: {numerator: 100}}\n";
  TestProxy proxy(yaml.text());
  Open first = open_tunnel(proxy, origin);
  Peer client = proxy.connect();
  client.send(std::string(kAsk) + std::string(kAsk));
  EXPECT_EQ(client.read_message().status(), 429);
  EXPECT_EQ(client.read_message().status(), 429);
  EXPECT_TRUE(origin.quiet());
  first.client.send("unharmed");
  EXPECT_EQ(first.upstream.read(8), "unharmed");
}

// UP-09
TEST(Upgrade, ASlowReaderHoldsItsOwnDirectionOnly) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm = "upgrade_configs: [{upgrade_type: websocket}]\n";
  yaml.listener = "per_connection_buffer_limit_bytes: 65536\n";
  yaml.cluster = "per_connection_buffer_limit_bytes: 65536\n";
  TestProxy proxy(yaml.text());
  Open open = open_tunnel(proxy, origin);
  const std::string big(64 << 20, 'x');
  std::thread sender([&open, &big] { open.client.send(big); });
  proxy.wait_for("back-pressure", [&] {
    return proxy.counter("http.ingress.downstream_flow_control_paused_reading_total") > 0;
  });
  open.upstream.send("the other way");
  EXPECT_EQ(open.client.read(13), "the other way");
  EXPECT_EQ(open.upstream.read(big.size()), big);
  sender.join();
}

TEST(Upgrade, AnIdleTunnelIsClosed) {
  Origin origin;
  TestProxy proxy(configuration(origin, "stream_idle_timeout: 0.3s\n"));
  Open open = open_tunnel(proxy, origin);
  for (int i = 0; i < 4; ++i) {
    open.client.send("x");
    EXPECT_EQ(open.upstream.read(1), "x");
    open.upstream.send("y");
    EXPECT_EQ(open.client.read(1), "y");
  }
  EXPECT_TRUE(open.client.closed());
  EXPECT_TRUE(open.upstream.closed());
  EXPECT_EQ(proxy.counter("http.ingress.downstream_rq_idle_timeout"), 1u);
}

TEST(Upgrade, TimeoutsOfRequestsEndWithTheAnswer) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm = "upgrade_configs: [{upgrade_type: websocket}]\nrequest_timeout: 0.1s\n";
  yaml.routes = "- match: {prefix: /}\n  route: {cluster: origin, timeout: 0.1s}\n";
  TestProxy proxy(yaml.text());
  Open open = open_tunnel(proxy, origin);
  open.client.send("x");
  EXPECT_EQ(open.upstream.read(1), "x");
  EXPECT_TRUE(open.client.quiet(std::chrono::milliseconds(250)));
  open.client.half_close();
  EXPECT_EQ(open.upstream.read_to_end(), "");
  EXPECT_TRUE(open.client.quiet(std::chrono::milliseconds(250)));
  open.upstream.send("late");
  EXPECT_EQ(open.client.read(4), "late");
}

TEST(Upgrade, RoutesHaveTheFirstWord) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm = "upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: foo, enabled: false}]\n";
  yaml.routes =
      "- match: {prefix: /never}\n"
      "  route: {cluster: origin, upgrade_configs: [{upgrade_type: WEBSOCKET, enabled: false}]}\n"
      "- match: {prefix: /foo}\n"
      "  route: {cluster: origin, upgrade_configs: [{upgrade_type: foo}]}\n"
      "- match: {prefix: /}\n  route: {cluster: origin}\n";
  TestProxy proxy(yaml.text());
  const auto ask = [&proxy](std::string_view path, std::string_view protocol) {
    Peer client = proxy.connect();
    client.send("GET " + std::string(path) +
                " HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: " + std::string(protocol) +
                "\r\n\r\n");
    return client;
  };
  EXPECT_EQ(ask("/never", "websocket").read_message().status(), 403);
  EXPECT_EQ(ask("/", "foo").read_message().status(), 403);
  Peer client = ask("/foo", "Foo");
  Peer upstream = origin.accept();
  EXPECT_NE(upstream.read_head().find("upgrade: Foo\r\n"), std::string::npos);
  Peer other = ask("/never", "foo, bar");
  EXPECT_EQ(other.read_message().status(), 403);
}

TEST(Upgrade, AnUpgradeHasAChainOfItsOwn) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  const auto mutation = [](std::string_view name, std::string_view value) {
    return "- name: " + std::string(name) +
           "\n"
           "  typed_config:\n"
           "    \"@type\": "
           "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation\n"
           "    mutations: {request_mutations: [{append: {header: {key: chain, value: " +
           std::string(value) + "}}}]}\n";
  };
  const auto indented = [](const std::string& text) {
    std::string out = "    " + text;
    for (size_t at = 0; (at = out.find('\n', at)) != std::string::npos && at + 1 < out.size();
         at += 5)
      out.insert(at + 1, "    ");
    return out;
  };
  yaml.filters = mutation("plain", "plain");
  yaml.hcm = "upgrade_configs:\n- upgrade_type: websocket\n  filters:\n" +
             indented(mutation("own", "upgrade") +
                      "- name: router\n"
                      "  typed_config: {\"@type\": "
                      "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}\n");
  yaml.routes =
      "- match: {prefix: /off}\n  route: {cluster: origin}\n"
      "  typed_per_filter_config:\n"
      "    own: {\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: "
      "true}\n"
      "- match: {prefix: /}\n  route: {cluster: origin}\n";
  TestProxy proxy(yaml.text());
  Open open = open_tunnel(proxy, origin);
  EXPECT_NE(open.request.find("chain: upgrade\r\n"), std::string::npos) << open.request;
  EXPECT_EQ(open.request.find("chain: plain\r\n"), std::string::npos) << open.request;
  Peer client = proxy.connect();
  client.send(kNext);
  Peer upstream = origin.accept();
  const std::string plain = upstream.read_head();
  EXPECT_NE(plain.find("chain: plain\r\n"), std::string::npos) << plain;
  Peer off = proxy.connect();
  off.send("GET /off HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  Peer third = origin.accept();
  EXPECT_EQ(third.read_head().find("chain: "), std::string::npos);
}

TEST(Upgrade, PostWithAnEmptyBodyMayUpgrade) {
  Origin origin;
  TestProxy proxy(configuration(origin));
  Peer client = proxy.connect();
  client.send(
      "POST /exec HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Content-Length: 0\r\n\r\n");
  Peer upstream = origin.accept();
  EXPECT_TRUE(upstream.read_head().starts_with("POST /exec "));
  upstream.send(kGrant);
  client.read_head();
  client.send("bytes");
  EXPECT_EQ(upstream.read(5), "bytes");
}

// ---- CONNECT ---------------------------------------------------------------------------------------------------------

std::string connect_configuration(const Origin& origin, const std::string& filters = "") {
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.filters = filters;
  yaml.hcm = "upgrade_configs: [{upgrade_type: CONNECT}]\n";
  yaml.routes =
      "- match: {connect_matcher: {}, headers: [{name: x-no, present_match: true}]}\n"
      "  route: {cluster: origin, upgrade_configs: [{upgrade_type: CONNECT, enabled: false}]}\n"
      "- match: {connect_matcher: {}, headers: [{name: \":authority\", string_match: {exact: "
      "\"b:443\"}}]}\n"
      "  route: {cluster: origin, prefix_rewrite: /x}\n"
      "- match: {prefix: \"\"}\n  direct_response: {status: 200}\n";
  return yaml.text();
}

constexpr std::string_view kConnect = "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n";

// UP-06
TEST(Connect, IsForwardedAndSendsNothingEarly) {
  Origin origin;
  TestProxy proxy(connect_configuration(origin));
  Peer client = proxy.connect();
  client.send(std::string(kConnect) + "early");
  Peer upstream = origin.accept();
  const std::string request = upstream.read_head();
  EXPECT_TRUE(request.starts_with("CONNECT b:443 HTTP/1.1\r\nhost: b:443\r\n")) << request;
  EXPECT_TRUE(upstream.quiet());
  upstream.send("HTTP/1.1 200 Connection established\r\n\r\nhello");
  const std::string answer = client.read_head();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  for (const std::string_view field : {"content-length", "transfer-encoding", "upgrade"})
    EXPECT_EQ(answer.find(field), std::string::npos) << answer;
  EXPECT_EQ(client.read(5), "hello");
  EXPECT_EQ(upstream.read(5), "early");
  client.half_close();
  EXPECT_EQ(upstream.read_to_end(), "");
  upstream.send("bye");
  upstream.close();
  EXPECT_EQ(client.read_to_end(), "bye");
}

TEST(Connect, ARefusalClosesAndReadsNothingMore) {
  Origin origin;
  TestProxy proxy(connect_configuration(origin));
  Peer client = proxy.connect();
  client.send(std::string(kConnect) + std::string(kNext));
  Peer upstream = origin.accept();
  upstream.read_head();
  upstream.send(response("no", 407));
  const auto answer = client.read_message();
  EXPECT_EQ(answer.status(), 407);
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(origin.quiet());
}

TEST(Connect, NeedsARouteOfItsOwnThatAllowsIt) {
  Origin origin;
  TestProxy proxy(connect_configuration(origin));
  const auto ask = [&proxy](const std::string& host, const std::string& fields = "") {
    Peer client = proxy.connect();
    client.send("CONNECT " + host + " HTTP/1.1\r\nHost: " + host + "\r\n" + fields + "\r\n");
    const int status = client.read_message().status();
    EXPECT_TRUE(client.closed());
    return status;
  };
  EXPECT_EQ(ask("c:443"), 404);
  EXPECT_EQ(ask("b:443", "x-no: 1\r\n"), 403);
  EXPECT_TRUE(origin.quiet());
}

// UP-10
TEST(Connect, FiltersSeeAnEmptyPath) {
  Origin origin;
  TestProxy proxy(connect_configuration(
      origin,
      "- name: mutation\n"
      "  typed_config:\n"
      "    \"@type\": "
      "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation\n"
      "    mutations: {request_mutations: [{append: {header: {key: saw, value: "
      "\"<%REQ(:PATH)%>%REQ(:METHOD)%\"}}}]}\n"));
  Peer client = proxy.connect();
  client.send(kConnect);
  Peer upstream = origin.accept();
  const std::string request = upstream.read_head();
  EXPECT_TRUE(request.starts_with("CONNECT b:443 ")) << request;
  EXPECT_NE(request.find("saw: <"), std::string::npos) << request;
  EXPECT_NE(request.find(">CONNECT\r\n"), std::string::npos) << request;
}

// ---- hot swap ----------------------------------------------------------------------------------------------------------

TEST(Upgrade, ThoseThatAreOpenLiveThroughEdits) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm = "upgrade_configs: [{upgrade_type: websocket}]\n";
  const auto edited = [&yaml](int edit) {
    Yaml next = yaml;
    const std::string number = std::to_string(edit);
    next.routes =
        "- match: {prefix: /}\n  route: {cluster: origin}\n  response_headers_to_add: "
        "[{header: {key: edit, value: \"" +
        number + "\"}}]\n";
    next.cluster = "per_connection_buffer_limit_bytes: " + std::to_string(100000 + edit) + "\n";
    next.filters =
        "- name: mutation\n"
        "  typed_config:\n"
        "    \"@type\": "
        "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation\n"
        "    mutations: {request_mutations: [{append: {header: {key: edit, value: \"" +
        number + "\"}}}]}\n";
    return next.text();
  };
  TestProxy proxy(edited(0), {.workers = 2, .from_file = true});
  std::vector<Open> tunnels;
  for (int i = 0; i < 10; ++i) tunnels.push_back(open_tunnel(proxy, origin));
  for (int edit = 1; edit <= 100; ++edit) {
    proxy.write_config(edited(edit));
    Open& one = tunnels[static_cast<size_t>(edit) % tunnels.size()];
    one.client.send("ping");
    EXPECT_EQ(one.upstream.read(4), "ping");
    if (edit % 10 == 0) proxy.wait_for_generation(proxy.generation() + 1);
  }
  for (Open& one : tunnels) {
    one.upstream.send("pong");
    EXPECT_EQ(one.client.read(4), "pong");
  }
  EXPECT_EQ(proxy.gauge("http.ingress.downstream_cx_upgrades_active"), 10);
}

TEST(Upgrade, ADrainLeavesThemOpenUntilItsEnd) {
  Origin origin;
  TestProxy proxy(configuration(origin), {.workers = 1, .drain_time = std::chrono::seconds(1)});
  Open open = open_tunnel(proxy, origin);
  proxy.server().quit(server::Server::Quit::kDrain);
  proxy.wait_for("not ready", [&proxy] { return proxy.admin_message("/ready").status() == 503; });
  open.client.send("x");
  EXPECT_EQ(open.upstream.read(1), "x");
  EXPECT_TRUE(open.client.closed());
  EXPECT_EQ(proxy.stop(server::Server::Quit::kDrain), 0);
}

}  // namespace
}  // namespace weir::test
