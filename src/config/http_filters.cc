#include <memory>
#include <utility>

#include "config/hcm.h"
#include "config/parts.h"

namespace weir::config {
namespace {

using proxy::ConfiguredFilter;

struct Chain {
  HcmScope& scope;
  StatsScope& stats;
  StatsScope& root_stats;
};

void take_everything(const View& view) {
  for (const std::string& key : view.keys()) view.ignore({key});
}

// Null after an error, or for an optional filter that this binary does not have.
std::shared_ptr<const HttpFilterFactory> make_factory(View& config, ConfiguredFilter& filter,
                                                      Chain& chain, bool optional) {
  const FilterRegistry& registry = chain.scope.loading.context.registry;
  if (!config.has("@type")) config.missing("@type");
  filter.type = config.type();
  const HttpFilterMaker maker = filter.type.empty() ? nullptr : registry.find_http(filter.type);
  if (maker == nullptr) {
    if (!filter.type.empty() && !optional) {
      std::vector<std::string_view> known;
      for (const auto& [type, unused] : registry.http()) known.push_back(type);
      refuse_type(config, filter.type, known);
    }
    take_everything(config);
    return nullptr;
  }
  FactoryContext context = factory_context(chain.scope.loading, chain.stats, chain.root_stats,
                                           filter.name, chain.scope.traffic_direction);
  auto factory = maker(config, context);
  if (!factory && !config.failed()) config.error({}, "the filter refuses this configuration");
  return factory;
}

struct ReadFilter {
  ConfiguredFilter filter;
  bool skipped = false;
};

ReadFilter read_filter(View& view, Chain& chain) {
  ReadFilter out;
  out.filter.name = view.required_text("name");
  out.filter.disabled = view.boolean("disabled", false);
  const bool optional = view.boolean("is_optional", false);
  if (view.has("config_discovery")) {
    view.later({"config_discovery"});
    return out;
  }
  auto config = view.required_child("typed_config");
  if (!config) return out;
  out.filter.factory = make_factory(*config, out.filter, chain, optional);
  out.skipped = optional && out.filter.factory == nullptr && !config->failed();
  return out;
}

// A terminal filter ends the chain: exactly the last one is. Judged only where the filters themselves are right.
void judge_order(View& view, std::string_view list, const ConfiguredFilter& filter, bool last) {
  if (filter.factory == nullptr) return;
  if (filter.factory->terminal() && !last) {
    view.error({},
               "the terminal filter " + quote(filter.name) + " must be the last of " + quote(list));
  }
  if (!filter.factory->terminal() && last) {
    view.error({}, "the last filter must be a terminal one, such as envoy.filters.http.router; " +
                       quote(filter.name) + " is not");
  }
  if (filter.factory->terminal() && filter.disabled)
    view.error("disabled", "a terminal filter cannot be disabled");
}

}  // namespace

std::vector<ConfiguredFilter> read_http_filters(View& parent, std::string_view field,
                                                std::string_view stat_prefix, HcmScope& scope) {
  std::vector<ConfiguredFilter> out;
  auto stats = scope.loading.context.stats.scope("http." + std::string(stat_prefix) + ".");
  auto root_stats = scope.loading.context.stats.scope({});
  Chain chain{scope, *stats, *root_stats};
  auto views = parent.children(field);
  if (parent.no_items(field)) {
    parent.error(
        parent.has(field) ? field : std::string_view(),
        quote(field) + " must end with a terminal filter, such as envoy.filters.http.router");
  }
  for (size_t i = 0; i < views.size(); ++i) {
    ReadFilter next = read_filter(*views[i], chain);
    judge_order(*views[i], field, next.filter, i + 1 == views.size());
    if (!next.skipped) out.push_back(std::move(next.filter));
  }
  return out;
}

}  // namespace weir::config
