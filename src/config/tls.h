// Readers of the TLS transport sockets.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "config/loading.h"
#include "net/transport.h"

namespace weir::config {

inline constexpr std::string_view kDownstreamTls =
    "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
inline constexpr std::string_view kUpstreamTls =
    "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";

/// DownstreamTlsContext; the view is the message. `scope` names listener and filter chain: sessions are resumed nowhere else.
/// Null after an error.
std::shared_ptr<const net::TransportFactory> read_downstream_tls(View& view,
                                                                 const std::string& scope,
                                                                 Loading& loading);
/// UpstreamTlsContext; the view is the message. Null after an error.
std::shared_ptr<const net::TransportFactory> read_upstream_tls(View& view, Loading& loading);

}  // namespace weir::config
