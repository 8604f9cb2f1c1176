// Matchers of routes, filters and access logs: Envoy's StringMatcher and HeaderMatcher.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>
#include <weir/config_view.h>
#include <weir/message.h>

namespace weir {

/// "exact", "prefix", "suffix", "contains" or "safe_regex", with "ignore_case". Immutable; cheap to copy.
class StringMatcher {
 public:
  /// Reads the message itself. Mistakes are reported on `view`; the matcher then matches nothing.
  static StringMatcher read(ConfigView& view);
  /// As if "ignore_case" were given, for what has no case, as names of headers; regular expressions included.
  static StringMatcher read_without_case(ConfigView& view);
  StringMatcher() = default;  // matches nothing
  bool matches(std::string_view value) const;
  /// "prefix:x-": the same for the same rule alone.
  std::string describe() const;

 private:
  struct Private;
  std::shared_ptr<const Private> private_;  // null: matches nothing
};

/// All of a list of HeaderMatchers, in their present and their deprecated forms. Immutable; cheap to copy.
///
/// Several fields of one name are joined by ",". ":method", ":path", ":authority" (or "host") and ":scheme" are the parts
/// of the request line; an empty one is missing. A missing header matches only "present_match: false" (or its inversion);
/// "treat_missing_header_as_empty" makes it "".
class HeaderMatchers {
 public:
  /// Reads the repeated field; absent: an empty list, which matches everything.
  static HeaderMatchers read(ConfigView& parent, std::string_view field);
  /// Reads one HeaderMatcher, the message itself.
  static HeaderMatchers read_one(ConfigView& view);
  HeaderMatchers() = default;
  bool empty() const noexcept { return all_ == nullptr; }
  bool matches(const RequestHead& head) const;

 private:
  struct One;
  explicit HeaderMatchers(std::vector<One> list);
  std::shared_ptr<const std::vector<One>> all_;  // null: empty
};

}  // namespace weir
