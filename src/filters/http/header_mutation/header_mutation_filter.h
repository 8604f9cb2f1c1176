// header_mutation: adds, overwrites and removes headers, trailers and query parameters.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// For "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation".
std::shared_ptr<const HttpFilterFactory> make_header_mutation(ConfigView& config,
                                                              FactoryContext& context);

}  // namespace weir::filters
