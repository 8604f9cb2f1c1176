// What right routes and filters become.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture.h"
#include "router/route_table.h"

namespace weir::config::test {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;

const router::RouteTableOptions& table_of(const Configuration& configuration) {
  return configuration.listeners.at(0)->filter_chains.at(0)->hcm->routes->options();
}
const router::RouteOptions& route_of(const Configuration& configuration) {
  return table_of(configuration).virtual_hosts.at(0).routes.at(0);
}

TEST_F(LoaderTest, ReadsRouteMatch) {
  auto configuration = good(with_routes(
      "- name: r1\n"
      "  match:\n"
      "    safe_regex: {google_re2: {}, regex: \"/a.*\"}\n"
      "    case_sensitive: false\n"
      "    headers:\n"
      "    - {name: X-One, string_match: {prefix: v, ignore_case: true}}\n"
      "    - {name: x-two, range_match: {start: -1, end: 5}, invert_match: true}\n"
      "    - {name: \":method\", exact_match: GET}\n"
      "    - {name: x-four, present_match: false}\n"
      "    - {name: x-five}\n"
      "    - {name: x-six, prefix_match: a}\n"
      "    - {name: x-seven, suffix_match: a}\n"
      "    - {name: x-eight, contains_match: a}\n"
      "    - {name: x-nine, safe_regex_match: {google_re2: {}, regex: \"a+\"}}\n"
      "    query_parameters:\n"
      "    - {name: q, string_match: {exact: \"1\"}}\n"
      "    - {name: p, present_match: true}\n"
      "    runtime_fraction: {default_value: {numerator: 25, denominator: TEN_THOUSAND}, "
      "runtime_key: x}\n"
      "  direct_response: {status: 200, body: {inline_string: hi}}\n"));
  const router::RouteOptions& route = route_of(*configuration);
  EXPECT_EQ(route.name, "r1");
  EXPECT_EQ(route.match.kind, router::RouteMatchOptions::Path::kRegex);
  EXPECT_TRUE(route.match.regex->full_match("/abc"));
  EXPECT_FALSE(route.match.case_sensitive);
  // One of these is wrong in each of the heads below.
  const std::pair<const char*, const char*> good_headers[] = {
      {"x-one", "V1"},   {"x-two", "5"},     {"x-five", ""},  {"x-six", "ab"},
      {"x-seven", "ba"}, {"x-eight", "bab"}, {"x-nine", "aa"}};
  for (size_t wrong = 0; wrong <= std::size(good_headers); ++wrong) {
    RequestHead head;
    head.set_method("GET");
    for (size_t i = 0; i < std::size(good_headers); ++i) {
      if (i != wrong) head.headers.add(good_headers[i].first, good_headers[i].second);
    }
    EXPECT_EQ(route.match.headers.matches(head), wrong == std::size(good_headers)) << wrong;
    if (wrong < std::size(good_headers)) continue;
    head.set_method("POST");
    EXPECT_FALSE(route.match.headers.matches(head));
  }
  ASSERT_EQ(route.match.query.size(), 2u);
  EXPECT_TRUE(route.match.query[0].string->matches("1"));
  EXPECT_FALSE(route.match.query[1].string.has_value());
  EXPECT_DOUBLE_EQ(route.match.fraction.value(), 0.0025);
  EXPECT_EQ(route.direct->body, "hi");
}

TEST_F(LoaderTest, ReadsRouteAction) {
  auto configuration = good(with_routes(
      "- match: {path_separated_prefix: /api}\n"
      "  route:\n"
      "    cluster: a\n"
      "    cluster_not_found_response_code: NOT_FOUND\n"
      "    prefix_rewrite: /v2\n"
      "    host_rewrite_literal: inner.example:8080\n"
      "    append_x_forwarded_host: true\n"
      "    timeout: 0s\n"
      "    idle_timeout: 4s\n"
      "    max_stream_duration: {max_stream_duration: 5s, grpc_timeout_header_max: 0s,\n"
      "      grpc_timeout_header_offset: 0.1s}\n"
      "    priority: HIGH\n"
      "  request_headers_to_add:\n"
      "  - header: {key: X-Added, value: \"%PROTOCOL%\"}\n"
      "    append_action: ADD_IF_ABSENT\n"
      "    keep_empty_value: true\n"
      "  - {header: {key: x-over, value: v}, append: false}\n"
      "  request_headers_to_remove: [X-Gone]\n"
      "- match: {path: /w}\n"
      "  route:\n"
      "    weighted_clusters:\n"
      "      clusters:\n"
      "      - {name: a, weight: 3, host_rewrite_literal: w}\n"
      "      - {name: b, weight: 1, response_headers_to_remove: [server]}\n"
      "    regex_rewrite: {pattern: {regex: \"^/w/(.*)\"}, substitution: \"/\\\\1\"}\n"
      "    host_rewrite_header: X-Host\n"
      "- {match: {prefix: /h}, route: {cluster_header: X-Cluster}}\n",
      cluster_named("a") + cluster_named("b")));
  const auto& routes = table_of(*configuration).virtual_hosts.at(0).routes;
  const router::RouteActionOptions& first = *routes.at(0).route;
  EXPECT_EQ(routes[0].match.kind, router::RouteMatchOptions::Path::kSeparatedPrefix);
  EXPECT_EQ(first.cluster, "a");
  EXPECT_EQ(first.cluster_not_found_status, 404);
  EXPECT_EQ(first.prefix_rewrite, "/v2");
  EXPECT_EQ(first.host_rewrite_literal, "inner.example:8080");
  EXPECT_TRUE(first.append_x_forwarded_host);
  EXPECT_EQ(first.timeout, seconds(0));
  EXPECT_EQ(first.idle_timeout.value(), seconds(4));
  ASSERT_TRUE(first.stream_duration);
  EXPECT_EQ(first.stream_duration->max.value(), seconds(5));
  EXPECT_EQ(first.stream_duration->grpc_max.value(), seconds(0));
  EXPECT_EQ(first.stream_duration->grpc_offset, std::chrono::milliseconds(100));
  EXPECT_TRUE(first.high_priority);
  ASSERT_EQ(routes[0].request_headers.add.size(), 2u);
  EXPECT_EQ(routes[0].request_headers.add[0].name, "x-added");
  EXPECT_EQ(routes[0].request_headers.add[0].action, AppendAction::kAddIfAbsent);
  EXPECT_TRUE(routes[0].request_headers.add[0].keep_empty_value);
  EXPECT_FALSE(routes[0].request_headers.add[0].value.constant());
  EXPECT_EQ(routes[0].request_headers.add[1].action, AppendAction::kOverwriteOrAdd);
  EXPECT_THAT(routes[0].request_headers.remove, ElementsAre("x-gone"));
  const router::RouteActionOptions& second = *routes.at(1).route;
  ASSERT_EQ(second.weighted.size(), 2u);
  EXPECT_EQ(second.weighted[0].weight, 3u);
  EXPECT_EQ(second.weighted[0].host_rewrite_literal, "w");
  EXPECT_THAT(second.weighted[1].response_headers.remove, ElementsAre("server"));
  EXPECT_EQ(second.regex_rewrite->substitution, "/\\1");
  EXPECT_EQ(second.host_rewrite_header, "x-host");
  EXPECT_EQ(second.timeout, seconds(15));
  EXPECT_EQ(routes.at(2).route->cluster_header, "x-cluster");
}

TEST_F(LoaderTest, ReadsRedirectAndTable) {
  auto configuration =
      good(with_hcm("stat_prefix: in\n"
                    "http_filters:\n" +
                    kRouter +
                    "route_config:\n"
                    "  name: table\n"
                    "  validate_clusters: false\n"
                    "  most_specific_header_mutations_wins: true\n"
                    "  ignore_port_in_host_matching: true\n"
                    "  max_direct_response_body_size_bytes: 10\n"
                    "  response_headers_to_add: [{header: {key: x-a, value: b}}]\n"
                    "  virtual_hosts:\n"
                    "  - name: v\n"
                    "    domains: [A.example, \"*.b\", \"c.*\"]\n"
                    "    require_tls: ALL\n"
                    "    include_request_attempt_count: true\n"
                    "    routes:\n"
                    "    - match: {prefix: /}\n"
                    "      redirect: {https_redirect: true, host_redirect: h, port_redirect: 8443, "
                    "prefix_rewrite: /n,\n"
                    "                 response_code: PERMANENT_REDIRECT, strip_query: true}\n"
                    "    - {match: {prefix: /x}, route: {cluster: not-there-yet}}\n"));
  const router::RouteTableOptions& table = table_of(*configuration);
  EXPECT_EQ(table.name, "table");
  EXPECT_TRUE(table.most_specific_header_mutations_wins);
  EXPECT_TRUE(table.ignore_port_in_host_matching);
  EXPECT_EQ(table.response_headers.add.at(0).name, "x-a");
  const router::VirtualHostOptions& host = table.virtual_hosts.at(0);
  EXPECT_THAT(host.domains, ElementsAre("a.example", "*.b", "c.*"));
  EXPECT_EQ(host.require_tls, router::VirtualHostOptions::RequireTls::kAll);
  EXPECT_TRUE(host.include_attempt_count);
  const router::RedirectOptions& redirect = *host.routes.at(0).redirect;
  EXPECT_TRUE(redirect.https_redirect);
  EXPECT_EQ(redirect.host_redirect, "h");
  EXPECT_EQ(redirect.port_redirect, 8443u);
  EXPECT_EQ(redirect.prefix_rewrite, "/n");
  EXPECT_EQ(redirect.status, 308);
  EXPECT_TRUE(redirect.strip_query);
}

TEST_F(LoaderTest, MakesFiltersAndTheirRouteConfigurations) {
  auto configuration = good(
      with_hcm("stat_prefix: in\n"
               "http_filters:\n"
               "- name: first\n"
               "  typed_config: {\"@type\": type.googleapis.com/test.Label, label: one, level: 3}\n"
               "- name: second\n"
               "  disabled: true\n"
               "  typed_config: {\"@type\": type.googleapis.com/test.Label, label: two}\n"
               "- name: not-in-this-binary\n"
               "  is_optional: true\n"
               "  typed_config: {\"@type\": type.googleapis.com/test.Unknown, whatever: {a: b}}\n" +
               kRouter +
               "route_config:\n"
               "  typed_per_filter_config:\n"
               "    second:\n"
               "      \"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig\n"
               "      disabled: false\n"
               "    not-in-this-binary:\n"
               "      \"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig\n"
               "      is_optional: true\n"
               "      config: {\"@type\": type.googleapis.com/test.Unknown, x: y}\n"
               "  virtual_hosts:\n"
               "  - name: v\n"
               "    domains: [\"*\"]\n"
               "    typed_per_filter_config:\n"
               "      first: {\"@type\": type.googleapis.com/test.Label, label: host}\n"
               "    routes:\n"
               "    - match: {prefix: /}\n"
               "      direct_response: {status: 200}\n"
               "      typed_per_filter_config:\n"
               "        first:\n"
               "          \"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig\n"
               "          disabled: true\n"
               "          config: {\"@type\": type.googleapis.com/test.Label, label: route}\n"));
  const proxy::HcmOptions& hcm = *configuration->listeners.at(0)->filter_chains.at(0)->hcm;
  ASSERT_EQ(hcm.filters.size(), 3u);
  const auto& first = static_cast<const StubFactory&>(*hcm.filters[0].factory);
  EXPECT_EQ(first.name, "first");
  EXPECT_EQ(first.label, "one");
  EXPECT_FALSE(hcm.filters[0].disabled);
  EXPECT_TRUE(hcm.filters[1].disabled);
  EXPECT_EQ(stats_.counter_value("http.in.stub.made"), 2u);
  const router::RouteTableOptions& table = hcm.routes->options();
  EXPECT_EQ(table.filters.at("second").disabled, 0);
  EXPECT_EQ(table.filters.at("second").config, nullptr);
  EXPECT_EQ(table.filters.count("not-in-this-binary"), 0u);
  const auto& host = table.virtual_hosts.at(0);
  EXPECT_EQ(host.filters.at("first").disabled, -1);
  EXPECT_EQ(static_cast<const StubRouteConfig*>(host.filters.at("first").config.get())->label,
            "host");
  const router::FilterOverride& route = host.routes.at(0).filters.at("first");
  EXPECT_EQ(route.disabled, 1);
  EXPECT_EQ(static_cast<const StubRouteConfig*>(route.config.get())->label, "route");
}

namespace {

/// A cluster with an upstream filter `one` of this type.
std::string cluster_with_filter(const std::string& name, const std::string& type) {
  return cluster_named(name) +
         "  typed_extension_protocol_options:\n"
         "    envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
         "      \"@type\": "
         "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
         "      http_filters:\n"
         "      - {name: one, typed_config: {\"@type\": type.googleapis.com/" +
         type +
         "}}\n"
         "      - {name: codec, typed_config: {\"@type\": type.googleapis.com/"
         "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec}}\n";
}
constexpr char kCorsType[] = "envoy.extensions.filters.http.cors.v3.Cors";

}  // namespace

TEST_F(LoaderTest, UpstreamFiltersHaveRouteConfigurationsByNameAndType) {
  const std::string route =
      "- match: {prefix: /}\n  route: {cluster: a}\n  typed_per_filter_config:\n    one: ";
  auto configuration = good(
      with_routes(route + "{\"@type\": type.googleapis.com/test.Label, label: r}\n",
                  cluster_with_filter("a", kLabelType) + cluster_with_filter("b", kLabelType)));
  const auto& table = *configuration->listeners.at(0)->filter_chains.at(0)->hcm->routes;
  const router::FilterOverrides& made = table.options().virtual_hosts.at(0).routes.at(0).filters;
  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made.begin()->first, upstream::filter_route_key("one", kLabelType));
  EXPECT_EQ(static_cast<const StubRouteConfig*>(made.begin()->second.config.get())->label, "r");

  const std::string two =
      cluster_with_filter("a", kLabelType) + cluster_with_filter("b", kCorsType);
  const LoadResult refused =
      load(with_routes(route + "{\"@type\": type.googleapis.com/test.Label, label: r}\n", two));
  ASSERT_EQ(refused.diagnostics.size(), 1u) << texts(refused.diagnostics);
  EXPECT_NE(texts(refused.diagnostics).find("upstream filters of several types have this name"),
            std::string::npos);
  // What all types understand goes to all.
  configuration = good(with_routes(
      route +
          "{\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}\n",
      two));
  const auto& off = configuration->listeners.at(0)->filter_chains.at(0)->hcm->routes->options();
  EXPECT_EQ(off.virtual_hosts.at(0).routes.at(0).filters.size(), 2u);
}

TEST_F(LoaderTest, TenThousandRoutesLoad) {
  std::string routes;
  for (int i = 0; i < 10000; ++i) {
    routes += "- {match: {path: /p" + std::to_string(i) + "}, route: {cluster: a}}\n";
  }
  auto configuration = good(with_routes(routes, cluster_named("a")));
  EXPECT_EQ(table_of(*configuration).virtual_hosts.at(0).routes.size(), 10000u);
}

}  // namespace
}  // namespace weir::config::test
