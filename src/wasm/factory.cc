// The configured places of Wasm plugins: HTTP and network filters, access loggers, services.
#include "wasm/factory.h"

#include "wasm/host.h"
#include "wasm/http_filter.h"
#include "wasm/network_filter.h"
#include "wasm/worker_vms.h"

namespace weir::wasm {
namespace {

constexpr std::string_view kHttpType = "envoy.extensions.filters.http.wasm.v3.Wasm";

/// A plugin in its place, and the host that runs it: null where the configuration is only validated.
struct Place {
  std::shared_ptr<const Plugin> plugin;
  Host* host = nullptr;
  PluginStats* stats = nullptr;
  std::shared_ptr<const void>
      use{};  // while it lives, so do the VMs; a service's end with its generation
};

/// Owner: the snapshot. Its filters refer to the plugin, and the stream's snapshot keeps both, and the VMs with them.
class HttpPlace final : public HttpFilterFactory {
 public:
  explicit HttpPlace(Place place) : place_(std::move(place)) {}

  std::unique_ptr<HttpFilter> create(unsigned worker) const override {
    if (place_.host == nullptr) return nullptr;
    return std::make_unique<WasmFilter>(*place_.plugin, *place_.stats, place_.host->vms(worker),
                                        routes_vary_ ? PluginOf::kRoute : PluginOf::kFilter);
  }
  std::string_view route_config_type() const noexcept override { return kHttpType; }
  std::shared_ptr<const void> make_route_config(ConfigView& config) const override {
    const auto view = config.message("config");
    if (!view) {
      config.error("config", "required: what the route changes of the plugin");
      return nullptr;
    }
    auto plugin = read_route_plugin(*view, *place_.plugin);
    if (!plugin) return nullptr;
    routes_vary_ = true;
    if (place_.host == nullptr)
      return std::make_shared<const RoutePlugin>(RoutePlugin{std::move(plugin), nullptr});
    place_.host->register_plugin(plugin);
    PluginStats& stats = place_.host->plugin_stats(plugin->label());
    auto use = place_.host->hold(*plugin);
    return std::make_shared<const RoutePlugin>(
        RoutePlugin{std::move(plugin), &stats, std::move(use)});
  }

 private:
  const Place place_;
  mutable bool routes_vary_ = false;  // written on main, before a worker sees the factory
};

class NetworkPlace final : public NetworkFilterFactory {
 public:
  explicit NetworkPlace(Place place) : place_(std::move(place)) {}

  std::unique_ptr<NetworkFilter> create(unsigned worker) const override {
    if (place_.host == nullptr) return nullptr;
    return std::make_unique<WasmNetworkFilter>(*place_.plugin, *place_.stats,
                                               place_.host->vms(worker));
  }

 private:
  const Place place_;
};

class LoggerPlace final : public AccessLogger {
 public:
  explicit LoggerPlace(Place place) : place_(std::move(place)) {}

  void log(const Exchange& exchange, unsigned worker) const override {
    if (place_.host == nullptr) return;
    RootContext* root = nullptr;
    if (place_.host->vms(worker).pick(*place_.plugin, root) != nullptr) return root->log(exchange);
    place_.stats->unlogged.inc();
  }

 private:
  const Place place_;
};

/// A service has no place in a chain: that it is configured is all.
class Service final : public BootstrapExtension {
 public:
  explicit Service(Place place) : place_(std::move(place)) {}

 private:
  const Place place_;
};

/// Reads the plugin in field "config" and has the host load it. Nothing after an error, which is reported.
std::optional<Place> read_place(ConfigView& config, const FactoryContext& context,
                                RunsOn runs_on = RunsOn::kWorkers) {
  const auto view = config.message("config");
  if (!view) {
    config.error("config", "required: the plugin");
    return std::nullopt;
  }
  Place place;
  auto* filter_host = static_cast<router::FilterHost*>(context.host);
  place.host = filter_host != nullptr ? filter_host->wasm() : nullptr;
  place.plugin =
      read_plugin(*view, context.traffic_direction, runs_on, place.host,
                  context.registry != nullptr ? &context.registry->host_functions() : nullptr);
  if (!place.plugin) return std::nullopt;
  if (filter_host != nullptr && place.host == nullptr) {
    config.error({}, "there is no Wasm engine in this process");
    return std::nullopt;
  }
  if (place.host == nullptr) return place;
  if (const std::string clash = place.host->register_plugin(place.plugin); !clash.empty())
    view->error("vm_config", clash);
  place.stats = &place.host->plugin_stats(place.plugin->label());
  place.use = place.host->hold(*place.plugin);
  return place;
}

}  // namespace

std::shared_ptr<const HttpFilterFactory> make_http_filter(ConfigView& config,
                                                          FactoryContext& context) {
  auto place = read_place(config, context);
  return place ? std::make_shared<const HttpPlace>(std::move(*place)) : nullptr;
}

std::shared_ptr<const NetworkFilterFactory> make_network_filter(ConfigView& config,
                                                                FactoryContext& context) {
  auto place = read_place(config, context);
  return place ? std::make_shared<const NetworkPlace>(std::move(*place)) : nullptr;
}

std::shared_ptr<const AccessLogger> make_access_logger(ConfigView& config,
                                                       FactoryContext& context) {
  auto place = read_place(config, context);
  return place ? std::make_shared<const LoggerPlace>(std::move(*place)) : nullptr;
}

std::shared_ptr<const BootstrapExtension> make_service(ConfigView& config,
                                                       FactoryContext& context) {
  const RunsOn runs_on = config.boolean("singleton", false) ? RunsOn::kMain : RunsOn::kWorkers;
  auto place = read_place(config, context, runs_on);
  // Nobody asks for its VM: the next generation's is not to work beside it.
  if (place) place->use.reset();
  return place ? std::make_shared<const Service>(std::move(*place)) : nullptr;
}

void add_places(FilterRegistry& registry) {
  registry.add_http(std::string(kHttpType), &make_http_filter);
  registry.add_network("envoy.extensions.filters.network.wasm.v3.Wasm", &make_network_filter);
  registry.add_access_logger("envoy.extensions.access_loggers.wasm.v3.WasmAccessLog",
                             &make_access_logger);
  registry.add_bootstrap_extension("envoy.extensions.wasm.v3.WasmService", &make_service);
}

}  // namespace weir::wasm
