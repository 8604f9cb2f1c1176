#include "config/listener.h"

#include <climits>
#include <utility>

#include "config/filter_chain.h"
#include "config/parts.h"

namespace weir::config {
namespace {

using proxy::ListenerOptions;

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
