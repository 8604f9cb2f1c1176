// What all workers share of one cluster: circuit breakers and stats. They outlive configurations.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <weir/stats.h>

#include "http/h2/h2.h"
#include "net/tls/stats.h"
#include "stats/status_classes.h"
#include "stats/store.h"
#include "upstream/options.h"

namespace weir::upstream {

/// Stats of a cluster under Envoy's names, resolved once.
struct ClusterStats {
  explicit ClusterStats(StatsScope& scope);
  Counter &cx_total, &cx_http1_total, &cx_http2_total, &cx_connect_fail, &cx_connect_timeout,
      &cx_overflow, &cx_destroy, &cx_destroy_local, &cx_destroy_remote, &cx_destroy_with_active_rq,
      &cx_destroy_local_with_active_rq, &cx_destroy_remote_with_active_rq, &cx_idle_timeout,
      &cx_max_requests, &cx_max_duration_reached, &cx_protocol_error, &cx_none_healthy,
      &cx_rx_bytes_total, &cx_tx_bytes_total, &cx_connect_attempts_exceeded,
      &flow_control_paused_reading, &flow_control_resumed_reading;
  Gauge& cx_active;
  Histogram &cx_connect_ms, &cx_length_ms;
  Counter &rq_total, &rq_pending_total, &rq_pending_overflow, &rq_pending_failure_eject,
      &rq_cancelled, &rq_timeout, &rq_max_duration_reached, &rq_retry, &rq_retry_success,
      &rq_rx_reset, &rq_tx_reset, &rq_completed;
  Gauge &rq_active, &rq_pending_active;
  Histogram& rq_time;
  Gauge &membership_total, &membership_healthy;
  Counter &membership_change, &original_dst_host_invalid;
  http::h2::Stats http2;
};

/// One limit of a circuit breaker, shared by all workers: relaxed atomics. try_take() never goes above the maximum, take() may.
class Breaker {
 public:
  Breaker(StatsScope& scope, std::string_view open_name, std::string_view remaining_name);
  /// Takes one unit unless `max` are taken.
  bool try_take(uint32_t max, bool track_remaining) noexcept;
  /// Takes one even beyond `max` (the first connection of a pool).
  void take(uint32_t max, bool track_remaining) noexcept;
  void give_back(uint32_t max, bool track_remaining) noexcept;
  uint32_t used() const noexcept { return used_.load(std::memory_order_relaxed); }

 private:
  void taken(uint32_t now, uint32_t max, bool track_remaining) noexcept;
  std::atomic<uint32_t> used_{0};
  std::atomic<bool> is_open_{false};
  Gauge& open_;
  Gauge& remaining_;
};

/// The breakers of one routing priority.
struct Breakers {
  explicit Breakers(StatsScope& scope);  // "cluster.<name>.circuit_breakers.default."
  Breaker connections, pending, requests;
};

enum class Priority : uint8_t { kDefault = 0, kHigh = 1 };

/// Owner: the ClusterRegistry, for ever. Thread: made on main, used by every worker.
class ClusterSharedState {
 public:
  ClusterSharedState(std::string_view stat_name, stats::Store& store);
  ClusterStats& stats() noexcept { return stats_; }
  StatsScope& scope() noexcept { return *scope_; }
  Breakers& breakers(Priority priority) noexcept {
    return *breakers_[static_cast<size_t>(priority)];
  }
  /// "cluster.<name>.ssl.*".
  std::shared_ptr<const net::tls::Stats> tls_stats(const net::TransportFactory& transport);
  /// Counts an answer: upstream_rq_completed, upstream_rq_2xx, upstream_rq_200. `code` stats are made when first seen.
  void charge_response(int status, bool per_code) noexcept;

  /// The hosts that the membership stats speak of; true if they are others than before. Thread: main.
  bool note_members(std::shared_ptr<const EndpointSet> members);

 private:
  static constexpr int kFirstCode = 100, kLastCode = 599;
  Counter* code_counter(int status) noexcept;
  std::unique_ptr<StatsScope> scope_;
  ClusterStats stats_;
  std::array<std::unique_ptr<Breakers>, 2> breakers_;
  std::shared_ptr<const EndpointSet> members_;
  stats::StatusClasses classes_;
  std::array<std::atomic<Counter*>, kLastCode - kFirstCode + 1> codes_{};
};

class ClusterTable;
struct ClusterEntry;

/// All shared states of the process, by cluster name and stat name. Owner: the server; outlives workers and snapshots.
/// Thread: main; state() is safe from any.
class ClusterRegistry {
 public:
  explicit ClusterRegistry(stats::Store& store) : store_(store) {}
  ClusterSharedState& state(const ClusterOptions& options);
  /// The table is serving now: sets membership and cluster_manager stats. Thread: main.
  void published(const ClusterTable& table);
  /// A cluster of the table has other hosts now. Thread: main.
  static void count_members(const ClusterEntry& entry);

 private:
  stats::Store& store_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<ClusterSharedState>, std::less<>> states_;
};

}  // namespace weir::upstream
