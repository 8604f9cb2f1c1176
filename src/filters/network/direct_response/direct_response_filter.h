// direct_response: sends a fixed text to every client and closes.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// For "envoy.extensions.filters.network.direct_response.v3.Config".
std::shared_ptr<const NetworkFilterFactory> make_direct_response(ConfigView& config,
                                                                 FactoryContext& context);

}  // namespace weir::filters
