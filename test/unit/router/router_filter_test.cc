// The router filter at the end of a real chain, against scripted origins.
#include "router/router_filter.h"

#include <gtest/gtest.h>

#include "stats/store.h"
#include "stream/chain.h"
#include "stream/chain_slot.h"
#include "unit/router/table_builder.h"
#include "unit/upstream/origin.h"

namespace weir::test {
namespace {

/// The session's part: one stream at a time.
class Host final : public stream::ChainHost {
 public:
  const stream::RouteRef* match_route() override { return table->match(exchange.request, 0); }
  void send_informational(const ResponseHead& head) override {
    log += std::to_string(head.status) + "? ";
  }
  void send_response_head(EndStream end) override {
    log += std::to_string(exchange.response.status) + " ";
    if (end == EndStream::kYes) log += "end";
  }
  void send_response_body(Buffer& data, EndStream end) override {
    body += data.to_string();
    data.clear();
    if (end == EndStream::kYes) log += "end";
  }
  void send_response_trailers() override { log += "trailers end"; }
  void prepare_reply(LocalReply& reply, Buffer& out) override {
    exchange.response.status = reply.status;
    for (const auto& [name, value] : reply.headers) exchange.response.headers.add(name, value);
    out.append(reply.body);
  }
  void abort_response(std::string_view) override { log += "aborted"; }
  void hold_request() override { ++holds; }
  void release_request() override { --holds; }
  void on_chain_done() override {
    done = true;
    if (chain != nullptr) chain->end();
  }
  std::shared_ptr<const router::RouteTable> table;
  stream::Exchange exchange;
  stream::FilterChain* chain = nullptr;
  std::string log, body;
  int holds = 0;
  bool done = false;
};

class RouterFilterTest : public testing::Test {
 protected:
  RouterFilterTest() {
    environment.loop = &loop;
    host.chain = &chain;
  }
  ~RouterFilterTest() override {
    chain.end();
    chain.clear();
  }
  void cluster(const net::Address& address,
               const std::function<void(upstream::ClusterOptions&)>& change = {}) {
    auto options = std::make_shared<upstream::ClusterOptions>();
    options->name = "c";
    options->localities.push_back({});
    options->localities[0].endpoints.push_back({address, "", 1});
    if (change) change(*options);
    clusters.apply(upstream::ClusterTable::build({options}, registry));
  }
  void route(router::RouteOptions options) {
    host.table = build(table_of(test::host("h", {"*"}, std::move(options))));
  }
  void start(EndStream end = EndStream::kYes, std::string_view method = "GET") {
    RequestHead& head = host.exchange.request;
    head.set_method(method);
    head.set_path("/p?q");
    head.set_authority("a.com");
    head.set_scheme("http");
    chain.begin(host, host.exchange, environment, 1);
    chain.add_terminal(std::make_unique<router::RouterFilter>(settings, clusters), "router");
    chain.request_head(end);
  }
  void finish() {
    run_until(loop, "the end of the stream", [&] { return host.done; });
  }
  const StreamInfo& info() const { return host.exchange.info; }
  uint64_t counter(const std::string& name) const {
    return store.counter_value("cluster.c." + name);
  }

  event::Loop loop;
  stats::Store store{2};
  std::unique_ptr<StatsScope> scope = store.scope("http.test.");
  upstream::ClusterRegistry registry{store};
  upstream::WorkerClusters clusters{loop, 0, registry};
  router::RouterSettings settings{{}, {}, router::RouterStats(*scope)};
  Origin origin{loop};
  stream::ChainEnvironment environment;
  Host host;
  stream::FilterChain chain;
};

TEST_F(RouterFilterTest, ForwardsTheRequestAndRelaysTheResponse) {
  cluster(origin.address());
  auto options = prefix("c", "/p");
  options.route->prefix_rewrite = "/inner";
  route(std::move(options));
  start();
  OriginPeer peer = origin.accept();
  const std::string head = peer.read_head();
  EXPECT_TRUE(head.starts_with("GET /inner?q HTTP/1.1\r\n")) << head;
  EXPECT_NE(head.find("x-envoy-original-path: /p?q\r\n"), std::string::npos) << head;
  EXPECT_NE(head.find("x-envoy-expected-rq-timeout-ms: 15000\r\n"), std::string::npos) << head;
  peer.send("HTTP/1.1 201 Created\r\ncontent-length: 2\r\nproxy-connection: x\r\n\r\nhi");
  finish();
  EXPECT_EQ(host.log, "201 end");
  EXPECT_EQ(host.body, "hi");
  EXPECT_TRUE(host.exchange.response.headers.has(HeaderId::kXEnvoyUpstreamServiceTime));
  EXPECT_FALSE(host.exchange.response.headers.has(HeaderId::kProxyConnection));
  EXPECT_EQ(info().upstream_host, origin.address().to_string());
  EXPECT_EQ(info().upstream_cluster, "c");
  EXPECT_EQ(info().response_code_details(), "via_upstream");
  EXPECT_EQ(info().upstream_attempt_count, 1U);
  EXPECT_EQ(counter("upstream_rq_201"), 1U);
  EXPECT_EQ(counter("upstream_rq_2xx"), 1U);
  EXPECT_EQ(counter("upstream_rq_completed"), 1U);
  EXPECT_EQ(store.counter_value("http.test.rq_total"), 1U);
}

TEST_F(RouterFilterTest, SendsABodyAsItComes) {
  cluster(origin.address());
  route(prefix("c", "/"));
  start(EndStream::kNo, "POST");
  OriginPeer peer = origin.accept();
  peer.read_head();
  Buffer data("first");
  chain.request_body(data, EndStream::kNo);
  peer.read_until("first");
  data.append("second");
  chain.request_body(data, EndStream::kYes);
  peer.read_until("second");
  peer.send("HTTP/1.1 204 No Content\r\n\r\n");
  finish();
  EXPECT_EQ(host.log, "204 end");
}

TEST_F(RouterFilterTest, RepliesWithoutARoute) {
  host.table = build(table_of(test::host("h", {"b.com"}, prefix("c", "/"))));
  start();
  EXPECT_EQ(host.log, "404 end");
  EXPECT_TRUE(info().has_flag(ResponseFlag::kNoRouteFound));
  EXPECT_EQ(info().response_code_details(), "route_not_found");
  EXPECT_EQ(store.counter_value("http.test.no_route"), 1U);
}

TEST_F(RouterFilterTest, RepliesWithoutACluster) {
  auto options = prefix("gone", "/");
  options.route->cluster_not_found_status = 404;
  route(std::move(options));
  start();
  EXPECT_EQ(host.log, "404 end");
  EXPECT_TRUE(info().has_flag(ResponseFlag::kNoClusterFound));
  EXPECT_EQ(store.counter_value("http.test.no_cluster"), 1U);
}

TEST_F(RouterFilterTest, TheClusterMayComeFromAHeader) {
  cluster(origin.address());
  auto options = prefix("", "/");
  options.route->cluster_header = "x-cluster";
  route(std::move(options));
  host.exchange.request.headers.add("x-cluster", "c");
  start();
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.send("HTTP/1.1 204 No Content\r\n\r\n");
  finish();
  EXPECT_EQ(info().upstream_cluster, "c");
  EXPECT_EQ(host.log, "204 end");
}

TEST_F(RouterFilterTest, RedirectsAndDirectResponses) {
  router::RouteOptions redirect;
  redirect.match.path = "/";
  redirect.redirect.emplace();
  redirect.redirect->https_redirect = true;
  redirect.redirect->status = 308;
  route(std::move(redirect));
  start();
  EXPECT_EQ(host.log, "308 end");
  EXPECT_EQ(host.exchange.response.headers.get(HeaderId::kLocation), "https://a.com/p?q");
  EXPECT_EQ(store.counter_value("http.test.rq_redirect"), 1U);
}

TEST_F(RouterFilterTest, DirectResponse) {
  router::RouteOptions direct;
  direct.match.path = "/";
  direct.direct = router::DirectResponseOptions{418, "short and stout"};
  route(std::move(direct));
  start();
  EXPECT_EQ(host.log, "418 end");
  EXPECT_EQ(host.body, "short and stout");
  EXPECT_EQ(info().response_code_details(), "direct_response");
}

TEST_F(RouterFilterTest, NoHealthyHost) {
  cluster(origin.address(), [](auto& options) { options.localities.clear(); });
  route(prefix("c", "/"));
  start();
  EXPECT_EQ(host.log, "503 end");
  EXPECT_EQ(host.body, "no healthy upstream");
  EXPECT_TRUE(info().has_flag(ResponseFlag::kNoHealthyUpstream));
  EXPECT_EQ(counter("upstream_rq_503"), 1U);
}

TEST_F(RouterFilterTest, Overflow) {
  cluster(origin.address(), [](auto& options) { options.thresholds.max_pending_requests = 0; });
  route(prefix("c", "/"));
  start();
  EXPECT_EQ(host.log, "503 end");
  EXPECT_EQ(host.body,
            "upstream connect error or disconnect/reset before headers. reset reason: overflow");
  EXPECT_EQ(host.exchange.response.headers.get(HeaderId::kXEnvoyOverloaded), "true");
  EXPECT_TRUE(info().has_flag(ResponseFlag::kUpstreamOverflow));
}

TEST_F(RouterFilterTest, ConnectionRefused) {
  cluster(origin.address());
  route(prefix("c", "/"));
  origin.stop();
  start();
  finish();
  EXPECT_EQ(host.log, "503 end");
  EXPECT_TRUE(host.body.starts_with(
      "upstream connect error or disconnect/reset before headers. reset reason: remote "
      "connection failure, transport failure reason: delayed connect error: Connection refused"))
      << host.body;
  EXPECT_TRUE(info().has_flag(ResponseFlag::kUpstreamConnectionFailure));
  EXPECT_TRUE(info().response_code_details().starts_with(
      "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_"))
      << info().response_code_details();
  EXPECT_EQ(info().upstream_host, origin.address().to_string());
}

TEST_F(RouterFilterTest, ClosedBeforeTheHead) {
  cluster(origin.address());
  route(prefix("c", "/"));
  start();
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.close();
  finish();
  EXPECT_EQ(host.log, "503 end");
  EXPECT_EQ(host.body,
            "upstream connect error or disconnect/reset before headers. reset reason: connection "
            "termination");
  EXPECT_EQ(info().response_code_details(),
            "upstream_reset_before_response_started{connection_termination}");
  EXPECT_TRUE(info().has_flag(ResponseFlag::kUpstreamConnectionTermination));
}

TEST_F(RouterFilterTest, ClosedInTheBodyCutsTheStream) {
  cluster(origin.address());
  route(prefix("c", "/"));
  start();
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
  run_until(loop, "the first half", [&] { return host.body == "half"; });
  peer.close();
  finish();
  EXPECT_EQ(host.log, "200 aborted");
  EXPECT_EQ(info().response_code_details(),
            "upstream_reset_after_response_started{connection_termination}");
}

TEST_F(RouterFilterTest, AMalformedResponseIs502) {
  cluster(origin.address());
  route(prefix("c", "/"));
  start();
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.send("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n");
  finish();
  EXPECT_EQ(host.log, "502 end");
  EXPECT_EQ(
      host.body,
      "upstream connect error or disconnect/reset before headers. reset reason: protocol error");
  EXPECT_TRUE(info().has_flag(ResponseFlag::kUpstreamProtocolError));
}

TEST_F(RouterFilterTest, TheTimeoutRunsFromTheEndOfTheRequest) {
  cluster(origin.address());
  auto options = prefix("c", "/");
  options.route->timeout = std::chrono::milliseconds(20);
  route(std::move(options));
  start(EndStream::kNo, "POST");
  OriginPeer peer = origin.accept();
  const auto started = std::chrono::steady_clock::now();
  run_until(loop, "three timeouts to pass", [&] {
    return std::chrono::steady_clock::now() - started > std::chrono::milliseconds(60);
  });
  EXPECT_FALSE(host.done);
  Buffer data("x");
  chain.request_body(data, EndStream::kYes);
  finish();
  EXPECT_EQ(host.log, "504 end");
  EXPECT_EQ(host.body, "upstream request timeout");
  EXPECT_EQ(info().response_code_details(), "response_timeout");
  EXPECT_TRUE(info().has_flag(ResponseFlag::kUpstreamRequestTimeout));
  EXPECT_EQ(counter("upstream_rq_timeout"), 1U);
  EXPECT_TRUE(peer.wait_closed());
}

TEST_F(RouterFilterTest, ATimeoutInTheBodyCutsTheStream) {
  cluster(origin.address());
  auto options = prefix("c", "/");
  options.route->timeout = std::chrono::milliseconds(30);
  route(std::move(options));
  start();
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
  finish();
  EXPECT_EQ(host.log, "200 aborted");
}

TEST_F(RouterFilterTest, InformationalHeadsPass100OnlyForAnExpectation) {
  cluster(origin.address());
  route(prefix("c", "/"));
  start();
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.send(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 204 No "
      "Content\r\n\r\n");
  finish();
  EXPECT_EQ(host.log, "103? 204 end");
}

TEST_F(RouterFilterTest, ASlowClientStopsTheOrigin) {
  cluster(origin.address());
  route(prefix("c", "/"));
  start();
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.send("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf");
  run_until(loop, "the first half", [&] { return host.body == "half"; });
  chain.on_response_blocked();
  peer.send("rest");
  run_some_turns(loop);
  EXPECT_EQ(host.body, "half");
  chain.on_response_resumed();
  finish();
  EXPECT_EQ(host.body, "halfrest");
}

TEST_F(RouterFilterTest, ASlowOriginStopsTheClient) {
  cluster(origin.address(), [](auto& options) { options.buffer_limit = 1000; });
  route(prefix("c", "/"));
  start(EndStream::kNo, "POST");
  Buffer data(std::string(5000, 'x'));
  chain.request_body(data, EndStream::kNo);
  EXPECT_EQ(host.holds, 1);
  OriginPeer peer = origin.accept();
  run_until(loop, "the request to flow", [&] { return host.holds == 0; });
}

TEST_F(RouterFilterTest, TheEndOfTheStreamCancelsTheRequest) {
  cluster(origin.address());
  route(prefix("c", "/"));
  start();
  OriginPeer peer = origin.accept();
  peer.read_head();
  chain.end();
  EXPECT_TRUE(peer.wait_closed());
}

TEST_F(RouterFilterTest, HeaderOperationsApplyFromTheRouteOutwards) {
  cluster(origin.address());
  const auto adding = [](const char* value) {
    stream::HeaderOps ops;
    stream::HeaderAdd add;
    add.name = "x-level";
    add.value = std::move(*stream::Format::compile(value));
    add.action = AppendAction::kOverwriteOrAdd;
    ops.add.push_back(std::move(add));
    return ops;
  };
  const auto seen = [&](bool most_specific_wins) {
    auto options = prefix("c", "/");
    options.request_headers = adding("route");
    options.response_headers = adding("route");
    auto virtual_host = test::host("h", {"*"}, std::move(options));
    virtual_host.request_headers = adding("host");
    auto all = table_of(std::move(virtual_host));
    all.response_headers = adding("table");
    all.most_specific_header_mutations_wins = most_specific_wins;
    host.table = build(std::move(all));
    host.done = false;
    host.exchange.request.clear();
    host.exchange.response.clear();
    host.exchange.info = {};
    start();
    OriginPeer peer = origin.accept();
    const std::string head = peer.read_head();
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    finish();
    const size_t at = head.find("x-level: ");
    std::string both = head.substr(at + 9, head.find('\r', at) - at - 9) + " ";
    both += host.exchange.response.headers.get("x-level").value_or("-");
    chain.clear();
    return both;
  };
  EXPECT_EQ(seen(false), "host table");
  EXPECT_EQ(seen(true), "route route");
}

}  // namespace
}  // namespace weir::test
