// PathIndex: finds the first of many routes whose path condition holds, without trying each.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "router/options.h"

namespace weir::router {

/// Built once from the routes of a virtual host in their order; then immutable and used by all workers.
///
/// CONNECT routes are not in it: they have no path. Exact paths and prefixes hang in one hash table under their length and hash. A look-up hashes the path once from
/// its start and asks the table at each length that some route has, so that its cost depends on the number of different
/// lengths and not of routes; regexes are tried one by one. Among all that fit, the lowest number wins.
class PathIndex {
 public:
  explicit PathIndex(const std::vector<RouteOptions>& routes);

  /// The lowest route number whose path fits and for which `accept(number)` (headers, query, fraction) is true; -1 if none.
  template <typename Accept>
  int32_t find(std::string_view path, Accept&& accept) const {
    int32_t best = INT32_MAX;
    find_in(sensitive_, path, path, best, accept);
    if (!insensitive_.empty()) find_in(insensitive_, base::lower(path), path, best, accept);
    for (const Pattern& pattern : patterns_) {
      if (pattern.route >= best) break;
      if (pattern.regex->full_match(path) && accept(pattern.route)) best = pattern.route;
    }
    return best == INT32_MAX ? -1 : best;
  }

 private:
  using Path = RouteMatchOptions::Path;
  struct Hash {  // FNV-1a, because every prefix's hash is wanted and comes for free
    uint64_t value = 14695981039346656037ULL;
    void add(char c) noexcept {
      value = (value ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    }
    uint64_t mixed() const noexcept { return value ^ (value >> 29); }
  };
  struct Item {
    int32_t route;
    Path kind;
  };
  struct Bucket {           // all routes with one text
    std::string_view text;  // in the options, or in lowered_
    uint64_t hash = 0;
    uint32_t first = 0;  // into items_
    uint32_t count = 0;
  };
  struct Table {
    std::vector<uint32_t> lengths;  // of the texts, ascending
    std::vector<Bucket> buckets;
    std::vector<uint32_t> slots;  // open addressing: bucket + 1, 0 = free; a power of two
    std::vector<Item> items;
    bool empty() const noexcept { return buckets.empty(); }
    const Bucket* find(std::string_view text, uint64_t hash) const noexcept {
      const size_t mask = slots.size() - 1;
      for (size_t i = hash & mask;; i = (i + 1) & mask) {
        if (slots[i] == 0) return nullptr;
        const Bucket& bucket = buckets[slots[i] - 1];
        if (bucket.hash == hash && bucket.text == text) return &bucket;
      }
    }
  };
  struct Pattern {
    const base::Regex* regex;
    int32_t route;
  };
  struct Entry {
    std::string_view text;
    Item item;
  };
  static void fill(Table& table, std::vector<Entry> entries);

  static bool fits(Path kind, size_t length, std::string_view path) noexcept {
    switch (kind) {
      case Path::kPrefix:
        return true;
      case Path::kExact:
        return path.size() == length;
      case Path::kSeparatedPrefix:
        return path.size() == length || path[length] == '/';
      case Path::kRegex:
      case Path::kConnect:
        return false;
    }
    return false;
  }

  template <typename Accept>
  static void find_in(const Table& table, std::string_view key, std::string_view path,
                      int32_t& best, Accept& accept) {
    Hash hash;
    size_t at = 0;
    for (const uint32_t length : table.lengths) {
      if (length > key.size()) return;
      for (; at < length; ++at) hash.add(key[at]);
      const Bucket* bucket = table.find(key.substr(0, length), hash.mixed());
      if (bucket == nullptr) continue;
      for (uint32_t i = bucket->first; i < bucket->first + bucket->count; ++i) {
        const Item& item = table.items[i];
        if (item.route >= best) break;
        if (!fits(item.kind, length, path) || !accept(item.route)) continue;
        best = item.route;
        break;
      }
    }
  }

  Table sensitive_;
  Table insensitive_;
  std::vector<std::string> lowered_;
  std::vector<Pattern> patterns_;
};

}  // namespace weir::router
