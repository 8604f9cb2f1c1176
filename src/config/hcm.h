// Readers of HttpConnectionManager and its chain of filters.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "config/loading.h"
#include "proxy/options.h"

namespace weir::config {

inline constexpr std::string_view kHcmType =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// What the listener knows.
struct HcmScope {
  Loading& loading;
  std::string_view traffic_direction;
  uint16_t listener_port = 0;
  std::string_view listener{};  // its name
};

/// The view is the message, its @type already read. Never null; worthless if an error was reported.
std::shared_ptr<const proxy::HcmOptions> read_hcm(View& hcm, HcmScope& scope);

/// The list `field` of a chain's filters: makes each filter's factory.
std::vector<proxy::ConfiguredFilter> read_http_filters(View& parent, std::string_view field,
                                                       std::string_view stat_prefix,
                                                       HcmScope& scope);

}  // namespace weir::config
