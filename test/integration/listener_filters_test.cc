// Listener filters: what they see of a connection, and what of it others learn.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "net/proxy_header.h"
#include "support/listener_yaml.h"
#include "support/test_proxy.h"
#include "unit/proxy/listener_filters/client_hello_builder.h"

namespace weir::test {
namespace {

using proxy::test::hello_message;
using proxy::test::in_records;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

std::string stat_name(TestProxy& proxy, std::string_view rest) {
  return "listener.127.0.0.1_" + std::to_string(proxy.port("main")) + "." + std::string(rest);
}
std::string answer(Peer& client) {
  try {
    return client.read_message().body;
  } catch (const std::exception&) {
    return "closed";
  }
}
/// Sends byte by byte, each in a segment of its own.
void trickle(Peer& client, std::string_view bytes) {
  const int one = 1;
  ::setsockopt(client.fd(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  for (const char c : bytes) client.send(std::string_view(&c, 1));
}

// ---- inspectors -----------------------------------------------------------------------------------------------------------

TEST(HttpInspector, TellsVersionsApartAndNothingIsLost) {
  ListenerYaml yaml;  // no inspector is configured: the chains bring theirs
  yaml.chains = {answering_chain("one", "application_protocols: [http/1.1]"),
                 answering_chain("old", "application_protocols: [http/1.0]", {},
                                 "http_protocol_options: {accept_http_10: true}, ")};
  TestProxy proxy(bootstrap_of({yaml}));
  Peer one = proxy.connect();
  trickle(one, kGet);
  EXPECT_EQ(answer(one), "one");
  Peer old = proxy.connect();
  old.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  EXPECT_EQ(answer(old), "old");
  Peer other = proxy.connect();
  other.send("SSH-2.0-x\r\n");
  EXPECT_TRUE(other.closed());
  EXPECT_EQ(proxy.counter(stat_name(proxy, "http_inspector.http11_found")), 1u);
  EXPECT_EQ(proxy.counter(stat_name(proxy, "http_inspector.http10_found")), 1u);
  EXPECT_EQ(proxy.counter(stat_name(proxy, "http_inspector.http_not_found")), 1u);
  EXPECT_EQ(proxy.counter(stat_name(proxy, "no_filter_chain_match")), 1u);
}

TEST(TlsInspector, NamesAndProtocolsChooseTheChainWithoutTerminating) {
  ListenerYaml yaml;
  yaml.chains = {
      answering_chain("a", "server_names: [a.example]"),
      answering_chain("any", "server_names: [\"*.example\"], application_protocols: [h2]"),
      answering_chain("plain", "transport_protocol: raw_buffer")};
  TestProxy proxy(bootstrap_of({yaml}));
  // The chains speak no TLS: a ClientHello is no request, and which of them says so is in its statistics.
  Peer a = proxy.connect();
  trickle(a, in_records(hello_message("A.example", {}), 7));
  EXPECT_EQ(a.read_message().status(), 400);
  EXPECT_EQ(proxy.counter("http.a.downstream_cx_protocol_error"), 1u);
  Peer any = proxy.connect();
  any.send(in_records(hello_message("b.example", {"h2"})));
  EXPECT_EQ(any.read_message().status(), 400);
  EXPECT_EQ(proxy.counter("http.any.downstream_cx_protocol_error"), 1u);
  Peer plain = proxy.connect();
  plain.send(kGet);
  EXPECT_EQ(answer(plain), "plain");
  Peer none = proxy.connect();
  none.send(in_records(hello_message("b.example", {})));
  EXPECT_TRUE(none.closed());
  EXPECT_EQ(proxy.counter(stat_name(proxy, "tls_inspector.tls_found")), 3u);
  EXPECT_EQ(proxy.counter(stat_name(proxy, "tls_inspector.tls_not_found")), 1u);
  EXPECT_EQ(proxy.counter(stat_name(proxy, "tls_inspector.sni_found")), 3u);
  EXPECT_EQ(proxy.counter(stat_name(proxy, "tls_inspector.alpn_found")), 1u);
}

TEST(TlsInspector, AHelloAboveTheLimitIsClosed) {
  ListenerYaml yaml;
  yaml.filters = {listener_filter("tls_inspector", "TlsInspector", "max_client_hello_size: 1000")};
  TestProxy proxy(bootstrap_of({yaml}));
  Peer client = proxy.connect();
  client.send(in_records(hello_message("a", {}, 5000)).substr(0, 20));
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(proxy.counter(stat_name(proxy, "tls_inspector.client_hello_too_large")), 1u);
}

// ---- time -------------------------------------------------------------------------------------------------------------------

TEST(ListenerFiltersTimeout, ClosesWhoSaysNothing) {
  ListenerYaml yaml;
  yaml.filters = {listener_filter("tls_inspector", "TlsInspector")};
  yaml.fields = "  listener_filters_timeout: 0.02s\n";
  TestProxy proxy(bootstrap_of({yaml}));
  Peer client = proxy.connect();
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(proxy.counter(stat_name(proxy, "downstream_pre_cx_timeout")), 1u);
  proxy.wait_for("no connection is inspected any more",
                 [&] { return proxy.gauge(stat_name(proxy, "downstream_pre_cx_active")) == 0; });
}

TEST(ListenerFiltersTimeout, MayGoOnWithWhatIsKnown) {
  ListenerYaml yaml;
  yaml.filters = {listener_filter("tls_inspector", "TlsInspector")};
  yaml.fields = "  listener_filters_timeout: 0.02s\n  continue_on_listener_filters_timeout: true\n";
  TestProxy proxy(bootstrap_of({yaml}));
  Peer client = proxy.connect();
  proxy.wait_for("the inspection is over",
                 [&] { return proxy.counter(stat_name(proxy, "downstream_pre_cx_timeout")) == 1; });
  client.send(kGet);
  EXPECT_EQ(answer(client), "only");
}

TEST(ListenerFilters, AClientThatLeavesDuringInspectionLeavesNothing) {
  ListenerYaml yaml;
  yaml.filters = {listener_filter("tls_inspector", "TlsInspector")};
  TestProxy proxy(bootstrap_of({yaml}));
  const auto active = [&] { return proxy.gauge(stat_name(proxy, "downstream_pre_cx_active")); };
  Peer half = proxy.connect(), reset = proxy.connect(), silent = proxy.connect();
  half.send("\x16\x03");
  reset.send("\x16");
  proxy.wait_for("all are inspected", [&] { return active() == 3; });
  half.half_close();
  EXPECT_TRUE(half.closed());
  reset.reset();
  silent.close();
  proxy.wait_for("all are gone", [&] { return active() == 0; });
}

// ---- PROXY protocol -----------------------------------------------------------------------------------------------------------

constexpr const char* kSays =
    "access_log: [{name: f, typed_config: {\"@type\": "
    "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: %, "
    "log_format: {text_format_source: {inline_string: "
    "\"%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% "
    "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%\\n\"}}}}], ";

struct ProxyListener {
  explicit ProxyListener(const std::string& fields = {}) {
    ListenerYaml yaml;
    std::string log = kSays;
    log.replace(log.find("path: %") + 6, 1, folder.path() + "/log");
    yaml.filters = {listener_filter("proxy_protocol", "ProxyProtocol", fields)};
    yaml.chains = {answering_chain("only", {}, {}, log)};
    proxy.emplace(bootstrap_of({yaml}));
  }
  std::string ask(std::string_view header) {
    Peer client = proxy->connect();
    client.send(std::string(header) + std::string(kGet));
    return answer(client);
  }
  std::string logged() {
    proxy->stop();
    return folder.read("log");
  }
  uint64_t count(std::string_view name) {
    return proxy->counter(stat_name(*proxy, "proxy_proto." + std::string(name)));
  }
  TempFolder folder;
  std::optional<TestProxy> proxy;
};

net::Address ip(std::string_view text, uint16_t port) {
  return net::Address::ip(text, port).value();
}

TEST(ProxyProtocol, BothVersionsSayWhoTheClientIs) {
  ProxyListener listener;
  EXPECT_EQ(listener.ask("PROXY TCP4 10.1.2.3 10.0.0.1 4000 443\r\n"), "only");
  EXPECT_EQ(listener.ask(net::proxy_header_v2(ip("2001:db8::1", 7), ip("2001:db8::2", 443),
                                              {{0xea, "blue"}, {0x01, "h2"}})),
            "only");
  EXPECT_EQ(listener.count("versions.v1.found"), 1u);
  EXPECT_EQ(listener.count("versions.v2.found"), 1u);
  EXPECT_EQ(listener.logged(),
            "10.1.2.3:4000 10.0.0.1:443 127.0.0.1\n"
            "[2001:db8::1]:7 [2001:db8::2]:443 127.0.0.1\n");
}

TEST(ProxyProtocol, LocalKeepsTheSocketsAddresses) {
  ProxyListener listener;
  EXPECT_EQ(listener.ask("PROXY UNKNOWN\r\n"), "only");
  const std::string log = listener.logged();
  EXPECT_TRUE(log.starts_with("127.0.0.1:")) << log;
}

TEST(ProxyProtocol, ByteByByte) {
  ProxyListener listener;
  Peer client = listener.proxy->connect();
  trickle(client, net::proxy_header_v2(ip("10.1.2.3", 1), ip("10.0.0.1", 2), {{1, "x"}}));
  trickle(client, kGet);
  EXPECT_EQ(answer(client), "only");
}

TEST(ProxyProtocol, AHeaderOfTheGreatestSizePasses) {
  ProxyListener listener;
  const auto header =
      net::proxy_header_v2(ip("10.1.2.3", 1), ip("10.0.0.1", 2), {{0xe0, std::string(65000, 'x')}});
  EXPECT_EQ(listener.ask(header), "only");
}

TEST(ProxyProtocol, WithoutAHeaderIsRefusedUnlessAllowed) {
  ProxyListener strict;
  EXPECT_EQ(strict.ask({}), "closed");
  EXPECT_EQ(strict.count("not_found_disallowed"), 1u);
  ProxyListener lax("allow_requests_without_proxy_protocol: true");
  EXPECT_EQ(lax.ask({}), "only");
  EXPECT_EQ(lax.count("not_found_allowed"), 1u);
  EXPECT_EQ(lax.ask("PROXY TCP4 10.1.2.3 10.0.0.1 4000 443\r\n"), "only");
}

TEST(ProxyProtocol, MalformedHeadersAreClosed) {
  ProxyListener listener("stat_prefix: edge, allow_requests_without_proxy_protocol: true");
  EXPECT_EQ(listener.ask("PROXY TCP4 10.1.2.3 10.0.0.1 4000\r\n"), "closed");
  EXPECT_EQ(listener.ask(std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\0", 16)), "closed");
  EXPECT_EQ(listener.count("edge.versions.v1.error"), 1u);
  EXPECT_EQ(listener.count("edge.versions.v2.error"), 1u);
}

TEST(ProxyProtocol, AVersionMayBeDisallowed) {
  ProxyListener listener("disallowed_versions: [V1]");
  EXPECT_EQ(listener.ask("PROXY TCP4 10.1.2.3 10.0.0.1 4000 443\r\n"), "closed");
  EXPECT_EQ(listener.ask(net::proxy_header_v2(ip("10.1.2.3", 1), ip("10.0.0.1", 2), {})), "only");
  EXPECT_EQ(listener.count("versions.v1.disallowed"), 1u);
}

// ---- others -------------------------------------------------------------------------------------------------------------------

TEST(ListenerRateLimit, ClosesWhoComesTooOften) {
  ListenerYaml yaml;
  yaml.filters = {listener_filter("local_ratelimit", "LocalRateLimit",
                                  "stat_prefix: door, token_bucket: {max_tokens: 2, "
                                  "fill_interval: 3600s}")};
  TestProxy proxy(bootstrap_of({yaml}));
  for (const char* expected : {"only", "only", "closed"}) {
    Peer client = proxy.connect();
    client.send(kGet);
    EXPECT_EQ(answer(client), expected);
  }
  EXPECT_EQ(proxy.counter("listener_local_ratelimit.door.rate_limited"), 1u);
}

TEST(OriginalDst, WithoutRedirectionChangesNothing) {
  ListenerYaml yaml;
  yaml.filters = {listener_filter("original_dst", "OriginalDst")};
  yaml.fields = "  use_original_dst: true\n";
  TestProxy proxy(bootstrap_of({yaml}));
  Peer client = proxy.connect();
  client.send(kGet);
  EXPECT_EQ(answer(client), "only");
}

TEST(ListenerFilters, ADrainLetsGoOfConnectionsUnderInspection) {
  ListenerYaml yaml;
  yaml.filters = {listener_filter("tls_inspector", "TlsInspector")};
  TestProxy proxy(bootstrap_of({yaml}));
  Peer client = proxy.connect();
  proxy.wait_for("it is inspected",
                 [&] { return proxy.gauge(stat_name(proxy, "downstream_pre_cx_active")) == 1; });
  proxy.stop(server::Server::Quit::kDrain);
  EXPECT_TRUE(client.closed());
}

}  // namespace
}  // namespace weir::test
