// echo: sends back what it is sent.
#pragma once

#include <weir/filter_registry.h>

namespace weir::filters {

/// For "envoy.extensions.filters.network.echo.v3.Echo".
std::shared_ptr<const NetworkFilterFactory> make_echo(ConfigView& config, FactoryContext& context);

}  // namespace weir::filters
