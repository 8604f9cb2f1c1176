// Regex: RE2, linear in time, for patterns that configuration authors write.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <weir/result.h>

namespace weir::base {

/// A compiled pattern; cheap to copy (shared), immutable, usable from every thread.
class Regex {
 public:
  /// Error (kConfig): the syntax, or a program beyond the size cap.
  static Result<Regex> compile(std::string_view pattern);
  bool full_match(std::string_view text) const;
  bool partial_match(std::string_view text) const;
  /// Replaces the first match (or all) by `rewrite` (\0..\9).
  bool replace(std::string& text, std::string_view rewrite, bool all) const;
  const std::string& pattern() const;

 private:
  struct Private;
  std::shared_ptr<const Private> private_;  // immutable
};

}  // namespace weir::base
