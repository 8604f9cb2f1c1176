// health_check: answers load balancers' probes, or lets them through and remembers the answer.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// For "envoy.extensions.filters.http.health_check.v3.HealthCheck".
std::shared_ptr<const HttpFilterFactory> make_health_check(ConfigView& config,
                                                           FactoryContext& context);

}  // namespace weir::filters
