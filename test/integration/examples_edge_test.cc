// Files of config/ for everything beyond plain HTTP listeners: TLS, HTTP/2, tunnels, TCP, filter chains, names of hosts. One test per
// file, named after it; examples_test.cc has the others.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "net/proxy_header.h"
#include "support/examples.h"
#include "support/h2_peer.h"

namespace weir::test {
namespace {

TEST_F(Examples, discovery_files) {
  start("discovery_files");
  Peer client = proxy_->connect();
  EXPECT_EQ(exchange(client, "/").header("x-upstream"), "one");
  std::string text = text_of(folder_.path() + "/eds.yaml");
  replace_all(text, std::to_string(upstream_.port()), std::to_string(other_.port()));
  folder_.write("eds.yaml", text);
  proxy_->wait_for_generation(2);
  EXPECT_EQ(exchange(client, "/").header("x-upstream"), "two");
}

TEST_F(Examples, dns) {
  start("dns");
  EXPECT_EQ(ask("/").header("x-upstream"), "one");
  EXPECT_EQ(ask("/service").header("x-upstream"), "two");
  EXPECT_EQ(ask("/logical").header("x-upstream"), "two");
  const std::string shown = proxy_->admin("/clusters");
  EXPECT_TRUE(says(
      shown, "strict::127.0.0.1:" + std::to_string(upstream_.port()) + "::hostname::localhost\n"));
  EXPECT_EQ(proxy_->counter("cluster.logical.update_success"), 1u);
}

TEST_F(Examples, filter_chains) {
  start("filter_chains");
  EXPECT_EQ(ask("/").body, "offices only\n");
  Peer office = proxy_->connect();
  office.send("PROXY TCP4 10.1.2.3 127.0.0.1 4000 10000\r\n");
  EXPECT_EQ(exchange(office, "/").header("x-upstream"), "one");
  Peer other = proxy_->connect();
  other.send("SSH-2.0-client\r\n");
  EXPECT_TRUE(other.closed());
  EXPECT_TRUE(says(proxy_->admin("/stats"), "no_filter_chain_match: 1\n"));
}

TEST_F(Examples, listeners) {
  std::string text = example("listeners");
  // Not every machine that runs tests has IPv6.
  const int six = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 local{};
  local.sin6_family = AF_INET6;
  local.sin6_addr = in6addr_loopback;
  const bool has_six =
      six >= 0 && ::bind(six, reinterpret_cast<const sockaddr*>(&local), sizeof local) == 0;
  if (six >= 0) ::close(six);
  if (!has_six) replace_all(text, "\"::1\"", "127.0.0.1");
  start_text(text);
  Peer::Message answer = ask("/hello", "", "GET", "", "ingress");
  EXPECT_EQ(answer.status(), 200);
  EXPECT_TRUE(says(answer.body, "x-request-id: "));
  answer = ask("/", "", "GET", "", "status");
  EXPECT_EQ(answer.body, "up\n");
  EXPECT_FALSE(answer.has("server"));
  if (!has_six) {
    EXPECT_EQ(ask("/", "", "GET", "", "six").body, "six\n");
  } else {
    local.sin6_port = htons(proxy_->port("six"));
    const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&local), sizeof local), 0);
    Peer client(fd);
    EXPECT_EQ(exchange(client, "/").body, "six\n");
  }
  EXPECT_TRUE(says(proxy_->admin("/stats?filter=listener.public"), "downstream_cx_total: 1\n"));
}

TEST_F(Examples, grpc_web) {
  start("grpc_web");
  const std::string origin = "origin: https://app.example.com\r\n";
  const Peer::Message preflight =
      ask("/helloworld.Greeter/SayHello", origin + "access-control-request-method: POST\r\n",
          "OPTIONS");
  EXPECT_EQ(preflight.header("access-control-allow-methods"), "POST");
  // The test's upstream echoes the type, so that its answer is taken for gRPC's.
  const Peer::Message answer = ask(
      "/helloworld.Greeter/SayHello",
      origin + "content-type: application/grpc-web-text\r\naccept: application/grpc-web-text\r\n",
      "POST", "AAAAAAA=");
  EXPECT_EQ(answer.header("content-type"), "application/grpc-web-text+proto");
  EXPECT_EQ(answer.header("access-control-expose-headers"), "grpc-status, grpc-message");
  EXPECT_EQ(
      proxy_->counter("cluster.upstream.grpc.helloworld.Greeter.SayHello.request_message_count"),
      1u);
}

TEST_F(Examples, original_dst) {
  start("original_dst");
  const std::string other = "127.0.0.1:" + std::to_string(other_.port());
  EXPECT_EQ(
      ask("/", "host: a.test\r\nx-envoy-original-dst-host: " + other + "\r\n").header("x-upstream"),
      "two");
  EXPECT_TRUE(
      says(proxy_->admin("/clusters"), "where_it_was_meant_to_go::" + other + "::rq_total::1\n"));
  const Peer::Message nowhere = ask("/");
  EXPECT_EQ(nowhere.status(), 503);
  EXPECT_EQ(nowhere.body, "no healthy upstream");
}

TEST_F(Examples, proxy_protocol) {
  start("proxy_protocol");
  Peer client = proxy_->connect("ingress");
  client.send("PROXY TCP4 192.0.2.7 127.0.0.1 4000 10000\r\n");
  EXPECT_TRUE(says(exchange(client, "/").body, "x-forwarded-for: 192.0.2.7\r\n"));
  Peer status = proxy_->connect("ingress");
  status.send("PROXY TCP4 192.0.2.7 192.0.2.1 4000 8443\r\n");
  EXPECT_EQ(exchange(status, "/").body, "up\n");
  Peer without = proxy_->connect("ingress");
  without.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  EXPECT_TRUE(without.closed());
}

TEST_F(Examples, upstream_proxy_protocol) {
  std::string text = example("upstream_proxy_protocol");
  Origin web, database;
  replace_all(text, "port_value: " + std::to_string(upstream_.port()),
              "port_value: " + std::to_string(web.port()));
  replace_all(text, "port_value: " + std::to_string(other_.port()),
              "port_value: " + std::to_string(database.port()));
  start_text(text);
  Peer browser = proxy_->connect("web");
  browser.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  Peer server = web.accept();
  EXPECT_TRUE(server.read_head().starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 "));
  server.send(response("page"));
  EXPECT_EQ(browser.read_message().body, "page");
  Peer client = proxy_->connect("database");
  const auto source = net::Address::ip("192.0.2.7", 4000).value();
  const auto destination = net::Address::ip("192.0.2.1", 5432).value();
  client.send(net::proxy_header_v2(source, destination, {{234, "vpc-1"}, {5, "id"}}) + "select");
  const std::string wanted =
      net::proxy_header_v2(source, destination, {{224, "weir"}, {234, "vpc-1"}}) + "select";
  EXPECT_EQ(database.accept().read(wanted.size()), wanted);
}

TEST_F(Examples, websocket) {
  std::string text = example("websocket");
  Origin origin;
  replace_all(text, "port_value: " + std::to_string(upstream_.port()),
              "port_value: " + std::to_string(origin.port()));
  start_text(text);
  const std::string upgrade = "connection: upgrade\r\nupgrade: websocket\r\n";
  EXPECT_EQ(ask("/other", upgrade).status(), 403);
  Peer client = proxy_->connect();
  client.send("GET /chat HTTP/1.1\r\nhost: a.test\r\n" + upgrade + "\r\n");
  Peer upstream = origin.accept();
  upstream.read_head();
  upstream.send(
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n"
      "upgrade: websocket\r\n\r\nhello");
  client.read_head();
  EXPECT_EQ(client.read(5), "hello");
  client.send("bye");
  EXPECT_EQ(upstream.read(3), "bye");
}

TEST_F(Examples, connect) {
  start("connect");
  Peer client = proxy_->connect();
  client.send("CONNECT other.example:443 HTTP/1.1\r\nhost: other.example:443\r\n\r\n");
  EXPECT_EQ(client.read_message().status(), 404);
  Peer second = proxy_->connect();
  second.send("CONNECT db.example:5432 HTTP/1.1\r\nhost: db.example:5432\r\n\r\n");
  // The origin answers with the head that it was sent.
  EXPECT_TRUE(second.read_head().starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(second.read(33), "CONNECT db.example:5432 HTTP/1.1\r");
  Peer third = proxy_->connect();
  third.send("CONNECT mail.example:25 HTTP/1.1\r\nhost: mail.example:25\r\n\r\n");
  EXPECT_TRUE(third.read_head().starts_with("HTTP/1.1 200 "));
  third.send("GET /plain HTTP/1.1\r\nhost: x\r\n\r\n");
  EXPECT_EQ(third.read_message().header("x-upstream"), "two");
}

TEST_F(Examples, unix_socket) {
  start("unix_socket");
  const std::string path = folder_.path() + "/weir-example.sock";
  EXPECT_EQ(std::filesystem::status(path).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  Peer client(fd);
  const Peer::Message answer = exchange(client, "/");
  EXPECT_EQ(answer.body, "Hello from the upstream.\n");
  EXPECT_EQ(answer.header("x-upstream"), "unix");
}

TEST_F(Examples, tcp) {
  start("tcp");
  Peer client = proxy_->connect();
  EXPECT_EQ(exchange(client, "/through").status(), 200);  // bytes, whatever they mean
  client.half_close();
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(says(proxy_->admin("/stats?filter=tcp"), "tcp.database.downstream_cx_total: 1"));
  client.close();
  proxy_->wait_for("no connection", [this] {
    return proxy_->gauge("connection_limit.database.active_connections") == 0;
  });
  Peer behind = proxy_->connect();
  behind.send("PROXY TCP4 10.1.2.3 127.0.0.1 4000 10000\r\n");
  EXPECT_EQ(exchange(behind, "/through").status(), 200);
  Peer stranger = proxy_->connect();
  stranger.send("PROXY TCP4 192.0.2.1 127.0.0.1 4000 10000\r\n");
  EXPECT_TRUE(stranger.closed());
  EXPECT_TRUE(says(proxy_->admin("/stats?filter=no_filter_chain_match"), ": 1\n"));
  behind.close();
  proxy_->wait_for("no connection again", [this] {
    return proxy_->gauge("connection_limit.database.active_connections") == 0;
  });
  proxy_.reset();  // writes what is left
  const std::string log = text_of(folder_.path() + "/weir-database.log");
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2) << log;
  EXPECT_TRUE(says(log, " - ")) << log;
  EXPECT_TRUE(says(log, "] 10.1.2.3:4000 127.0.0.1:")) << log;
}

TEST_F(Examples, tunnel) {
  std::string text = example("tunnel");
  const auto lead_to = [&text](uint16_t port) {
    const size_t at = text.find("port_value: ", text.find("cluster_name: far"));
    text.replace(at, text.find(' ', at + 12) - at, "port_value: " + std::to_string(port));
  };
  lead_to(upstream_.port());
  start_text(text);
  lead_to(proxy_->port("far"));
  proxy_->write_config(text);
  proxy_->wait_for_generation(2);
  Peer client = proxy_->connect("near");
  EXPECT_EQ(exchange(client, "/through").header("x-upstream"), "one");
  client.half_close();
  EXPECT_TRUE(client.closed());
  Peer second = proxy_->connect("near");
  EXPECT_EQ(exchange(second, "/through").status(), 200);
  EXPECT_EQ(proxy_->counter("cluster.far.upstream_cx_total"), 1u);
  EXPECT_EQ(proxy_->counter("http.far.downstream_cx_upgrades_total"), 2u);
  Peer stranger = proxy_->connect("far");
  stranger.send("CONNECT other.example:22 HTTP/1.1\r\nhost: other.example:22\r\n\r\n");
  EXPECT_EQ(stranger.read_message().status(), 404);
}

TEST_F(Examples, http2) {
  AutoH2Origin origin(
      [](H2Origin& self, H2Request& request) { self.respond(request, 200, request.head.path()); });
  std::string text = example("http2");
  replace_all(text, std::to_string(upstream_.port()), std::to_string(origin.port()));
  start_text(text);
  H2Client client(proxy_->connect());
  EXPECT_EQ(client.get("/both").body, "/both");
  EXPECT_EQ(ask("/up").body, "/up");
  EXPECT_EQ(proxy_->counter("cluster.upstream.upstream_cx_http2_total"), 1u);
}

TEST_F(Examples, grpc) {
  AutoH2Origin origin([](H2Origin& self, H2Request& request) {
    if (request.head.path() == "/s/Slow") return;  // never answers
    self.send_head(request, 200, EndStream::kNo, {{"content-type", "application/grpc"}});
    self.send_body(request, "deadline " + request.header("grpc-timeout"), EndStream::kNo);
    self.send_trailers(request, {{"grpc-status", "0"}});
  });
  std::string text = example("grpc");
  replace_all(text, std::to_string(upstream_.port()), std::to_string(origin.port()));
  start_text(text);
  H2Client client(proxy_->connect());
  const auto call = [&client](std::string_view path, const std::string& timeout) -> H2Exchange& {
    H2Exchange& exchange = client.start(
        "POST", path, EndStream::kYes,
        {{"content-type", "application/grpc"}, {"te", "trailers"}, {"grpc-timeout", timeout}});
    client.wait(exchange);
    return exchange;
  };
  H2Exchange& good = call("/s/Quick", "2M");
  EXPECT_EQ(good.body, "deadline 60000m");
  EXPECT_EQ(good.trailer("grpc-status"), "0");
  H2Exchange& late = call("/s/Slow", "30m");
  EXPECT_EQ(late.status, 200);
  EXPECT_EQ(late.header("grpc-status"), "4");
}

/// A CA and certificates as the comments of an example have them made.
void make_certs(const std::string& folder, const std::string& names = "") {
  const std::string command =
      source_path("tools/make_certs") + " " + folder + " " + names + " >/dev/null";
  ASSERT_EQ(std::system(command.c_str()), 0);
}

CertificatePem certificate_in(const std::string& folder, const std::string& name) {
  return {text_of(folder + "/" + name + ".crt"), text_of(folder + "/" + name + ".key")};
}

TEST_F(Examples, edge) {
  NEEDS_FILTER("add_header");
  const std::string certs = folder_.path() + "/weir-certs";
  make_certs(certs);
  Origin secure;
  std::string text = example("edge");
  replace_all(text, "port_value: " + std::to_string(other_.port()),
              "port_value: " + std::to_string(secure.port()));
  start_text(text);
  const Peer::Message redirect = ask("/hello?x=1", "host: a.example.com\r\n", "GET", "", "http");
  EXPECT_EQ(redirect.status(), 301);
  EXPECT_EQ(redirect.header("location"), "https://a.example.com:10001/hello?x=1");

  TlsSide client;
  client.ca = text_of(certs + "/ca.crt");
  client.sni = "b.example.com";
  client.alpn = {"http/1.1"};
  Peer b = proxy_->connect("https");
  b.start_tls(PeerTls::Role::kClient, client);
  Peer::Message answer = exchange(b, "/", "host: b.example.com\r\n");
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.header("x-weir-filter"), "edge");
  EXPECT_TRUE(says(answer.body, "x-forwarded-proto: https\r\n")) << answer.body;

  // HTTP/2 down, HTTP/2 with TLS up.
  client.sni = "a.example.com";
  client.alpn = {"h2", "http/1.1"};
  Peer a = proxy_->connect("https");
  a.start_tls(PeerTls::Role::kClient, client);
  EXPECT_EQ(a.tls().peer_name(), "a.example.com");
  H2Client h2(std::move(a));
  H2Exchange& call = h2.start("GET", "/x", EndStream::kYes, {}, "a.example.com");
  Peer socket = secure.accept();
  TlsSide server;
  server.certificate = certificate_in(certs, "a.example.com");
  server.alpn = {"h2"};
  std::thread upstream([&socket, &server] {
    socket.start_tls(PeerTls::Role::kServer, server);
    H2Origin origin(std::move(socket));
    H2Request& request = origin.next();
    origin.respond(request, 200, "by h2");
  });
  h2.wait(call);
  upstream.join();
  EXPECT_EQ(call.status, 200);
  EXPECT_EQ(call.body, "by h2");
  EXPECT_EQ(call.header("x-weir-filter"), "edge");

  // New certificates are served to new clients; the open connection stays.
  const std::string before = proxy_->admin("/certs");
  make_certs(certs);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (proxy_->admin("/certs") == before && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  EXPECT_NE(proxy_->admin("/certs"), before);
  EXPECT_EQ(exchange(b, "/", "host: b.example.com\r\n").status(), 200);
}

TEST_F(Examples, tls) {
  const std::string certs = folder_.path() + "/weir-certs";
  make_certs(certs);
  TlsSide origin;
  origin.certificate = certificate_in(certs, "a.example.com");
  other_.use_tls(origin);
  start("tls");
  TlsSide client;
  client.ca = text_of(certs + "/ca.crt");
  client.sni = "b.example.com";
  Peer peer = proxy_->connect("public");
  peer.start_tls(PeerTls::Role::kClient, client);
  EXPECT_EQ(peer.tls().peer_name(), "b.example.com");
  EXPECT_TRUE(says(exchange(peer, "/").body, "x-forwarded-proto: https\r\n"));
  client.certificate = certificate_in(certs, "client");
  Peer partner = proxy_->connect("partners");
  partner.start_tls(PeerTls::Role::kClient, client);
  const Peer::Message answer = exchange(partner, "/", "x-forwarded-client-cert: By=me\r\n");
  EXPECT_TRUE(says(answer.body, ";DNS=client;DNS=localhost\r\n")) << answer.body;
  EXPECT_FALSE(says(answer.body, "By=me"));
  EXPECT_TRUE(says(proxy_->admin("/certs"), certs + "/a.example.com.rsa.crt"));
}

TEST_F(Examples, tls_upstream) {
  const std::string certs = folder_.path() + "/weir-certs";
  make_certs(certs);
  std::string text = example("tls_upstream");
  // Elsewhere this port is an upstream's.
  replace_all(text, "port_value: " + std::to_string(other_.port()), "port_value: 0");
  start_text(text);
  TlsSide client;
  client.ca = text_of(certs + "/ca.crt");
  client.sni = "a.example.com";
  client.alpn = {"h2"};
  Peer peer = proxy_->connect();
  peer.start_tls(PeerTls::Role::kClient, client);
  H2Client h2(std::move(peer));
  H2Exchange& call = h2.start("GET", "/", EndStream::kYes, {}, "a.example.com");
  h2.wait(call);
  EXPECT_EQ(call.status, 200);
  EXPECT_EQ(call.body, "Hello over TLS.\n");
}

TEST_F(Examples, sidecar) {
  const std::string certs = folder_.path() + "/weir-certs";
  make_certs(certs, "spiffe://cluster.local/ns/default/sa/web");
  std::string text = example("sidecar");
  // The application; in a pod the listeners of services share its address with it.
  replace_all(text, "127.0.0.1, port_value: 8080 ",
              "127.0.0.1, port_value: " + std::to_string(upstream_.port()) + " ");
  replace_all(text, "address: web.default.svc.cluster.local", "address: localhost");
  // Nothing redirects here: connections are to the listener's own port.
  replace_all(text, "destination_port: 8080, ", "");
  replace_all(text, "        destination_port: 8080\n", "");
  start_text(text);
  EXPECT_TRUE(says(ask("/", "host: web\r\n", "GET", "", "inbound").body, "host: web\r\n"));

  TlsSide client;
  client.ca = text_of(certs + "/ca.crt");
  client.certificate = certificate_in(certs, "web");
  client.alpn = {"weir-mesh"};
  Peer peer = proxy_->connect("inbound");
  peer.start_tls(PeerTls::Role::kClient, client);
  H2Client h2(std::move(peer));
  H2Exchange& call = h2.start("GET", "/", EndStream::kYes, {}, "web");
  h2.wait(call);
  EXPECT_EQ(call.status, 200);
  EXPECT_TRUE(says(call.body, "URI=spiffe://cluster.local/ns/default/sa/web")) << call.body;
}

}  // namespace
}  // namespace weir::test
