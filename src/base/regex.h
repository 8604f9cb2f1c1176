// Regex: RE2, which runs in time linear in the text, whatever the pattern.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <weir/result.h>

namespace re2 {
class RE2;
}

namespace weir {
class ConfigView;
}

namespace weir::base {

/// A compiled pattern: immutable, cheap to copy, safe to use on several threads.
class Regex {
 public:
  /// Empty: only assignable.
  Regex() = default;
  /// Errors: kConfig, with RE2's text; also when the program is larger than `max_program_size` instructions
  /// (Envoy's re2.max_program_size.error_level).
  static Result<Regex> compile(std::string_view pattern, int max_program_size = 10000);
  /// Of somebody who is not to keep the processor busy: patterns whose compilation would take more than a few milliseconds
  /// are errors too.
  static Result<Regex> compile_small(std::string_view pattern);

  /// type.matcher.v3.RegexMatcher in `field`; null if absent or wrong, which is reported.
  static std::optional<Regex> read(ConfigView& parent, std::string_view field);

  bool full_match(std::string_view text) const;
  bool partial_match(std::string_view text) const;
  /// Replaces the first match (or all) in place; whether there was one.
  bool replace(std::string& text, std::string_view rewrite, bool all) const;
  /// Replaces all matches by `rewrite` (\0 = the match, \1 … = groups).
  std::string replace_all(std::string_view text, std::string_view rewrite) const;
  const std::string& pattern() const noexcept;
  int program_size() const;

 private:
  static Result<Regex> compile(std::string_view pattern, int max_program_size, int64_t max_memory);
  explicit Regex(std::shared_ptr<const re2::RE2> re) : re_(std::move(re)) {}
  std::shared_ptr<const re2::RE2> re_;  // immutable, shared by copies of a snapshot's matchers
};

}  // namespace weir::base
