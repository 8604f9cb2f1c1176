// TunnelSettings: tunneling_config of tcp_proxy, the request that opens a tunnel.
#pragma once

#include <optional>
#include <string>
#include <weir/config_view.h>

#include "stream/header_ops.h"

namespace weir::filters::tcp_proxy {

/// A connection's filter state under these keys holds the header fields of the answer and its trailers, as a JSON object.
inline constexpr std::string_view kResponseHeadersKey =
    "envoy.tcp_proxy.propagate_response_headers";
inline constexpr std::string_view kResponseTrailersKey =
    "envoy.tcp_proxy.propagate_response_trailers";

/// Immutable, part of the Settings.
struct TunnelSettings {
  stream::Format hostname;  // the request's authority
  stream::HeaderOps headers;
  std::string post_path;  // of a POST in place of CONNECT; empty: CONNECT
  bool propagate_headers = false;
  bool propagate_trailers = false;

  bool use_post() const noexcept { return !post_path.empty(); }
  /// Null if there is none or something is wrong, which is reported.
  static std::optional<TunnelSettings> read(ConfigView& config);
};

}  // namespace weir::filters::tcp_proxy
