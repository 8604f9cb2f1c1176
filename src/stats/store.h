// Store: all metrics of the process, with per-thread cells merged on read.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>
#include <weir/stats.h>

namespace weir::stats {

/// Index of the calling thread's cells: 0 = main and every thread that never called set_thread_index, 1.. = workers.
/// At most kMaxThreads; threads that share index 0 use atomic adds.
inline constexpr unsigned kMaxThreads = 65;
void set_thread_index(unsigned index) noexcept;
unsigned thread_index() noexcept;

struct HistogramSnapshot {
  uint64_t count = 0;
  uint64_t sum = 0;
  std::vector<std::pair<double, uint64_t>>
      cumulative;  // upper bound -> count at or below (Envoy's buckets)
  struct Range {
    double lower;  // exclusive
    double upper;  // inclusive
    uint64_t count;
  };
  std::vector<Range> ranges;        // the finer buckets that hold something
  double quantile(double q) const;  // interpolated in them; NaN if empty
};

/// Visits metrics in order of name.
class Visitor {
 public:
  virtual ~Visitor() = default;
  virtual void on_counter(std::string_view name, uint64_t value, bool used) = 0;
  virtual void on_gauge(std::string_view name, int64_t value, bool used) = 0;
  virtual void on_histogram(std::string_view name, const HistogramSnapshot& value, bool used) = 0;
};

/// Owner: the server; outlives every thread that holds a metric. Making metrics takes a lock; bumping never.
class Store {
 public:
  explicit Store(unsigned threads);  // cells per metric: workers + 1
  ~Store();
  Counter& counter(std::string_view name);
  Gauge& gauge(std::string_view name);
  Histogram& histogram(std::string_view name);
  /// As often record()ing `value`, for what was counted elsewhere; `sum` is what its values sum up to. `histogram` is one of this store.
  void record_many(Histogram& histogram, uint64_t value, uint64_t count, uint64_t sum) noexcept;
  std::unique_ptr<StatsScope> scope(
      std::string_view prefix);  // "http.ingress." (dot added if missing)
  void visit(Visitor& visitor) const;
  uint64_t counter_value(std::string_view name) const;  // 0 if absent; for tests and admin
  int64_t gauge_value(std::string_view name) const;
  /// Counters read from now on as the difference to their value now; histograms likewise.
  void reset_counters();

 private:
  struct Private;
  std::unique_ptr<Private> private_;
};

/// A filter_regex that is no regex gives a text that says so.
/// Text of `GET /stats`: "name: value" lines; histograms as Envoy prints them.
std::string to_text(const Store& store, std::string_view filter_regex, bool used_only);
std::string to_json(const Store& store, std::string_view filter_regex, bool used_only);
/// Prometheus text format 0.0.4 with Envoy's names ("envoy_" prefix, tags extracted:
/// envoy_cluster_name, envoy_http_conn_manager_prefix, envoy_response_code(_class), envoy_listener_address, …).
std::string to_prometheus(const Store& store, std::string_view filter_regex, bool used_only);

}  // namespace weir::stats
