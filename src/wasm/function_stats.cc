#include "wasm/function_stats.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "wasm/stats.h"

namespace weir::wasm {

TimeBounds::TimeBounds() noexcept {
  const uint64_t second = ticks_per_second();
  for (size_t i = 0; i < ticks.size(); ++i) ticks[i] = second / 1'000'000 * kTimeBoundsUs[i];
}

const TimeBounds& TimeBounds::common() noexcept {
  static const TimeBounds bounds;
  return bounds;
}

FunctionStats::FunctionStats(stats::Store& store, std::string prefix, unsigned threads)
    : store_(store), prefix_(std::move(prefix)) {
  for (unsigned i = 0; i < std::max(threads, 1u); ++i)
    cells_.push_back(std::make_unique<FunctionCell[]>(kMaxExports));
}

FunctionCell* FunctionStats::cells(unsigned thread) noexcept {
  return cells_[std::min<size_t>(thread, cells_.size() - 1)].get();
}

FunctionStats::Totals FunctionStats::totals(unsigned function) const noexcept {
  const auto read = [](const FunctionCell::Number& number) {
    return number.load(std::memory_order_relaxed);
  };
  Totals out;
  uint64_t ticks = 0, worst = 0;
  for (const auto& thread : cells_) {
    const FunctionCell& cell = thread[function];
    out.calls += read(cell.calls);
    ticks += read(cell.ticks);
    worst = std::max(worst, read(cell.worst_ticks));
    out.host_calls += read(cell.host_calls);
    out.grown_bytes += read(cell.grown_bytes);
    out.failures += read(cell.failures);
    out.limit_hits += read(cell.limit_hits);
    for (size_t i = 0; i < kTimeBuckets; ++i) out.buckets[i] += read(cell.buckets[i]);
  }
  out.time_us = ticks_to_ns(ticks) / 1000;
  out.worst_us = ticks_to_ns(worst) / 1000;
  return out;
}

FunctionStats::Metrics& FunctionStats::metrics_of(unsigned function) {
  auto& metrics = metrics_[function];
  if (!metrics) {
    const std::string name = base::concat(prefix_, export_name(function), ".");
    const auto counter = [this, &name](std::string_view last) -> Counter& {
      return store_.counter(name + std::string(last));
    };
    metrics.reset(new Metrics{counter("calls"),
                              counter("time_us"),
                              counter("host_calls"),
                              counter("memory_grown_bytes"),
                              counter("failures"),
                              counter("limit_hits"),
                              store_.gauge(name + "worst_us"),
                              store_.histogram(name + "duration_us"),
                              {}});
  }
  return *metrics;
}

uint64_t FunctionStats::publish() {
  uint64_t calls = 0;
  for (unsigned i = 0; i < kMaxExports; ++i) {
    const Totals now = totals(i);
    if (now.calls == 0 && now.failures == 0) continue;
    Metrics& metrics = metrics_of(i);
    Totals& before = metrics.published;
    // Ticks are converted anew each time: the sum may come out a little lower than before.
    const uint64_t time_us = std::max(now.time_us, before.time_us);
    const uint64_t added_us = time_us - before.time_us;
    calls += now.calls - before.calls;
    metrics.calls.add(now.calls - before.calls);
    metrics.time_us.add(added_us);
    metrics.host_calls.add(now.host_calls - before.host_calls);
    metrics.grown_bytes.add(now.grown_bytes - before.grown_bytes);
    metrics.failures.add(now.failures - before.failures);
    metrics.limit_hits.add(now.limit_hits - before.limit_hits);
    metrics.worst_us.set(static_cast<int64_t>(now.worst_us));
    uint64_t sum = added_us;  // with the first that has any: buckets do not know theirs
    for (size_t b = 0; b < kTimeBuckets; ++b) {
      const uint64_t value = b < kTimeBoundsUs.size() ? kTimeBoundsUs[b] : kTimeBoundsUs.back() + 1;
      const uint64_t count = now.buckets[b] - before.buckets[b];
      if (count != 0) store_.record_many(metrics.time, value, count, std::exchange(sum, 0));
    }
    before = now;
    before.time_us = time_us;
  }
  return calls;
}

}  // namespace weir::wasm
