// Options of names in clusters: how they are resolved, and how often. Plain data; config/ fills them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::upstream {

/// CaresDnsResolverConfig.
struct ResolverOptions {
  std::vector<std::string> servers;  // "ip:port", "[ip]:port"; empty: the system's
  bool servers_as_fallback = false;  // only where the system names none
  bool filter_unroutable_families = false;
  bool use_tcp = false;
  bool no_search_domains = false;
  bool rotate_servers = false;
  uint32_t udp_max_queries = 0;  // per socket; 0: no limit
  uint32_t edns0_payload = 0;    // bytes; 0: the library's
  std::chrono::milliseconds query_timeout{5000};
  uint32_t query_tries = 4;
  bool operator==(const ResolverOptions&) const = default;
};

enum class LookupFamily : uint8_t { kAuto, kV4Only, kV6Only, kV4Preferred, kAll };

struct DnsOptions {
  LookupFamily family = LookupFamily::kAuto;
  bool respect_ttl = false;
  bool wait_for_warm = true;
  std::chrono::milliseconds refresh_rate{5000};
  std::chrono::milliseconds jitter{0};
  std::chrono::milliseconds failure_base{0};  // 0: failures are tried again at the refresh rate
  std::chrono::milliseconds failure_max{0};
  ResolverOptions resolver;
  bool operator==(const DnsOptions&) const = default;
};

}  // namespace weir::upstream
