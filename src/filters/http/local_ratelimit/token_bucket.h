// TokenBucket: a rate limit that all workers share, without a lock.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace weir::filters {

/// Starts full; every fill interval brings `per_fill` tokens, up to `max`. Thread-safe. Times come from the caller.
class TokenBucket {
 public:
  using Nanoseconds = std::chrono::nanoseconds;
  TokenBucket(uint32_t max, uint32_t per_fill, Nanoseconds interval, Nanoseconds now) noexcept
      : max_(max),
        per_fill_(per_fill),
        interval_(interval.count()),
        tokens_(max),
        filled_(now.count()) {}

  /// Takes one token; false if there is none.
  bool take(Nanoseconds now) noexcept {
    fill(now.count());
    int64_t tokens = tokens_.load(std::memory_order_relaxed);
    while (tokens > 0)
      if (tokens_.compare_exchange_weak(tokens, tokens - 1, std::memory_order_relaxed)) return true;
    return false;
  }
  uint32_t max() const noexcept { return max_; }
  uint32_t remaining() const noexcept {
    return static_cast<uint32_t>(std::max<int64_t>(0, tokens_.load(std::memory_order_relaxed)));
  }
  Nanoseconds until_fill(Nanoseconds now) const noexcept {
    const int64_t next = filled_.load(std::memory_order_relaxed) + interval_;
    return Nanoseconds(std::max<int64_t>(0, next - now.count()));
  }

 private:
  void fill(int64_t now) noexcept {
    int64_t filled = filled_.load(std::memory_order_relaxed);
    const int64_t fills = (now - filled) / interval_;
    if (fills <= 0) return;
    // Who moves the time on brings the tokens of that time.
    if (!filled_.compare_exchange_strong(filled, filled + fills * interval_,
                                         std::memory_order_relaxed))
      return;
    const int64_t most =
        (max_ + int64_t{per_fill_} - 1) / per_fill_;  // more fills would overflow nothing but int64
    const int64_t brought = std::min(fills, most) * per_fill_;
    int64_t tokens = tokens_.load(std::memory_order_relaxed);
    while (!tokens_.compare_exchange_weak(tokens, std::min<int64_t>(max_, tokens + brought),
                                          std::memory_order_relaxed)) {
    }
  }

  const uint32_t max_;
  const uint32_t per_fill_;
  const int64_t interval_;
  std::atomic<int64_t> tokens_;
  std::atomic<int64_t> filled_;
};

}  // namespace weir::filters
