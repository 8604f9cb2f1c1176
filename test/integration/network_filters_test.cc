// The native network filters on real sockets: alone, in front of tcp_proxy and in front of HTTP.
#include <gtest/gtest.h>

#include "support/network_yaml.h"
#include "support/test_proxy.h"

namespace weir::test {
namespace {

const std::string kEcho = network_filter("echo.v3.Echo");

std::string rbac(std::string_view fields) {
  return network_filter("rbac.v3.RBAC", "stat_prefix: guard\n" + std::string(fields));
}

class NetworkFiltersTest : public ::testing::Test {
 protected:
  TestProxy& start(const std::string& filters, const std::string& clusters = "",
                   TestProxy::Options options = {}) {
    proxy_ = std::make_unique<TestProxy>(NetworkYaml{filters, clusters}.text(), options);
    return *proxy_;
  }
  void wait_counter(std::string_view name, uint64_t value) {
    proxy_->wait_for(name, [this, name, value] { return proxy_->counter(name) >= value; });
  }
  /// Whether a new connection gets an echo; a refused one is closed.
  bool served(std::string_view word = "hello") {
    Peer client = proxy_->connect();
    client.send(word);
    client.half_close();
    return client.read_to_end() == word;
  }
  std::unique_ptr<TestProxy> proxy_;
};

TEST_F(NetworkFiltersTest, EchoSendsBackAndEndsWithTheClient) {
  start(kEcho);
  Peer client = proxy_->connect();
  client.send("one");
  EXPECT_EQ(client.read(3), "one");
  client.send("two");
  client.half_close();
  EXPECT_EQ(client.read_to_end(), "two");
  const std::string active =
      "listener.127.0.0.1_" + std::to_string(proxy_->port()) + ".downstream_cx_active";
  proxy_->wait_for("no connection", [this, &active] { return proxy_->gauge(active) == 0; });
}

TEST_F(NetworkFiltersTest, EchoHoldsAClientThatDoesNotRead) {
  start(kEcho);
  Peer client = proxy_->connect();
  const std::string bulk(32 * 1024 * 1024, 'e');
  std::thread sender([&client, &bulk] {
    client.send(bulk);
    client.half_close();
  });
  const std::string got = client.read_to_end();
  sender.join();
  EXPECT_TRUE(got == bulk);
}

TEST_F(NetworkFiltersTest, DirectResponseSpeaksAndCloses) {
  start(network_filter("direct_response.v3.Config", "response: {inline_string: 'go away'}\n"));
  EXPECT_EQ(proxy_->connect().read_to_end(), "go away");
  // Also to a client that has said something that nobody reads.
  Peer talker = proxy_->connect();
  talker.send("listen to me");
  EXPECT_EQ(talker.read_to_end(), "go away");
}

// ---- limits ---------------------------------------------------------------------------------------------------------------

std::string limited(std::string_view more = "") {
  return network_filter("connection_limit.v3.ConnectionLimit",
                        "stat_prefix: few\nmax_connections: 2\n" + std::string(more)) +
         kEcho;
}

TEST_F(NetworkFiltersTest, ConnectionLimitRefusesWhatIsTooMuch) {
  start(limited(), "", {.workers = 2, .from_file = false, .drain_time = {}});
  const auto greeted = [this] {
    Peer client = proxy_->connect();
    client.send("x");
    EXPECT_EQ(client.read(1), "x");
    return client;
  };
  Peer first = greeted();
  Peer second = greeted();
  EXPECT_TRUE(proxy_->connect().closed());
  EXPECT_EQ(proxy_->counter("connection_limit.few.limited_connections"), 1u);
  EXPECT_EQ(proxy_->gauge("connection_limit.few.active_connections"), 2);
  first.close();
  proxy_->wait_for(
      "a place", [this] { return proxy_->gauge("connection_limit.few.active_connections") == 1; });
  Peer third = greeted();
  second.send("y");
  EXPECT_EQ(second.read(1), "y");
}

TEST_F(NetworkFiltersTest, ConnectionLimitCountsOverEdits) {
  const auto yaml = [](int edit) {
    return NetworkYaml{limited("runtime_enabled: {default_value: true, runtime_key: k" +
                               std::to_string(edit) + "}\n"),
                       ""}
        .text();
  };
  proxy_ = std::make_unique<TestProxy>(
      yaml(0), TestProxy::Options{.workers = 1, .from_file = true, .drain_time = {}});
  Peer first = proxy_->connect();
  Peer second = proxy_->connect();
  proxy_->wait_for("two connections", [this] {
    return proxy_->gauge("connection_limit.few.active_connections") == 2;
  });
  proxy_->write_config(yaml(1));
  proxy_->wait_for_generation(2);
  EXPECT_TRUE(proxy_->connect().closed());
  first.close();
  proxy_->wait_for(
      "a place", [this] { return proxy_->gauge("connection_limit.few.active_connections") == 1; });
  EXPECT_TRUE(served());
}

TEST_F(NetworkFiltersTest, ConnectionLimitMayRefuseLate) {
  start(network_filter("connection_limit.v3.ConnectionLimit",
                       "stat_prefix: few\nmax_connections: 1\ndelay: 0.02s\n") +
        kEcho);
  Peer first = proxy_->connect();
  proxy_->wait_for("one connection", [this] {
    return proxy_->gauge("connection_limit.few.active_connections") == 1;
  });
  Peer second = proxy_->connect();
  second.send("anybody?");
  EXPECT_TRUE(second.closed());
}

TEST_F(NetworkFiltersTest, LocalRateLimitTakesATokenPerConnection) {
  start(network_filter("local_ratelimit.v3.LocalRateLimit",
                       "stat_prefix: slow\ntoken_bucket: {max_tokens: 2, fill_interval: 3600s}\n") +
        kEcho);
  EXPECT_TRUE(served());
  EXPECT_TRUE(served());
  EXPECT_TRUE(proxy_->connect().closed());
  EXPECT_EQ(proxy_->counter("local_rate_limit.slow.rate_limited"), 1u);
}

TEST_F(NetworkFiltersTest, ShareKeyIsOneBucketForTwoFilters) {
  const std::string one = network_filter(
      "local_ratelimit.v3.LocalRateLimit",
      "stat_prefix: a\nshare_key: both\ntoken_bucket: {max_tokens: 2, fill_interval: 3600s}\n");
  start(one + one + kEcho);
  EXPECT_TRUE(served());  // takes both
  EXPECT_TRUE(proxy_->connect().closed());
}

TEST_F(NetworkFiltersTest, DisabledLimitsLimitNothing) {
  const std::string off = "runtime_enabled: {default_value: false, runtime_key: x}\n";
  start(network_filter(
            "local_ratelimit.v3.LocalRateLimit",
            "stat_prefix: slow\ntoken_bucket: {max_tokens: 1, fill_interval: 3600s}\n" + off) +
        network_filter("connection_limit.v3.ConnectionLimit",
                       "stat_prefix: few\nmax_connections: 1\n" + off) +
        kEcho);
  Peer open = proxy_->connect();
  EXPECT_TRUE(served());
  EXPECT_TRUE(served());
}

// ---- rbac -------------------------------------------------------------------------------------------------------------------

struct RbacCase {
  const char* name;
  const char* rules;  // of RBAC
  bool served;
};

constexpr RbacCase kRbacCases[] = {
    {"allow_all",
     "{action: ALLOW, policies: {p: {permissions: [{any: true}], principals: [{any: true}]}}}",
     true},
    {"allow_nobody", "{action: ALLOW, policies: {}}", false},
    {"deny_nobody", "{action: DENY, policies: {}}", true},
    {"deny_all",
     "{action: DENY, policies: {p: {permissions: [{any: true}], principals: [{any: true}]}}}",
     false},
    {"log_lets_pass", "{action: LOG, policies: {}}", true},
    {"allow_this_ip",
     "{policies: {p: {permissions: [{any: true}], principals: [{remote_ip: {address_prefix: "
     "127.0.0.0, "
     "prefix_len: 8}}]}}}",
     true},
    {"allow_other_ip",
     "{policies: {p: {permissions: [{any: true}], principals: [{direct_remote_ip: {address_prefix: "
     "10.0.0.0, prefix_len: 8}}]}}}",
     false},
    {"not_the_other_ip",
     "{policies: {p: {permissions: [{any: true}], principals: [{not_id: {source_ip: "
     "{address_prefix: "
     "10.0.0.0, prefix_len: 8}}}]}}}",
     true},
    {"and_of_both",
     "{policies: {p: {permissions: [{any: true}], principals: [{and_ids: {ids: [{any: true}, "
     "{remote_ip: "
     "{address_prefix: '::1', prefix_len: 128}}]}}]}}}",
     false},
    {"or_of_both",
     "{policies: {p: {permissions: [{any: true}], principals: [{or_ids: {ids: [{any: true}, "
     "{remote_ip: "
     "{address_prefix: '::1', prefix_len: 128}}]}}]}}}",
     true},
    {"port_range",
     "{policies: {p: {permissions: [{destination_port_range: {start: 1024, end: 65536}}], "
     "principals: "
     "[{any: true}]}}}",
     true},
    {"port", "{policies: {p: {permissions: [{destination_port: 1}], principals: [{any: true}]}}}",
     false},
    {"destination_ip",
     "{policies: {p: {permissions: [{destination_ip: {address_prefix: 127.0.0.1, prefix_len: "
     "32}}], "
     "principals: [{any: true}]}}}",
     true},
    {"server_name",
     "{policies: {p: {permissions: [{requested_server_name: {exact: a.example}}], principals: "
     "[{any: "
     "true}]}}}",
     false},
    {"not_the_server_name",
     "{policies: {p: {permissions: [{not_rule: {requested_server_name: {exact: a.example}}}], "
     "principals: "
     "[{any: true}]}}}",
     true},
    {"no_certificate",
     "{policies: {p: {permissions: [{any: true}], principals: [{authenticated: {}}]}}}", false},
};

TEST_F(NetworkFiltersTest, RbacJudgesConnections) {
  for (const RbacCase& each : kRbacCases) {
    start(rbac("rules: " + std::string(each.rules) + "\n") + kEcho);
    EXPECT_EQ(served(), each.served) << each.name;
    EXPECT_EQ(proxy_->counter(each.served ? "guard.rbac.allowed" : "guard.rbac.denied"), 1u)
        << each.name;
  }
}

TEST_F(NetworkFiltersTest, RbacShadowRulesOnlyCount) {
  start(rbac("shadow_rules: {action: ALLOW, policies: {}}\nshadow_rules_stat_prefix: try_\n") +
        kEcho);
  EXPECT_TRUE(served());
  EXPECT_EQ(proxy_->counter("guard.rbac.try_shadow_denied"), 1u);
  EXPECT_EQ(proxy_->counter("guard.rbac.denied"), 0u);
}

TEST_F(NetworkFiltersTest, RbacMayDenyLate) {
  start(rbac("rules: {action: ALLOW, policies: {}}\ndelay_deny: 0.02s\n") + kEcho);
  EXPECT_FALSE(served());
  EXPECT_EQ(proxy_->counter("guard.rbac.denied"), 1u);
}

TEST_F(NetworkFiltersTest, RbacCountsOnceOrWithEachData) {
  const std::string all =
      "rules: {policies: {p: {permissions: [{any: true}], principals: [{any: true}]}}}\n";
  for (const bool continuous : {false, true}) {
    start(rbac(all + (continuous ? "enforcement_type: CONTINUOUS\n" : "")) + kEcho);
    Peer client = proxy_->connect();
    for (int i = 0; i < 3; ++i) {
      client.send("x");
      EXPECT_EQ(client.read(1), "x");
    }
    EXPECT_EQ(proxy_->counter("guard.rbac.allowed"), continuous ? 3u : 1u);
  }
}

// ---- in chains ------------------------------------------------------------------------------------------------------------

TEST_F(NetworkFiltersTest, FiltersStandInFrontOfTcpProxy) {
  Origin origin;
  start(rbac("rules: {action: DENY, policies: {p: {permissions: [{any: true}], principals: [{any: "
             "true}]}}}\n") +
            network_filter("tcp_proxy.v3.TcpProxy",
                           "stat_prefix: t\ncluster: origin\n"
                           "upstream_connect_mode: ON_DOWNSTREAM_DATA\nmax_early_data_bytes: 1\n"),
        static_cluster("origin", {origin.port()}));
  Peer client = proxy_->connect();
  client.send("x");
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(proxy_->counter("cluster.origin.upstream_cx_total"), 0u);
}

TEST_F(NetworkFiltersTest, SniClusterWithoutNameLeavesTheConfiguredCluster) {
  Origin origin;
  start(network_filter("sni_cluster.v3.SniCluster") +
            network_filter("tcp_proxy.v3.TcpProxy", "stat_prefix: t\ncluster: origin\n"),
        static_cluster("origin", {origin.port()}));
  Peer client = proxy_->connect();
  client.send("x");
  EXPECT_EQ(origin.accept().read(1), "x");
}

std::string with_http(const std::string& filters, std::string_view http_fields = "") {
  return filters +
         "- name: http\n  typed_config:\n    \"@type\": type.googleapis.com/"
         "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager\n"
         "    stat_prefix: ingress\n" +
         indented(http_fields, 4) +
         "    route_config: {virtual_hosts: [{name: all, domains: ['*'], routes: [{match: {prefix: "
         "/}, "
         "direct_response: {status: 200, body: {inline_string: ok}}}]}]}\n"
         "    http_filters: [{name: router, typed_config: {\"@type\": type.googleapis.com/"
         "envoy.extensions.filters.http.router.v3.Router}}]\n";
}

TEST_F(NetworkFiltersTest, HttpBehindFiltersServesPipelinedRequests) {
  start(with_http(
      rbac("rules: {policies: {p: {permissions: [{any: true}], principals: [{any: true}]}}}\n")));
  Peer client = proxy_->connect();
  const std::string request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
  client.send(request + request + request.substr(0, 9));
  EXPECT_EQ(client.read_message().body, "ok");
  EXPECT_EQ(client.read_message().body, "ok");
  client.send(request.substr(9));
  EXPECT_EQ(client.read_message().body, "ok");
  EXPECT_EQ(proxy_->counter("guard.rbac.allowed"), 1u);
  client.half_close();
  EXPECT_TRUE(client.closed());
}

TEST_F(NetworkFiltersTest, HttpBehindADenialSeesNothing) {
  start(with_http(rbac("rules: {action: ALLOW, policies: {}}\n")));
  Peer client = proxy_->connect();
  client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_EQ(proxy_->counter("http.ingress.downstream_rq_total"), 0u);
  proxy_->wait_for("no connection",
                   [this] { return proxy_->gauge("http.ingress.downstream_cx_active") == 0; });
}

TEST_F(NetworkFiltersTest, HttpBehindAConnectionLimitGivesItsPlaceBack) {
  start(with_http(network_filter("connection_limit.v3.ConnectionLimit",
                                 "stat_prefix: few\nmax_connections: 1\n")));
  for (int i = 0; i < 3; ++i) {
    Peer client = proxy_->connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    EXPECT_EQ(client.read_message().body, "ok");
    client.close();
    proxy_->wait_for("the place", [this] {
      return proxy_->gauge("connection_limit.few.active_connections") == 0;
    });
  }
  EXPECT_EQ(proxy_->counter("connection_limit.few.limited_connections"), 0u);
}

// ---- mistakes -------------------------------------------------------------------------------------------------------------

TEST_F(NetworkFiltersTest, MistakesAreErrors) {
  const std::pair<std::string, const char*> cases[] = {
      {kEcho + kEcho, "must be the last"},
      {network_filter("sni_cluster.v3.SniCluster"), "the last filter must be a terminal one"},
      {network_filter("tcp_proxy.v3.TcpProxy", "stat_prefix: t\ncluster: nowhere\n"),
       "unknown cluster"},
      {network_filter(
           "tcp_proxy.v3.TcpProxy",
           "stat_prefix: t\nweighted_clusters: {clusters: [{name: nowhere, weight: 1}]}\n"),
       "unknown cluster"},
      {network_filter("tcp_proxy.v3.TcpProxy", "stat_prefix: t\n"), "cluster"},
      {network_filter("tcp_proxy.v3.TcpProxy", "stat_prefix: t\ncluster: a\nidle_time: 1s\n"),
       "did you mean \\\"idle_timeout\\\""},
      {network_filter("tcp_proxy.v3.TcpProxy",
                      "stat_prefix: t\ncluster: a\nupstream_connect_mode: ON_DOWNSTREAM_DATA\n"),
       "max_early_data_bytes"},
      {network_filter("connection_limit.v3.ConnectionLimit", "stat_prefix: t\n") + kEcho,
       "max_connections"},
      {network_filter("local_ratelimit.v3.LocalRateLimit",
                      "stat_prefix: t\ntoken_bucket: {max_tokens: 1, fill_interval: 0.001s}\n") +
           kEcho,
       "at least 0.05s"},
      {rbac("rules: {policies: {p: {permissions: [{header: {name: a}}], principals: [{any: "
            "true}]}}}\n") +
           kEcho,
       "a connection has no request to match"},
      {rbac("rules: {policies: {p: {permissions: [{any: true}], principals: [{remote_ip: "
            "{address_prefix: 1.2.3.4, prefix_len: 64}}]}}}\n") +
           kEcho,
       "too long"},
  };
  proxy_ = std::make_unique<TestProxy>(
      NetworkYaml{kEcho, ""}.text(),
      TestProxy::Options{.workers = 1, .from_file = true, .drain_time = {}});
  uint64_t rejected = 0;
  for (const auto& [filters, words] : cases) {
    proxy_->write_config(NetworkYaml{filters, ""}.text());
    proxy_->wait_for_rejection(++rejected);
    const std::string told = proxy_->admin("/reload");
    EXPECT_NE(told.find(words), std::string::npos) << filters << "\n" << told;
    EXPECT_TRUE(served());
  }
}

}  // namespace
}  // namespace weir::test
