// Matching of a query and the parts of a path; that of headers is in weir/matchers.h.
#pragma once

#include <string_view>
#include <vector>

#include "router/options.h"

namespace weir::router {

/// The first value of the parameter, not decoded. `query` is what stands behind "?".
bool matches_all(const std::vector<QueryMatch>& matches, std::string_view query);

/// The path without query and fragment, and the query without "?".
struct SplitPath {
  std::string_view path;
  std::string_view query;
};
SplitPath split_path(std::string_view path_with_query) noexcept;

}  // namespace weir::router
