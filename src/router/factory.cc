#include "router/factory.h"

#include <utility>

#include "router/router_filter.h"
#include "router/upstream_filters.h"

namespace weir::router {
namespace {

class RouterFactory final : public HttpFilterFactory {
 public:
  RouterFactory(const RouterOptions& options, upstream::HttpFilters filters,
                FactoryContext& context)
      : settings_{options, std::move(filters), RouterStats(context.stats)},
        host_(static_cast<FilterHost*>(context.host)) {}
  std::unique_ptr<HttpFilter> create(unsigned worker) const override {
    return std::make_unique<RouterFilter>(settings_, host_->clusters(worker));
  }
  bool terminal() const noexcept override { return true; }
  const upstream::HttpFilters& upstream_filters() const noexcept {
    return settings_.upstream_filters;
  }

 private:
  RouterSettings settings_;
  FilterHost* host_;
};

/// A feature that is off by default may be spelled out; switching it on is an error.
void must_be_off(ConfigView& config, std::string_view field) {
  if (config.boolean(field, false)) config.error(field, "not supported");
}

}  // namespace

std::shared_ptr<const HttpFilterFactory> make_router_factory(ConfigView& config,
                                                             FactoryContext& context) {
  RouterOptions options;
  options.dynamic_stats = config.boolean("dynamic_stats", true);
  if (config.boolean("suppress_envoy_headers", false))
    options.envoy_headers = EnvoyHeaders::kSuppress;
  if (config.boolean("respect_expected_rq_timeout", false))
    options.expected_timeout = ExpectedTimeout::kRespect;
  must_be_off(config, "start_child_span");
  must_be_off(config, "suppress_grpc_request_failure_code_stats");
  must_be_off(config, "reject_connect_request_early_data");
  config.unsupported("strict_check_headers", "strict_check_headers is not supported");
  config.unsupported("upstream_log", "upstream access logs are not supported");
  config.unsupported("upstream_log_options", "upstream access logs are not supported");
  upstream::HttpFilters filters = read_upstream_filters(config, "upstream_http_filters", context);
  if (config.failed()) return nullptr;
  return std::make_unique<RouterFactory>(options, std::move(filters), context);
}

const upstream::HttpFilters* upstream_filters_of(const HttpFilterFactory& factory) {
  const auto* router = dynamic_cast<const RouterFactory*>(&factory);
  return router == nullptr ? nullptr : &router->upstream_filters();
}

}  // namespace weir::router
