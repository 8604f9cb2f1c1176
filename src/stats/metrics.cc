#include "stats/metrics.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace weir::stats {

namespace {

constinit thread_local unsigned current_thread = 0;

// The owner of a cell is its only writer: no locked instruction. Index 0 has several owners.
void bump(Cell& cell, uint64_t n, bool shared) noexcept {
  if (shared) {
    cell.fetch_add(n, std::memory_order_relaxed);
  } else {
    cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
}

// Envoy's default buckets (histogram_settings), in the unit of the histogram.
constexpr std::array<double, 19> kEnvoyBounds = {
    0.5,  1,    5,     10,    25,    50,     100,    250,     500,    1000,
    2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000};

constexpr std::array<uint64_t, buckets::kCount> make_bounds() noexcept {
  std::array<uint64_t, buckets::kCount> bounds{};
  size_t n = 0;
  for (uint64_t v = 0; v <= 10; ++v) bounds[n++] = v;
  constexpr std::array<uint64_t, 16> kSteps = {12, 14, 16, 18, 20, 25, 30, 35,
                                               40, 45, 50, 60, 70, 80, 90, 100};
  uint64_t unit = 1;
  for (int decade = 0; decade < 6; ++decade, unit *= 10) {
    for (const uint64_t step : kSteps) {
      bounds[n++] = step * unit;
      if (step * unit == 3500000) bounds[n++] = 3600000;
    }
  }
  bounds[n++] = 100000000;
  bounds[n++] = UINT64_MAX;
  return bounds;
}
constexpr auto kBounds = make_bounds();
static_assert(kBounds.back() == UINT64_MAX && std::is_sorted(kBounds.begin(), kBounds.end()));

// First bucket that can hold a value of the given bit width: the search goes on from there, a few steps at most.
constexpr std::array<uint8_t, 65> make_starts() noexcept {
  std::array<uint8_t, 65> starts{};
  for (unsigned width = 0; width <= 64; ++width) {
    const uint64_t least = width == 0 ? 0 : 1ull << (width - 1);
    size_t i = 0;
    while (kBounds[i] < least) ++i;
    starts[width] = static_cast<uint8_t>(i);
  }
  return starts;
}
constexpr auto kStarts = make_starts();

}  // namespace

void set_thread_index(unsigned index) noexcept {
  WEIR_CHECK(index < kMaxThreads);
  current_thread = index;
}

unsigned thread_index() noexcept { return current_thread; }

void CellRef::add(uint64_t n) const noexcept {
  unsigned thread = current_thread;
  if (thread >= threads) thread = 0;
  bump(base[thread * kPageCells], n, thread == 0);
}

uint64_t CellRef::sum() const noexcept {
  uint64_t total = 0;
  for (unsigned t = 0; t < threads; ++t)
    total += base[t * kPageCells].load(std::memory_order_relaxed);
  return total;
}

size_t buckets::index_of(uint64_t value) noexcept {
  size_t i = kStarts[static_cast<size_t>(std::bit_width(value))];
  while (kBounds[i] < value) ++i;
  return i;
}

uint64_t buckets::bound(size_t index) noexcept { return kBounds[index]; }

HistogramCells::HistogramCells(unsigned threads)
    : threads_(threads), cells_(std::make_unique<std::atomic<Cells*>[]>(threads)) {}

HistogramCells::~HistogramCells() {
  for (unsigned t = 0; t < threads_; ++t)
    const std::unique_ptr<Cells> owned(cells_[t].load(std::memory_order_acquire));
}

HistogramCells::Cells* HistogramCells::cells_of(unsigned thread) noexcept {
  Cells* cells = cells_[thread].load(std::memory_order_acquire);
  if (cells != nullptr) return cells;
  auto made = std::make_unique<Cells>();
  // Threads of index 0 may race; the loser takes the winner's.
  if (cells_[thread].compare_exchange_strong(cells, made.get(), std::memory_order_acq_rel))
    return made.release();
  return cells;
}

void HistogramCells::record_many(uint64_t value, uint64_t count, uint64_t sum) noexcept {
  unsigned thread = current_thread;
  if (thread >= threads_) thread = 0;
  Cells& cells = *cells_of(thread);
  bump(cells.counts[buckets::index_of(value)], count, thread == 0);
  bump(cells.sum, sum, thread == 0);
}

HistogramCells::Totals HistogramCells::totals() const noexcept {
  Totals totals;
  for (unsigned t = 0; t < threads_; ++t) {
    const Cells* cells = cells_[t].load(std::memory_order_acquire);
    if (cells == nullptr) continue;
    for (size_t i = 0; i < buckets::kCount; ++i)
      totals.counts[i] += cells->counts[i].load(std::memory_order_relaxed);
    totals.sum += cells->sum.load(std::memory_order_relaxed);
  }
  return totals;
}

bool HistogramCells::used() const noexcept {
  for (unsigned t = 0; t < threads_; ++t) {
    if (cells_[t].load(std::memory_order_relaxed) != nullptr) return true;
  }
  return false;
}

void HistogramCells::reset() {
  if (used()) baseline_ = std::make_unique<Totals>(totals());
}

HistogramSnapshot HistogramCells::snapshot() const {
  Totals totals = this->totals();
  if (baseline_ != nullptr) {
    for (size_t i = 0; i < buckets::kCount; ++i) totals.counts[i] -= baseline_->counts[i];
    totals.sum -= baseline_->sum;
  }
  HistogramSnapshot snapshot;
  snapshot.sum = totals.sum;
  snapshot.cumulative.reserve(kEnvoyBounds.size());
  size_t next = 0;
  for (size_t i = 0; i < buckets::kCount; ++i) {
    // Values are whole: what is at or below 0.5 is 0.
    while (next < kEnvoyBounds.size() && kEnvoyBounds[next] < static_cast<double>(kBounds[i])) {
      snapshot.cumulative.emplace_back(kEnvoyBounds[next++], snapshot.count);
    }
    snapshot.count += totals.counts[i];
    if (totals.counts[i] > 0) {
      const double lower = i == 0 ? 0 : static_cast<double>(kBounds[i - 1]);
      const double upper = kBounds[i] == UINT64_MAX ? lower : static_cast<double>(kBounds[i]);
      snapshot.ranges.push_back({lower, upper, totals.counts[i]});
    }
  }
  return snapshot;
}

double HistogramSnapshot::quantile(double q) const {
  if (count == 0) return std::numeric_limits<double>::quiet_NaN();
  const double rank = std::clamp(q, 0.0, 1.0) * static_cast<double>(count);
  uint64_t below = 0;
  for (const Range& range : ranges) {
    if (rank <= static_cast<double>(below + range.count)) {
      // Buckets of one whole number hold just that number.
      if (range.upper - range.lower <= 1) return range.upper;
      const double part = (rank - static_cast<double>(below)) / static_cast<double>(range.count);
      return range.lower + part * (range.upper - range.lower);
    }
    below += range.count;
  }
  return ranges.back().upper;
}

}  // namespace weir::stats
