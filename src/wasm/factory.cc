// envoy.extensions.filters.http.wasm.v3.Wasm
#include "wasm/host.h"
#include "wasm/http_filter.h"
#include "wasm/worker_vms.h"

namespace weir::wasm {
namespace {

/// Owner: the snapshot. Its filters refer to the plugin, and the stream's snapshot keeps both.
class WasmFactory final : public HttpFilterFactory {
 public:
  WasmFactory(std::shared_ptr<const Plugin> plugin, Host* host)
      : plugin_(std::move(plugin)),
        host_(host),
        stats_(host != nullptr ? &host->plugin_stats(plugin_->label()) : nullptr) {}

  std::unique_ptr<HttpFilter> create(unsigned worker) const override {
    if (host_ == nullptr) return nullptr;
    return std::make_unique<WasmFilter>(*plugin_, *stats_, host_->vms(worker));
  }

 private:
  const std::shared_ptr<const Plugin> plugin_;
  Host* const host_;  // null where the configuration is only validated
  PluginStats* const stats_;
};

}  // namespace

std::shared_ptr<const HttpFilterFactory> make_wasm_factory(ConfigView& config,
                                                           FactoryContext& context) {
  const auto view = config.message("config");
  if (!view) {
    config.error("config", "required: the plugin");
    return nullptr;
  }
  auto plugin = read_plugin(*view, context.traffic_direction);
  if (!plugin) return nullptr;
  auto* filter_host = static_cast<router::FilterHost*>(context.host);
  Host* host = filter_host != nullptr ? filter_host->wasm() : nullptr;
  if (filter_host != nullptr && host == nullptr) {
    config.error({}, "there is no Wasm engine in this process");
    return nullptr;
  }
  if (host != nullptr) host->register_plugin(plugin);
  return std::make_shared<const WasmFactory>(std::move(plugin), host);
}

}  // namespace weir::wasm
