// typed_per_filter_config: what a route, virtual host or table changes of a configured filter.
#include <algorithm>
#include <utility>

#include "config/parts.h"
#include "config/routes.h"

namespace weir::config {
namespace {

constexpr std::string_view kFilterConfig = "envoy.config.route.v3.FilterConfig";

void take_everything(const View& view) {
  for (const std::string& key : view.keys()) view.ignore({key});
}

// The filter with this name; null after an error.
const proxy::ConfiguredFilter* find_filter(View& overrides, const std::string& name,
                                           const RouteScope& scope) {
  const proxy::ConfiguredFilter* found = nullptr;
  std::vector<std::string_view> names;
  for (const proxy::ConfiguredFilter& filter : scope.filters) {
    names.push_back(filter.name);
    if (filter.name != name) continue;
    if (found != nullptr) {
      overrides.error(
          name,
          "several filters have this name, so that it is not clear whose configuration this is");
      return nullptr;
    }
    found = &filter;
  }
  if (found == nullptr) {
    overrides.error(name, "no filter of \"http_filters\" has the name " + quote(name) +
                              suggestion(name, names));
  }
  return found;
}

std::shared_ptr<const void> make_config(View& config, const proxy::ConfiguredFilter& filter) {
  if (!config.has("@type")) config.missing("@type");
  if (config.type().empty() ||
      filter.factory == nullptr) {  // the filter's own errors have been reported
    take_everything(config);
    return nullptr;
  }
  auto made = filter.factory->make_route_config(config);
  if (config.failed()) {
    take_everything(config);
    return nullptr;
  }
  return made;
}

void read_wrapper(View& wrapper, const proxy::ConfiguredFilter* filter,
                  router::FilterOverride& out) {
  wrapper.ignore({"@type", "is_optional"});
  if (wrapper.has("disabled")) out.disabled = wrapper.boolean("disabled", false) ? 1 : 0;
  auto config = wrapper.child("config");
  if (!config) return;
  if (filter == nullptr) {
    take_everything(*config);
    return;
  }
  out.config = make_config(*config, *filter);
}

}  // namespace

router::FilterOverrides read_filter_overrides(View& level, RouteScope& scope) {
  router::FilterOverrides out;
  auto overrides = level.child("typed_per_filter_config");
  if (!overrides) return out;
  for (const std::string& name : overrides->keys()) {
    auto config = overrides->child(name);
    if (!config) continue;
    const bool wrapped = config->type() == kFilterConfig;
    // An optional override is for a filter that need not be there.
    const bool optional = wrapped && config->boolean("is_optional", false);
    const bool present =
        std::any_of(scope.filters.begin(), scope.filters.end(),
                    [&name](const proxy::ConfiguredFilter& filter) { return filter.name == name; });
    if (optional && !present) {
      take_everything(*config);
      continue;
    }
    const proxy::ConfiguredFilter* filter = find_filter(*overrides, name, scope);
    router::FilterOverride next;
    if (wrapped) {
      read_wrapper(*config, filter, next);
    } else if (filter != nullptr) {
      next.config = make_config(*config, *filter);
    } else {
      take_everything(*config);
    }
    out.emplace(name, std::move(next));
  }
  return out;
}

}  // namespace weir::config
