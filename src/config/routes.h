// Readers of route configuration.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "config/loading.h"
#include "proxy/options.h"
#include "router/options.h"

namespace weir::config {

/// What the routes of one HTTP connection manager may refer to.
struct RouteScope {
  Loading& loading;
  const std::vector<proxy::ConfiguredFilter>& filters;
  const upstream::HttpFilters& upstream_filters;  // which a request may come to behind `filters`
  bool validate_clusters = true;
  uint32_t max_direct_body = 4096;
};

/// The route_config of a connection manager, or the one that its rds names; null after an error. Routes from a file may name
/// clusters that there are not, unless it says validate_clusters: as in Envoy.
std::shared_ptr<const router::RouteTable> read_routes(View& hcm, RouteScope& scope);

/// One route.v3.Route; the view is the message.
router::RouteOptions read_route(View& route, RouteScope& scope);
/// RouteMatch; the view is the message.
router::RouteMatchOptions read_route_match(View& match);
/// The typed_per_filter_config of a level.
router::FilterOverrides read_filter_overrides(View& level, RouteScope& scope);
/// Reports `name`, the value of `field`, if no cluster has it.
void check_cluster(View& view, std::string_view field, const std::string& name,
                   const RouteScope& scope);

void check_cluster(View& view, std::string_view field, const std::string& name,
                   const Loading& loading);

}  // namespace weir::config
