// local_ratelimit: a token bucket for the whole process, or for the routes that bring their own.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// For "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit".
std::shared_ptr<const HttpFilterFactory> make_local_ratelimit(ConfigView& config,
                                                              FactoryContext& context);

}  // namespace weir::filters
