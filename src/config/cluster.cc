#include "config/cluster.h"

#include <set>
#include <utility>

#include "config/cluster_dns.h"
#include "config/http2_options.h"
#include "config/json_text.h"
#include "config/metadata.h"
#include "config/parts.h"
#include "config/proxy_protocol.h"
#include "config/resource_file.h"
#include "config/tls.h"
#include "router/upstream_filters.h"

namespace weir::config {
namespace {

using upstream::ClusterOptions;
using upstream::ClusterType;
using upstream::EndpointOptions;
using upstream::LocalityOptions;
using upstream::Thresholds;
using upstream::UpstreamHttpOptions;

constexpr std::string_view kHttpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
constexpr std::string_view kRawBuffer =
    "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";

constexpr std::string_view kAssignment = "envoy.config.endpoint.v3.ClusterLoadAssignment";
constexpr std::string_view kDnsCluster = "envoy.extensions.clusters.dns.v3.DnsCluster";

bool resolves(ClusterType type) {
  return type == ClusterType::kStrictDns || type == ClusterType::kLogicalDns;
}

std::optional<EndpointOptions> read_endpoint(View& view, ClusterType type) {
  EndpointOptions out;
  out.weight = view.uint32("load_balancing_weight", 1, 1);
  constexpr size_t kFirstOther = 2;  // UNKNOWN and HEALTHY are what a static endpoint is anyway
  if (view.enumeration("health_status",
                       {"UNKNOWN", "HEALTHY", "UNHEALTHY", "DRAINING", "TIMEOUT", "DEGRADED"},
                       0) >= kFirstOther) {
    view.error("health_status", quote(view.text("health_status")) + " is not supported yet");
  }
  view.later({"endpoint_name"});
  refuse_host_tlvs(view);
  out.metadata = read_metadata(view);
  auto endpoint = view.required_child("endpoint");
  if (!endpoint) return std::nullopt;
  out.hostname = endpoint->text("hostname");
  endpoint->later({"health_check_config"});
  if (resolves(type)) {
    endpoint->later({"additional_addresses"});
    auto host = read_host(*endpoint, "address");
    if (!host) return std::nullopt;
    out.address = host->address;
    out.name = std::move(host->name);
    out.port = host->port;
    return out;
  }
  auto address = read_address(*endpoint, "address", PortZero::kRefused);
  for (auto& more : endpoint->children("additional_addresses")) {
    if (auto next = read_address(*more, "address", PortZero::kRefused))
      out.additional_addresses.push_back(next->address);
  }
  if (!address) return std::nullopt;
  out.address = address->address;
  return out;
}

LocalityOptions read_locality(View& view, ClusterType type) {
  LocalityOptions out;
  if (auto locality = view.child("locality")) {
    out.region = locality->text("region");
    out.zone = locality->text("zone");
    out.sub_zone = locality->text("sub_zone");
  }
  out.weight = view.uint32("load_balancing_weight", 0, 1);
  out.priority = view.uint32("priority", 0, 0, 128);
  view.later({"leds_cluster_locality_config", "load_balancer_endpoints", "proximity"});
  out.metadata = read_metadata(view);
  for (auto& endpoint : view.children("lb_endpoints")) {
    if (auto next = read_endpoint(*endpoint, type)) out.endpoints.push_back(std::move(*next));
  }
  return out;
}

void read_assignment(View& assignment, ClusterOptions& out) {
  View* view = &assignment;
  view->required_text("cluster_name");
  view->later({"policy", "named_endpoints"});
  std::set<uint32_t> priorities;
  for (auto& locality : view->children("endpoints")) {
    out.localities.push_back(read_locality(*locality, out.type));
    priorities.insert(out.localities.back().priority);
  }
  if (!priorities.empty() && *priorities.rbegin() + 1 != priorities.size()) {
    view->error("endpoints", "the priorities leave one out; they count from 0 without gaps");
  }
  const bool single = out.localities.size() == 1 && out.localities[0].endpoints.size() == 1;
  if (out.type == ClusterType::kLogicalDns && !single)
    view->error("endpoints", "a LOGICAL_DNS cluster has exactly one endpoint");
}

void read_load_balancing(View& cluster, ClusterOptions& out) {
  // Number 4 was ORIGINAL_DST_LB.
  switch (cluster.enumeration("lb_policy",
                              {"ROUND_ROBIN", "LEAST_REQUEST", "RING_HASH", "RANDOM", "", "MAGLEV",
                               "CLUSTER_PROVIDED", "LOAD_BALANCING_POLICY_CONFIG"},
                              0)) {
    case 0:
      out.lb_policy = upstream::LbPolicy::kRoundRobin;
      break;
    case 1:
      out.lb_policy = upstream::LbPolicy::kLeastRequest;
      break;
    case 3:
      out.lb_policy = upstream::LbPolicy::kRandom;
      break;
    case 6:
      if (out.type != ClusterType::kOriginalDst)
        cluster.error("lb_policy", "CLUSTER_PROVIDED is for clusters of the type ORIGINAL_DST");
      break;
    default:
      cluster.error("lb_policy", quote(cluster.text("lb_policy")) + " is not supported yet");
  }
  if (auto least = cluster.child("least_request_lb_config")) {
    out.least_request_choices = least->uint32("choice_count", 2, 2);
    least->later({"active_request_bias", "slow_start_config", "locality_lb_config",
                  "enable_full_scan", "selection_method"});
  }
  if (auto round = cluster.child("round_robin_lb_config"))
    round->later({"slow_start_config", "locality_lb_config"});
}

void read_thresholds(View& view, Thresholds& out) {
  out.max_connections = view.uint32("max_connections", out.max_connections);
  out.max_pending_requests = view.uint32("max_pending_requests", out.max_pending_requests);
  out.max_requests = view.uint32("max_requests", out.max_requests);
  out.max_retries = view.uint32("max_retries", out.max_retries);
  out.track_remaining = view.boolean("track_remaining", false);
  view.later({"retry_budget", "max_connection_pools"});
}

void read_circuit_breakers(View& cluster, ClusterOptions& out) {
  auto view = cluster.child("circuit_breakers");
  if (!view) return;
  view->later({"per_host_thresholds"});
  bool seen[2] = {false, false};
  for (auto& thresholds : view->children("thresholds")) {
    const size_t priority = thresholds->enumeration("priority", {"DEFAULT", "HIGH"}, 0);
    if (std::exchange(seen[priority], true))
      thresholds->error("priority", "a second entry for this priority");
    read_thresholds(*thresholds, priority == 1 ? out.high_thresholds : out.thresholds);
  }
}

void read_http1(View& protocols, ClusterOptions& out) {
  auto view = protocols.child("http_protocol_options");
  if (!view) return;
  out.http.enable_trailers = view->boolean("enable_trailers", false);
  if (auto format = view->child("header_key_format")) {
    format->later({"stateful_formatter"});
    out.http.proper_case_words = format->child("proper_case_words") != nullptr;
  }
  view->later({"allow_chunked_length", "override_stream_error_on_invalid_http_message",
               "send_fully_qualified_url", "allow_custom_methods", "use_balsa_parser",
               "ignore_http_11_upgrade"});
  view->ignore(
      {"allow_absolute_url", "accept_http_10", "default_host_for_http_10"});  // of the server role
}

void read_http2(View& protocols, ClusterOptions& out) {
  if (auto view = protocols.child("http2_protocol_options"))
    out.http.http2 = read_http2_options(*view);
}

/// Which protocol is spoken: one of three messages.
void read_protocol(View& options, ClusterOptions& out) {
  options.one_of({"explicit_http_config", "use_downstream_protocol_config", "auto_config"},
                 View::Required::kNo);
  if (auto config = options.child("explicit_http_config")) {
    config->later({"http3_protocol_options"});
    config->one_of({"http_protocol_options", "http2_protocol_options", "http3_protocol_options"},
                   View::Required::kYes);
    if (config->has("http2_protocol_options"))
      out.http.protocol = upstream::UpstreamProtocol::kHttp2;
    read_http1(*config, out);
    read_http2(*config, out);
  }
  if (auto config = options.child("auto_config")) {
    config->later({"http3_protocol_options", "alternate_protocols_cache_options"});
    out.http.protocol = upstream::UpstreamProtocol::kAuto;
    read_http1(*config, out);
    read_http2(*config, out);
    if (out.transport == nullptr || !out.transport->secure())
      options.error("auto_config", "needs a transport socket of TLS, where ALPN decides");
  }
  if (auto config = options.child("use_downstream_protocol_config")) {
    config->later({"http3_protocol_options"});
    out.http.protocol = upstream::UpstreamProtocol::kDownstream;
    read_http1(*config, out);
    read_http2(*config, out);
  }
}

void read_common_options(View& options, UpstreamHttpOptions& out) {
  auto view = options.child("common_http_protocol_options");
  if (!view) return;
  out.idle_timeout = view->millis("idle_timeout", out.idle_timeout);
  out.max_connection_duration =
      view->millis("max_connection_duration", out.max_connection_duration);
  out.max_requests_per_connection =
      view->uint32("max_requests_per_connection", out.max_requests_per_connection);
  out.max_headers_count = view->uint32("max_headers_count", out.max_headers_count, 1);
  out.max_response_headers_kb =
      view->uint32("max_response_headers_kb", out.max_response_headers_kb, 1, 8192);
  out.max_stream_duration = view->millis("max_stream_duration", out.max_stream_duration);
  if (view->enumeration("headers_with_underscores_action",
                        {"ALLOW", "REJECT_REQUEST", "DROP_HEADER"}, 0) != 0)
    view->error("headers_with_underscores_action",
                "it is for requests of clients and has no effect on clusters: it belongs to the "
                "connection manager");
}

void read_http_filters(View& options, ClusterOptions& out, Loading& loading) {
  const std::string& name = out.alt_stat_name.empty() ? out.name : out.alt_stat_name;
  auto stats = loading.context.stats.scope("cluster." + name + ".");
  auto root_stats = loading.context.stats.scope({});
  FactoryContext context = factory_context(loading, *stats, *root_stats, {});
  out.http_filters = router::read_upstream_filters(options, "http_filters", context);
}

void read_protocol_options(View& cluster, ClusterOptions& out, Loading& loading) {
  auto map = cluster.child("typed_extension_protocol_options");
  if (!map) return;
  for (const std::string& key : map->keys()) {
    auto options = map->child(key);
    if (!options) continue;
    if (!options->has("@type")) options->missing("@type");
    const std::string type = options->type();
    if (type != kHttpOptions) {
      for (const std::string& field : options->keys()) options->ignore({field});
      if (!type.empty()) refuse_type(*options, type, {kHttpOptions});
      continue;
    }
    if (key != kHttpOptions) map->error(key, "the key must be " + std::string(kHttpOptions));
    options->later({"header_validation_config", "outlier_detection", "retry_policy",
                    "request_mirror_policies", "hash_policy"});
    read_protocol(*options, out);
    read_common_options(*options, out.http);
    read_http_filters(*options, out, loading);
    if (auto names = options->child("upstream_http_protocol_options")) {
      out.http.auto_sni = names->boolean("auto_sni", false);
      out.http.auto_san_validation = names->boolean("auto_san_validation", false);
      out.http.override_auto_sni_header = base::lower(names->text("override_auto_sni_header"));
    }
  }
}

void read_happy_eyeballs(View& view, upstream::HappyEyeballs& out) {
  using First = upstream::HappyEyeballs::First;
  constexpr First kFamilies[] = {First::kOfTheList, First::kV4, First::kV6};
  out.first =
      kFamilies[view.enumeration("first_address_family_version", {"DEFAULT", "V4", "V6"}, 0)];
  out.first_count = view.uint32("first_address_family_count", 1, 1);
}

void read_bind(View& view, ClusterOptions& out) {
  view.later({"socket_options", "extra_source_addresses", "additional_source_addresses",
              "local_address_selector"});
  out.source_freebind = view.boolean("freebind", false);
  auto source = view.child("source_address");
  if (!source) return;
  if (auto address = read_source_address(*source)) out.source = *address;
}

void read_connection(View& cluster, ClusterOptions& out) {
  out.connect_timeout = cluster.millis("connect_timeout", out.connect_timeout);
  if (out.connect_timeout.count() == 0) cluster.error("connect_timeout", "must be greater than 0");
  out.buffer_limit = cluster.uint32("per_connection_buffer_limit_bytes", out.buffer_limit, 1);
  if (auto options = cluster.child("upstream_connection_options")) {
    const KeepaliveParts keepalive = read_keepalive(*options, "tcp_keepalive");
    out.keepalive_time_s = keepalive.time_s;
    out.keepalive_interval_s = keepalive.interval_s;
    out.keepalive_probes = keepalive.probes;
    options->later({"set_local_interface_name_on_upstream_connections"});
    if (auto happy = options->child("happy_eyeballs_config"))
      read_happy_eyeballs(*happy, out.happy_eyeballs);
  }
  if (auto bind = cluster.child("upstream_bind_config")) read_bind(*bind, out);
}

void read_socket(View& socket, ClusterOptions& out, Loading& loading);

void read_proxied_socket(View& config, ClusterOptions& out, Loading& loading) {
  out.proxy_header = read_proxy_header(config);
  if (auto inner = config.required_child("transport_socket")) read_socket(*inner, out, loading);
}

void read_socket(View& socket, ClusterOptions& out, Loading& loading) {
  socket.ignore({"name"});
  auto config = socket.required_child("typed_config");
  if (!config) return;
  const std::string type = config->type();
  if (type == kRawBuffer) return;
  if (type == kUpstreamTls) {
    out.transport = read_upstream_tls(*config, loading);
    return;
  }
  if (type == kUpstreamProxyProtocol && !out.proxy_header)
    return read_proxied_socket(*config, out, loading);
  for (const std::string& key : config->keys()) config->ignore({key});
  if (type == kUpstreamProxyProtocol)
    config->error({}, "a PROXY protocol socket stands in another one; it takes raw_buffer or TLS");
  else if (!type.empty())
    refuse_type(*config, type, {kRawBuffer, kUpstreamTls, kUpstreamProxyProtocol});
}

void read_transport(View& cluster, ClusterOptions& out, Loading& loading) {
  auto transport = cluster.child("transport_socket");
  if (!transport) return;
  out.transport_frame = canonical_json(transport->node());
  read_socket(*transport, out, loading);
}

void read_cluster_type(View& extension, const upstream::ResolverOptions& defaults,
                       ClusterOptions& out) {
  extension.ignore({"name"});
  auto config = extension.required_child("typed_config");
  if (!config) return;
  const std::string type = config->type();
  if (type == kDnsCluster) return read_dns_cluster(*config, out, defaults);
  for (const std::string& key : config->keys()) config->ignore({key});
  if (!type.empty()) refuse_type(*config, type, {kDnsCluster});
}

void read_type(View& cluster, const upstream::ResolverOptions& defaults, ClusterOptions& out) {
  constexpr ClusterType kTypes[] = {ClusterType::kStatic, ClusterType::kStrictDns,
                                    ClusterType::kLogicalDns, ClusterType::kStatic,
                                    ClusterType::kOriginalDst};
  const size_t type = cluster.enumeration(
      "type", {"STATIC", "STRICT_DNS", "LOGICAL_DNS", "EDS", "ORIGINAL_DST"}, 0);
  out.type = kTypes[type];
  out.dns.resolver = defaults;
  read_cluster_dns(cluster, out.dns);
  if (cluster.has("type") && cluster.has("cluster_type"))
    cluster.error("cluster_type", "\"type\" is given too");
  if (auto extension = cluster.child("cluster_type")) read_cluster_type(*extension, defaults, out);
  if (!resolves(out.type)) out.dns = {};
}

void read_hosts(View& cluster, Loading& loading, ClusterOptions& out) {
  const bool found = cluster.text("type") == "EDS" || cluster.text("type") == "3";
  auto assignment = cluster.child("load_assignment");
  if (assignment && found)
    cluster.error("load_assignment", "the hosts of an EDS cluster stand in its eds_config");
  if (assignment) read_assignment(*assignment, out);
  if (!found) {
    cluster.unsupported("eds_cluster_config", "it is for clusters of the type EDS");
    return;
  }
  auto config = cluster.required_child("eds_cluster_config");
  if (!config) return;
  const std::string name = config->text("service_name", out.name);
  auto resource = find_resource(*config, "eds_config", kAssignment, "cluster_name", name, loading);
  if (resource) read_assignment(*resource, out);
}

void read_original_dst(View& cluster, ClusterOptions& out) {
  upstream::OriginalDstOptions& options = out.original_dst;
  options.cleanup_interval = cluster.millis("cleanup_interval", options.cleanup_interval);
  if (options.cleanup_interval.count() == 0)
    cluster.error("cleanup_interval", "must be greater than 0");
  if (auto config = cluster.child("original_dst_lb_config")) {
    const std::string name = config->text("http_header_name", "x-envoy-original-dst-host");
    if (config->boolean("use_http_header", false)) options.header = base::lower(name);
    options.port_override =
        static_cast<uint16_t>(config->uint32("upstream_port_override", 0, 0, 65535));
    config->later({"metadata_key"});
  }
  if (out.type != ClusterType::kOriginalDst) {
    options = {};
    return;
  }
  if (cluster.text("lb_policy") != "CLUSTER_PROVIDED")
    cluster.error(cluster.has("lb_policy") ? "lb_policy" : "type",
                  "a cluster of the type ORIGINAL_DST needs \"lb_policy: CLUSTER_PROVIDED\"");
  if (cluster.has("load_assignment"))
    cluster.error("load_assignment", "a cluster of the type ORIGINAL_DST has no hosts of its own");
}

void refuse_later(View& cluster) {
  cluster.later({"load_balancing_policy",
                 "health_checks",
                 "outlier_detection",
                 "common_lb_config",
                 "lb_subset_config",
                 "ring_hash_lb_config",
                 "maglev_lb_config",
                 "transport_socket_matches",
                 "preconnect_policy",
                 "track_cluster_stats",
                 "track_timeout_budgets",
                 "connection_pool_per_downstream_connection",
                 "close_connections_on_host_health_failure",
                 "ignore_health_on_host_removal",
                 "filters",
                 "lrs_server",
                 "upstream_config",
                 "protocol_selection",
                 "hosts",
                 "tls_context",
                 "slow_start_config"});
  for (std::string_view old : {"http_protocol_options", "http2_protocol_options",
                               "common_http_protocol_options", "upstream_http_protocol_options"}) {
    cluster.unsupported(
        old, "it belongs into HttpProtocolOptions under \"typed_extension_protocol_options\"");
  }
}

}  // namespace

std::shared_ptr<const ClusterOptions> read_cluster(View& cluster, Loading& loading) {
  auto out = std::make_unique<ClusterOptions>();
  out->name = cluster.required_text("name");
  out->alt_stat_name = cluster.text("alt_stat_name");
  read_type(cluster, loading.resolver, *out);
  read_connection(cluster, *out);
  read_transport(cluster, *out, loading);
  read_load_balancing(cluster, *out);
  // Deprecated in the schema, but common.
  out->http.max_requests_per_connection = cluster.uint32("max_requests_per_connection", 0);
  read_protocol_options(cluster, *out, loading);
  read_circuit_breakers(cluster, *out);
  read_original_dst(cluster, *out);
  refuse_later(cluster);
  out->metadata = read_metadata(cluster);
  read_hosts(cluster, loading, *out);
  return out;
}

}  // namespace weir::config
