// Options of listeners and their filter chains; config/ fills them, proxy/ and server/ run them. Immutable once a
// snapshot is published; snapshots share unchanged ones.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>
#include <weir/network_filter.h>

#include "net/address.h"
#include "net/connection.h"
#include "net/listener.h"
#include "net/transport.h"
#include "proxy/chain_match.h"
#include "proxy/listener_filter.h"
#include "proxy/options.h"

namespace weir::proxy {

struct ConfiguredNetworkFilter {
  std::string name;
  std::string type;  // "@type" without its prefix
  std::shared_ptr<const NetworkFilterFactory> factory;
};

/// What a connection is served by: its transport and its network filters, the last of which is the
/// HttpConnectionManager (`hcm`) or a terminal filter (the last of `filters`).
struct FilterChainOptions {
  std::string name;
  /// Chains of two generations with the same key are the same chain: its name, or else what it matches.
  std::string key;
  /// A chain whose frame differs from that of the generation before lets its connections go: transport socket, codec type, and
  /// whether it is HTTP.
  std::string frame;
  FilterChainMatch match;
  /// What its meaning depends on, as text: chains of two generations with equal texts are the same object.
  std::string text;
  std::shared_ptr<const net::TransportFactory> transport;            // null: the bytes as they are
  Milliseconds transport_connect_timeout{std::chrono::seconds(15)};  // 0 = none
  std::vector<ConfiguredNetworkFilter> filters;                      // those before `hcm`
  std::shared_ptr<const HcmOptions> hcm;                             // null: no HTTP
  std::vector<AccessLogOptions> access_logs;  // of a terminal filter; HTTP has its own
};

struct ListenAddress {
  net::Address address;
  net::SocketOptions socket;
};

/// Makes a listener filter when the address is bound. Immutable.
class ListenerFilterMaker {
 public:
  virtual ~ListenerFilterMaker() = default;
  /// `listener` is the scope "listener.<address>.", `root` has names from the root.
  virtual std::shared_ptr<const ListenerFilter> make(StatsScope& listener,
                                                     StatsScope& root) const = 0;
};

struct ListenerOptions {
  std::string name;
  net::Address address;
  net::SocketOptions socket;
  std::string stat_prefix;            // empty: the address with ':' -> '_'
  uint32_t accept_batch = 16;         // max_connections_to_accept_per_socket_event
  net::ConnectionOptions connection;  // buffer limit, TCP keepalive
  bool bind_to_port = true;
  /// Connections go to the listener that their original destination names, if there is one.
  bool use_original_dst = false;
  bool ignore_global_limit = false;  // ignore_global_conn_limit
  bool exact_balance = false;        // a connection goes to the worker that has the fewest
  std::vector<ListenAddress> additional_addresses;
  std::vector<std::shared_ptr<const ListenerFilterMaker>> filters;
  Milliseconds filters_timeout{std::chrono::seconds(15)};  // 0 = none
  bool continue_on_filters_timeout = false;
  /// Of connections. Shared, because a listener may be copied to take over chains of the generation before.
  std::shared_ptr<const std::vector<AccessLogOptions>> access_logs;  // null: none
  std::string traffic_direction = "UNSPECIFIED";
  std::shared_ptr<const Metadata> metadata;  // null: none
  std::vector<std::shared_ptr<const FilterChainOptions>> filter_chains;
  std::shared_ptr<const FilterChainOptions> default_filter_chain;  // null: none
};

}  // namespace weir::proxy
