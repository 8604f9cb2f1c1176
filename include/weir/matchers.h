// Matchers that filters read from their options: Envoy's StringMatcher and HeaderMatcher.
#pragma once

#include <memory>
#include <string_view>
#include <vector>
#include <weir/config_view.h>
#include <weir/message.h>

namespace weir {

/// "exact", "prefix", "suffix", "contains" or "safe_regex" with "ignore_case". Immutable; cheap to copy.
class StringMatcher {
 public:
  /// Reads the message itself. Mistakes are reported on `view`; the matcher then matches nothing.
  static StringMatcher read(ConfigView& view);
  StringMatcher();  // matches nothing
  ~StringMatcher();
  StringMatcher(const StringMatcher&);
  StringMatcher& operator=(const StringMatcher&);
  bool matches(std::string_view value) const;

 private:
  struct Private;
  std::shared_ptr<const Private> private_;
};

/// All of a list of HeaderMatchers, ":path" and the other parts of the request line included.
class HeaderMatchers {
 public:
  /// Reads the repeated field; absent: an empty list, which matches everything.
  static HeaderMatchers read(ConfigView& parent, std::string_view field);
  HeaderMatchers();
  ~HeaderMatchers();
  HeaderMatchers(const HeaderMatchers&);
  HeaderMatchers& operator=(const HeaderMatchers&);
  bool empty() const noexcept;
  bool matches(const RequestHead& head) const;

 private:
  struct One;
  std::shared_ptr<const std::vector<One>> all_;
};

}  // namespace weir
