#include "router/match.h"

#include <algorithm>
#include <optional>

namespace weir::router {
namespace {

std::optional<std::string_view> query_value(std::string_view query,
                                            std::string_view name) noexcept {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    const size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == name) return pair.substr(std::min(equals + 1, pair.size()));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return std::nullopt;
}

}  // namespace

bool matches_all(const std::vector<QueryMatch>& list, std::string_view query) {
  return std::all_of(list.begin(), list.end(), [query](const QueryMatch& match) {
    const std::optional<std::string_view> value = query_value(query, match.name);
    if (match.string) return value && match.string->matches(*value);
    return value.has_value() == match.present;
  });
}

SplitPath split_path(std::string_view path_with_query) noexcept {
  path_with_query = path_with_query.substr(0, path_with_query.find('#'));
  const size_t mark = path_with_query.find('?');
  if (mark == std::string_view::npos) return {path_with_query, {}};
  return {path_with_query.substr(0, mark), path_with_query.substr(mark + 1)};
}

}  // namespace weir::router
