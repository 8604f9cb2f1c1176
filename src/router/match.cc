#include "router/match.h"

#include <algorithm>
#include <optional>

#include "base/strings.h"

namespace weir::router {
namespace {

std::optional<std::string_view> pseudo_header(std::string_view name,
                                              const RequestHead& head) noexcept {
  std::string_view value;
  if (name == ":method") value = head.method();
  if (name == ":path") value = head.path();
  if (name == ":authority") value = head.authority();
  if (name == ":scheme") value = head.scheme();
  if (value.empty()) return std::nullopt;
  return value;
}

bool in_range(std::string_view value, int64_t start, int64_t end) noexcept {
  const std::optional<int64_t> number = base::parse_i64(value);
  return number && *number >= start && *number < end;
}

bool matches_value(const HeaderMatch& match, const std::optional<std::string_view>& found) {
  std::optional<std::string_view> value = found;
  if (!value && match.treat_missing_as_empty) value = std::string_view();
  if (match.kind == HeaderMatch::Kind::kPresent)
    return (value.has_value() == match.present) != match.invert;
  if (!value) return false;
  const bool result = match.kind == HeaderMatch::Kind::kRange
                          ? in_range(*value, match.range_start, match.range_end)
                          : match.string.matches(*value);
  return result != match.invert;
}

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

bool StringMatch::matches(std::string_view value) const {
  switch (kind) {
    case Kind::kExact:
      return ignore_case ? base::iequals(value, text) : value == text;
    case Kind::kPrefix:
      return ignore_case ? base::istarts_with(value, text) : value.starts_with(text);
    case Kind::kSuffix:
      if (!ignore_case) return value.ends_with(text);
      return value.size() >= text.size() &&
             base::iequals(value.substr(value.size() - text.size()), text);
    case Kind::kContains:
      return ignore_case ? base::icontains(value, text)
                         : value.find(text) != std::string_view::npos;
    case Kind::kRegex:
      return regex && regex->full_match(value);
  }
  return false;
}

bool matches(const HeaderMatch& match, const RequestHead& head) {
  if (!match.name.empty() && match.name.front() == ':')
    return matches_value(match, pseudo_header(match.name, head));
  if (match.name == "host") return matches_value(match, pseudo_header(":authority", head));
  const std::optional<std::string_view> first = head.headers.get(match.name);
  if (!first || head.headers.count(match.name) == 1) return matches_value(match, first);
  const std::string all = head.headers.joined(match.name);
  return matches_value(match, all);
}

bool matches_all(const std::vector<HeaderMatch>& list, const RequestHead& head) {
  return std::all_of(list.begin(), list.end(),
                     [&head](const HeaderMatch& match) { return matches(match, head); });
}

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
