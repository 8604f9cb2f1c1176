// FilterTimes: what the filters of one exchange cost, for the response header "x-weir-filters".
#pragma once

#include <chrono>
#include <string>

namespace weir::stream {

inline constexpr const char* kFilterTimesHeader = "x-weir-filters";

/// One filter's time inside its callbacks, and for how long it has held heads.
struct FilterTime {
  using Clock = std::chrono::steady_clock;
  std::chrono::nanoseconds spent{0};
  std::chrono::nanoseconds held{0};
  Clock::time_point held_since{};  // zero: it holds none
  bool called = false;

  void hold() noexcept { held_since = Clock::now(); }
  void let_go() noexcept {
    if (held_since != Clock::time_point()) held += Clock::now() - held_since;
    held_since = {};
  }
};

/// Who runs now. A filter's callback may run another's below it on the stack: each time goes to one filter alone. Owner: the chain.
class FilterClock {
 public:
  /// Nothing is measured before start().
  void start() noexcept { on_ = true; }
  void reset() noexcept { on_ = false, running_ = nullptr; }
  bool on() const noexcept { return on_; }
  /// Brings the one that runs up to date.
  void settle() noexcept {
    const auto now = std::chrono::steady_clock::now();
    if (running_ != nullptr) running_->spent += now - mark_;
    mark_ = now;
  }

  /// For the time of a callback.
  class Call {
   public:
    Call(FilterClock& clock, FilterTime& time) noexcept : clock_(clock.on_ ? &clock : nullptr) {
      if (clock_ == nullptr) [[likely]]
        return;
      clock_->settle();
      before_ = clock_->running_;
      clock_->running_ = &time;
      time.called = true;
    }
    ~Call() {
      if (clock_ == nullptr) [[likely]]
        return;
      clock_->settle();
      clock_->running_ = before_;
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    FilterClock* const clock_;
    FilterTime* before_ = nullptr;
  };

 private:
  bool on_ = false;
  FilterTime* running_ = nullptr;
  std::chrono::steady_clock::time_point mark_{};
};

/// Adds "name;dur=0.123" (milliseconds, as in Server-Timing), and ";held=20.000" where it has held a head. What no token may have becomes "_".
void append_filter_time(std::string& out, std::string_view name, const FilterTime& time);

}  // namespace weir::stream
