#include "wasm/metrics.h"

#include <algorithm>
#include <limits>

#include "base/strings.h"

namespace weir::wasm {

CustomMetric::CustomMetric(stats::Store& store, MetricType type, std::string name)
    : store_(store), type_(type), name_(std::move(name)) {
  switch (type_) {
    case MetricType::kCounter:
      counter_ = &store.counter(name_);
      break;
    case MetricType::kGauge:
      gauge_ = &store.gauge(name_);
      break;
    case MetricType::kHistogram:
      histogram_ = &store.histogram(name_);
      break;
  }
}

void CustomMetric::move_gauge(int64_t delta, bool absolute) noexcept {
  int64_t now = level_.load(std::memory_order_relaxed);
  int64_t next = 0;
  do {
    constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
    if (absolute) {
      next = delta;
    } else if (delta > 0 && now > kMax - delta) {
      next = kMax;
    } else {
      next = std::max<int64_t>(0, now + delta);  // now >= 0, so that the sum cannot underflow
    }
  } while (!level_.compare_exchange_weak(now, next, std::memory_order_relaxed));
  gauge_->add(next - now);
}

Status CustomMetric::increment(int64_t delta) noexcept {
  if (type_ == MetricType::kHistogram) return Status::kBadArgument;
  if (type_ == MetricType::kGauge) {
    move_gauge(delta, false);
    return Status::kOk;
  }
  if (delta <= 0) return Status::kBadArgument;
  counter_->add(static_cast<uint64_t>(delta));
  return Status::kOk;
}

void CustomMetric::record(uint64_t value) noexcept {
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  switch (type_) {
    case MetricType::kCounter:
      counter_->add(value);
      break;
    case MetricType::kGauge:
      move_gauge(static_cast<int64_t>(std::min(value, kMax)), true);
      break;
    case MetricType::kHistogram:
      histogram_->record(value);
      break;
  }
}

std::optional<uint64_t> CustomMetric::value() const {
  if (type_ == MetricType::kHistogram) return std::nullopt;
  if (type_ == MetricType::kCounter) return store_.counter_value(name_);
  return static_cast<uint64_t>(level_.load(std::memory_order_relaxed));
}

CustomMetric* CustomMetrics::define(MetricType type, std::string_view name, std::string_view plugin,
                                    size_t max) {
  const std::lock_guard lock(mutex_);
  auto found = metrics_.find(name);
  if (found == metrics_.end()) {
    size_t& defined = defined_[std::string(plugin)];
    if (metrics_.size() >= kMaxMetrics || defined >= max) return nullptr;
    ++defined;
    auto metric = std::make_unique<CustomMetric>(store_, type, base::concat("wasmcustom.", name));
    found = metrics_.emplace(std::string(name), std::move(metric)).first;
  }
  return found->second->type() == type ? found->second.get() : nullptr;
}

}  // namespace weir::wasm
