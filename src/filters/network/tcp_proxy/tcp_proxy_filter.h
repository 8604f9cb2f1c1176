// tcp_proxy: carries the bytes of a connection to a host of a cluster and back.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// The cluster that filters in front choose: a connection's filter state under this key wins over the configured one.
inline constexpr std::string_view kTcpProxyClusterKey = "envoy.tcp_proxy.cluster";

/// For "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy". FactoryContext::host is a router::FilterHost*. The field
/// "access_log" is the chain's: config/ reads it.
std::shared_ptr<const NetworkFilterFactory> make_tcp_proxy(ConfigView& config,
                                                           FactoryContext& context);

}  // namespace weir::filters
