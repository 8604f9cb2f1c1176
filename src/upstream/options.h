// Options of clusters; config/ fills them, upstream/ runs them. Immutable once a snapshot is published.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <weir/filter_registry.h>

#include "base/metadata.h"
#include "base/strings.h"
#include "http/connection.h"
#include "http/h2/h2.h"
#include "net/address.h"
#include "net/client_header.h"
#include "net/transport.h"
#include "upstream/dns/options.h"

namespace weir::upstream {

struct EndpointOptions {
  net::Address address;  // what weir connects to; of a name that DNS has yet to answer: none
  std::string hostname{};
  uint32_t weight = 1;
  std::string name{};  // what DNS is asked for; empty: the address is configured
  uint16_t port = 0;   // that of the name
  std::vector<net::Address>
      additional_addresses{};  // of the same host; tried when the first fails or is slow
  base::MetadataPtr metadata{};
  bool operator==(const EndpointOptions&) const = default;
};

struct LocalityOptions {
  std::string region, zone, sub_zone;
  uint32_t weight = 0;  // 0 = not set
  uint32_t priority = 0;
  std::vector<EndpointOptions> endpoints;
  base::MetadataPtr metadata{};
  bool operator==(const LocalityOptions&) const = default;
};

/// The hosts of a cluster: as configured, or what its discovery has found. Immutable once published.
using EndpointSet = std::vector<LocalityOptions>;

/// type, or cluster_type.
enum class ClusterType : uint8_t { kStatic, kStrictDns, kLogicalDns, kOriginalDst };

enum class LbPolicy : uint8_t { kRoundRobin, kLeastRequest, kRandom };

/// In which order the addresses of a host are tried.
struct HappyEyeballs {
  enum class First : uint8_t { kOfTheList, kV4, kV6 };
  First first = First::kOfTheList;  // family
  uint32_t first_count = 1;         // this many of it before one of the other
  bool operator==(const HappyEyeballs&) const = default;
};
/// The addresses of an endpoint in the order in which they are tried.
std::vector<net::Address> connect_order(const EndpointOptions& endpoint,
                                        const HappyEyeballs& options);

/// original_dst_lb_config, cleanup_interval.
struct OriginalDstOptions {
  std::string header;  // lower case; names the destination where a request has it; empty: none does
  uint16_t port_override = 0;  // 0: the destination's
  std::chrono::milliseconds cleanup_interval{5000};
  bool operator==(const OriginalDstOptions&) const = default;
};

/// circuit_breakers.thresholds of one priority; process-wide.
struct Thresholds {
  uint32_t max_connections = 1024;
  uint32_t max_pending_requests = 1024;
  uint32_t max_requests = 1024;
  uint32_t max_retries = 3;
  bool track_remaining = false;
  bool operator==(const Thresholds&) const = default;
};

/// What is spoken with the hosts of a cluster: explicit_http_config, auto_config (ALPN),
/// use_downstream_protocol_config.
enum class UpstreamProtocol : uint8_t { kHttp1, kHttp2, kAuto, kDownstream };

/// HttpProtocolOptions.common_http_protocol_options of an upstream.
struct UpstreamHttpOptions {
  std::chrono::milliseconds idle_timeout{std::chrono::hours(1)};  // 0 = none
  std::chrono::milliseconds max_connection_duration{0};           // 0 = none
  std::chrono::milliseconds max_stream_duration{0};  // from the sending of the request on; 0 = none
  uint32_t max_requests_per_connection = 0;          // 0 = no limit
  uint32_t max_headers_count = 100;
  uint32_t max_response_headers_kb = 60;
  bool enable_trailers = false;
  bool proper_case_words = false;
  UpstreamProtocol protocol = UpstreamProtocol::kHttp1;
  // upstream_http_protocol_options: the request's host names the server, and must stand in its certificate.
  bool auto_sni = false;
  bool auto_san_validation = false;
  std::string override_auto_sni_header;  // lower case; wins over the host
  http::h2::Options http2;
  bool operator==(const UpstreamHttpOptions&) const = default;
};

/// One filter of HttpProtocolOptions.http_filters or the router's upstream_http_filters.
struct HttpFilterPlace {
  std::string name;
  /// By what it asks a route for its configuration: name and type, for the route may be older than the cluster, which may
  /// have a filter of another type under the name by now.
  std::string route_key;
  std::shared_ptr<const HttpFilterFactory> factory;
  bool disabled = false;  // unless a route says otherwise
  bool operator==(const HttpFilterPlace&) const = default;
};
/// HttpFilterPlace::route_key of a filter of this "@type". No name of a filter has a line break.
inline std::string filter_route_key(std::string_view name, std::string_view type) {
  return base::concat(name, "\n", type);
}
using HttpFilters = std::vector<HttpFilterPlace>;  // without the codec at its end

struct ClusterOptions {
  std::string name;
  std::string alt_stat_name;  // name for stats; empty = name
  std::chrono::milliseconds connect_timeout{5000};
  ClusterType type = ClusterType::kStatic;
  LbPolicy lb_policy = LbPolicy::kRoundRobin;
  uint32_t least_request_choices = 2;
  EndpointSet localities;
  DnsOptions dns;                       // of the DNS types
  OriginalDstOptions original_dst;      // of ORIGINAL_DST
  Thresholds thresholds;                // DEFAULT
  Thresholds high_thresholds;           // HIGH
  uint32_t buffer_limit = 1024 * 1024;  // per_connection_buffer_limit_bytes
  net::Address source;  // upstream_bind_config.source_address; none: the kernel's choice
  bool source_freebind = false;
  HappyEyeballs happy_eyeballs;
  int keepalive_time_s = 0, keepalive_interval_s = 0, keepalive_probes = 0;
  UpstreamHttpOptions http;
  std::shared_ptr<const net::TransportFactory> transport;  // null: the bytes as they are
  std::optional<net::ProxyHeaderOptions> proxy_header;     // sent in clear, before all else
  /// Connections that were made with another text of the transport socket are used no more.
  std::string transport_frame;
  HttpFilters http_filters;
  base::MetadataPtr metadata{};
  bool operator==(const ClusterOptions&) const = default;
};

}  // namespace weir::upstream
