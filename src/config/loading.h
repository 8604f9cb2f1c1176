// Loading: what the readers of one load share.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/loader.h"
#include "config/secrets.h"
#include "config/view.h"

namespace weir::config {

/// Owner: load(), on its stack. Thread: main.
struct Loading {
  LoadContext& context;
  ViewContext& views;
  Tree& tree;                                  // of the nodes of all files
  std::map<std::string, const Node*> files{};  // of resources, by path; null: not to be read
  upstream::ResolverOptions resolver{};        // of clusters that have none of their own
  std::set<std::string, std::less<>>
      clusters{};  // names of all clusters, known before the listeners are read
  upstream::HttpFilters upstream_filters{};  // of all clusters, as `clusters`
  Secrets secrets{};
};

/// What the maker of an extension may use. `stats` is its own scope, `root_stats` that of all names.
inline FactoryContext factory_context(Loading& loading, StatsScope& stats, StatsScope& root_stats,
                                      std::string_view name,
                                      std::string_view traffic_direction = "UNSPECIFIED") {
  router::FilterHost& host = loading.context.host;
  return FactoryContext{stats,
                        name,
                        traffic_direction,
                        &host,
                        &root_stats,
                        &loading.context.registry,
                        &host.shared_objects()};
}

/// Names that must be unique in one place.
class UniqueNames {
 public:
  explicit UniqueNames(std::string_view what) : what_(what) {}
  /// Reports `name`, the value of `field`, if it was added before.
  void add(View& view, std::string_view field, const std::string& name);

 private:
  std::string_view what_;
  std::map<std::string, uint32_t> lines_;
};

}  // namespace weir::config
