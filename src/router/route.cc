#include "router/route.h"

#include "base/strings.h"

namespace weir::router {
namespace {

/// The first of the levels that says something by `ask`, from the most specific on.
template <typename Answer, typename Levels, typename Ask>
Answer most_specific(const Levels& levels, std::string_view name, Answer nothing, Ask&& ask) {
  for (const FilterOverrides* level : levels) {
    if (level == nullptr || level->empty()) continue;
    const auto found = level->find(name);
    if (found == level->end()) continue;
    if (const Answer answer = ask(found->second); answer != nothing) return answer;
  }
  return nothing;
}

}  // namespace

const std::string Route::kNone;

Route::Route(const RouteTableOptions& table, const VirtualHostOptions& host,
             const RouteOptions& route, const WeightedCluster* weighted)
    : table_(table), host_(host), route_(route), weighted_(weighted) {
  // The last one applied wins: the table's by default, otherwise the most specific.
  if (table.most_specific_header_mutations_wins) {
    add_ops(table), add_ops(host), add_ops(route);
    if (weighted != nullptr) add_ops(*weighted);
  } else {
    if (weighted != nullptr) add_ops(*weighted);
    add_ops(route), add_ops(host), add_ops(table);
  }
}

const void* Route::filter_config(std::string_view filter_name) const {
  return most_specific<const void*>(filter_levels(), filter_name, nullptr,
                                    [](const FilterOverride& one) { return one.config.get(); });
}

RouteConfigs Route::filter_configs(std::string_view filter_name) const {
  RouteConfigs configs;
  for (const FilterOverrides* level : filter_levels()) {
    if (level == nullptr || level->empty()) continue;
    if (const auto found = level->find(filter_name); found != level->end() && found->second.config)
      configs.add(found->second.config.get());
  }
  return configs;
}

int Route::filter_disabled(std::string_view filter_name) const {
  return most_specific<int>(filter_levels(), filter_name, -1, [](const FilterOverride& one) {
    // A configuration for the route switches a filter on that is off by default.
    return one.disabled == -1 && one.config ? 0 : one.disabled;
  });
}

void Route::finalize_response(HeaderMap& headers, const stream::FormatContext& context) const {
  for (size_t i = 0; i < response_ops_.count; ++i) response_ops_.ops[i]->apply(headers, context);
}

void Route::apply_request_ops(HeaderMap& headers, const stream::FormatContext& context) const {
  for (size_t i = 0; i < request_ops_.count; ++i) request_ops_.ops[i]->apply(headers, context);
}

const RouteUpgrade* Route::upgrade(std::string_view type) const noexcept {
  if (!route_.route) return nullptr;
  for (const RouteUpgrade& upgrade : route_.route->upgrades)
    if (base::iequals(upgrade.type, type)) return &upgrade;
  return nullptr;
}

const ConnectOptions* Route::terminates(const RequestHead& head) const noexcept {
  if (!route_.route || route_.route->upgrades.empty()) return nullptr;
  const RouteUpgrade* said = upgrade("connect");
  if (said == nullptr || !said->enabled || !said->connect) return nullptr;
  const ConnectOptions& options = *said->connect;
  const bool post =
      options.allow_post && head.method() == "POST" && !head.headers.has(HeaderId::kUpgrade);
  return post || head.method() == "CONNECT" ? &options : nullptr;
}

std::optional<std::chrono::milliseconds> Route::idle_timeout() const {
  return route_.route ? route_.route->idle_timeout : std::nullopt;
}

std::string_view Route::cluster_name(const RequestHead& head) const {
  if (const std::string& named = cluster(); !named.empty() || !route_.route) return named;
  return head.headers.get(route_.route->cluster_header).value_or(std::string_view());
}

}  // namespace weir::router
