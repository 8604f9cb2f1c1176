// Routes over the wire: which one is taken, and what it does to a request and its answer.
#include <map>
#include <optional>
#include <gtest/gtest.h>

#include "support/test_proxy.h"

namespace weir::test {
namespace {

class Routes : public ::testing::Test {
 protected:
  void start(std::string routes, std::string filters = {}) {
    Yaml yaml;
    yaml.routes = std::move(routes);
    yaml.filters = std::move(filters);
    yaml.origin_port = origin.port();
    proxy.emplace(yaml.text());
  }
  Peer::Message ask(std::string_view path, std::string_view fields = {}) {
    if (!client) client.emplace(proxy->connect());
    client->send("GET " + std::string(path) + " HTTP/1.1\r\nHost: a.b:1\r\n" + std::string(fields) +
                 "\r\n");
    return client->read_message();
  }
  /// The request as the origin has got it.
  Peer::Message forwarded(std::string_view path, std::string_view fields = {}) {
    Peer::Message request;
    request.head = ask(path, fields).body;
    return request;
  }
  AutoOrigin origin{[](const Peer::Message& request) { return response(request.head); }};
  std::optional<TestProxy> proxy;
  std::optional<Peer> client;
};

TEST_F(Routes, RedirectsWithAllTheirFields) {
  start(
      "- match: {prefix: /1}\n"
      "  redirect: {https_redirect: true, port_redirect: 8443, response_code: "
      "TEMPORARY_REDIRECT}\n"
      "- match: {prefix: /2}\n"
      "  redirect: {host_redirect: new.host, path_redirect: /p, response_code: FOUND}\n"
      "- match: {prefix: /3}\n"
      "  redirect: {scheme_redirect: ftp, prefix_rewrite: /z, strip_query: true, response_code: "
      "SEE_OTHER}\n"
      "- match: {prefix: /4}\n"
      "  redirect: {regex_rewrite: {pattern: {regex: '/4/(.*)'}, substitution: '/\\1'}, "
      "response_code: PERMANENT_REDIRECT}\n"
      "- match: {prefix: /5}\n"
      "  redirect: {path_redirect: '/p?own=1'}\n");
  struct Case {
    std::string_view path;
    int status;
    std::string_view location;
  };
  for (const Case& one : {Case{"/1/x?q", 307, "https://a.b:8443/1/x?q"},
                          {"/2/x?q", 302, "http://new.host/p?q"},
                          {"/3/x?q", 303, "ftp://a.b:1/z/x"},
                          {"/4/x/y?q", 308, "http://a.b:1/x/y?q"},
                          {"/5?q", 301, "http://a.b:1/p?own=1"}}) {
    const auto answer = ask(one.path);
    EXPECT_EQ(answer.status(), one.status) << one.path;
    EXPECT_EQ(answer.header("location"), one.location);
    EXPECT_EQ(answer.body, "");
  }
}

TEST_F(Routes, RewritesRememberWhatWas) {
  start(
      "- match: {prefix: /p/}\n  route: {cluster: origin, prefix_rewrite: /new/}\n"
      "- match: {path: /x}\n  route: {cluster: origin, prefix_rewrite: /y}\n"
      "- match: {prefix: /r}\n"
      "  route: {cluster: origin, regex_rewrite: {pattern: {regex: '^/r/([^/]+)/(.*)$'}, "
      "substitution: '/\\2/x/\\1'}}\n"
      "- match: {prefix: /h}\n"
      "  route: {cluster: origin, host_rewrite_literal: lit, append_x_forwarded_host: true}\n"
      "- match: {prefix: /k}\n  route: {cluster: origin, host_rewrite_header: x-host}\n");
  auto request = forwarded("/p/a?c=d");
  EXPECT_EQ(request.first_line(), "GET /new/a?c=d HTTP/1.1");
  EXPECT_EQ(request.header("x-envoy-original-path"), "/p/a?c=d");
  EXPECT_EQ(forwarded("/x?q").first_line(), "GET /y?q HTTP/1.1");
  EXPECT_EQ(forwarded("/r/a/b/c?q").first_line(), "GET /b/c/x/a?q HTTP/1.1");
  request = forwarded("/h");
  EXPECT_EQ(request.header("host"), "lit");
  EXPECT_EQ(request.header("x-forwarded-host"), "a.b:1");
  EXPECT_EQ(forwarded("/k", "x-host: other\r\n").header("host"), "other");
  EXPECT_EQ(forwarded("/k").header("host"), "a.b:1");
}

TEST_F(Routes, HeaderOperationsKnowTheStatusOfTheAnswer) {
  start(
      "- match: {prefix: /}\n"
      "  route: {cluster: origin}\n"
      "  response_headers_to_add:\n"
      "  - header: {key: x-r, value: \"%RESPONSE_CODE% %UPSTREAM_CLUSTER% %REQ(:PATH)% 100%%\"}\n");
  EXPECT_EQ(ask("/p").header("x-r"), "200 origin /p 100%");
}

TEST_F(Routes, ClusterHeaderNamesTheCluster) {
  start(
      "- match: {prefix: /}\n"
      "  route: {cluster_header: x-to, cluster_not_found_response_code: NOT_FOUND}\n");
  EXPECT_EQ(ask("/", "x-to: origin\r\n").status(), 200);
  EXPECT_EQ(ask("/", "x-to: nobody\r\n").status(), 404);
  EXPECT_EQ(ask("/").status(), 404);
  EXPECT_EQ(proxy->counter("http.ingress.no_cluster"), 2u);
}

TEST_F(Routes, FractionAndWeightsDistribute) {
  start(
      "- match: {prefix: /, runtime_fraction: {default_value: {numerator: 30}}}\n"
      "  direct_response: {status: 200, body: {inline_string: in}}\n"
      "- match: {prefix: /}\n"
      "  route:\n"
      "    weighted_clusters:\n"
      "      clusters:\n"
      "      - name: origin\n"
      "        weight: 3\n"
      "        response_headers_to_add: [{header: {key: x-c, value: a}}]\n"
      "      - name: origin\n"
      "        weight: 1\n"
      "        response_headers_to_add: [{header: {key: x-c, value: b}}]\n");
  std::map<std::string, int> seen;
  constexpr int kRequests = 1000;
  for (int i = 0; i < kRequests; ++i) ++seen[ask("/").header("x-c")];
  // About five standard deviations.
  EXPECT_NEAR(seen[""], kRequests * 0.30, 75);
  EXPECT_NEAR(seen["a"], kRequests * 0.525, 80);
  EXPECT_NEAR(seen["b"], kRequests * 0.175, 62);
}

constexpr std::string_view kPerRoute =
    "\"@type\": "
    "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute";

std::string mutation(std::string_view value) {
  return std::string("{") + std::string(kPerRoute) +
         ", mutations: {request_mutations: [{append: {header: {key: x-m, value: " +
         std::string(value) + "}}}]}}";
}

TEST_F(Routes, WeightedClustersConfigureFilters) {
  start(
      "- match: {path: /off}\n"
      "  route: {cluster: origin}\n"
      "  typed_per_filter_config:\n"
      "    mutate: {\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: "
      "true}\n"
      "- match: {prefix: /}\n"
      "  route:\n"
      "    weighted_clusters:\n"
      "      clusters:\n"
      "      - name: origin\n"
      "        weight: 1\n"
      "        typed_per_filter_config: {mutate: " +
          mutation("cluster") +
          "}\n"
          "  typed_per_filter_config: {mutate: " +
          mutation("route") + "}\n",
      "- name: mutate\n"
      "  typed_config:\n"
      "    \"@type\": "
      "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation\n"
      "    mutations: {request_mutations: [{append: {header: {key: x-m, value: filter}}}]}\n");
  const auto request = forwarded("/");
  const size_t filter = request.head.find("x-m: filter");
  const size_t cluster = request.head.find("x-m: cluster");
  const size_t route = request.head.find("x-m: route");
  ASSERT_NE(route, std::string::npos) << request.head;
  EXPECT_LT(filter, cluster);
  EXPECT_LT(cluster, route);
  EXPECT_FALSE(forwarded("/off").has("x-m"));
}

}  // namespace
}  // namespace weir::test
