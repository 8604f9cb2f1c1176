#include "config/listener.h"

#include <climits>
#include <utility>

#include "config/hcm.h"
#include "config/parts.h"

namespace weir::config {
namespace {

using proxy::ListenerOptions;

constexpr std::string_view kRawBuffer =
    "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";
constexpr std::string_view kTls = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";

void read_transport(View& chain) {
  auto socket = chain.child("transport_socket");
  if (!socket) return;
  socket->ignore({"name"});
  auto config = socket->required_child("typed_config");
  if (!config) return;
  const std::string type = config->type();
  if (type == kRawBuffer) return;
  for (const std::string& key : config->keys()) config->ignore({key});
  if (type == kTls) {
    config->error("@type", "TLS is not supported yet");
  } else if (!type.empty()) {
    refuse_type(*config, type, {kRawBuffer});
  }
}

// The one network filter of a chain, so far always the HTTP connection manager.
std::shared_ptr<const proxy::HcmOptions> read_network_filter(View& filter, HcmScope& scope) {
  filter.required_text("name");
  filter.later({"config_discovery"});
  if (filter.has("config_discovery")) return nullptr;
  auto config = filter.required_child("typed_config");
  if (!config) return nullptr;
  if (!config->has("@type")) config->missing("@type");
  const std::string type = config->type();
  if (type == kHcmType) return read_hcm(*config, scope);
  for (const std::string& key : config->keys()) config->ignore({key});
  if (!type.empty()) refuse_type(*config, type, {kHcmType});
  return nullptr;
}

proxy::FilterChainOptions read_filter_chain(View& chain, HcmScope& scope) {
  proxy::FilterChainOptions out;
  out.name = chain.text("name");
  chain.later({"filter_chain_match", "transport_socket_connect_timeout", "use_proxy_proto",
               "on_demand_configuration"});
  chain.ignore({"metadata"});
  read_transport(chain);
  auto filters = chain.children("filters");
  if (chain.no_items("filters")) chain.missing("filters");
  for (size_t i = 0; i < filters.size(); ++i) {
    auto hcm = read_network_filter(*filters[i], scope);
    if (i > 0 && hcm)
      filters[i]->error({},
                        "the HTTP connection manager is the only filter that a chain can have yet");
    if (i == 0) out.hcm = std::move(hcm);
  }
  return out;
}

void read_filter_chains(View& listener, ListenerOptions& out, Loading& loading) {
  HcmScope scope{loading, out.traffic_direction,
                 out.address.is_unix() ? uint16_t{0} : out.address.port()};
  listener.later({"filter_chain_matcher", "default_filter_chain"});
  auto chains = listener.children("filter_chains");
  if (listener.no_items("filter_chains")) listener.missing("filter_chains");
  for (size_t i = 0; i < chains.size(); ++i) {
    auto chain = read_filter_chain(*chains[i], scope);
    if (i > 0) chains[i]->error({}, "more than one filter chain is not supported yet");
    if (i == 0) out.filter_chain = std::move(chain);
  }
}

void read_socket(View& listener, ListenerOptions& out) {
  out.socket.backlog =
      static_cast<int>(listener.integer("tcp_backlog_size", out.socket.backlog, 1, INT_MAX));
  out.socket.reuse_port = listener.boolean("enable_reuse_port", true);
  out.socket.freebind = listener.boolean("freebind", false);
  out.bind_to_port = listener.boolean("bind_to_port", true);
  out.connection.buffer_limit = listener.uint32(
      "per_connection_buffer_limit_bytes", static_cast<uint32_t>(out.connection.buffer_limit), 1);
  out.accept_batch =
      listener.uint32("max_connections_to_accept_per_socket_event", out.accept_batch, 1);
  const KeepaliveParts keepalive = read_keepalive(listener, "tcp_keepalive");
  out.connection.keepalive_time_s = keepalive.time_s;
  out.connection.keepalive_interval_s = keepalive.interval_s;
  out.connection.keepalive_probes = keepalive.probes;
  listener.later({"additional_addresses",
                  "listener_filters",
                  "listener_filters_timeout",
                  "continue_on_listener_filters_timeout",
                  "use_original_dst",
                  "transparent",
                  "socket_options",
                  "tcp_fast_open_queue_length",
                  "enable_mptcp",
                  "connection_balance_config",
                  "drain_type",
                  "access_log",
                  "ignore_global_conn_limit",
                  "bypass_overload_manager",
                  "udp_listener_config",
                  "api_listener",
                  "internal_listener",
                  "reuse_port",
                  "deprecated_v1",
                  "max_connections_to_accept"});
  listener.ignore({"metadata"});
}

}  // namespace

std::shared_ptr<const ListenerOptions> read_listener(View& listener, Loading& loading) {
  auto out = std::make_unique<ListenerOptions>();
  out->name = listener.text("name");
  out->stat_prefix = listener.text("stat_prefix");
  constexpr std::string_view kDirections[] = {"UNSPECIFIED", "INBOUND", "OUTBOUND"};
  out->traffic_direction = kDirections[listener.enumeration(
      "traffic_direction", {kDirections[0], kDirections[1], kDirections[2]}, 0)];
  if (auto address = read_address(listener, "address", PortZero::kAllowed)) {
    out->address = address->address;
    out->socket.unix_mode = address->unix_mode;
    out->socket.ipv4_compat = address->ipv4_compat;
    if (out->name.empty()) out->name = out->address.to_string();
  }
  read_socket(listener, *out);
  read_filter_chains(listener, *out, loading);
  return out;
}

}  // namespace weir::config
