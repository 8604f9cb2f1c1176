// connection_limit: so many connections at a time, and no more.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// For "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit".
std::shared_ptr<const NetworkFilterFactory> make_connection_limit(ConfigView& config,
                                                                  FactoryContext& context);

}  // namespace weir::filters
