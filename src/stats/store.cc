#include "stats/store.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "stats/cells.h"

namespace weir::stats {
namespace {

thread_local unsigned current_thread = 0;

// Histogram buckets are log-linear: values below 8 have one each, then eight per power of two.
constexpr unsigned kSubBits = 3;
constexpr unsigned kSub = 1u << kSubBits;
constexpr unsigned kMaxBits = 32;  // values from 2^32 on share the last bucket
constexpr unsigned kBuckets = kSub + kSub * (kMaxBits - kSubBits);
constexpr uint32_t kSumCell = kBuckets;

unsigned bucket_of(uint64_t value) noexcept {
  if (value < kSub) return static_cast<unsigned>(value);
  const auto bits = static_cast<unsigned>(std::bit_width(value));  // > kSubBits
  if (bits > kMaxBits) return kBuckets - 1;
  const auto sub = static_cast<unsigned>((value >> (bits - 1 - kSubBits)) & (kSub - 1));
  return kSub + (bits - 1 - kSubBits) * kSub + sub;
}

/// The largest value of a bucket.
double upper_of(unsigned bucket) noexcept {
  if (bucket < kSub) return bucket;
  const unsigned power = (bucket - kSub) / kSub;
  const unsigned sub = (bucket - kSub) % kSub;
  return static_cast<double>(((static_cast<uint64_t>(kSub + sub) + 1) << power) - 1);
}

constexpr double kBounds[] = {0.5,   1,     5,     10,    25,     50,     100,     250,     500,    1000,
                              2500,  5000,  10000, 30000, 60000,  300000, 600000,  1800000, 3600000};

class CellCounter final : public Counter {
 public:
  CellCounter(Cells& cells, uint32_t index) : cells_(cells), index_(index) {}
  void add(uint64_t n) noexcept override { cells_.add(index_, n); }
  uint64_t value() const noexcept { return cells_.sum(index_) - baseline_; }
  bool used() const noexcept { return cells_.sum(index_) != 0; }
  void reset() noexcept { baseline_ = cells_.sum(index_); }

 private:
  Cells& cells_;
  uint32_t index_;
  uint64_t baseline_ = 0;  // main thread only
};

class CellGauge final : public Gauge {
 public:
  CellGauge(Cells& cells, uint32_t index) : cells_(cells), index_(index) {}
  void add(int64_t n) noexcept override {
    mark_used();
    cells_.add(index_, static_cast<uint64_t>(n));
  }
  void set(int64_t value) noexcept override {
    mark_used();
    set_.store(value, std::memory_order_relaxed);
  }
  int64_t value() const noexcept {
    return static_cast<int64_t>(cells_.sum(index_)) + set_.load(std::memory_order_relaxed);
  }
  bool used() const noexcept { return used_.load(std::memory_order_relaxed); }

 private:
  void mark_used() noexcept {
    if (!used_.load(std::memory_order_relaxed)) used_.store(true, std::memory_order_relaxed);
  }
  Cells& cells_;
  uint32_t index_;
  std::atomic<int64_t> set_{0};
  std::atomic<bool> used_{false};
};

class CellHistogram final : public Histogram {
 public:
  CellHistogram(Cells& cells, uint32_t first) : cells_(cells), first_(first) {}
  void record(uint64_t value) noexcept override {
    cells_.add(first_ + bucket_of(value), 1);
    cells_.add(first_ + kSumCell, value);
  }
  void reset() {
    baseline_.resize(kBuckets + 1);
    for (unsigned i = 0; i <= kBuckets; ++i) baseline_[i] = cells_.sum(first_ + i);
  }
  HistogramSnapshot snapshot() const {
    HistogramSnapshot result;
    result.sum = cells_.sum(first_ + kSumCell) - base(kSumCell);
    std::vector<uint64_t> counts(kBuckets);
    for (unsigned i = 0; i < kBuckets; ++i) {
      counts[i] = cells_.sum(first_ + i) - base(i);
      result.count += counts[i];
    }
    unsigned next = 0;
    uint64_t below = 0;
    for (const double bound : kBounds) {
      while (next < kBuckets && upper_of(next) <= bound) below += counts[next++];
      result.cumulative.emplace_back(bound, below);
    }
    return result;
  }

 private:
  uint64_t base(unsigned i) const noexcept { return baseline_.empty() ? 0 : baseline_[i]; }
  Cells& cells_;
  uint32_t first_;
  std::vector<uint64_t> baseline_;  // main thread only
};

class PrefixScope final : public StatsScope {
 public:
  PrefixScope(Store& store, std::string_view prefix) : store_(store), prefix_(prefix) {
    if (!prefix_.empty() && prefix_.back() != '.') prefix_ += '.';
  }
  Counter& counter(std::string_view name) override { return store_.counter(prefix_ + std::string(name)); }
  Gauge& gauge(std::string_view name) override { return store_.gauge(prefix_ + std::string(name)); }
  Histogram& histogram(std::string_view name) override { return store_.histogram(prefix_ + std::string(name)); }
  std::unique_ptr<StatsScope> scope(std::string_view prefix) override {
    return std::make_unique<PrefixScope>(store_, prefix_ + std::string(prefix));
  }

 private:
  Store& store_;
  std::string prefix_;
};

}  // namespace

void set_thread_index(unsigned index) noexcept { current_thread = index; }
unsigned thread_index() noexcept { return current_thread; }

double HistogramSnapshot::quantile(double q) const {
  if (count == 0) return std::numeric_limits<double>::quiet_NaN();
  const double rank = q * static_cast<double>(count);
  double lower = 0;
  uint64_t before = 0;
  for (const auto& [upper, upto] : cumulative) {
    if (static_cast<double>(upto) >= rank && upto > before) {
      const double share = (rank - static_cast<double>(before)) / static_cast<double>(upto - before);
      return lower + (upper - lower) * std::clamp(share, 0.0, 1.0);
    }
    lower = upper;
    before = upto;
  }
  return lower;
}

struct Store::Private {
  explicit Private(unsigned threads) : cells(threads) {}
  mutable std::mutex mutex;
  Cells cells;
  std::map<std::string, std::unique_ptr<CellCounter>, std::less<>> counters;
  std::map<std::string, std::unique_ptr<CellGauge>, std::less<>> gauges;
  std::map<std::string, std::unique_ptr<CellHistogram>, std::less<>> histograms;

  template <typename Metric>
  Metric& find_or_make(std::map<std::string, std::unique_ptr<Metric>, std::less<>>& all, std::string_view name,
                       uint32_t size) {
    const std::lock_guard lock(mutex);
    auto found = all.find(name);
    if (found == all.end())
      found = all.emplace(std::string(name), std::make_unique<Metric>(cells, cells.allocate(size))).first;
    return *found->second;
  }
};

Store::Store(unsigned threads) : private_(std::make_unique<Private>(std::clamp(threads, 1u, kMaxThreads))) {}
Store::~Store() = default;

Counter& Store::counter(std::string_view name) { return private_->find_or_make(private_->counters, name, 1); }
Gauge& Store::gauge(std::string_view name) { return private_->find_or_make(private_->gauges, name, 1); }
Histogram& Store::histogram(std::string_view name) {
  return private_->find_or_make(private_->histograms, name, kBuckets + 1);
}
std::unique_ptr<StatsScope> Store::scope(std::string_view prefix) {
  return std::make_unique<PrefixScope>(*this, prefix);
}

void Store::visit(Visitor& visitor) const {
  const std::lock_guard lock(private_->mutex);
  for (const auto& [name, metric] : private_->counters) visitor.on_counter(name, metric->value(), metric->used());
  for (const auto& [name, metric] : private_->gauges) visitor.on_gauge(name, metric->value(), metric->used());
  for (const auto& [name, metric] : private_->histograms) {
    const HistogramSnapshot snapshot = metric->snapshot();
    visitor.on_histogram(name, snapshot, snapshot.count > 0);
  }
}

uint64_t Store::counter_value(std::string_view name) const {
  const std::lock_guard lock(private_->mutex);
  const auto found = private_->counters.find(name);
  return found == private_->counters.end() ? 0 : found->second->value();
}

int64_t Store::gauge_value(std::string_view name) const {
  const std::lock_guard lock(private_->mutex);
  const auto found = private_->gauges.find(name);
  return found == private_->gauges.end() ? 0 : found->second->value();
}

void Store::reset_counters() {
  const std::lock_guard lock(private_->mutex);
  for (const auto& [name, metric] : private_->counters) metric->reset();
  for (const auto& [name, metric] : private_->histograms) metric->reset();
}

}  // namespace weir::stats
