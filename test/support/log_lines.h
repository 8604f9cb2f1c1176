// LogLines: what is logged while a test looks.
#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"

namespace weir::test {

/// Gathers the log lines of its lifetime, those of all threads, instead of their being written. One at a time.
class LogLines {
 public:
  LogLines() {
    {
      const std::lock_guard lock(mutex_);
      lines_.clear();
    }
    base::set_log_output([](std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(line);
    });
  }
  ~LogLines() { base::set_log_output(nullptr); }
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;

  /// How many have all of these parts.
  template <typename... Parts>
  size_t with(const Parts&... parts) const {
    const std::lock_guard lock(mutex_);
    return static_cast<size_t>(std::count_if(lines_.begin(), lines_.end(), [&](const auto& line) {
      return ((line.find(std::string_view(parts)) != std::string::npos) && ...);
    }));
  }
  /// The first that has this part; empty if none has.
  std::string first_with(std::string_view part) const {
    const std::lock_guard lock(mutex_);
    for (const std::string& line : lines_)
      if (line.find(part) != std::string::npos) return line;
    return {};
  }
  /// All of them.
  std::string text() const {
    const std::lock_guard lock(mutex_);
    std::string out;
    for (const std::string& line : lines_) out += line;
    return out;
  }

 private:
  // The log's output is a function without data, and may be called while this dies.
  static inline std::mutex mutex_;
  static inline std::vector<std::string> lines_;  // guarded by mutex_
};

}  // namespace weir::test
