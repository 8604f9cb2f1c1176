// local_ratelimit: so many new connections in a time.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// For "envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit".
std::shared_ptr<const NetworkFilterFactory> make_network_local_ratelimit(ConfigView& config,
                                                                         FactoryContext& context);

}  // namespace weir::filters
