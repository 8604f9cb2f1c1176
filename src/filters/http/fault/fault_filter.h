// fault: delays requests, answers them with an error, slows responses down; for tests of what stands around weir.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// For "envoy.extensions.filters.http.fault.v3.HTTPFault", also per route.
std::shared_ptr<const HttpFilterFactory> make_fault(ConfigView& config, FactoryContext& context);

}  // namespace weir::filters
