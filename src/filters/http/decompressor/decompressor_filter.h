// decompressor: decodes bodies of requests and responses, within bounds.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// For "envoy.extensions.filters.http.decompressor.v3.Decompressor".
std::shared_ptr<const HttpFilterFactory> make_decompressor(ConfigView& config,
                                                           FactoryContext& context);

}  // namespace weir::filters
