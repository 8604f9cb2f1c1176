// The PROXY protocol towards upstreams: who is named, on which connections, and what of the client's own header goes on.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/proxy_header.h"
#include "support/h2_peer.h"
#include "support/listener_yaml.h"
#include "support/network_yaml.h"
#include "support/tls_yaml.h"

namespace weir::test {
namespace {

constexpr std::string_view kRawSocket =
    "{name: raw, typed_config: {\"@type\": "
    "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}";

/// A field transport_socket; `inner` is the socket that it stands around.
std::string proxy_socket(const std::string& config, std::string_view inner = kRawSocket) {
  return "transport_socket: {name: envoy.transport_sockets.upstream_proxy_protocol, typed_config: "
         "{\"@type\": type.googleapis.com/envoy.extensions.transport_sockets.proxy_protocol.v3."
         "ProxyProtocolUpstreamTransport, config: {" +
         config + "}, transport_socket: " + std::string(inner) + "}}\n";
}
/// upstream_tls() and the like as the value alone.
std::string value_of(const std::string& field) {
  const std::string value = field.substr(field.find(": ") + 2);
  return value.substr(0, value.size() - 1);
}

std::string port_of(const Peer& client, int (*call)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  call(client.fd(), reinterpret_cast<sockaddr*>(&storage), &size);
  return std::to_string(
      net::Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), size).port());
}
/// The header of version 1 that names this client of the proxy.
std::string header_of(const Peer& client) {
  return "PROXY TCP4 127.0.0.1 127.0.0.1 " + port_of(client, &::getsockname) + " " +
         port_of(client, &::getpeername) + "\r\n";
}
std::string read_header(Peer& origin, const Peer& client) {
  return origin.read(header_of(client).size());
}
/// From the socket itself and not a byte further: what comes next is of another protocol.
std::string read_exactly(const Peer& peer, size_t size) {
  std::string bytes(size, 0);
  const ssize_t n = ::recv(peer.fd(), bytes.data(), size, MSG_WAITALL);
  bytes.resize(n < 0 ? 0 : static_cast<size_t>(n));
  return bytes;
}
net::Address ip(std::string_view text, uint16_t port) {
  return net::Address::ip(text, port).value();
}

/// One GET whose answer is `body`, over an upstream connection whose header has been read.
void exchange(Peer& client, Peer& origin, std::string_view body) {
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  origin.read_head();
  origin.send(response(body));
  EXPECT_EQ(client.read_message().body, body);
}

class UpstreamProxyProtocol : public ::testing::Test {
 protected:
  TestProxy& start_tcp(const std::string& socket, const std::string& listener = "") {
    NetworkYaml yaml{network_filter("tcp_proxy.v3.TcpProxy", "stat_prefix: db\ncluster: origin\n"),
                     static_cluster("origin", {origin_.port()}, socket), listener};
    proxy_ = std::make_unique<TestProxy>(yaml.text());
    return *proxy_;
  }
  TestProxy& start_http(const std::string& cluster, TestProxy::Options options = {}) {
    Yaml yaml;
    yaml.origin_port = origin_.port();
    yaml.cluster = cluster;
    proxy_ = std::make_unique<TestProxy>(yaml.text(), options);
    return *proxy_;
  }
  /// A header of version 2 from the front of what the origin receives.
  static net::ProxyHeader read_version2(Peer& origin) {
    std::string bytes = origin.read(16);
    const auto high = static_cast<unsigned char>(bytes[14]);
    const auto low = static_cast<unsigned char>(bytes[15]);
    bytes += origin.read(size_t{high} << 8 | low);
    net::ProxyHeader header;
    EXPECT_EQ(net::parse_proxy_header(bytes, header), net::ProxyParse::kDone);
    return header;
  }

  Origin origin_;
  std::unique_ptr<TestProxy> proxy_;
};

TEST_F(UpstreamProxyProtocol, TcpBeginsWithTheHeader) {
  start_tcp(proxy_socket(""));
  Peer client = proxy_->connect();
  Peer origin = origin_.accept();
  // Before the client has said anything: the server may speak first.
  EXPECT_EQ(read_header(origin, client), header_of(client));
  origin.send("220 hello");
  EXPECT_EQ(client.read(9), "220 hello");
  client.send("question");
  EXPECT_EQ(origin.read(8), "question");
}

TEST_F(UpstreamProxyProtocol, TcpPassesTlvsThrough) {
  start_tcp(proxy_socket("version: V2, added_tlvs: [{type: 224, value: d2Vpcg==}], "
                         "pass_through_tlvs: {match_type: INCLUDE, tlv_type: [234, 5]}"),
            "listener_filters:\n- " +
                listener_filter("proxy_protocol", "ProxyProtocol", "pass_through_tlvs: {}"));
  Peer client = proxy_->connect();
  client.send(net::proxy_header_v2(ip("2001:db8::1", 7), ip("2001:db8::2", 443),
                                   {{0xea, "blue"}, {0x01, "h2"}, {0x05, "id"}}) +
              "question");
  Peer origin = origin_.accept();
  const net::ProxyHeader header = read_version2(origin);
  EXPECT_EQ(header.source, ip("2001:db8::1", 7));
  EXPECT_EQ(header.destination, ip("2001:db8::2", 443));
  const std::vector<net::ProxyTlv> tlvs{{0xe0, "weir"}, {0xea, "blue"}, {0x05, "id"}};
  EXPECT_EQ(header.tlvs, tlvs);
  EXPECT_EQ(origin.read(8), "question");
}

TEST_F(UpstreamProxyProtocol, OnlyWhatTheListenerTakesIsPassedThrough) {
  start_tcp(proxy_socket("version: V2, pass_through_tlvs: {}"),
            "listener_filters:\n- " +
                listener_filter("proxy_protocol", "ProxyProtocol",
                                "pass_through_tlvs: {match_type: INCLUDE, tlv_type: [234]}"));
  Peer client = proxy_->connect();
  client.send(
      net::proxy_header_v2(ip("10.1.2.3", 7), ip("10.0.0.1", 443), {{0xea, "blue"}, {0x05, "id"}}));
  Peer origin = origin_.accept();
  EXPECT_EQ(read_version2(origin).tlvs, (std::vector<net::ProxyTlv>{{0xea, "blue"}}));
}

TEST_F(UpstreamProxyProtocol, TlvsThatDoNotFitAreCounted) {
  start_tcp(proxy_socket("version: V2, added_tlvs: [{type: 224, value: " + std::string(1336, 'A') +
                         "}], pass_through_tlvs: {}"),
            "listener_filters:\n- " +
                listener_filter("proxy_protocol", "ProxyProtocol", "pass_through_tlvs: {}"));
  Peer client = proxy_->connect();
  client.send(net::proxy_header_v2(ip("10.1.2.3", 7), ip("10.0.0.1", 443),
                                   {{0xea, std::string(65000, 'x')}}) +
              "question");
  Peer origin = origin_.accept();
  const net::ProxyHeader header = read_version2(origin);
  EXPECT_EQ(header.tlvs, (std::vector<net::ProxyTlv>{{0xe0, std::string(1002, '\0')}}));
  EXPECT_EQ(origin.read(8), "question");
  EXPECT_EQ(proxy_->counter("cluster.origin.upstream.proxyprotocol.v2_tlvs_exceed_max_length"), 1u);
}

TEST_F(UpstreamProxyProtocol, ClientsShareNoConnection) {
  start_http(proxy_socket(""));
  Peer a = proxy_->connect(), b = proxy_->connect();
  a.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer of_a = origin_.accept();
  EXPECT_EQ(read_header(of_a, a), header_of(a));
  of_a.read_head();
  of_a.send(response("first"));
  EXPECT_EQ(a.read_message().body, "first");
  // A connection is idle, but it is the other client's.
  b.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer of_b = origin_.accept();
  EXPECT_EQ(read_header(of_b, b), header_of(b));
  of_b.read_head();
  of_b.send(response("second"));
  EXPECT_EQ(b.read_message().body, "second");
  for (int i = 0; i < 3; ++i) {
    exchange(a, of_a, "a");
    exchange(b, of_b, "b");
  }
  EXPECT_EQ(proxy_->counter("cluster.origin.upstream_cx_total"), 2u);
}

TEST_F(UpstreamProxyProtocol, AConnectionGoesWithItsClient) {
  start_http(proxy_socket(""));
  Peer client = proxy_->connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer origin = origin_.accept();
  EXPECT_EQ(read_header(origin, client), header_of(client));
  origin.read_head();
  origin.send(response("ok"));
  EXPECT_EQ(client.read_message().body, "ok");
  client.close();
  EXPECT_TRUE(origin.closed());
  proxy_->wait_for("no connection is left",
                   [this] { return proxy_->gauge("cluster.origin.upstream_cx_active") == 0; });
}

TEST_F(UpstreamProxyProtocol, TheClientsOwnHeaderIsPassedOn) {
  Yaml yaml;
  yaml.origin_port = origin_.port();
  yaml.cluster = proxy_socket("version: V2, pass_through_tlvs: {}");
  yaml.listener = "listener_filters:\n- " +
                  listener_filter("proxy_protocol", "ProxyProtocol", "pass_through_tlvs: {}") +
                  "\n";
  TestProxy proxy(yaml.text());
  // Of the same client by address, but not by what else is said of it.
  for (const char* tenant : {"blue", "green"}) {
    Peer client = proxy.connect();
    client.send(net::proxy_header_v2(ip("10.1.2.3", 7), ip("10.0.0.1", 443), {{0xea, tenant}}) +
                "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    Peer origin = origin_.accept();
    const net::ProxyHeader header = read_version2(origin);
    EXPECT_EQ(header.source, ip("10.1.2.3", 7));
    EXPECT_EQ(header.tlvs, (std::vector<net::ProxyTlv>{{0xea, tenant}}));
    origin.read_head();
    origin.send(response("ok"));
    EXPECT_EQ(client.read_message().body, "ok");
  }
}

TEST_F(UpstreamProxyProtocol, TheHeaderPrecedesTheHandshake) {
  TempFolder folder;
  TestCa ca;
  folder.write_renamed("ca.pem", ca.pem());
  TlsSide side;
  side.certificate = ca.issue("DNS:origin.test");
  start_http(proxy_socket("", value_of(upstream_tls(trusting(folder), "sni: origin.test"))));
  Peer client = proxy_->connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer origin = origin_.accept();
  EXPECT_EQ(read_exactly(origin, header_of(client).size()), header_of(client));
  origin.start_tls(PeerTls::Role::kServer, side);
  origin.read_head();
  origin.send(response("secret"));
  EXPECT_EQ(client.read_message().body, "secret");
  exchange(client, origin, "again");
  EXPECT_EQ(proxy_->counter("cluster.origin.ssl.handshake"), 1u);
}

TEST_F(UpstreamProxyProtocol, Http2ConnectionsAreOfOneClientToo) {
  start_http(proxy_socket("") +
             http_protocol_options("explicit_http_config: {http2_protocol_options: {}}"));
  Peer first = proxy_->connect(), second = proxy_->connect();
  const std::string of_first = header_of(first), of_second = header_of(second);
  H2Client a(std::move(first)), b(std::move(second));
  H2Exchange& one = a.start("GET", "/1");
  Peer raw_a = origin_.accept();
  EXPECT_EQ(read_exactly(raw_a, of_first.size()), of_first);
  H2Origin origin_a(std::move(raw_a));
  H2Exchange& two = b.start("GET", "/2");
  Peer raw_b = origin_.accept();
  EXPECT_EQ(read_exactly(raw_b, of_second.size()), of_second);
  H2Origin origin_b(std::move(raw_b));
  H2Exchange& three = a.start("GET", "/3");
  origin_a.respond(origin_a.next(), 200, "1");
  origin_a.respond(origin_a.next(), 200, "3");
  origin_b.respond(origin_b.next(), 200, "2");
  a.wait(one);
  a.wait(three);
  b.wait(two);
  EXPECT_EQ(one.body + two.body + three.body, "123");
  EXPECT_EQ(proxy_->counter("cluster.origin.upstream_cx_total"), 2u);
}

TEST_F(UpstreamProxyProtocol, AnEditOfTheHeaderIsForNewConnections) {
  start_http(proxy_socket(""), {.from_file = true});
  Peer client = proxy_->connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer first = origin_.accept();
  EXPECT_EQ(read_header(first, client), header_of(client));
  first.read_head();
  first.send(response("first"));
  EXPECT_EQ(client.read_message().body, "first");
  Yaml yaml;
  yaml.origin_port = origin_.port();
  yaml.cluster = proxy_socket("version: V2");
  proxy_->write_config(yaml.text());
  proxy_->wait_for_generation(2);
  EXPECT_TRUE(first.closed());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer second = origin_.accept();
  EXPECT_EQ(read_version2(second).source.port(), std::stoi(port_of(client, &::getsockname)));
  second.read_head();
  second.send(response("second"));
  EXPECT_EQ(client.read_message().body, "second");
}

}  // namespace
}  // namespace weir::test
