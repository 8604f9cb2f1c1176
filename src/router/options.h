// Options of route tables; config/ fills them (regexes and formats compiled there, with positions), router/ builds the
// table from them. Move-only.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <weir/matchers.h>

#include "base/metadata.h"
#include "base/regex.h"
#include "net/client_header.h"
#include "stream/header_ops.h"

namespace weir::router {

struct QueryMatch {
  std::string name;
  std::optional<StringMatcher> string;  // absent: present_match
  bool present = true;
};

struct RouteMatchOptions {
  enum class Path : uint8_t { kPrefix, kExact, kRegex, kSeparatedPrefix, kConnect };
  Path kind = Path::kPrefix;
  std::string path;
  std::optional<base::Regex> regex;  // full match on the path without query
  bool case_sensitive = true;
  HeaderMatchers headers;
  std::vector<QueryMatch> query;
  std::optional<double> fraction;  // runtime_fraction.default_value, 0..1
  bool grpc = false;               // only requests whose content-type is gRPC's
};

/// One filter's typed_per_filter_config.
struct FilterOverride {
  std::shared_ptr<const void> config;  // null for a bare FilterConfig
  int disabled = -1;                   // -1: not said, 0: enabled, 1: disabled
};
using FilterOverrides = std::map<std::string, FilterOverride, std::less<>>;

struct WeightedCluster {
  std::string name;
  uint32_t weight = 0;
  stream::HeaderOps request_headers, response_headers;
  std::string host_rewrite_literal;
  FilterOverrides filters;
};

struct RegexRewrite {
  base::Regex pattern;
  std::string substitution;  // RE2 style: \1
};

/// RouteAction.max_stream_duration.
struct StreamDurationOptions {
  std::optional<std::chrono::milliseconds> max;  // wins over the connection manager's; 0 = none
  // grpc_timeout_header_max: a grpc-timeout counts, up to this much; 0 = without a bound. Not set: it does not count.
  std::optional<std::chrono::milliseconds> grpc_max;
  std::chrono::milliseconds grpc_offset{0};  // grpc_timeout_header_offset: so much earlier
};

/// connect_config: a CONNECT ends here, and its payload goes to the cluster as it is.
struct ConnectOptions {
  bool allow_post = false;                              // a POST is taken like a CONNECT
  std::optional<net::ProxyHeaderOptions> proxy_header;  // which the connection begins with
};

/// RouteAction.upgrade_configs: what this route says of one protocol (lower-case; "connect" for CONNECT).
struct RouteUpgrade {
  std::string type;
  bool enabled = true;
  std::optional<ConnectOptions> connect;
};

struct RouteActionOptions {
  std::string cluster;  // exactly one of cluster, cluster_header, weighted
  std::string cluster_header;
  std::vector<WeightedCluster> weighted;
  int cluster_not_found_status = 503;
  std::string prefix_rewrite;
  std::optional<RegexRewrite> regex_rewrite;
  std::string host_rewrite_literal;
  std::string host_rewrite_header;
  bool append_x_forwarded_host = false;
  std::chrono::milliseconds timeout{15000};  // 0 = off
  std::optional<std::chrono::milliseconds> idle_timeout;
  std::optional<StreamDurationOptions> stream_duration;
  bool high_priority = false;
  std::vector<RouteUpgrade> upgrades;
};

struct RedirectOptions {
  bool https_redirect = false;
  std::string scheme_redirect, host_redirect;
  uint32_t port_redirect = 0;
  std::string path_redirect, prefix_rewrite;
  std::optional<RegexRewrite> regex_rewrite;
  int status = 301;
  bool strip_query = false;
};

struct DirectResponseOptions {
  int status = 200;
  std::string body;
};

struct RouteOptions {
  std::string name;
  RouteMatchOptions match;
  std::optional<RouteActionOptions> route;  // exactly one of the three
  std::optional<RedirectOptions> redirect;
  std::optional<DirectResponseOptions> direct;
  stream::HeaderOps request_headers, response_headers;
  FilterOverrides filters;
  bool include_filter_times = false;
  base::MetadataPtr metadata{};
};

struct VirtualHostOptions {
  std::string name;
  std::vector<std::string> domains;  // lower-case
  std::vector<RouteOptions> routes;
  enum class RequireTls : uint8_t { kNone, kExternalOnly, kAll } require_tls = RequireTls::kNone;
  stream::HeaderOps request_headers, response_headers;
  FilterOverrides filters;
  bool include_attempt_count = false;
  base::MetadataPtr metadata{};
  bool include_filter_times = false;
};

struct RouteTableOptions {
  std::string name;
  std::vector<VirtualHostOptions> virtual_hosts;
  stream::HeaderOps request_headers, response_headers;
  bool most_specific_header_mutations_wins = false;
  bool ignore_port_in_host_matching = false;
  FilterOverrides filters;
};

}  // namespace weir::router
