// The native HTTP filters of the binary, but for the router and Wasm, which the server adds.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

void add_builtin_filters(FilterRegistry& registry);

}  // namespace weir::filters
