// compressor: encodes responses as the client likes it, and requests where the upstream takes it.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// For "envoy.extensions.filters.http.compressor.v3.Compressor"; per route: CompressorPerRoute.
std::shared_ptr<const HttpFilterFactory> make_compressor(ConfigView& config,
                                                         FactoryContext& context);

}  // namespace weir::filters
