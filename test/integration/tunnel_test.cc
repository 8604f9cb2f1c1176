// TCP through CONNECT or POST: what tcp_proxy with tunneling_config asks for, what it does with the answer, and two proxies in a
// row, the second of which ends the tunnel.
#include <gtest/gtest.h>

#include <iostream>
#include <thread>
#include <tuple>

#include "support/h2_peer.h"
#include "support/network_yaml.h"

namespace weir::test {
namespace {

constexpr std::string_view kGrant = "HTTP/1.1 200 OK\r\n\r\n";
constexpr size_t kBig = 16 << 20;

/// As a text format of the access log writes it.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

class Tunnel : public ::testing::Test {
 protected:
  /// `tunneling`: fields of tunneling_config; `fields`: of tcp_proxy.
  TestProxy& start(const std::string& tunneling, const std::string& fields = "",
                   const std::string& cluster = "") {
    proxy_ = std::make_unique<TestProxy>(text(tunneling, fields, cluster));
    return *proxy_;
  }
  std::string text(const std::string& tunneling, const std::string& fields = "",
                   const std::string& cluster = "") {
    const std::string log =
        "access_log:\n- name: file\n  typed_config:\n    \"@type\": "
        "type.googleapis.com/envoy.extensions.access_loggers.file.v3."
        "FileAccessLog\n    path: " +
        folder_.path() +
        "/log\n    log_format: {text_format_source: {inline_string: \""
        "%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_PROTOCOL% "
        "%UPSTREAM_TRANSPORT_FAILURE_REASON% %FILTER_STATE(envoy.tcp_proxy."
        "propagate_response_headers:PLAIN)% %FILTER_STATE(envoy.tcp_proxy."
        "propagate_response_trailers:PLAIN)%\\n\"}}\n";
    NetworkYaml yaml{network_filter("tcp_proxy.v3.TcpProxy",
                                    "stat_prefix: db\ncluster: origin\n" + fields + log +
                                        "tunneling_config:\n" + indented(tunneling, 2)),
                     static_cluster("origin", {origin_.port()}, cluster)};
    return yaml.text();
  }
  void wait_log(const std::string& line) {
    proxy_->wait_for(line, [&] { return folder_.read("log").find(line) != std::string::npos; });
  }
  void wait_for_the_end() {
    proxy_->wait_for("the end", [&] {
      return proxy_->gauge("cluster.origin.upstream_cx_active") == 0 &&
             proxy_->gauge("listener.main.downstream_cx_active") == 0;
    });
  }
  void TearDown() override {
    if (HasFailure()) std::cerr << folder_.read("log");
  }
  Origin origin_;
  TempFolder folder_;
  std::unique_ptr<TestProxy> proxy_;
};

// ---- the request and its answer --------------------------------------------------------------------------------------------

TEST_F(Tunnel, SendsNothingBeforeTheAnswer) {
  start(
      "hostname: \"db.example:5432\"\n"
      "headers_to_add:\n- header: {key: x-from, value: \"%DOWNSTREAM_REMOTE_ADDRESS%\"}\n"
      "propagate_response_headers: true\n");
  Peer client = proxy_->connect();
  client.send("early");
  Peer upstream = origin_.accept();
  const std::string request = upstream.read_head();
  EXPECT_TRUE(request.starts_with("CONNECT db.example:5432 HTTP/1.1\r\nhost: db.example:5432\r\n"))
      << request;
  EXPECT_NE(request.find("x-from: 127.0.0.1:"), std::string::npos) << request;
  EXPECT_EQ(request.find("transfer-encoding"), std::string::npos) << request;
  EXPECT_TRUE(upstream.quiet());
  upstream.send("HTTP/1.1 200 OK\r\nVia: one\r\nVia: \"two\"\r\n\r\nhello");
  EXPECT_EQ(client.read(5), "hello");
  EXPECT_EQ(upstream.read(5), "early");
  client.send("more");
  client.half_close();
  EXPECT_EQ(upstream.read_to_end(), "more");
  upstream.send("bye");
  upstream.close();
  EXPECT_EQ(client.read_to_end(), "bye");
  wait_log("- 9 8 HTTP/1.1 - " + escaped(R"({"via":"one,\"two\""})") + " -\n");
  wait_for_the_end();
  EXPECT_EQ(proxy_->counter("tcp.db.tunnel_failed"), 0u);
}

TEST_F(Tunnel, APostHasAPathAndABodyThatWaitsToo) {
  start("hostname: \"%DOWNSTREAM_LOCAL_ADDRESS%\"\nuse_post: true\npost_path: /tcp?x\n");
  Peer client = proxy_->connect();
  client.send("early");
  Peer upstream = origin_.accept();
  const std::string request = upstream.read_head();
  EXPECT_TRUE(request.starts_with(
      "POST /tcp?x HTTP/1.1\r\nhost: 127.0.0.1:" + std::to_string(proxy_->port()) + "\r\n"))
      << request;
  EXPECT_NE(request.find("transfer-encoding: chunked\r\n"), std::string::npos) << request;
  EXPECT_TRUE(upstream.quiet());
  upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n");
  EXPECT_EQ(client.read(2), "hi");
  EXPECT_EQ(upstream.read(10), "5\r\nearly\r\n");
  client.send("more");
  EXPECT_EQ(upstream.read(9), "4\r\nmore\r\n");
  client.half_close();
  EXPECT_EQ(upstream.read(5), "0\r\n\r\n");
  upstream.send("3\r\nbye\r\n0\r\n\r\n");
  EXPECT_EQ(client.read_to_end(), "bye");
}

TEST_F(Tunnel, APostEndsWithItsAnswer) {
  start("hostname: a\nuse_post: true\n");
  Peer client = proxy_->connect();
  Peer upstream = origin_.accept();
  EXPECT_TRUE(upstream.read_head().starts_with("POST / HTTP/1.1\r\n"));
  upstream.send("HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nbye");
  EXPECT_EQ(client.read_to_end(), "bye");
  wait_for_the_end();
}

TEST_F(Tunnel, AnyOtherAnswerEndsTheConnectionAfterAllAttempts) {
  start("hostname: \"a:1\"\npropagate_response_headers: true\n", "max_connect_attempts: 3\n");
  Peer client = proxy_->connect();
  client.send("never seen");
  for (const std::string_view answer :
       {"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nbody", "nonsense\r\n\r\n",
        "HTTP/1.1 407 No\r\nWhy: so\r\nContent-Length: 0\r\n\r\n"}) {
    Peer upstream = origin_.accept();
    upstream.read_head();
    upstream.send(answer);
    EXPECT_EQ(upstream.read_to_end(), "");
  }
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_TRUE(origin_.quiet());
  wait_log("UF,URX 10 0 HTTP/1.1 the tunnel was answered with 407 " + escaped(R"({"why":"so",)"));
  wait_for_the_end();
  EXPECT_EQ(proxy_->counter("tcp.db.tunnel_failed"), 3u);
  EXPECT_EQ(proxy_->counter("cluster.origin.upstream_cx_connect_attempts_exceeded"), 1u);
}

TEST_F(Tunnel, TheNextAttemptGoesToAnotherHost) {
  Origin dead;
  dead.stop_listening();
  NetworkYaml yaml{network_filter("tcp_proxy.v3.TcpProxy",
                                  "stat_prefix: db\ncluster: pair\nmax_connect_attempts: 2\n"
                                  "tunneling_config: {hostname: \"a:1\"}\n"),
                   static_cluster("pair", {dead.port(), origin_.port()}, "lb_policy: RANDOM\n")};
  proxy_ = std::make_unique<TestProxy>(yaml.text());
  for (int i = 0; i < 8; ++i) {
    Peer client = proxy_->connect();
    Peer upstream = origin_.accept();
    upstream.read_head();
    upstream.send("HTTP/1.1 200 OK\r\n\r\nhere");
    EXPECT_EQ(client.read(4), "here");
  }
}

TEST_F(Tunnel, NobodyThereIsTheSame) {
  origin_.stop_listening();
  start("hostname: \"a:1\"\n");
  Peer client = proxy_->connect();
  EXPECT_TRUE(client.closed());
  wait_log("UF,URX 0 0 ");
  EXPECT_EQ(proxy_->counter("tcp.db.tunnel_failed"), 1u);
  EXPECT_EQ(proxy_->counter("cluster.origin.upstream_cx_connect_fail"), 1u);
}

TEST_F(Tunnel, AHostThatIsNoneIsNotAskedFor) {
  start("hostname: \"%REQUESTED_SERVER_NAME%:443\"\n");
  Peer client = proxy_->connect();
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(origin_.quiet());
  wait_log("the tunnel has no host to go to");
}

TEST_F(Tunnel, SilenceEndsItBeforeAndAfterTheAnswer) {
  start("hostname: \"a:1\"\n", "idle_timeout: 0.2s\n");
  for (const bool answered : {false, true}) {
    Peer client = proxy_->connect();
    Peer upstream = origin_.accept();
    upstream.read_head();
    if (answered) upstream.send(kGrant);
    EXPECT_TRUE(client.closed());
    EXPECT_EQ(upstream.read_to_end(), "");
  }
  EXPECT_EQ(proxy_->counter("tcp.db.idle_timeout"), 2u);
  wait_for_the_end();
}

TEST_F(Tunnel, AResetOfOneSideIsOneOfTheOther) {
  start("hostname: \"a:1\"\n");
  for (const bool by_client : {false, true}) {
    Peer client = proxy_->connect();
    Peer upstream = origin_.accept();
    upstream.read_head();
    upstream.send(std::string(kGrant) + "x");
    EXPECT_EQ(client.read(1), "x");
    (by_client ? client : upstream).reset();
    EXPECT_TRUE((by_client ? upstream : client).ends_in_reset());
  }
  wait_for_the_end();
}

TEST_F(Tunnel, AClientThatGoesIsNotWaitedFor) {
  start("hostname: \"a:1\"\n");
  Peer client = proxy_->connect();
  client.send("what nobody will get");
  Peer upstream = origin_.accept();
  upstream.read_head();
  client.reset();
  EXPECT_TRUE(upstream.closed());
}

TEST_F(Tunnel, StreamsOfHttp2ShareAConnection) {
  start("hostname: \"a:1\"\npropagate_response_trailers: true\n", "",
        http_protocol_options("explicit_http_config: {http2_protocol_options: {}}\n"));
  Peer first = proxy_->connect();
  H2Origin upstream(origin_.accept());
  H2Request& one = upstream.next(false);
  EXPECT_EQ(one.head.method(), "CONNECT");
  EXPECT_EQ(one.head.authority(), "a:1");
  Peer second = proxy_->connect();
  H2Request& two = upstream.next(false);
  second.send("never seen");
  upstream.send_head(two, 502, EndStream::kYes);
  EXPECT_TRUE(second.closed());
  EXPECT_EQ(two.body, "");
  first.send("hello");
  upstream.send_head(one, 200, EndStream::kNo);
  upstream.wait_until("bytes", [&] { return one.body == "hello"; });
  upstream.send_body(one, "hi", EndStream::kNo);
  EXPECT_EQ(first.read(2), "hi");
  first.half_close();
  upstream.wait_until("the end", [&] { return one.done; });
  upstream.send_trailers(one, {{"x-sum", "1"}});
  EXPECT_EQ(first.read_to_end(), "");
  wait_log("- 5 2 HTTP/2 - - " + escaped(R"({"x-sum":"1"})") + "\n");
  Peer third = proxy_->connect();
  H2Request& three = upstream.next(false);
  upstream.send_head(three, 200, EndStream::kNo);
  upstream.send_body(three, "x", EndStream::kNo);
  EXPECT_EQ(third.read(1), "x");
  upstream.reset(three);
  EXPECT_TRUE(third.ends_in_reset());
  Peer fourth = proxy_->connect();
  H2Request& four = upstream.next(false);
  fourth.reset();
  upstream.wait_until("the reset", [&] { return four.aborted; });
  EXPECT_EQ(proxy_->counter("cluster.origin.upstream_cx_total"), 1u);
}

TEST_F(Tunnel, HashPolicyKeepsAClientOnOneHost) {
  Origin second, third;
  Origin* const origins[] = {&origin_, &second, &third};
  NetworkYaml yaml{
      network_filter("tcp_proxy.v3.TcpProxy",
                     "stat_prefix: db\ncluster: three\nhash_policy: [{source_ip: {}}]\n"
                     "tunneling_config: {hostname: \"a:1\"}\n"),
      static_cluster("three", {origin_.port(), second.port(), third.port()})};
  proxy_ = std::make_unique<TestProxy>(yaml.text());
  std::vector<Peer> clients;
  for (int i = 0; i < 9; ++i) clients.push_back(proxy_->connect());
  proxy_->wait_for("9 upstream connections",
                   [this] { return proxy_->counter("cluster.three.upstream_cx_total") == 9; });
  EXPECT_EQ(std::count_if(std::begin(origins), std::end(origins),
                          [](Origin* each) { return each->quiet(); }),
            2);
}

TEST_F(Tunnel, MistakesAreErrors) {
  const std::tuple<const char*, const char*, const char*> cases[] = {
      {"use_post: true\n", "", "hostname"},
      {"hostname: \"a b\"\n", "", "is no host with a port"},
      {"hostname: \"%NO_SUCH%\"\n", "", "NO_SUCH"},
      {"hostname: a\npost_path: /x\n", "", "is for requests with"},
      {"hostname: a\nuse_post: true\npost_path: x\n", "", "is no path"},
      {"hostname: a\nheaders_to_add: [{header: {key: host, value: b}}]\n", "", "host"},
  };
  proxy_ =
      std::make_unique<TestProxy>(text("hostname: a\n"), TestProxy::Options{.from_file = true});
  uint64_t rejected = 0;
  for (const auto& [tunneling, fields, message] : cases) {
    proxy_->write_config(text(tunneling, fields));
    proxy_->wait_for_rejection(++rejected);
    EXPECT_NE(proxy_->admin("/reload").find(message), std::string::npos) << message;
  }
}

// ---- two proxies -------------------------------------------------------------------------------------------------------------

struct Way {
  bool http2, post;
};
class TwoProxies : public ::testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    Yaml yaml;
    yaml.origin_port = origin_.port();
    yaml.routes =
        "- match: {connect_matcher: {}}\n"
        "  route: &tcp {cluster: origin, upgrade_configs: [{upgrade_type: CONNECT, "
        "connect_config: {allow_post: true}}]}\n"
        "- match: {path: /tunnel}\n  route: *tcp\n";
    yaml.listener = yaml.cluster = "per_connection_buffer_limit_bytes: 65536\n";
    const std::string windows =
        "http2_protocol_options: {initial_stream_window_size: 65536, "
        "initial_connection_window_size: 65536}";
    yaml.hcm = windows + "\n";
    far_ = std::make_unique<TestProxy>(yaml.text());
    const std::string cluster =
        "per_connection_buffer_limit_bytes: 65536\n" +
        (GetParam().http2 ? http_protocol_options("explicit_http_config: {" + windows + "}\n")
                          : std::string());
    NetworkYaml near{
        network_filter(
            "tcp_proxy.v3.TcpProxy",
            "stat_prefix: db\ncluster: far\ntunneling_config: {hostname: \"db:5432\"" +
                std::string(GetParam().post ? ", use_post: true, post_path: /tunnel" : "") + "}\n"),
        static_cluster("far", {far_->port()}, cluster),
        "per_connection_buffer_limit_bytes: 65536\n"};
    near_ = std::make_unique<TestProxy>(near.text());
  }
  void open() {
    client_ = near_->connect();
    upstream_ = origin_.accept();
  }
  void wait_for_the_end() {
    near_->wait_for("the end", [&] {
      return near_->gauge("listener.main.downstream_cx_active") == 0 &&
             near_->gauge("cluster.far.upstream_rq_active") == 0 &&
             far_->gauge("http.ingress.downstream_rq_active") == 0 &&
             far_->gauge("cluster.origin.upstream_cx_active") == 0;
    });
  }
  Origin origin_;
  std::unique_ptr<TestProxy> far_, near_;
  Peer client_, upstream_;
};

TEST_P(TwoProxies, CarryBytesAndHalfCloses) {
  open();
  upstream_.send("220 ready");
  EXPECT_EQ(client_.read(9), "220 ready");
  client_.send("HELO");
  EXPECT_EQ(upstream_.read(4), "HELO");
  client_.half_close();
  EXPECT_EQ(upstream_.read_to_end(), "");
  upstream_.send(std::string(300000, 'x'));
  upstream_.close();
  EXPECT_EQ(client_.read_to_end(), std::string(300000, 'x'));
  client_.close();
  wait_for_the_end();
  open();
  upstream_.send("bye");
  upstream_.half_close();
  EXPECT_EQ(client_.read_to_end(), "bye");
  if (!GetParam().post) {  // whose answer is its end
    client_.send(std::string(300000, 'y'));
    client_.close();
    EXPECT_EQ(upstream_.read_to_end(), std::string(300000, 'y'));
  }
  client_.close();
  upstream_.close();
  wait_for_the_end();
}

TEST_P(TwoProxies, PassResetsOn) {
  open();
  client_.send("x");
  EXPECT_EQ(upstream_.read(1), "x");
  client_.reset();
  EXPECT_TRUE(upstream_.ends_in_reset());
  open();
  upstream_.send("x");
  EXPECT_EQ(client_.read(1), "x");
  upstream_.reset();
  EXPECT_TRUE(client_.ends_in_reset());
  wait_for_the_end();
}

TEST_P(TwoProxies, SlowReadersHoldTheOtherSideBack) {
  const std::string big(kBig, 'x');
  open();
  std::jthread sender([&] { client_.send(big), client_.half_close(); });
  near_->wait_for("back-pressure", [&] {
    return near_->counter("tcp.db.downstream_flow_control_paused_reading_total") > 0;
  });
  EXPECT_EQ(upstream_.read_to_end(), big);
  sender.join();
  upstream_.close();
  EXPECT_EQ(client_.read_to_end(), "");
  open();
  std::jthread other([&] { upstream_.send(big), upstream_.half_close(); });
  near_->wait_for("back-pressure", [&] {
    return far_->counter("cluster.origin.upstream_flow_control_paused_reading_total") > 0;
  });
  EXPECT_EQ(client_.read_to_end(), big);
  other.join();
}

TEST_P(TwoProxies, ARefusedConnectionClosesTheClient) {
  origin_.stop_listening();
  Peer client = near_->connect();
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(near_->counter("tcp.db.tunnel_failed"), 1u);
  EXPECT_EQ(far_->counter("http.ingress.downstream_rq_5xx"), 1u);
}

INSTANTIATE_TEST_SUITE_P(Ways, TwoProxies,
                         ::testing::Values(Way{false, false}, Way{true, false}, Way{false, true},
                                           Way{true, true}),
                         [](const auto& way) {
                           return std::string(way.param.http2 ? "Http2" : "Http1") +
                                  (way.param.post ? "Post" : "Connect");
                         });

}  // namespace
}  // namespace weir::test
