// rbac: who may connect where.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// For "envoy.extensions.filters.network.rbac.v3.RBAC".
std::shared_ptr<const NetworkFilterFactory> make_network_rbac(ConfigView& config,
                                                              FactoryContext& context);

}  // namespace weir::filters
