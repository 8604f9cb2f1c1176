// typed_per_filter_config: what a route, virtual host or table changes of a configured filter.
#include <set>
#include <utility>

#include "config/parts.h"
#include "config/routes.h"

namespace weir::config {
namespace {

constexpr std::string_view kFilterConfig = "envoy.config.route.v3.FilterConfig";

void take_everything(const View& view) {
  for (const std::string& key : view.keys()) view.ignore({key});
}

/// Whom an override is for.
struct Target {
  std::shared_ptr<const HttpFilterFactory>
      factory;                     // reads it; null: nobody does, which has been said
  std::string key;                 // of upstream filters that `factory` reads for
  std::set<std::string> upstream;  // keys of all upstream filters of the name
  bool found = false;              // among all filters
  bool own = false;                // among those of the connection manager
};

Target find_target(View& overrides, const std::string& name, const RouteScope& scope) {
  Target target;
  if (name.find('\n') != std::string::npos)
    return target;  // it could be a key of an upstream filter
  for (const proxy::ConfiguredFilter& filter : scope.filters) {
    if (filter.name != name) continue;
    if (target.own) {
      overrides.error(
          name,
          "several filters have this name, so that it is not clear whose configuration this is");
      target.factory = nullptr;
      return target;
    }
    target.found = target.own = true;
    target.factory = filter.factory;
    target.key = upstream::filter_route_key(name, filter.type);
  }
  for (const upstream::HttpFilterPlace& place : scope.upstream_filters) {
    if (place.name != name) continue;
    target.found = true;
    target.upstream.insert(place.route_key);
    if (target.own || target.factory != nullptr) continue;
    target.factory = place.factory;
    target.key = place.route_key;
  }
  return target;
}

void report_unknown(View& overrides, const std::string& name, const RouteScope& scope) {
  std::vector<std::string_view> names;
  for (const auto& filter : scope.filters) names.push_back(filter.name);
  for (const auto& place : scope.upstream_filters) names.push_back(place.name);
  overrides.error(
      name, "no filter of \"http_filters\" has the name " + quote(name) + suggestion(name, names));
}

/// A part may be taken over from the configuration before where its text is the same: clusters say what it means.
void note_upstream(const Target& target, const std::string& name, const RouteScope& scope) {
  std::string keys;
  for (const std::string& key : target.upstream) keys += key + "\n";
  scope.loading.views.sources.note("upstream_filter:" + name, std::move(keys));
}

std::shared_ptr<const void> make_config(View& config, const Target& target) {
  if (!config.has("@type")) config.missing("@type");
  if (config.type().empty() ||
      target.factory == nullptr) {  // the filter's own errors have been reported
    take_everything(config);
    return nullptr;
  }
  if (!target.own && target.upstream.size() > 1) {
    config.error({},
                 "upstream filters of several types have this name, so that it is not clear whose "
                 "configuration this is");
    take_everything(config);
    return nullptr;
  }
  const std::string_view type = target.factory->route_config_type();
  if (!type.empty() && config.type() != type) {
    config.error("@type", "expected " + quote(type) + " for a route");
    take_everything(config);
    return nullptr;
  }
  auto made = target.factory->make_route_config(config);
  if (config.failed()) {
    take_everything(config);
    return nullptr;
  }
  if (target.own) return made;
  // A cluster may be edited, with its filters, under the routes that were read before.
  using Kept = std::pair<std::shared_ptr<const HttpFilterFactory>, std::shared_ptr<const void>>;
  const void* bare = made.get();
  return {std::make_shared<const Kept>(target.factory, std::move(made)), bare};
}

void read_wrapper(View& wrapper, const Target& target, router::FilterOverride& out) {
  wrapper.ignore({"@type", "is_optional"});
  if (wrapper.has("disabled")) out.disabled = wrapper.boolean("disabled", false) ? 1 : 0;
  if (auto config = wrapper.child("config")) out.config = make_config(*config, target);
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
    const Target target = find_target(*overrides, name, scope);
    note_upstream(target, name, scope);
    if (!target.found) {
      // An optional override is for a filter that need not be there.
      const bool optional = wrapped && config->boolean("is_optional", false);
      if (!optional) report_unknown(*overrides, name, scope);
      take_everything(*config);
      continue;
    }
    router::FilterOverride next;
    if (wrapped) {
      read_wrapper(*config, target, next);
    } else {
      next.config = make_config(*config, target);
    }
    for (const std::string& key : target.upstream) {
      router::FilterOverride each = next;
      if (key != target.key) each.config = nullptr;
      if (each.config != nullptr || each.disabled != -1) out.emplace(key, std::move(each));
    }
    if (target.own) out.emplace(name, std::move(next));
  }
  return out;
}

}  // namespace weir::config
