#include "config/listener.h"

#include <climits>
#include <utility>

#include "config/access_log.h"
#include "config/filter_chain.h"
#include "config/listener_filters.h"
#include "config/metadata.h"
#include "config/parts.h"

namespace weir::config {
namespace {

using proxy::ListenerOptions;

void read_socket(View& listener, ListenerOptions& out, Loading& loading) {
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
  out.use_original_dst = listener.boolean("use_original_dst", false);
  out.ignore_global_limit = listener.boolean("ignore_global_conn_limit", false);
  out.socket.transparent = listener.boolean("transparent", false);
  out.socket.fast_open_queue =
      static_cast<int>(listener.integer("tcp_fast_open_queue_length", 0, 0, INT_MAX));
  out.socket.options = read_socket_options(listener, "socket_options");
  if (listener.has("access_log"))
    out.access_logs = std::make_shared<const std::vector<proxy::AccessLogOptions>>(
        read_access_logs(listener, "access_log", loading));
  if (auto balance = listener.child("connection_balance_config")) {
    balance->later({"extend_balance"});
    balance->one_of({"exact_balance", "extend_balance"}, View::Required::kYes);
    out.exact_balance = balance->child("exact_balance") != nullptr;
  }
  listener.later({"enable_mptcp", "drain_type", "bypass_overload_manager", "udp_listener_config",
                  "api_listener", "internal_listener", "reuse_port", "deprecated_v1",
                  "max_connections_to_accept"});
  out.metadata = read_metadata(listener).value;
}

void read_additional_addresses(View& listener, ListenerOptions& out) {
  for (auto& view : listener.children("additional_addresses")) {
    auto address = read_address(*view, "address", PortZero::kAllowed);
    view->later({"tcp_keepalive"});
    proxy::ListenAddress added{{}, out.socket};
    if (view->has("socket_options")) {
      if (auto own = view->child("socket_options"))
        added.socket.options = read_socket_options(*own, "socket_options");
    }
    if (!address) continue;
    added.address = address->address;
    added.socket.unix_mode = address->unix_mode;
    added.socket.ipv4_compat = address->ipv4_compat;
    out.additional_addresses.push_back(std::move(added));
  }
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
  read_socket(listener, *out, loading);
  read_additional_addresses(listener, *out);
  read_filter_chains(listener, *out, loading);
  read_listener_filters(listener, *out);
  return out;
}

}  // namespace weir::config
