// StatusClasses: the five counters of HTTP answers by class.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <weir/stats.h>

namespace weir::stats {

/// "<prefix>_1xx" to "<prefix>_5xx" of a scope, whose lifetime the counters have.
class StatusClasses {
 public:
  StatusClasses(StatsScope& scope, std::string_view prefix) {
    for (size_t i = 0; i < counters_.size(); ++i)
      counters_[i] = &scope.counter(std::string(prefix) + "_" + std::to_string(i + 1) + "xx");
  }
  /// Statuses outside 100 to 599 belong to none.
  void count(int status) const noexcept {
    const auto index = static_cast<size_t>(status / 100 - 1);
    if (index < counters_.size()) counters_[index]->inc();
  }

 private:
  std::array<Counter*, 5> counters_;
};

}  // namespace weir::stats
