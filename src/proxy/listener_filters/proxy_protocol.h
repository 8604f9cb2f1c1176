// proxy_protocol: the client's addresses from the header of a proxy in front.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>
#include <weir/stats.h>

#include "net/client_header.h"
#include "net/proxy_header.h"
#include "proxy/listener_filter.h"

namespace weir::proxy {

struct ProxyProtocolOptions {
  struct Rule {  // a TLV that becomes filter state "<metadata_namespace>.<key>" of the connection
    uint8_t type = 0;
    std::string state_key;
  };
  std::vector<Rule> rules;
  net::TlvTypes pass_through;  // that upstreams may be told (ConnectionInfo::proxy_tlvs)
  bool allow_without = false;  // allow_requests_without_proxy_protocol
  bool allow_v1 = true, allow_v2 = true;
  std::string stat_prefix;
};

class ProxyProtocol final : public ListenerFilter {
 public:
  /// `scope` is the listener's.
  ProxyProtocol(ProxyProtocolOptions options, StatsScope& scope);
  InspectVerdict inspect(Inspection& at) const override;
  size_t max_bytes() const noexcept override { return net::kMaxProxyHeader; }

 private:
  struct VersionStats {
    Counter &found, &disallowed, &error;
  };
  static VersionStats version_stats(StatsScope& scope, const std::string& prefix);
  InspectVerdict without(Inspection& at) const;
  InspectVerdict take(Inspection& at, net::ProxyHeader& header) const;
  const VersionStats& stats_of(net::ProxyVersion version) const noexcept {
    return version == net::ProxyVersion::kV1 ? v1_ : v2_;
  }

  ProxyProtocolOptions options_;
  Counter &not_found_allowed_, &not_found_disallowed_;
  VersionStats v1_, v2_;
};

}  // namespace weir::proxy
