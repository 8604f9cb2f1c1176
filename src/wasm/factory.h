// The places where a plugin may stand in the configuration.
#pragma once

#include <memory>
#include <weir/config_view.h>
#include <weir/filter_registry.h>

namespace weir::wasm {

/// Registers them all. FactoryContext::host is a router::FilterHost; without one (a configuration that is only validated) the
/// factories make no filters.
void add_places(FilterRegistry& registry);

/// envoy.extensions.filters.http.wasm.v3.Wasm, also for the filters of a cluster.
std::shared_ptr<const HttpFilterFactory> make_http_filter(ConfigView& config,
                                                          FactoryContext& context);
/// envoy.extensions.filters.network.wasm.v3.Wasm
std::shared_ptr<const NetworkFilterFactory> make_network_filter(ConfigView& config,
                                                                FactoryContext& context);
/// envoy.extensions.access_loggers.wasm.v3.WasmAccessLog
std::shared_ptr<const AccessLogger> make_access_logger(ConfigView& config, FactoryContext& context);
/// envoy.extensions.wasm.v3.WasmService: on every worker, or with `singleton` on the main thread.
std::shared_ptr<const BootstrapExtension> make_service(ConfigView& config, FactoryContext& context);

}  // namespace weir::wasm
