// The metrics themselves: cells that their threads own and readers merge.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>
#include <weir/stats.h>

#include "stats/store.h"

namespace weir::stats {

using Cell = std::atomic<uint64_t>;

// Cells of kPageCells metrics, one run per thread, so that a metric costs 8 bytes per thread and no two threads
// write to one cache line.
inline constexpr size_t kPageCells = 64;
static_assert(kPageCells * sizeof(Cell) % 64 == 0);

/// Where the cells of one metric are: thread t's is base[t * kPageCells].
struct CellRef {
  Cell* base = nullptr;
  unsigned threads = 1;

  /// Adds to the calling thread's cell.
  void add(uint64_t n) const noexcept;
  uint64_t sum() const noexcept;
};

class CounterCells final : public Counter {
 public:
  explicit CounterCells(CellRef cells) noexcept : cells_(cells) {}
  void add(uint64_t n) noexcept override { cells_.add(n); }
  uint64_t raw() const noexcept { return cells_.sum(); }
  uint64_t value() const noexcept { return raw() - baseline_; }
  void reset() noexcept { baseline_ = raw(); }

 private:
  CellRef cells_;
  uint64_t baseline_ = 0;  // guarded by the store's lock
};

class GaugeCells final : public Gauge {
 public:
  explicit GaugeCells(CellRef cells) noexcept : cells_(cells) {}
  void add(int64_t n) noexcept override {
    touch();
    cells_.add(static_cast<uint64_t>(n));
  }
  void set(int64_t value) noexcept override {
    touch();
    set_.store(value, std::memory_order_relaxed);
  }
  int64_t value() const noexcept {
    return static_cast<int64_t>(cells_.sum() +
                                static_cast<uint64_t>(set_.load(std::memory_order_relaxed)));
  }
  bool used() const noexcept { return used_.load(std::memory_order_relaxed); }

 private:
  void touch() noexcept {
    if (!used_.load(std::memory_order_relaxed)) used_.store(true, std::memory_order_relaxed);
  }
  CellRef cells_;
  std::atomic<int64_t> set_{0};
  std::atomic<bool> used_{false};
};

/// Buckets whose upper bounds (inclusive) grow by 10 to 25 %, with Envoy's default bounds among them.
namespace buckets {
inline constexpr size_t kCount =
    11 + 6 * 16 + 2 + 1;  // 0..10, six decades, two extra bounds, overflow
size_t index_of(uint64_t value) noexcept;
/// Upper bound of a bucket; UINT64_MAX for the last.
uint64_t bound(size_t index) noexcept;
}  // namespace buckets

class HistogramCells final : public Histogram {
 public:
  explicit HistogramCells(unsigned threads);
  ~HistogramCells() override;
  void record(uint64_t value) noexcept override { record_many(value, 1, value); }
  void record_many(uint64_t value, uint64_t count, uint64_t sum) noexcept;
  HistogramSnapshot snapshot() const;
  bool used() const noexcept;
  void reset();

 private:
  struct Cells {
    std::array<Cell, buckets::kCount> counts{};
    Cell sum{0};
  };
  struct Totals {
    std::array<uint64_t, buckets::kCount> counts{};
    uint64_t sum = 0;
  };
  Cells* cells_of(unsigned thread) noexcept;
  Totals totals() const noexcept;

  unsigned threads_;
  std::unique_ptr<std::atomic<Cells*>[]> cells_;  // made by a thread's first record()
  std::unique_ptr<Totals> baseline_;              // guarded by the store's lock
};

}  // namespace weir::stats
