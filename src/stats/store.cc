#include "stats/store.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "base/check.h"
#include "stats/metrics.h"

namespace weir::stats {

namespace {

// ':' separates nothing in a stat's name, but ports in addresses: Envoy writes '_'.
std::string sanitize(std::string_view name) {
  std::string clean(name);
  std::replace(clean.begin(), clean.end(), ':', '_');
  std::replace(clean.begin(), clean.end(), '\0', '_');
  return clean;
}

struct PageFree {
  void operator()(Cell* page) const noexcept { std::free(page); }
};
using Page = std::unique_ptr<Cell[], PageFree>;

template <typename T>
using Metrics = std::map<std::string, T, std::less<>>;

class PrefixScope final : public StatsScope {
 public:
  PrefixScope(Store& store, std::string prefix) : store_(store), prefix_(std::move(prefix)) {}
  Counter& counter(std::string_view name) override { return store_.counter(full(name)); }
  Gauge& gauge(std::string_view name) override { return store_.gauge(full(name)); }
  Histogram& histogram(std::string_view name) override { return store_.histogram(full(name)); }
  std::unique_ptr<StatsScope> scope(std::string_view prefix) override {
    return store_.scope(full(prefix));
  }

 private:
  std::string full(std::string_view name) const {
    std::string text = prefix_;
    text += name;
    return text;
  }
  Store& store_;
  std::string prefix_;
};

}  // namespace

struct Store::Private {
  unsigned threads = 1;
  mutable std::mutex mutex;
  std::vector<Page> pages;
  size_t used_cells = kPageCells;  // of the last page
  Metrics<CounterCells> counters;
  Metrics<GaugeCells> gauges;
  Metrics<HistogramCells> histograms;

  CellRef new_cell() {
    if (used_cells == kPageCells) {
      const size_t bytes = threads * kPageCells * sizeof(Cell);
      auto* memory = static_cast<Cell*>(std::aligned_alloc(64, bytes));
      WEIR_CHECK(memory != nullptr);
      for (size_t i = 0; i < threads * kPageCells; ++i) new (&memory[i]) Cell(0);
      pages.emplace_back(memory);
      used_cells = 0;
    }
    return CellRef{pages.back().get() + used_cells++, threads};
  }
};

Store::Store(unsigned threads) : private_(std::make_unique<Private>()) {
  private_->threads = std::clamp(threads, 1u, kMaxThreads);
}

Store::~Store() = default;

Counter& Store::counter(std::string_view name) {
  const std::string clean = sanitize(name);
  const std::lock_guard lock(private_->mutex);
  const auto found = private_->counters.find(clean);
  if (found != private_->counters.end()) return found->second;
  return private_->counters.try_emplace(clean, private_->new_cell()).first->second;
}

Gauge& Store::gauge(std::string_view name) {
  const std::string clean = sanitize(name);
  const std::lock_guard lock(private_->mutex);
  const auto found = private_->gauges.find(clean);
  if (found != private_->gauges.end()) return found->second;
  return private_->gauges.try_emplace(clean, private_->new_cell()).first->second;
}

Histogram& Store::histogram(std::string_view name) {
  const std::string clean = sanitize(name);
  const std::lock_guard lock(private_->mutex);
  return private_->histograms.try_emplace(clean, private_->threads).first->second;
}

void Store::record_many(Histogram& histogram, uint64_t value, uint64_t count,
                        uint64_t sum) noexcept {
  static_cast<HistogramCells&>(histogram).record_many(value, count, sum);
}

std::unique_ptr<StatsScope> Store::scope(std::string_view prefix) {
  std::string text(prefix);
  if (!text.empty() && text.back() != '.') text += '.';
  return std::make_unique<PrefixScope>(*this, std::move(text));
}

void Store::visit(Visitor& visitor) const {
  const Private& p = *private_;
  const std::lock_guard lock(p.mutex);
  auto counter = p.counters.begin();
  auto gauge = p.gauges.begin();
  auto histogram = p.histograms.begin();
  // A merge of three sorted maps.
  for (;;) {
    const std::string* least = nullptr;
    if (counter != p.counters.end()) least = &counter->first;
    if (gauge != p.gauges.end() && (least == nullptr || gauge->first < *least))
      least = &gauge->first;
    if (histogram != p.histograms.end() && (least == nullptr || histogram->first < *least))
      least = &histogram->first;
    if (least == nullptr) return;
    if (counter != p.counters.end() && least == &counter->first) {
      visitor.on_counter(counter->first, counter->second.value(), counter->second.raw() != 0);
      ++counter;
    } else if (gauge != p.gauges.end() && least == &gauge->first) {
      visitor.on_gauge(gauge->first, gauge->second.value(), gauge->second.used());
      ++gauge;
    } else {
      visitor.on_histogram(histogram->first, histogram->second.snapshot(),
                           histogram->second.used());
      ++histogram;
    }
  }
}

uint64_t Store::counter_value(std::string_view name) const {
  const std::lock_guard lock(private_->mutex);
  const auto found = private_->counters.find(name);
  return found == private_->counters.end() ? 0 : found->second.value();
}

int64_t Store::gauge_value(std::string_view name) const {
  const std::lock_guard lock(private_->mutex);
  const auto found = private_->gauges.find(name);
  return found == private_->gauges.end() ? 0 : found->second.value();
}

void Store::reset_counters() {
  const std::lock_guard lock(private_->mutex);
  for (auto& [name, counter] : private_->counters) counter.reset();
  for (auto& [name, histogram] : private_->histograms) histogram.reset();
}

}  // namespace weir::stats
