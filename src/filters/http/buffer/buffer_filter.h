// buffer: sends requests on when they have come whole, up to a size.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// For "envoy.extensions.filters.http.buffer.v3.Buffer"; per route: BufferPerRoute.
std::shared_ptr<const HttpFilterFactory> make_buffer(ConfigView& config, FactoryContext& context);

}  // namespace weir::filters
