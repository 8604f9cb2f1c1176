// CustomMetrics: the metrics that guests define, "wasmcustom.<name>", shared by all VMs of the process.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "stats/store.h"
#include "wasm/enums.h"

namespace weir::wasm {

/// One metric. Thread-safe. Gauges never go below 0 and do not wrap.
class CustomMetric {
 public:
  CustomMetric(stats::Store& store, MetricType type, std::string name);
  MetricType type() const noexcept { return type_; }
  Status increment(int64_t delta) noexcept;
  void record(uint64_t value) noexcept;
  std::optional<uint64_t> value() const;

 private:
  void move_gauge(int64_t delta, bool absolute) noexcept;

  stats::Store& store_;
  MetricType type_;
  std::string name_;
  Counter* counter_ = nullptr;
  Gauge* gauge_ = nullptr;
  Histogram* histogram_ = nullptr;
  // The gauge's true value: cells of threads hold shares, which cannot be clamped.
  std::atomic<int64_t> level_{0};
};

/// Owner: the Host. Thread-safe. Metrics live as long as the process.
class CustomMetrics {
 public:
  static constexpr size_t kMaxMetrics = 10000;  // of the process
  explicit CustomMetrics(stats::Store& store) : store_(store) {}
  /// Null when the plugin has defined `max` others, the process has too many, or the name serves another type.
  CustomMetric* define(MetricType type, std::string_view name, std::string_view plugin, size_t max);

 private:
  stats::Store& store_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<CustomMetric>, std::less<>> metrics_;
  std::map<std::string, size_t, std::less<>> defined_;  // by plugin: how many were its first
};

}  // namespace weir::wasm
