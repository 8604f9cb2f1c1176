// CONNECT, or POST in its place, that ends here: its payload goes to a host of the cluster as plain bytes.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "support/h2_peer.h"
#include "support/test_proxy.h"

namespace weir::test {
namespace {

constexpr std::string_view kConnect = "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n";
constexpr std::string_view kGranted = "HTTP/1.1 200 OK\r\n";
constexpr size_t kBig = 32 << 20;

std::string configuration(uint16_t port, std::string_view hcm = "", size_t buffer_limit = 0) {
  Yaml yaml;
  yaml.origin_port = port;
  yaml.hcm = std::string(hcm);
  yaml.routes =
      "- match: {connect_matcher: {}}\n"
      "  route:\n    cluster: origin\n    timeout: 0.1s\n"
      "    upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]\n"
      "- match: {prefix: /post}\n"
      "  route:\n    cluster: origin\n    timeout: 0.1s\n"
      "    upgrade_configs: [{upgrade_type: CONNECT, connect_config: {allow_post: true}}]\n"
      "- match: {prefix: /get}\n"
      "  route:\n    cluster: origin\n"
      "    upgrade_configs: [{upgrade_type: CONNECT, connect_config: {allow_post: true}}]\n"
      "- match: {prefix: /plain}\n"
      "  route: {cluster: origin, upgrade_configs: [{upgrade_type: CONNECT, connect_config: "
      "{}}]}\n";
  if (buffer_limit > 0) {
    const std::string limit =
        "per_connection_buffer_limit_bytes: " + std::to_string(buffer_limit) + "\n";
    yaml.listener = yaml.cluster = limit;
  }
  return yaml.text();
}

std::string with_log(const TempFolder& folder) {
  return "access_log:\n- name: file\n  typed_config:\n"
         "    \"@type\": type.googleapis.com/"
         "envoy.extensions.access_loggers.file.v3.FileAccessLog\n"
         "    path: " +
         folder.path() +
         "/log\n    log_format: {text_format_source: {inline_string: \"%RESPONSE_CODE% "
         "%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_CLUSTER%\\n\"}}\n";
}

void wait_log(TestProxy& proxy, const TempFolder& folder, const std::string& line) {
  proxy.wait_for(line, [&] { return folder.read("log").find(line) != std::string::npos; });
}

void wait_for_the_end(TestProxy& proxy) {
  proxy.wait_for("the end", [&] {
    return proxy.gauge("cluster.origin.upstream_cx_active") == 0 &&
           proxy.gauge("http.ingress.downstream_rq_active") == 0 &&
           proxy.gauge("http.ingress.downstream_cx_upgrades_active") == 0;
  });
}

struct Open {
  Peer client, upstream;
};
Open open_tunnel(TestProxy& proxy, Origin& origin) {
  Open open;
  open.client = proxy.connect();
  open.client.send(kConnect);
  open.upstream = origin.accept();
  const std::string answer = open.client.read_head();
  EXPECT_TRUE(answer.starts_with(kGranted)) << answer;
  EXPECT_EQ(answer.find("content-length"), std::string::npos) << answer;
  EXPECT_EQ(answer.find("transfer-encoding"), std::string::npos) << answer;
  return open;
}

TEST(ConnectTcp, CarriesBytesAndEachDirectionEndsByItself) {
  Origin origin;
  TempFolder folder;
  TestProxy proxy(configuration(origin.port(), with_log(folder)));
  for (const bool client_first : {true, false}) {
    Peer client = proxy.connect();
    client.send(std::string(kConnect) + "early");
    Peer upstream = origin.accept();
    EXPECT_TRUE(client.read_head().starts_with(kGranted));
    EXPECT_EQ(upstream.read(5), "early");
    upstream.send("220 ready");
    EXPECT_EQ(client.read(9), "220 ready");
    EXPECT_EQ(proxy.gauge("http.ingress.downstream_cx_upgrades_active"), 1);
    Peer& first = client_first ? client : upstream;
    Peer& second = client_first ? upstream : client;
    first.half_close();
    EXPECT_EQ(second.read_to_end(), "");
    second.send(std::string(200000, 'x'));
    second.close();
    EXPECT_EQ(first.read_to_end(), std::string(200000, 'x'));
  }
  wait_for_the_end(proxy);
  wait_log(proxy, folder, "200 - 5 200009 origin\n");
  wait_log(proxy, folder, "200 - 200005 9 origin\n");
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_cx_total"), 2u);
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_rq_200"), 2u);
}

TEST(ConnectTcp, AResetOfOneSideIsOneOfTheOther) {
  Origin origin;
  TestProxy proxy(configuration(origin.port()));
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
  wait_for_the_end(proxy);
}

TEST(ConnectTcp, AProxyHeaderComesFirst) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.routes =
      "- match: {connect_matcher: {}}\n"
      "  route:\n    cluster: origin\n    upgrade_configs:\n"
      "    - {upgrade_type: CONNECT, connect_config: {proxy_protocol_config: {version: V1}}}\n";
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send(std::string(kConnect) + "early");
  Peer upstream = origin.accept();
  sockaddr_in own{};
  socklen_t size = sizeof own;
  ASSERT_EQ(::getsockname(client.fd(), reinterpret_cast<sockaddr*>(&own), &size), 0);
  const std::string expected = "PROXY TCP4 127.0.0.1 127.0.0.1 " +
                               std::to_string(ntohs(own.sin_port)) + " " +
                               std::to_string(proxy.port()) + "\r\nearly";
  EXPECT_EQ(upstream.read(expected.size()), expected);
}

TEST(ConnectTcp, NobodyBehindItIsA503AndNoTunnel) {
  TempFolder folder;
  uint16_t port = 0;
  {
    Origin origin;
    port = origin.port();
  }
  TestProxy proxy(configuration(port, with_log(folder)));
  Peer client = proxy.connect();
  client.send(std::string(kConnect) + "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto answer = client.read_message();
  EXPECT_EQ(answer.status(), 503);
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(client.closed());
  wait_log(proxy, folder, "503 UF 0 ");
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_cx_connect_fail"), 1u);
}

TEST(ConnectTcp, SlowReadersHoldTheOtherSideBack) {
  Origin origin;
  TestProxy proxy(configuration(origin.port(), "", 65536));
  const std::string big(kBig, 'x');
  {
    Open open = open_tunnel(proxy, origin);
    std::thread sender([&] { open.client.send(big), open.client.half_close(); });
    proxy.wait_for("back-pressure", [&] {
      return proxy.counter("http.ingress.downstream_flow_control_paused_reading_total") > 0;
    });
    EXPECT_EQ(open.upstream.read(big.size()), big);
    sender.join();
  }
  Open open = open_tunnel(proxy, origin);
  std::thread sender([&] { open.upstream.send(big), open.upstream.half_close(); });
  proxy.wait_for("back-pressure", [&] {
    return proxy.counter("cluster.origin.upstream_flow_control_paused_reading_total") > 0;
  });
  EXPECT_EQ(open.client.read(big.size()), big);
  sender.join();
}

TEST(ConnectTcp, OnlySilenceTimesOut) {
  Origin origin;
  TestProxy proxy(configuration(origin.port(), "stream_idle_timeout: 0.4s\n"));
  Open open = open_tunnel(proxy, origin);
  open.client.half_close();
  EXPECT_EQ(open.upstream.read_to_end(), "");
  EXPECT_TRUE(open.client.quiet(std::chrono::milliseconds(250)));  // the route's timeout
  open.upstream.send("late");
  EXPECT_EQ(open.client.read(4), "late");
  EXPECT_TRUE(open.client.closed());
  EXPECT_EQ(proxy.counter("http.ingress.downstream_rq_idle_timeout"), 1u);
  wait_for_the_end(proxy);
}

TEST(ConnectTcp, APostMayDoTheSame) {
  Origin origin;
  TestProxy proxy(configuration(origin.port()));
  Peer client = proxy.connect();
  client.send("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  Peer upstream = origin.accept();
  EXPECT_EQ(upstream.read_to_end(), "hello");
  EXPECT_TRUE(client.read_head().starts_with(kGranted));
  EXPECT_TRUE(client.quiet(std::chrono::milliseconds(250)));  // the route's timeout
  upstream.send("bye");
  EXPECT_EQ(client.read(8), "3\r\nbye\r\n");
  upstream.close();
  EXPECT_EQ(client.read(5), "0\r\n\r\n");
  for (const std::string line : {"GET /get", "POST /plain"}) {  // neither is a tunnel
    client.send(line + " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    Peer plain = origin.accept();
    EXPECT_TRUE(plain.read_head().starts_with(line + " HTTP/1.1\r\n"));
    plain.send(response("ok", 200, "connection: close\r\n"));
    EXPECT_EQ(client.read_message().body, "ok");
  }
}

TEST(ConnectTcp, APostThatWantsAnUpgradeIsNone) {
  Origin origin;
  TestProxy proxy(configuration(origin.port(), "upgrade_configs: [{upgrade_type: websocket}]\n"));
  Peer client = proxy.connect();
  client.send(
      "POST /post HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Content-Length: 0\r\n\r\n");
  EXPECT_TRUE(origin.accept().read_head().starts_with("POST /post HTTP/1.1\r\n"));
}

TEST(ConnectTcp, APostThatIsCutOffReachesTheUpstreamAsAReset) {
  Origin origin;
  TestProxy proxy(configuration(origin.port()));
  Peer client = proxy.connect();
  client.send("POST /post HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
  Peer upstream = origin.accept();
  EXPECT_EQ(upstream.read(2), "hi");
  EXPECT_TRUE(client.read_head().starts_with(kGranted));
  client.close();
  EXPECT_TRUE(upstream.ends_in_reset());
}

// ---- HTTP/2 ------------------------------------------------------------------------------------------------------------

TEST(ConnectTcp, EndsHereOverHttp2) {
  Origin origin;
  TestProxy proxy(configuration(origin.port()));
  H2Client client(proxy.connect());
  for (const std::string_view method : {"CONNECT", "POST"}) {
    const bool connect = method == "CONNECT";
    H2Exchange& tunnel =
        client.start(method, connect ? "" : "/post", EndStream::kNo, {}, "b.example:443");
    Peer upstream = origin.accept();
    client.wait_until("the grant", [&] { return tunnel.has_head; });
    EXPECT_EQ(tunnel.status, 200);
    client.send_body(tunnel, "ping", EndStream::kNo);
    EXPECT_EQ(upstream.read(4), "ping");
    upstream.send("pong");
    client.wait_until("an answer", [&] { return tunnel.body == "pong"; });
    client.send_body(tunnel, "last", EndStream::kYes);
    EXPECT_EQ(upstream.read_to_end(), "last");
    upstream.send("bye");
    upstream.close();
    client.wait(tunnel);
    EXPECT_FALSE(tunnel.reset);
    EXPECT_EQ(tunnel.body, "pongbye");
  }
  wait_for_the_end(proxy);
}

TEST(ConnectTcp, ResetsOfStreamsAndConnectionsAreTheSame) {
  Origin origin;
  TestProxy proxy(configuration(origin.port()));
  H2Client client(proxy.connect());
  H2Exchange& first = client.start("CONNECT", "", EndStream::kNo, {}, "b.example:443");
  Peer upstream = origin.accept();
  client.wait_until("the grant", [&] { return first.has_head; });
  client.reset(first);
  EXPECT_TRUE(upstream.ends_in_reset());
  H2Exchange& second = client.start("CONNECT", "", EndStream::kNo, {}, "b.example:443");
  Peer other = origin.accept();
  client.wait_until("the grant", [&] { return second.has_head; });
  other.reset();
  client.wait_until("the reset", [&] { return second.reset; });
  wait_for_the_end(proxy);
}

}  // namespace
}  // namespace weir::test
