// WebSockets and CONNECT where one side or both speak HTTP/2 (RFC 8441).
#include <gtest/gtest.h>

#include "support/h2_peer.h"

namespace weir::test {
namespace {

http::h2::Options with_connect() {
  http::h2::Options options;
  options.allow_connect = true;
  return options;
}

Yaml yaml_for(uint16_t port) {
  Yaml yaml;
  yaml.origin_port = port;
  yaml.hcm =
      "upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: CONNECT}]\n"
      "http2_protocol_options: {allow_connect: true}\n";
  yaml.routes =
      "- match: {connect_matcher: {}}\n  route: {cluster: origin}\n"
      "- match: {prefix: /never}\n"
      "  route: {cluster: origin, upgrade_configs: [{upgrade_type: websocket, enabled: false}]}\n"
      "- match: {prefix: /}\n  route: {cluster: origin}\n";
  return yaml;
}

/// A client that has seen what the proxy allows.
std::unique_ptr<H2Client> client_of(TestProxy& proxy) {
  auto client = std::make_unique<H2Client>(proxy.connect(), with_connect());
  client->get("/never");
  return client;
}

constexpr std::string_view kGrant =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: x\r\n\r\n";

TEST(H2Upgrade, AWebSocketOfHttp2ReachesAnHttp1Upstream) {
  Origin origin;
  TestProxy proxy(yaml_for(origin.port()).text());
  std::thread plain([&origin] {
    Peer peer = origin.accept();
    peer.read_message();
    peer.send(response("ok", 200, "connection: close\r\n"));
  });
  auto client = client_of(proxy);
  plain.join();
  H2Exchange& socket = client->start("GET", "/chat", EndStream::kNo, {{"upgrade", "websocket"}});
  client->send_body(socket, "early", EndStream::kNo);
  Peer upstream = origin.accept();
  const std::string request = upstream.read_head();
  EXPECT_TRUE(request.starts_with("GET /chat HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("upgrade: websocket\r\n"), std::string::npos) << request;
  EXPECT_NE(request.find("connection: upgrade\r\n"), std::string::npos) << request;
  EXPECT_NE(request.find("sec-websocket-key: "), std::string::npos) << request;
  EXPECT_TRUE(upstream.quiet());  // nothing before the 101
  upstream.send(std::string(kGrant) + "hello");
  client->wait_until("the grant", [&] { return socket.body == "hello"; });
  EXPECT_EQ(socket.status, 101);  // in the codec's form; 200 on the wire
  EXPECT_EQ(upstream.read(5), "early");
  // Other streams are not concerned.
  client->send_body(socket, " bytes", EndStream::kYes);
  EXPECT_EQ(upstream.read_to_end(), " bytes");
  upstream.send(" bye");
  upstream.close();
  client->wait(socket);
  EXPECT_EQ(socket.body, "hello bye");
  EXPECT_FALSE(socket.reset);
}

TEST(H2Upgrade, ARefusalEndsTheStreamAlone) {
  AutoOrigin origin([](const Peer::Message& request) {
    return request.has("upgrade") ? response("no", 426) : response("ok");
  });
  TestProxy proxy(yaml_for(origin.port()).text());
  auto client = client_of(proxy);
  H2Exchange& refused = client->start("GET", "/never", EndStream::kNo, {{"upgrade", "websocket"}});
  client->wait(refused);
  EXPECT_EQ(refused.status, 403);
  H2Exchange& upstream = client->start("GET", "/chat", EndStream::kNo, {{"upgrade", "websocket"}});
  client->wait(upstream);
  EXPECT_EQ(upstream.status, 426);
  EXPECT_EQ(upstream.body, "no");
  EXPECT_EQ(client->get("/x").body, "ok");
}

TEST(H2Upgrade, AWebSocketOfHttp1ReachesAnHttp2Upstream) {
  Origin origin;
  Yaml yaml = yaml_for(origin.port());
  yaml.cluster = http_protocol_options(
      "explicit_http_config: {http2_protocol_options: {allow_connect: true}}");
  TestProxy proxy(yaml.text());
  Peer first = proxy.connect();
  first.send("GET /warm HTTP/1.1\r\nHost: a\r\n\r\n");
  H2Origin upstream(origin.accept(), with_connect());
  upstream.respond(upstream.next(), 200, "ok");
  EXPECT_EQ(first.read_message().body, "ok");
  Peer client = proxy.connect();
  client.send(
      "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\nearly");
  H2Request& request = upstream.next(false);
  EXPECT_EQ(request.head.method(), "GET");  // in the codec's form
  EXPECT_EQ(request.header("upgrade"), "websocket");
  EXPECT_EQ(request.body, "");
  upstream.send_head(request, 101, EndStream::kNo);
  upstream.send_body(request, "hello", EndStream::kNo);
  const std::string answer = client.read_head();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 101 ")) << answer;
  EXPECT_NE(answer.find("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
            std::string::npos)
      << answer;
  EXPECT_EQ(client.read(5), "hello");
  upstream.wait_until("the client's bytes", [&] { return request.body == "early"; });
  upstream.send_body(request, " bye", EndStream::kYes);
  EXPECT_EQ(client.read_to_end(), " bye");
  client.send(" more");
  client.close();
  upstream.wait_until("the end", [&] { return request.done; });
  EXPECT_EQ(request.body, "early more");
}

TEST(H2Upgrade, ConnectIsForwarded) {
  Origin origin;
  TestProxy proxy(yaml_for(origin.port()).text());
  H2Client client(proxy.connect());
  H2Exchange& tunnel = client.start("CONNECT", "", EndStream::kNo, {}, "b.example:443");
  Peer upstream = origin.accept();
  EXPECT_TRUE(upstream.read_head().starts_with("CONNECT b.example:443 HTTP/1.1\r\n"));
  upstream.send("HTTP/1.1 200 OK\r\n\r\nhello");
  client.wait_until("the grant", [&] { return tunnel.body == "hello"; });
  EXPECT_EQ(tunnel.status, 200);
  client.send_body(tunnel, "bytes", EndStream::kNo);
  EXPECT_EQ(upstream.read(5), "bytes");
  client.reset(tunnel);
  EXPECT_TRUE(upstream.closed());
}

}  // namespace
}  // namespace weir::test
