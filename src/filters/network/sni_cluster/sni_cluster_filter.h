// sni_cluster: the name that a TLS client asks for is the cluster's.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// For "envoy.extensions.filters.network.sni_cluster.v3.SniCluster".
std::shared_ptr<const NetworkFilterFactory> make_sni_cluster(ConfigView& config,
                                                             FactoryContext& context);

}  // namespace weir::filters
