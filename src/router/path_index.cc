#include "router/path_index.h"

#include <algorithm>
#include <bit>

namespace weir::router {

PathIndex::PathIndex(const std::vector<RouteOptions>& routes) {
  std::vector<Entry> sensitive, insensitive;
  lowered_.reserve(routes.size());  // views into it stay valid
  for (size_t i = 0; i < routes.size(); ++i) {
    const RouteMatchOptions& match = routes[i].match;
    const auto route = static_cast<int32_t>(i);
    if (match.kind == Path::kConnect) continue;
    if (match.kind == Path::kRegex) {
      patterns_.push_back({&*match.regex, route});
    } else if (match.case_sensitive) {
      sensitive.push_back({match.path, {route, match.kind}});
    } else {
      lowered_.push_back(base::lower(match.path));
      insensitive.push_back({lowered_.back(), {route, match.kind}});
    }
  }
  fill(sensitive_, std::move(sensitive));
  fill(insensitive_, std::move(insensitive));
}

void PathIndex::fill(Table& table, std::vector<Entry> entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.text.size() != b.text.size() ? a.text.size() < b.text.size() : a.text < b.text;
  });
  for (const Entry& entry : entries) {
    if (table.buckets.empty() || table.buckets.back().text != entry.text) {
      Hash hash;
      for (const char c : entry.text) hash.add(c);
      table.buckets.push_back(
          {entry.text, hash.mixed(), static_cast<uint32_t>(table.items.size()), 0});
      const auto length = static_cast<uint32_t>(entry.text.size());
      if (table.lengths.empty() || table.lengths.back() != length) table.lengths.push_back(length);
    }
    ++table.buckets.back().count;
    table.items.push_back(entry.item);
  }
  table.slots.assign(std::bit_ceil(table.buckets.size() * 2 + 1), 0);
  const size_t mask = table.slots.size() - 1;
  for (uint32_t i = 0; i < table.buckets.size(); ++i) {
    size_t slot = table.buckets[i].hash & mask;
    while (table.slots[slot] != 0) slot = (slot + 1) & mask;
    table.slots[slot] = i + 1;
  }
}

}  // namespace weir::router
