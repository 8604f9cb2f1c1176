// grpc_stats: counts gRPC calls and messages for each cluster, and for the methods that the configuration lists, or all.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// For "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig".
std::shared_ptr<const HttpFilterFactory> make_grpc_stats(ConfigView& config,
                                                         FactoryContext& context);

}  // namespace weir::filters
