// Readers of the PROXY protocol's messages that listeners and clusters share.
#pragma once

#include <string_view>

#include "config/view.h"
#include "net/client_header.h"

namespace weir::config {

inline constexpr std::string_view kUpstreamProxyProtocol =
    "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport";

/// pass_through_tlvs of `parent`; none if it is absent.
net::TlvTypes read_pass_through(View& parent);
/// A core.v3.ProxyProtocolConfig, the message itself.
net::ProxyHeaderOptions read_proxy_config(View& config);
/// The header of a ProxyProtocolUpstreamTransport; the view is the message.
net::ProxyHeaderOptions read_proxy_header(View& socket);
/// Reports the TLVs that an LbEndpoint's metadata adds for its host alone.
void refuse_host_tlvs(View& endpoint);

}  // namespace weir::config
