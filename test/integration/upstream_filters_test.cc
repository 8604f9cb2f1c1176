// HTTP filters between the router and the upstream.
#include <gtest/gtest.h>

#include "support/test_proxy.h"

namespace weir::test {
namespace {

std::string indented(std::string text, size_t by) {
  const std::string space(by, ' ');
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos && at + 1 < text.size();
       at += by + 1)
    text.insert(at + 1, space);
  return space + text;
}

std::string filter(std::string_view name, std::string_view type, std::string_view fields) {
  return "- name: " + std::string(name) +
         "\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.http." +
         std::string(type) + "\n" + (fields.empty() ? "" : indented(std::string(fields), 4));
}

std::string mutation(std::string_view name) {
  return filter(name, "header_mutation.v3.HeaderMutation",
                "mutations:\n"
                "  request_mutations: [{append: {header: {key: saw, value: \"" +
                    std::string(name) +
                    " %REQ(:PATH)%\"}, append_action: APPEND_IF_EXISTS_OR_ADD}}]\n"
                    "  response_mutations: [{append: {header: {key: passed, value: " +
                    std::string(name) + "}, append_action: APPEND_IF_EXISTS_OR_ADD}}]\n");
}

const std::string kCodec = filter("codec", "upstream_codec.v3.UpstreamCodec", "");

/// One request a long time.
const std::string kLimit =
    filter("limit", "local_ratelimit.v3.LocalRateLimit",
           "stat_prefix: limit\n"
           "token_bucket: {max_tokens: 1, tokens_per_fill: 1, fill_interval: 3600s}\n"
           "filter_enabled: {default_value: {numerator: 100}}\n"
           "filter_enforced: {default_value: {numerator: 100}}\n");

std::string cluster_filters(const std::string& filters) {
  return "typed_extension_protocol_options:\n"
         "  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
         "    \"@type\": "
         "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
         "    explicit_http_config: {http_protocol_options: {}}\n"
         "    http_filters:\n" +
         indented(filters, 4);
}

Yaml yaml_for(const Origin& origin) {
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.filters = mutation("outer");
  yaml.routes =
      "- match: {prefix: /off}\n  route: {cluster: origin}\n"
      "  typed_per_filter_config:\n"
      "    outer: {\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: "
      "true}\n"
      "- match: {prefix: /}\n  route: {cluster: origin, prefix_rewrite: /new/}\n";
  return yaml;
}

TEST(UpstreamFilters, SeeTheRequestAfterTheRouteAndTheResponseBeforeIt) {
  Origin origin;
  Yaml yaml = yaml_for(origin);
  yaml.cluster = cluster_filters(mutation("one") + mutation("two") + kCodec);
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
  Peer upstream = origin.accept();
  const auto request = upstream.read_message();
  EXPECT_EQ(request.first_line(), "POST /new/a HTTP/1.1");
  EXPECT_EQ(request.body, "body");
  const size_t outer = request.head.find("saw: outer /a\r\n");
  const size_t one = request.head.find("saw: one /new/a\r\n");
  const size_t two = request.head.find("saw: two /new/a\r\n");
  EXPECT_LT(outer, one) << request.head;
  EXPECT_LT(one, two) << request.head;
  EXPECT_NE(two, std::string::npos) << request.head;
  upstream.send(response("answer"));
  const auto answer = client.read_message();
  EXPECT_EQ(answer.body, "answer");
  const size_t last = answer.head.find("passed: outer");
  EXPECT_LT(answer.head.find("passed: two"), answer.head.find("passed: one")) << answer.head;
  EXPECT_LT(answer.head.find("passed: one"), last) << answer.head;
  EXPECT_NE(last, std::string::npos);
  // The connection is kept, and the next request goes the same way.
  client.send("GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(upstream.read_head().find("saw: two /new/b\r\n"), std::string::npos);
}

TEST(UpstreamFilters, AnAnswerOfOneIsTheClients) {
  Origin origin;
  Yaml yaml = yaml_for(origin);
  yaml.cluster = cluster_filters(kLimit + kCodec);
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = origin.accept();
  upstream.read_head();
  upstream.send(response("ok"));
  EXPECT_EQ(client.read_message().status(), 200);
  for (int i = 0; i < 3; ++i) {
    client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto refused = client.read_message();
    EXPECT_EQ(refused.status(), 429);
    EXPECT_EQ(refused.body, "local_rate_limited");
    EXPECT_NE(refused.head.find("passed: outer"), std::string::npos) << refused.head;
  }
  EXPECT_TRUE(upstream.quiet());
  client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
  EXPECT_EQ(client.read_message().status(), 429);
}

TEST(UpstreamFilters, FailuresAndTimeoutsOfTheUpstreamAreAnsweredAsEver) {
  Origin origin;
  Yaml yaml = yaml_for(origin);
  yaml.routes = "- match: {prefix: /}\n  route: {cluster: origin, timeout: 0.2s}\n";
  yaml.cluster = cluster_filters(mutation("one") + kCodec);
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = origin.accept();
  upstream.read_head();
  EXPECT_EQ(client.read_message().status(), 504);
  EXPECT_TRUE(upstream.closed());
  client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer second = origin.accept();
  second.read_head();
  second.close();
  EXPECT_EQ(client.read_message().status(), 503);
  client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer third = origin.accept();
  third.read_head();
  third.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
  third.close();
  EXPECT_TRUE(client.read_to_end().ends_with("part"));
}

TEST(UpstreamFilters, TheRoutersServeClustersWithoutTheirOwn) {
  Origin origin;
  Yaml yaml = yaml_for(origin);
  const auto with_router = [&yaml] {
    std::string text = yaml.text();
    const std::string router = "envoy.extensions.filters.http.router.v3.Router\n";
    const size_t at = text.find(router) + router.size();
    return text.insert(
        at, "              upstream_http_filters:\n" + indented(mutation("router") + kCodec, 14));
  };
  {
    TestProxy proxy(with_router());
    Peer client = proxy.connect();
    client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_NE(origin.accept().read_head().find("saw: router /new/a\r\n"), std::string::npos);
  }
  yaml.cluster = cluster_filters(mutation("own") + kCodec);
  TestProxy proxy(with_router());
  Peer client = proxy.connect();
  client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string request = origin.accept().read_head();
  EXPECT_NE(request.find("saw: own /new/a\r\n"), std::string::npos) << request;
  EXPECT_EQ(request.find("saw: router"), std::string::npos) << request;
}

TEST(UpstreamFilters, CarryTunnels) {
  Origin origin;
  Yaml yaml = yaml_for(origin);
  yaml.hcm = "upgrade_configs: [{upgrade_type: websocket}]\n";
  yaml.cluster = cluster_filters(mutation("one") + kCodec);
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send("GET /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  Peer upstream = origin.accept();
  EXPECT_NE(upstream.read_head().find("saw: one /new/a\r\n"), std::string::npos);
  upstream.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nhello");
  client.read_head();
  EXPECT_EQ(client.read(5), "hello");
  client.send("bytes");
  EXPECT_EQ(upstream.read(5), "bytes");
  upstream.half_close();
  EXPECT_EQ(client.read_to_end(), "");
  client.send("more");
  EXPECT_EQ(upstream.read(4), "more");
  client.close();
  EXPECT_EQ(upstream.read_to_end(), "");
}

TEST(UpstreamFilters, LiveThroughEditsOfTheirCluster) {
  Origin origin;
  Yaml yaml = yaml_for(origin);
  yaml.cluster = cluster_filters(mutation("one") + kCodec);
  TestProxy proxy(yaml.text(), {.workers = 1, .from_file = true});
  Peer client = proxy.connect();
  client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = origin.accept();
  upstream.read_head();
  yaml.cluster = cluster_filters(mutation("two") + kCodec);
  proxy.write_config(yaml.text());
  proxy.wait_for_generation(2);
  upstream.send(response("ok"));
  EXPECT_NE(client.read_message().head.find("passed: one"), std::string::npos);
  client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(upstream.read_head().find("saw: two /new/a\r\n"), std::string::npos);
}

/// The item of typed_per_filter_config by which the filter `name` adds "route: VALUE" to requests.
std::string route_mutation(std::string_view name, std::string_view value) {
  return "    " + std::string(name) +
         ": {\"@type\": "
         "type.googleapis.com/"
         "envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute, "
         "mutations: {request_mutations: [{append: {header: {key: route, value: " +
         std::string(value) + "}}}]}}\n";
}
std::string wrapped(std::string_view name, std::string_view fields) {
  return "    " + std::string(name) +
         ": {\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, " +
         std::string(fields) + "}\n";
}
std::string request_to(TestProxy& proxy, Origin& origin, std::string_view path) {
  Peer client = proxy.connect();
  client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  return origin.accept().read_head();
}

TEST(UpstreamFilters, HaveConfigurationForEachRoute) {
  Origin origin;
  Yaml yaml = yaml_for(origin);
  yaml.routes =
      "- match: {prefix: /own}\n  route: {cluster: origin}\n  typed_per_filter_config:\n" +
      route_mutation("one", "own") +
      "- match: {prefix: /off}\n  route: {cluster: origin}\n  typed_per_filter_config:\n" +
      wrapped("one", "disabled: true") +
      "- match: {prefix: /outer}\n  route: {cluster: origin}\n  typed_per_filter_config:\n" +
      route_mutation("outer", "outer") + "- match: {prefix: /}\n  route: {cluster: origin}\n";
  yaml.cluster = cluster_filters(mutation("one") + kCodec);
  TestProxy proxy(yaml.text());
  EXPECT_NE(request_to(proxy, origin, "/own").find("route: own\r\n"), std::string::npos);
  EXPECT_EQ(request_to(proxy, origin, "/off").find("saw: one"), std::string::npos);
  const std::string plain = request_to(proxy, origin, "/plain");
  EXPECT_NE(plain.find("saw: one"), std::string::npos);
  EXPECT_EQ(plain.find("route: "), std::string::npos);
  EXPECT_NE(request_to(proxy, origin, "/outer").find("route: outer\r\n"), std::string::npos);
}

TEST(UpstreamFilters, OfTheRouterHaveConfigurationForEachRoute) {
  Origin origin;
  Yaml yaml = yaml_for(origin);
  yaml.routes = "- match: {prefix: /}\n  route: {cluster: origin}\n  typed_per_filter_config:\n" +
                route_mutation("router", "one");
  std::string text = yaml.text();
  const std::string router = "envoy.extensions.filters.http.router.v3.Router\n";
  text.insert(text.find(router) + router.size(),
              "              upstream_http_filters:\n" + indented(mutation("router") + kCodec, 14));
  TestProxy proxy(text);
  EXPECT_NE(request_to(proxy, origin, "/a").find("route: one\r\n"), std::string::npos);
}

// The routes' text stays the same: what it means changes with the cluster. A filter of another type gets nothing of it.
TEST(UpstreamFilters, RoutesFollowEditsOfTheCluster) {
  Origin origin;
  Yaml yaml = yaml_for(origin);
  const std::string optional = "is_optional: true, config: " + route_mutation("", "late").substr(6);
  yaml.routes = "- match: {prefix: /}\n  route: {cluster: origin}\n  typed_per_filter_config:\n" +
                wrapped("late", optional.substr(0, optional.size() - 1));
  TestProxy proxy(yaml.text(), {.workers = 1, .from_file = true});
  EXPECT_EQ(request_to(proxy, origin, "/a").find("route: "), std::string::npos);
  yaml.cluster = cluster_filters(mutation("late") + kCodec);
  proxy.write_config(yaml.text());
  proxy.wait_for_generation(2);
  EXPECT_NE(request_to(proxy, origin, "/a").find("route: late\r\n"), std::string::npos);
}

// A request that waits at a filter has the route of its generation, and comes to the cluster of the next.
TEST(UpstreamFilters, OfAnotherTypeGetNothingOfAnOlderRoute) {
  Origin origin;
  Yaml yaml = yaml_for(origin);
  const std::string routes = "- match: {prefix: /}\n  route: {cluster: origin}\n";
  yaml.filters = filter("wait", "buffer.v3.Buffer", "max_request_bytes: 100\n") + mutation("outer");
  yaml.routes = routes + "  typed_per_filter_config:\n" + route_mutation("one", "old");
  yaml.cluster = cluster_filters(mutation("one") + kCodec);
  TestProxy proxy(yaml.text(), {.workers = 1, .from_file = true});
  Peer client = proxy.connect();
  client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo");
  proxy.wait_for("the request",
                 [&proxy] { return proxy.gauge("http.ingress.downstream_rq_active") == 1; });
  std::string limit = kLimit;
  limit.replace(limit.find("limit"), 5, "one");
  yaml.routes = routes;
  yaml.cluster = cluster_filters(limit + kCodec);
  proxy.write_config(yaml.text());
  proxy.wait_for_generation(2);
  client.send("dy");
  Peer upstream = origin.accept();
  const auto request = upstream.read_message();
  EXPECT_EQ(request.body, "body");
  EXPECT_EQ(request.head.find("route: "), std::string::npos) << request.head;
  upstream.send(response("ok"));
  EXPECT_EQ(client.read_message().status(), 200);
  // It was the one that the bucket of the filter had.
  client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read_message().status(), 429);
}

}  // namespace
}  // namespace weir::test
