// FunctionStats: what each callback of a plugin has cost since the process started.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stats/store.h"
#include "wasm/exports.h"

namespace weir::wasm {

/// Upper bounds of the histogram's buckets; one bucket more is for what takes longer. They are bounds of the stats' own.
inline constexpr std::array<uint32_t, 15> kTimeBoundsUs = {
    1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10'000, 30'000, 60'000, 300'000};
inline constexpr size_t kTimeBuckets = kTimeBoundsUs.size() + 1;

/// The same in ticks of read_ticks().
struct TimeBounds {
  TimeBounds() noexcept;
  /// Those that all threads share.
  static const TimeBounds& common() noexcept;
  size_t bucket_of(uint64_t time) const noexcept {
    size_t bucket = 0;
    while (bucket < ticks.size() && time > ticks[bucket]) ++bucket;
    return bucket;
  }
  std::array<uint64_t, kTimeBoundsUs.size()> ticks;
};

/// One callback of one plugin on one thread, which alone writes it: plain loads and stores. What a usual call counts is within
/// one line of the cache.
struct alignas(64) FunctionCell {
  using Number = std::atomic<uint64_t>;
  Number calls{0};
  Number ticks{0};
  Number worst_ticks{0};
  Number host_calls{0};
  std::array<Number, kTimeBuckets> buckets{};
  Number grown_bytes{0};  // of the linear memory
  Number failures{0};     // traps, time-outs, exits
  Number limit_hits{0};

  static void bump(Number& number, uint64_t by) noexcept {
    number.store(number.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  void count(uint64_t time, uint64_t calls_of_host, const TimeBounds& bounds) noexcept {
    bump(calls, 1);
    bump(ticks, time);
    if (time > worst_ticks.load(std::memory_order_relaxed))
      worst_ticks.store(time, std::memory_order_relaxed);
    if (calls_of_host != 0) bump(host_calls, calls_of_host);
    bump(buckets[bounds.bucket_of(time)], 1);
  }
};

/// Owner: the PluginStats. Threads: cells of a thread are that thread's; totals() anybody's; publish() is main's.
class FunctionStats {
 public:
  struct Totals {
    uint64_t calls = 0, time_us = 0, worst_us = 0, host_calls = 0, grown_bytes = 0, failures = 0,
             limit_hits = 0;
    std::array<uint64_t, kTimeBuckets> buckets{};
  };
  /// `prefix` is "wasm.<plugin>.function.".
  FunctionStats(stats::Store& store, std::string prefix, unsigned threads);
  /// kMaxExports of them, by ExportFunction::index.
  FunctionCell* cells(unsigned thread) noexcept;
  /// Of the thread that starts VMs.
  FunctionCell* starting_cells() noexcept { return cells_.back().get(); }
  Totals totals(unsigned function) const noexcept;
  /// Brings the metrics up to date; the number of calls since the last time.
  uint64_t publish();

 private:
  struct Metrics {
    Counter &calls, &time_us, &host_calls, &grown_bytes, &failures, &limit_hits;
    Gauge& worst_us;
    Histogram& time;
    Totals published;
  };
  Metrics& metrics_of(unsigned function);

  stats::Store& store_;
  const std::string prefix_;
  std::vector<std::unique_ptr<FunctionCell[]>> cells_;
  std::array<std::unique_ptr<Metrics>, kMaxExports> metrics_;  // of those that were called
};

}  // namespace weir::wasm
