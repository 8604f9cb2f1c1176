// cors: answers CORS preflights and marks responses for the origins that a route allows.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// For "envoy.extensions.filters.http.cors.v3.Cors"; per route: CorsPolicy.
std::shared_ptr<const HttpFilterFactory> make_cors(ConfigView& config, FactoryContext& context);

}  // namespace weir::filters
