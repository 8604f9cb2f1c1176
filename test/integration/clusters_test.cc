// Clusters over the wire: limits that hold over workers, connections that end, hosts that share.
#include <map>
#include <gtest/gtest.h>

#include "support/test_proxy.h"

namespace weir::test {
namespace {

TestProxy::Options two_workers() {
  TestProxy::Options options;
  options.workers = 2;
  return options;
}

std::string get(std::string_view path = "/") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

TEST(Clusters, RequestLimitHoldsOverWorkers) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.cluster = "circuit_breakers: {thresholds: [{max_requests: 2, track_remaining: true}]}\n";
  TestProxy proxy(yaml.text(), two_workers());
  std::vector<Peer> clients, upstreams;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(proxy.connect());
    clients.back().send(get());
    upstreams.push_back(origin.accept());
    upstreams.back().read_message();
  }
  EXPECT_EQ(proxy.gauge("cluster.origin.circuit_breakers.default.rq_open"), 1);
  EXPECT_EQ(proxy.gauge("cluster.origin.circuit_breakers.default.remaining_rq"), 0);
  for (int i = 0; i < 6; ++i) {  // on both workers
    Peer client = proxy.connect();
    client.send(get());
    const auto answer = client.read_message();
    EXPECT_EQ(answer.status(), 503);
    EXPECT_EQ(answer.header("x-envoy-overloaded"), "true");
    EXPECT_EQ(answer.body,
              "upstream connect error or disconnect/reset before headers. reset reason: overflow");
  }
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_rq_pending_overflow"), 6u);
  for (int i = 0; i < 2; ++i) {
    upstreams[static_cast<size_t>(i)].send(response("ok"));
    EXPECT_EQ(clients[static_cast<size_t>(i)].read_message().body, "ok");
  }
  EXPECT_EQ(proxy.gauge("cluster.origin.circuit_breakers.default.rq_open"), 0);
}

TEST(Clusters, PendingRequestsWaitForAConnectionUpToTheirLimit) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.cluster =
      "circuit_breakers: {thresholds: [{max_connections: 1, max_pending_requests: 1}]}\n";
  TestProxy proxy(yaml.text());
  Peer first = proxy.connect(), second = proxy.connect(), third = proxy.connect();
  first.send(get("/1"));
  Peer upstream = origin.accept();
  upstream.read_message();
  second.send(get("/2"));
  proxy.wait_for("a pending request", [&proxy] {
    return proxy.gauge("cluster.origin.upstream_rq_pending_active") == 1;
  });
  third.send(get("/3"));
  EXPECT_EQ(third.read_message().header("x-envoy-overloaded"), "true");
  upstream.send(response("1"));
  EXPECT_EQ(first.read_message().body, "1");
  EXPECT_EQ(upstream.read_message().first_line(), "GET /2 HTTP/1.1");
  upstream.send(response("2"));
  EXPECT_EQ(second.read_message().body, "2");
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_cx_total"), 1u);
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_cx_overflow"), 1u);
}

std::string protocol_options(std::string_view common) {
  return "typed_extension_protocol_options:\n"
         "  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
         "    \"@type\": "
         "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
         "    explicit_http_config: {http_protocol_options: {}}\n"
         "    common_http_protocol_options: {" +
         std::string(common) + "}\n";
}

TEST(Clusters, ConnectionsEndAsTheProtocolOptionsSay) {
  struct Case {
    std::string_view option, stat;
    int requests;
  };
  for (const Case& one :
       {Case{"idle_timeout: 0.02s", "upstream_cx_idle_timeout", 1},
        {"max_requests_per_connection: 2", "upstream_cx_max_requests", 2},
        {"max_connection_duration: 0.02s", "upstream_cx_max_duration_reached", 1}}) {
    AutoOrigin origin([](const Peer::Message&) { return response("ok"); });
    Yaml yaml;
    yaml.origin_port = origin.port();
    yaml.cluster = protocol_options(one.option);
    TestProxy proxy(yaml.text());
    Peer client = proxy.connect();
    for (int i = 0; i < one.requests; ++i) {
      client.send(get());
      EXPECT_EQ(client.read_message().body, "ok");
    }
    proxy.wait_for("the end of the connection", [&proxy] {
      return proxy.counter("cluster.origin.upstream_cx_destroy_local") == 1;
    });
    EXPECT_EQ(proxy.counter("cluster.origin." + std::string(one.stat)), 1u) << one.option;
  }
}

TEST(Clusters, AStreamEndsAfterItsMaximum) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.cluster = protocol_options("max_stream_duration: 0.3s");
  TempFolder folder;
  yaml.hcm =
      "access_log:\n- name: log\n  typed_config: {\"@type\": "
      "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: " +
      folder.path() +
      "/log, log_format: {text_format_source: {inline_string: "
      "\"%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\\n\"}}}\n";
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send(get());
  Peer upstream = origin.accept();
  upstream.read_head();
  auto answer = client.read_message();
  EXPECT_EQ(answer.status(), 504);
  EXPECT_EQ(answer.body, "upstream max stream duration reached");
  EXPECT_TRUE(upstream.closed());
  // It does not wait for the client.
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
  Peer second = origin.accept();
  second.read_head();
  EXPECT_EQ(client.read_message().status(), 408);
  // A response that has begun is cut.
  Peer other = proxy.connect();
  other.send(get());
  Peer third = origin.accept();
  third.read_head();
  third.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
  EXPECT_TRUE(other.read_to_end().ends_with("part"));
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_rq_max_duration_reached"), 3u);
  proxy.stop();
  EXPECT_EQ(folder.read("log"),
            "504 UMSDR upstream_max_stream_duration_reached\n"
            "408 UMSDR upstream_max_stream_duration_reached\n"
            "200 UMSDR upstream_max_stream_duration_reached\n");
}

TEST(Clusters, WeightsOfAllLocalitiesOfTheFirstPriorityShare) {
  const auto origin = [](std::string_view name) {
    return [name](const Peer::Message&) { return response(name); };
  };
  AutoOrigin a(origin("a")), b(origin("b")), c(origin("c"));
  const auto locality = [](uint16_t port, int weight, int priority) {
    return "    - priority: " + std::to_string(priority) +
           "\n      lb_endpoints: [{load_balancing_weight: " + std::to_string(weight) +
           ", endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: " +
           std::to_string(port) + "}}}}]\n";
  };
  for (const bool random : {false, true}) {
    Yaml yaml;
    yaml.routes = "- match: {prefix: /}\n  route: {cluster: several}\n";
    yaml.more_clusters =
        std::string("- name: several\n  lb_policy: ") + (random ? "RANDOM" : "ROUND_ROBIN") +
        "\n  load_assignment:\n    cluster_name: several\n    endpoints:\n" +
        locality(a.port(), 1, 0) + locality(b.port(), 3, 0) + locality(c.port(), 9, 1);
    TestProxy proxy(yaml.text());
    Peer client = proxy.connect();
    std::map<std::string, int> seen;
    for (int i = 0; i < 400; ++i) {
      client.send(get());
      ++seen[client.read_message().body];
    }
    EXPECT_EQ(seen["c"], 0);
    if (random)
      EXPECT_NEAR(seen["a"], 200, 55);  // knows no weights, as Envoy's
    else
      EXPECT_NEAR(seen["a"], 100, 1);
  }
}

TEST(Clusters, ClusterWithoutHostsIsUnhealthy) {
  Yaml yaml;
  yaml.routes = "- match: {prefix: /}\n  route: {cluster: empty}\n";
  yaml.more_clusters = "- name: empty\n";
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send(get());
  const auto answer = client.read_message();
  EXPECT_EQ(answer.status(), 503);
  EXPECT_EQ(answer.body, "no healthy upstream");
  EXPECT_EQ(proxy.counter("cluster.empty.upstream_cx_none_healthy"), 1u);
}

}  // namespace
}  // namespace weir::test
