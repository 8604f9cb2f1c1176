// Readers of what connections may be upgraded to: of an HTTP connection manager and of a route.
#pragma once

#include <vector>

#include "config/hcm.h"
#include "router/options.h"

namespace weir::config {

/// HttpConnectionManager.upgrade_configs.
std::vector<proxy::UpgradeOptions> read_upgrades(View& hcm, std::string_view stat_prefix,
                                                 HcmScope& scope);
/// RouteAction.upgrade_configs.
std::vector<router::RouteUpgrade> read_route_upgrades(View& action);

}  // namespace weir::config
