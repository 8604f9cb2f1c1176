// What a right configuration becomes: values, defaults, overrides, comparable texts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "fixture.h"
#include "router/route_table.h"

namespace weir::config::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kDirect = "- {match: {prefix: /}, direct_response: {status: 200}}\n";

const router::RouteTableOptions& table_of(const Configuration& configuration) {
  return configuration.listeners.at(0)->filter_chain.hcm->routes->options();
}
const router::RouteOptions& route_of(const Configuration& configuration) {
  return table_of(configuration).virtual_hosts.at(0).routes.at(0);
}

TEST_F(LoaderTest, FillsDefaults) {
  auto configuration = good(with_routes(kDirect, cluster_named("a")));
  const proxy::ListenerOptions& listener = *configuration->listeners.at(0);
  EXPECT_EQ(listener.name, "main");
  EXPECT_EQ(listener.address.to_string(), "127.0.0.1:10000");
  EXPECT_EQ(listener.buffer_limit, 1024u * 1024);
  EXPECT_TRUE(listener.socket.reuse_port);
  EXPECT_TRUE(listener.bind_to_port);
  EXPECT_EQ(listener.traffic_direction, "UNSPECIFIED");
  const proxy::HcmOptions& hcm = *listener.filter_chain.hcm;
  EXPECT_EQ(hcm.stat_prefix, "in");
  EXPECT_EQ(hcm.server_name, "weir");
  EXPECT_FALSE(hcm.use_remote_address);
  EXPECT_TRUE(hcm.path.normalize);
  EXPECT_FALSE(hcm.path.merge_slashes);
  EXPECT_EQ(hcm.path.escaped_slashes, http::EscapedSlashes::kKeepUnchanged);
  EXPECT_EQ(hcm.request_headers_timeout, seconds(10));
  EXPECT_EQ(hcm.stream_idle_timeout, seconds(300));
  EXPECT_EQ(hcm.request_timeout, seconds(0));
  EXPECT_EQ(hcm.idle_timeout, seconds(3600));
  EXPECT_EQ(hcm.drain_timeout, seconds(5));
  EXPECT_EQ(hcm.delayed_close_timeout, seconds(1));
  EXPECT_EQ(hcm.codec.max_header_bytes, 60u * 1024);
  EXPECT_EQ(hcm.codec.max_header_count, 100u);
  EXPECT_TRUE(hcm.codec.accept_http_10);
  EXPECT_EQ(hcm.host.listener_port, 10000);
  EXPECT_TRUE(hcm.generate_request_id);
  ASSERT_EQ(hcm.filters.size(), 1u);
  EXPECT_EQ(hcm.filters[0].name, "router");
  EXPECT_EQ(hcm.filters[0].type, kRouterType);
  const upstream::ClusterOptions& cluster = *configuration->clusters.at(0);
  EXPECT_EQ(cluster.connect_timeout, seconds(1));
  EXPECT_EQ(cluster.lb_policy, upstream::LbPolicy::kRoundRobin);
  EXPECT_EQ(cluster.thresholds, upstream::Thresholds{});
  EXPECT_EQ(cluster.http.idle_timeout, seconds(3600));
  EXPECT_TRUE(configuration->reload.watch);
  EXPECT_EQ(configuration->reload.debounce, milliseconds(50));
  EXPECT_EQ(configuration->old_generation_max_age, std::chrono::minutes(10));
  EXPECT_FALSE(configuration->admin.address.has_value());
}

TEST_F(LoaderTest, ReadsBootstrap) {
  auto configuration = good(
      "node: {id: n1, cluster: edge, metadata: {b: [1, x], a: true}, locality: {region: r, zone: z, sub_zone: s}}\n"
      "admin:\n"
      "  address: {socket_address: {address: \"::1\", port_value: 9901}}\n"
      "  access_log:\n"
      "  - name: envoy.access_loggers.file\n"
      "    typed_config:\n"
      "      \"@type\": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog\n"
      "      path: /dev/null\n"
      "reload: {watch: false, debounce: 0.2s}\n"
      "old_generation_max_age: 5m\n"
      "stats_flush_interval: 5s\n");
  EXPECT_EQ(configuration->node_id, "n1");
  EXPECT_EQ(configuration->node_cluster, "edge");
  EXPECT_EQ(configuration->node_metadata_json, R"({"a":true,"b":[1,"x"]})");
  EXPECT_EQ(configuration->node_region + configuration->node_zone + configuration->node_sub_zone, "rzs");
  EXPECT_EQ(configuration->admin.address->to_string(), "[::1]:9901");
  EXPECT_EQ(configuration->admin.access_log_path, "/dev/null");
  EXPECT_FALSE(configuration->reload.watch);
  EXPECT_EQ(configuration->reload.debounce, milliseconds(200));
  EXPECT_EQ(configuration->old_generation_max_age, seconds(300));
}

TEST_F(LoaderTest, ReadsListener) {
  auto configuration = good(
      "static_resources:\n"
      "  listeners:\n"
      "  - address: {pipe: {path: /tmp/weir.sock, mode: 0660}}\n"
      "    stat_prefix: unix\n"
      "    perConnectionBufferLimitBytes: 32768\n"
      "    tcp_backlog_size: 7\n"
      "    enable_reuse_port: false\n"
      "    freebind: true\n"
      "    bind_to_port: false\n"
      "    traffic_direction: INBOUND\n"
      "    max_connections_to_accept_per_socket_event: 3\n"
      "    tcp_keepalive: {keepalive_time: 30, keepalive_interval: 5, keepalive_probes: 2}\n"
      "    filter_chains:\n"
      "    - name: one\n"
      "      transport_socket:\n"
      "        name: raw\n"
      "        typed_config:\n"
      "          \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer\n"
      "      filters:\n"
      "      - name: hcm\n"
      "        typed_config:\n"
      "          \"@type\": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
      "HttpConnectionManager\n"
      "          statPrefix: in\n"
      "          http_filters:\n" +
      indent(kRouter, 10) + "          route_config: {}\n");
  const proxy::ListenerOptions& listener = *configuration->listeners.at(0);
  EXPECT_EQ(listener.name, "/tmp/weir.sock");
  EXPECT_EQ(listener.socket.unix_mode, 0660);
  EXPECT_EQ(listener.stat_prefix, "unix");
  EXPECT_EQ(listener.buffer_limit, 32768u);
  EXPECT_EQ(listener.connection.buffer_limit, 32768u);
  EXPECT_EQ(listener.socket.backlog, 7);
  EXPECT_FALSE(listener.socket.reuse_port);
  EXPECT_TRUE(listener.socket.freebind);
  EXPECT_FALSE(listener.bind_to_port);
  EXPECT_EQ(listener.traffic_direction, "INBOUND");
  EXPECT_EQ(listener.accept_batch, 3u);
  EXPECT_EQ(listener.connection.keepalive_time_s, 30);
  EXPECT_EQ(listener.connection.keepalive_interval_s, 5);
  EXPECT_EQ(listener.connection.keepalive_probes, 2);
  EXPECT_EQ(listener.filter_chain.name, "one");
}

TEST_F(LoaderTest, ReadsConnectionManager) {
  auto configuration = good(with_hcm(
      "stat_prefix: in\n"
      "codec_type: HTTP1\n"
      "use_remote_address: true\n"
      "xff_num_trusted_hops: 2\n"
      "skip_xff_append: true\n"
      "via: weir\n"
      "generate_request_id: false\n"
      "preserve_external_request_id: true\n"
      "always_set_request_id_in_response: true\n"
      "server_name: gate\n"
      "server_header_transformation: PASS_THROUGH\n"
      "stream_idle_timeout: 0s\n"
      "request_timeout: 1h\n"
      "request_headers_timeout: 0.0001s\n"
      "drain_timeout: 2s\n"
      "delayed_close_timeout: 250ms\n"
      "max_request_headers_kb: 8\n"
      "normalize_path: false\n"
      "merge_slashes: true\n"
      "path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD\n"
      "strip_any_host_port: true\n"
      "strip_trailing_host_dot: true\n"
      "proxy_100_continue: true\n"
      "add_user_agent: false\n"
      "upgrade_configs: []\n"
      "common_http_protocol_options:\n"
      "  idle_timeout: 30s\n"
      "  max_connection_duration: 10m\n"
      "  max_stream_duration: 20s\n"
      "  max_headers_count: 50\n"
      "  max_requests_per_connection: 9\n"
      "  headers_with_underscores_action: REJECT_REQUEST\n"
      "http_protocol_options:\n"
      "  allow_absolute_url: false\n"
      "  accept_http_10: false\n"
      "  default_host_for_http_10: a-rather-long-default-host.example.com\n"
      "  enable_trailers: true\n"
      "  header_key_format: {proper_case_words: {}}\n"
      "http_filters:\n" +
      kRouter + "route_config: {name: r}\n"));
  const proxy::HcmOptions& hcm = *configuration->listeners.at(0)->filter_chain.hcm;
  EXPECT_TRUE(hcm.use_remote_address);
  EXPECT_EQ(hcm.xff_num_trusted_hops, 2u);
  EXPECT_TRUE(hcm.skip_xff_append);
  EXPECT_EQ(hcm.via, "weir");
  EXPECT_FALSE(hcm.generate_request_id);
  EXPECT_TRUE(hcm.preserve_external_request_id);
  EXPECT_TRUE(hcm.always_set_request_id_in_response);
  EXPECT_EQ(hcm.server_name, "gate");
  EXPECT_EQ(hcm.server_header, proxy::ServerHeader::kPassThrough);
  EXPECT_EQ(hcm.stream_idle_timeout, milliseconds(0));
  EXPECT_EQ(hcm.request_timeout, std::chrono::hours(1));
  EXPECT_EQ(hcm.request_headers_timeout, milliseconds(1)) << "0 would mean none";
  EXPECT_EQ(hcm.delayed_close_timeout, milliseconds(250));
  EXPECT_EQ(hcm.codec.max_header_bytes, 8192u);
  EXPECT_FALSE(hcm.path.normalize);
  EXPECT_TRUE(hcm.path.merge_slashes);
  EXPECT_EQ(hcm.path.escaped_slashes, http::EscapedSlashes::kUnescapeAndForward);
  EXPECT_TRUE(hcm.host.strip_any_port);
  EXPECT_TRUE(hcm.host.strip_trailing_dot);
  EXPECT_TRUE(hcm.proxy_100_continue);
  EXPECT_EQ(hcm.idle_timeout, seconds(30));
  EXPECT_EQ(hcm.max_connection_duration, seconds(600));
  EXPECT_EQ(hcm.max_stream_duration, seconds(20));
  EXPECT_EQ(hcm.codec.max_header_count, 50u);
  EXPECT_EQ(hcm.max_requests_per_connection, 9u);
  EXPECT_EQ(hcm.codec.underscores, http::UnderscoreAction::kRejectRequest);
  EXPECT_FALSE(hcm.codec.allow_absolute_url);
  EXPECT_FALSE(hcm.codec.accept_http_10);
  EXPECT_EQ(hcm.codec.default_host_for_http_10.data(), hcm.default_host_for_http_10.data());
  EXPECT_EQ(hcm.codec.default_host_for_http_10, "a-rather-long-default-host.example.com");
  EXPECT_TRUE(hcm.codec.enable_trailers);
  EXPECT_TRUE(hcm.codec.proper_case_words);
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
      "    - {name: x-four, present_match: false, treat_missing_header_as_empty: true}\n"
      "    - {name: x-five}\n"
      "    query_parameters:\n"
      "    - {name: q, string_match: {exact: \"1\"}}\n"
      "    - {name: p, present_match: true}\n"
      "    runtime_fraction: {default_value: {numerator: 25, denominator: TEN_THOUSAND}, runtime_key: x}\n"
      "  direct_response: {status: 200, body: {inline_string: hi}}\n"));
  const router::RouteOptions& route = route_of(*configuration);
  EXPECT_EQ(route.name, "r1");
  EXPECT_EQ(route.match.kind, router::RouteMatchOptions::Path::kRegex);
  EXPECT_TRUE(route.match.regex->full_match("/abc"));
  EXPECT_FALSE(route.match.case_sensitive);
  ASSERT_EQ(route.match.headers.size(), 5u);
  EXPECT_EQ(route.match.headers[0].name, "x-one");
  EXPECT_EQ(route.match.headers[0].string.kind, router::StringMatch::Kind::kPrefix);
  EXPECT_TRUE(route.match.headers[0].string.ignore_case);
  EXPECT_EQ(route.match.headers[1].range_start, -1);
  EXPECT_EQ(route.match.headers[1].range_end, 5);
  EXPECT_TRUE(route.match.headers[1].invert);
  EXPECT_EQ(route.match.headers[2].string.text, "GET");
  EXPECT_FALSE(route.match.headers[3].present);
  EXPECT_TRUE(route.match.headers[3].treat_missing_as_empty);
  EXPECT_EQ(route.match.headers[4].kind, router::HeaderMatch::Kind::kPresent);
  EXPECT_TRUE(route.match.headers[4].present);
  ASSERT_EQ(route.match.query.size(), 2u);
  EXPECT_EQ(route.match.query[0].string->text, "1");
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
  EXPECT_TRUE(first.high_priority);
  ASSERT_EQ(routes[0].request_headers.add.size(), 2u);
  EXPECT_EQ(routes[0].request_headers.add[0].name, "x-added");
  EXPECT_EQ(routes[0].request_headers.add[0].action, stream::AppendAction::kAddIfAbsent);
  EXPECT_TRUE(routes[0].request_headers.add[0].keep_empty_value);
  EXPECT_FALSE(routes[0].request_headers.add[0].value.constant());
  EXPECT_EQ(routes[0].request_headers.add[1].action, stream::AppendAction::kOverwriteOrAdd);
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
  auto configuration = good(with_hcm(
      "stat_prefix: in\n"
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
      "      redirect: {https_redirect: true, host_redirect: h, port_redirect: 8443, prefix_rewrite: /n,\n"
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

TEST_F(LoaderTest, ReadsCluster) {
  auto configuration = good(
      "static_resources:\n"
      "  clusters:\n"
      "  - name: a\n"
      "    alt_stat_name: stat\n"
      "    type: STATIC\n"
      "    lb_policy: LEAST_REQUEST\n"
      "    least_request_lb_config: {choice_count: 4}\n"
      "    per_connection_buffer_limit_bytes: 4096\n"
      "    upstream_connection_options: {tcp_keepalive: {keepalive_time: 9}}\n"
      "    circuit_breakers:\n"
      "      thresholds:\n"
      "      - {max_connections: 1, max_pending_requests: 2, max_requests: 3, max_retries: 4, track_remaining: true}\n"
      "      - {priority: HIGH, max_requests: 7}\n"
      "    load_assignment:\n"
      "      cluster_name: a\n"
      "      endpoints:\n"
      "      - locality: {region: r, zone: z}\n"
      "        load_balancing_weight: 5\n"
      "        lb_endpoints:\n"
      "        - endpoint: {hostname: h, address: {socket_address: {address: 10.0.0.1, port_value: 80}}}\n"
      "          load_balancing_weight: 3\n"
      "          health_status: HEALTHY\n"
      "      - priority: 1\n"
      "        lb_endpoints:\n"
      "        - endpoint: {address: {pipe: {path: /tmp/up.sock}}}\n"
      "    typed_extension_protocol_options:\n"
      "      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
      "        \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
      "        explicit_http_config: {http_protocol_options: {enable_trailers: true}}\n"
      "        common_http_protocol_options:\n"
      "          {idle_timeout: 7s, max_requests_per_connection: 11, max_connection_duration: 1m}\n");
  const upstream::ClusterOptions& cluster = *configuration->clusters.at(0);
  EXPECT_EQ(cluster.alt_stat_name, "stat");
  EXPECT_EQ(cluster.connect_timeout, seconds(5));
  EXPECT_EQ(cluster.lb_policy, upstream::LbPolicy::kLeastRequest);
  EXPECT_EQ(cluster.least_request_choices, 4u);
  EXPECT_EQ(cluster.buffer_limit, 4096u);
  EXPECT_EQ(cluster.keepalive_time_s, 9);
  EXPECT_EQ(cluster.thresholds, (upstream::Thresholds{1, 2, 3, 4, true}));
  EXPECT_EQ(cluster.high_thresholds, (upstream::Thresholds{1024, 1024, 7, 3, false}));
  ASSERT_EQ(cluster.localities.size(), 2u);
  EXPECT_EQ(cluster.localities[0].zone, "z");
  EXPECT_EQ(cluster.localities[0].weight, 5u);
  EXPECT_EQ(cluster.localities[0].endpoints.at(0).hostname, "h");
  EXPECT_EQ(cluster.localities[0].endpoints.at(0).weight, 3u);
  EXPECT_EQ(cluster.localities[0].endpoints.at(0).address.to_string(), "10.0.0.1:80");
  EXPECT_EQ(cluster.localities[1].priority, 1u);
  EXPECT_TRUE(cluster.localities[1].endpoints.at(0).address.is_unix());
  EXPECT_TRUE(cluster.http.enable_trailers);
  EXPECT_EQ(cluster.http.idle_timeout, seconds(7));
  EXPECT_EQ(cluster.http.max_requests_per_connection, 11u);
  EXPECT_EQ(cluster.http.max_connection_duration, seconds(60));
}

TEST_F(LoaderTest, ReadsAccessLogsAndLocalReplies) {
  auto configuration = good(with_hcm(
      "stat_prefix: in\n"
      "access_log:\n"
      "- name: one\n"
      "  filter:\n"
      "    and_filter:\n"
      "      filters:\n"
      "      - status_code_filter: {comparison: {op: GE, value: {default_value: 400, runtime_key: k}}}\n"
      "      - or_filter:\n"
      "          filters:\n"
      "          - duration_filter: {comparison: {op: LE, value: {default_value: 5}}}\n"
      "          - response_flag_filter: {flags: [UH, NR]}\n"
      "          - runtime_filter: {runtime_key: k, percent_sampled: {numerator: 10}}\n"
      "          - header_filter: {header: {name: x-log}}\n"
      "          - not_health_check_filter: {}\n"
      "  typed_config:\n"
      "    \"@type\": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog\n"
      "    path: /tmp/access.log\n"
      "    log_format: {json_format: {code: \"%RESPONSE_CODE%\"}, omit_empty_values: true}\n"
      "- typed_config:\n"
      "    \"@type\": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog\n"
      "    log_format: {text_format_source: {inline_string: \"%PROTOCOL%\\n\"}}\n"
      "- typed_config:\n"
      "    \"@type\": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StderrAccessLog\n"
      "local_reply_config:\n"
      "  mappers:\n"
      "  - filter: {status_code_filter: {comparison: {value: {default_value: 404}}}}\n"
      "    status_code: 410\n"
      "    body: {inline_string: gone}\n"
      "    body_format_override: {text_format: \"%LOCAL_REPLY_BODY%\", content_type: text/html}\n"
      "    headers_to_add: [{header: {key: x-mapped, value: \"1\"}}]\n"
      "  body_format: {json_format: {status: \"%RESPONSE_CODE%\"}}\n"
      "http_filters:\n" +
      kRouter + "route_config: {}\n"));
  const proxy::HcmOptions& hcm = *configuration->listeners.at(0)->filter_chain.hcm;
  ASSERT_EQ(hcm.access_logs.size(), 3u);
  const proxy::AccessLogOptions& file = hcm.access_logs[0];
  EXPECT_EQ(file.sink, proxy::AccessLogOptions::Sink::kFile);
  EXPECT_EQ(file.path, "/tmp/access.log");
  EXPECT_TRUE(file.json.has_value());
  EXPECT_TRUE(file.omit_empty);
  ASSERT_NE(file.filter, nullptr);
  EXPECT_EQ(file.filter->kind, proxy::LogFilter::Kind::kAnd);
  EXPECT_EQ(file.filter->children.at(0)->compare, proxy::LogFilter::Compare::kGe);
  EXPECT_EQ(file.filter->children.at(0)->value, 400u);
  const auto& branches = file.filter->children.at(1)->children;
  ASSERT_EQ(branches.size(), 5u);
  EXPECT_EQ(branches[1]->flags, (1u << static_cast<unsigned>(ResponseFlag::kNoHealthyUpstream)) |
                                    (1u << static_cast<unsigned>(ResponseFlag::kNoRouteFound)));
  EXPECT_DOUBLE_EQ(branches[2]->fraction, 0.1);
  EXPECT_EQ(branches[3]->header->name, "x-log");
  EXPECT_EQ(branches[4]->kind, proxy::LogFilter::Kind::kNotHealthCheck);
  EXPECT_EQ(hcm.access_logs[1].text->source(), "%PROTOCOL%\n");
  EXPECT_EQ(hcm.access_logs[2].sink, proxy::AccessLogOptions::Sink::kStderr);
  EXPECT_FALSE(hcm.access_logs[2].text.has_value() || hcm.access_logs[2].json.has_value());
  const proxy::LocalReplyMapper& mapper = hcm.local_reply.mappers.at(0);
  EXPECT_EQ(mapper.status.value(), 410);
  EXPECT_EQ(mapper.body.value(), "gone");
  EXPECT_EQ(mapper.content_type, "text/html");
  EXPECT_TRUE(mapper.text_format.has_value());
  EXPECT_EQ(mapper.headers.add.at(0).name, "x-mapped");
  EXPECT_TRUE(hcm.local_reply.json_format.has_value());
}

TEST_F(LoaderTest, MakesFiltersAndTheirRouteConfigurations) {
  auto configuration = good(with_hcm(
      "stat_prefix: in\n"
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
  const proxy::HcmOptions& hcm = *configuration->listeners.at(0)->filter_chain.hcm;
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
  EXPECT_EQ(static_cast<const StubRouteConfig*>(host.filters.at("first").config.get())->label, "host");
  const router::FilterOverride& route = host.routes.at(0).filters.at("first");
  EXPECT_EQ(route.disabled, 1);
  EXPECT_EQ(static_cast<const StubRouteConfig*>(route.config.get())->label, "route");
}

TEST_F(LoaderTest, EqualMeaningGivesEqualText) {
  const std::string one = with_routes("- match: {prefix: /}\n  direct_response: {status: 200}\n", cluster_named("a"));
  const std::string other =
      "# a comment\n" + with_routes("# more\n- direct_response:\n    status: 200\n  match:   { \"prefix\" : \"/\" }\n",
                                    "- connect_timeout: 1s # here\n  name: a\n");
  auto a = good(one);
  auto b = good(other);
  EXPECT_EQ(a->listener_texts, b->listener_texts);
  EXPECT_EQ(a->cluster_texts, b->cluster_texts);
  auto c = good(with_routes("- match: {prefix: /}\n  direct_response: {status: 201}\n", cluster_named("a")));
  EXPECT_NE(a->listener_texts, c->listener_texts);
  EXPECT_EQ(a->cluster_texts, c->cluster_texts);
}

class Files : public LoaderTest {
 protected:
  Files() {
    char name[] = "/tmp/weir-config-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~Files() override {
    for (const std::string& file : made_) std::remove(file.c_str());
    ::rmdir(folder_.c_str());
  }
  std::string write(const std::string& name, const std::string& content) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << content;
    made_.push_back(path);
    return path;
  }
  std::string folder_;
  std::vector<std::string> made_;
};

std::string with_code(const std::string& source) {
  return with_hcm("stat_prefix: in\nhttp_filters:\n- name: f\n  typed_config: {\"@type\": "
                  "type.googleapis.com/test.Label, code: " +
                  source + "}\n" + kRouter + "route_config: {}\n");
}

TEST_F(Files, DataSourcesAreReadRecordedAndCompared) {
  const std::string code = write("a.wasm", "one");
  const std::string yaml = write("weir.yaml", with_code("{filename: " + code + "}"));
  LoadResult before = load_file(yaml, context_);
  ASSERT_EQ(texts(before.diagnostics), "");
  const auto& filters = before.configuration->listeners.at(0)->filter_chain.hcm->filters;
  EXPECT_EQ(static_cast<const StubFactory&>(*filters.at(0).factory).code, "one");
  EXPECT_THAT(before.files, ElementsAre(yaml, code));
  EXPECT_THAT(before.configuration->files, ElementsAre(yaml, code));
  LoadResult same = load_file(yaml, context_);
  EXPECT_EQ(before.configuration->listener_texts, same.configuration->listener_texts);
  write("a.wasm", "two");
  LoadResult after = load_file(yaml, context_);
  EXPECT_NE(before.configuration->listener_texts, after.configuration->listener_texts)
      << "a changed module is a changed listener";
}

TEST_F(Files, OtherDataSources) {
  auto bytes = good(with_code("{inline_bytes: AGFzbQ==}"));
  const auto code = [](const Configuration& configuration) {
    return static_cast<const StubFactory&>(
               *configuration.listeners.at(0)->filter_chain.hcm->filters.at(0).factory).code;
  };
  EXPECT_EQ(code(*bytes), std::string("\0asm", 4));
  ::setenv("WEIR_CONFIG_TEST", "from the environment", 1);
  auto environment = good(with_code("{environment_variable: WEIR_CONFIG_TEST}"));
  EXPECT_EQ(code(*environment), "from the environment");
  ::unsetenv("WEIR_CONFIG_TEST");
  LoadResult unset = load(with_code("{environment_variable: WEIR_CONFIG_TEST}"));
  EXPECT_THAT(texts(unset.diagnostics), HasSubstr("\"WEIR_CONFIG_TEST\" is not set"));
}

TEST_F(Files, AMissingFileIsAnErrorAndIsWatched) {
  const std::string missing = folder_ + "/none.wasm";
  LoadResult result = load(with_code("{filename: " + missing + "}"));
  EXPECT_EQ(result.configuration, nullptr);
  EXPECT_THAT(texts(result.diagnostics), HasSubstr(missing));
  EXPECT_THAT(result.files, ElementsAre(missing));
  LoadResult folder = load(with_code("{filename: " + folder_ + "}"));
  EXPECT_THAT(texts(folder.diagnostics), HasSubstr("not a regular file"));
  LoadResult device = load(with_code("{filename: /dev/zero}"));
  EXPECT_THAT(texts(device.diagnostics), HasSubstr("not a regular file"));
  LoadResult none = load_file(missing, context_);
  EXPECT_EQ(none.configuration, nullptr);
  ASSERT_EQ(none.diagnostics.size(), 1u);
  EXPECT_THAT(none.diagnostics[0].to_string(), HasSubstr(missing + ": "));
}

TEST_F(Files, OverlayIsMergedOverTheFile) {
  const std::string yaml =
      write("weir.yaml", "node: {id: a, cluster: c}\nadmin: {address: {socket_address: {address: 127.0.0.1, "
                         "port_value: 1}}}\nstatic_resources:\n  clusters:\n  - name: one\n");
  LoadResult result = load_file(yaml, context_,
                                "node: {id: b}\nadmin: {address: {socketAddress: {portValue: 2}}}\n"
                                "static_resources: {clusters: [{name: two}]}\n");
  ASSERT_EQ(texts(result.diagnostics), "");
  EXPECT_EQ(result.configuration->node_id, "b");
  EXPECT_EQ(result.configuration->node_cluster, "c");
  EXPECT_EQ(result.configuration->admin.address->port(), 2);
  ASSERT_EQ(result.configuration->clusters.size(), 2u);
  EXPECT_EQ(result.configuration->clusters[1]->name, "two");
  LoadResult wrong = load_file(yaml, context_, "nodee: {}\n");
  EXPECT_THAT(texts(wrong.diagnostics), HasSubstr("--config-yaml:1:1: unknown field \"nodee\""));
}

TEST_F(LoaderTest, DumpHidesSecrets) {
  auto configuration = good(with_hcm(
      "stat_prefix: in\n"
      "http_filters:\n"
      "- name: w\n"
      "  typed_config:\n"
      "    \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n"
      "    config:\n"
      "      private_key: {inline_string: S3CRET-1}\n"
      "      token_bucket: {max_tokens: 5}\n"
      "      environment_variables: {key_values: {API_TOKEN: S3CRET-2, MODE: fast}}\n"
      "      configuration:\n"
      "        value: '{\"api_keys\": [\"S3CRET-3\"], \"header\": \"x-key\"}'\n"
      "      header: {key: Authorization, value: S3CRET-4}\n" +
      kRouter + "route_config: {}\n"));
  EXPECT_THAT(configuration->dump_json, Not(HasSubstr("S3CRET")));
  EXPECT_THAT(configuration->dump_json, HasSubstr("[redacted]"));
  EXPECT_THAT(configuration->dump_json, HasSubstr(R"("max_tokens":5)"));
  EXPECT_THAT(configuration->dump_json, HasSubstr(R"("MODE":"fast")"));
  EXPECT_THAT(configuration->dump_json, HasSubstr("x-key"));
  EXPECT_THAT(configuration->listener_texts.at(0), HasSubstr("S3CRET-3"));
}

TEST_F(LoaderTest, AnchorsMayBeSharedAndKeptAside) {
  auto configuration = good(
      "\"!ignore\":\n"
      "  - &timeout 7s\n"
      "static_resources:\n"
      "  clusters:\n"
      "  - {name: a, connect_timeout: *timeout}\n"
      "  - {name: b, connect_timeout: *timeout}\n");
  EXPECT_EQ(configuration->clusters.at(1)->connect_timeout, seconds(7));
}

TEST_F(LoaderTest, NullMeansAbsent) {
  auto configuration = good("node: ~\nadmin:\nstatic_resources:\n  clusters:\n  - {name: a, connect_timeout: null}\n");
  EXPECT_EQ(configuration->clusters.at(0)->connect_timeout, seconds(5));
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
