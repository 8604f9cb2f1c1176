// DomainIndex: the virtual host of an authority, in Envoy's order of preference.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>
#include <weir/result.h>

namespace weir::router {

/// Exact domain, then the longest "*.suffix", then the longest "prefix.*", then "*". Each by hash. Immutable once filled.
class DomainIndex {
 public:
  /// Error: the domain is there already, or has a "*" inside. `domain` is lower-case.
  Result<void> add(std::string_view domain, uint32_t host);
  /// The host's number or -1. `authority` is lower-case, with its port if it counts.
  int32_t find(std::string_view authority) const;

 private:
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  using Map = std::unordered_map<std::string, uint32_t, TextHash, std::equal_to<>>;
  struct OfLength {
    size_t length;
    Map map;
  };
  using Wildcards = std::vector<OfLength>;  // longest first
  static bool insert(Wildcards& wildcards, std::string_view text, uint32_t host);
  Map exact_;
  Wildcards suffixes_;
  Wildcards prefixes_;
  int32_t any_ = -1;
};

}  // namespace weir::router
