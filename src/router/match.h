// Matchers of routes and access-log filters.
#pragma once

#include <cstdint>
#include <string_view>
#include <weir/message.h>

#include "router/options.h"

namespace weir::router {

/// As Envoy's HeaderMatcher: several fields of the name are joined by ","; a missing one matches only present
/// matchers (with treat_missing_as_empty it is ""), and invert does not change that.
bool matches(const HeaderMatch& match, const RequestHead& head);
bool matches_all(const std::vector<HeaderMatch>& matches, const RequestHead& head);
/// The first value of the parameter, not decoded. `query` is what stands behind "?".
bool matches_all(const std::vector<QueryMatch>& matches, std::string_view query);

/// The path without query and fragment, and the query without "?".
struct SplitPath {
  std::string_view path;
  std::string_view query;
};
SplitPath split_path(std::string_view path_with_query) noexcept;

}  // namespace weir::router
