// WantedHost: the host that a filter has chosen for its stream.
#pragma once

#include <string>
#include <string_view>
#include <weir/stream_info.h>

#include "upstream/host_choice.h"

namespace weir::router {

/// In the filter state of a stream: "ip:port" of the host that the load balancer is to take if the cluster has it.
inline constexpr std::string_view kWantedHost = "weir.upstream_override_host";

/// Owner: what starts the exchange; outlives it. The filter state may change while an attempt refers to the text.
class WantedHost {
 public:
  upstream::HostChoice choice(const StreamInfo& info) {
    upstream::HostChoice out;
    if (const std::string* wanted = info.filter_state(kWantedHost)) [[unlikely]] {
      address_ = *wanted;
      out.wanted = address_;
    }
    return out;
  }

 private:
  std::string address_;
};

}  // namespace weir::router
