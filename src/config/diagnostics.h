// Diagnostics: where in which file something is wrong, gathered so that one pass reports all of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "config/loader.h"

namespace weir::config {

/// A position in one of the texts of a load. Line and column are 1-based; line 0 = the text as a whole.
struct Mark {
  uint16_t file = 0;
  uint32_t line = 0;
  uint32_t column = 0;
};

/// All errors of one load, in any order. Owner: the load; outlives every view. Thread: main.
class Diagnostics {
 public:
  /// Beyond this many, errors are counted only: a broken generator must not flood the log.
  static constexpr size_t kMax = 500;

  uint16_t add_file(std::string name);
  void add(Mark mark, std::string_view path, std::string message);
  const std::string& file(Mark mark) const { return files_[mark.file]; }
  bool empty() const noexcept { return found_.empty(); }
  size_t size() const noexcept { return found_.size(); }
  /// True if an error at `path` or below it was added after the first `since` ones.
  bool any_below(std::string_view path, size_t since) const;
  /// In order of file, line and column, without repetitions.
  std::vector<Diagnostic> take();

 private:
  struct Found {
    Mark mark;
    std::string path;
    std::string message;
  };
  std::vector<std::string> files_;
  std::vector<Found> found_;
  size_t dropped_ = 0;
};

/// True if `path` is `root` or stands below it.
bool lies_below(std::string_view path, std::string_view root);
using base::quote;
/// ` (did you mean "y"?)`, or nothing if no candidate is near.
std::string suggestion(std::string_view wrong, const std::vector<std::string_view>& candidates);

}  // namespace weir::config
