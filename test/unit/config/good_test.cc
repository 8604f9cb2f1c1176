// What a right bootstrap, listener, connection manager and cluster become.
#include <gtest/gtest.h>

#include "fixture.h"
#include "router/route_table.h"

namespace weir::config::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kDirect = "- {match: {prefix: /}, direct_response: {status: 200}}\n";

TEST_F(LoaderTest, FillsDefaults) {
  auto configuration = good(with_routes(kDirect, cluster_named("a")));
  const proxy::ListenerOptions& listener = *configuration->listeners.at(0);
  EXPECT_EQ(listener.name, "main");
  EXPECT_EQ(listener.address.to_string(), "127.0.0.1:10000");
  EXPECT_EQ(listener.connection.buffer_limit, 1024u * 1024);
  EXPECT_TRUE(listener.socket.reuse_port);
  EXPECT_TRUE(listener.bind_to_port);
  EXPECT_EQ(listener.traffic_direction, "UNSPECIFIED");
  const proxy::HcmOptions& hcm = *listener.filter_chains.at(0)->hcm;
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

TEST_F(LoaderTest, KeepsFilterMetadata) {
  auto configuration = good(with_routes(
      "- {match: {prefix: /}, direct_response: {status: 200}, metadata: {filter_metadata: {ns: {k: "
      "[1, x]}}, typed_filter_metadata: {a: {\"@type\": b}}}}\n",
      cluster_named("a")));
  const auto& hosts =
      configuration->listeners.at(0)->filter_chains.at(0)->hcm->routes->options().virtual_hosts;
  const Metadata* metadata = hosts.at(0).routes.at(0).metadata.get();
  ASSERT_NE(metadata, nullptr);
  EXPECT_EQ(metadata->filter_metadata().find("ns")->find("k")->find("1")->text(), "x");
  EXPECT_EQ(hosts.at(0).metadata.get(), nullptr);
  EXPECT_EQ(configuration->clusters.at(0)->metadata.get(), nullptr);
}

TEST_F(LoaderTest, ReadsBootstrap) {
  auto configuration = good(
      "node: {id: n1, cluster: edge, metadata: {b: [1, x], a: true}, locality: {region: r, zone: "
      "z, sub_zone: s}}\n"
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
  EXPECT_EQ(configuration->node_region + configuration->node_zone + configuration->node_sub_zone,
            "rzs");
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
      "          \"@type\": "
      "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer\n"
      "      filters:\n"
      "      - name: hcm\n"
      "        typed_config:\n"
      "          \"@type\": "
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
      "HttpConnectionManager\n"
      "          statPrefix: in\n"
      "          http_filters:\n" +
      indent(kRouter, 10) + "          route_config: {}\n");
  const proxy::ListenerOptions& listener = *configuration->listeners.at(0);
  EXPECT_EQ(listener.name, "/tmp/weir.sock");
  EXPECT_EQ(listener.socket.unix_mode, 0660);
  EXPECT_EQ(listener.stat_prefix, "unix");
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
  EXPECT_EQ(listener.filter_chains.at(0)->name, "one");
}

TEST_F(LoaderTest, ReadsConnectionManager) {
  auto configuration = good(
      with_hcm("stat_prefix: in\n"
               "codec_type: HTTP2\n"
               "http2_protocol_options:\n"
               "  hpack_table_size: 1\n"
               "  max_concurrent_streams: 2\n"
               "  initial_stream_window_size: 65535\n"
               "  initial_connection_window_size: 65536\n"
               "  allow_connect: true\n"
               "  max_outbound_frames: 5\n"
               "  max_outbound_control_frames: 6\n"
               "  max_consecutive_inbound_frames_with_empty_payload: 7\n"
               "  max_inbound_priority_frames_per_stream: 8\n"
               "  max_inbound_window_update_frames_per_data_frame_sent: 9\n"
               "  stream_reset_burst: 10\n"
               "  stream_reset_rate: 11\n"
               "  override_stream_error_on_invalid_http_message: false\n"
               "  connection_keepalive:\n"
               "    {interval: 1s, timeout: 2s, connection_idle_interval: 3s, interval_jitter: "
               "{value: 50}}\n"
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
  const proxy::HcmOptions& hcm = *configuration->listeners.at(0)->filter_chains.at(0)->hcm;
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
  EXPECT_EQ(hcm.codec_type, proxy::HttpCodec::kHttp2);
  http::h2::Options http2{1, 2, 65535, 65536, true, 5, 6, 7, 8, 9, 10, 11, false};
  http2.keepalive_interval = seconds(1);
  http2.keepalive_timeout = seconds(2);
  http2.keepalive_idle_interval = seconds(3);
  http2.keepalive_jitter = 0.5;
  EXPECT_EQ(hcm.http2, http2);
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
      "      - {max_connections: 1, max_pending_requests: 2, max_requests: 3, max_retries: 4, "
      "track_remaining: true}\n"
      "      - {priority: HIGH, max_requests: 7}\n"
      "    load_assignment:\n"
      "      cluster_name: a\n"
      "      endpoints:\n"
      "      - locality: {region: r, zone: z}\n"
      "        load_balancing_weight: 5\n"
      "        lb_endpoints:\n"
      "        - endpoint: {hostname: h, address: {socket_address: {address: 10.0.0.1, port_value: "
      "80}}}\n"
      "          load_balancing_weight: 3\n"
      "          health_status: HEALTHY\n"
      "      - priority: 1\n"
      "        lb_endpoints:\n"
      "        - endpoint: {address: {pipe: {path: /tmp/up.sock}}}\n"
      "    typed_extension_protocol_options:\n"
      "      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
      "        \"@type\": "
      "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
      "        explicit_http_config: {http_protocol_options: {enable_trailers: true}}\n"
      "        common_http_protocol_options:\n"
      "          {idle_timeout: 7s, max_requests_per_connection: 11, max_connection_duration: "
      "1m}\n");
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
      "      - status_code_filter: {comparison: {op: GE, value: {default_value: 400, runtime_key: "
      "k}}}\n"
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
      "    \"@type\": "
      "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog\n"
      "    log_format: {text_format_source: {inline_string: \"%PROTOCOL%\\n\"}}\n"
      "- typed_config:\n"
      "    \"@type\": "
      "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StderrAccessLog\n"
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
  const proxy::HcmOptions& hcm = *configuration->listeners.at(0)->filter_chains.at(0)->hcm;
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
  RequestHead head;
  EXPECT_FALSE(branches[3]->header.matches(head));
  head.headers.add("x-log", "");
  EXPECT_TRUE(branches[3]->header.matches(head));
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

}  // namespace
}  // namespace weir::config::test
