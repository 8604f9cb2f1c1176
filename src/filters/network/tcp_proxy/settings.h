// Settings of tcp_proxy: what its options say, and its metrics. Immutable, shared by all workers.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <weir/filter_registry.h>

#include "filters/network/tcp_proxy/tunnel_settings.h"

namespace weir::filters::tcp_proxy {

using Milliseconds = std::chrono::milliseconds;

/// "tcp.<stat_prefix>.".
struct Stats {
  explicit Stats(StatsScope& scope);
  Counter &cx_total, &cx_no_route, &cx_tx_bytes_total, &cx_rx_bytes_total, &paused_reading,
      &resumed_reading, &early_data, &idle_timeout, &max_duration, &upstream_flush_total,
      &tunnel_failed;
};

struct WeightedCluster {
  std::string name;
  uint32_t weight = 0;
};

/// When the upstream connection is begun.
enum class ConnectMode : uint8_t { kImmediate, kOnData, kOnTls };

struct HashPolicy {
  std::string filter_state_key;  // empty: the client's IP address
};

struct Settings {
  explicit Settings(StatsScope& scope) : stats(scope) {}
  /// Null after an error, which is reported at the view.
  static std::shared_ptr<const Settings> read(ConfigView& config, FactoryContext& context);
  const std::string& choose_cluster() const noexcept;

  Stats stats;
  std::vector<WeightedCluster> clusters;  // one, or several with their weights
  uint64_t total_weight = 0;
  Milliseconds idle_timeout{std::chrono::hours(1)};  // 0 = none, as for all durations here
  Milliseconds downstream_idle_timeout{0};
  Milliseconds upstream_idle_timeout{0};
  Milliseconds max_duration{0};
  double max_duration_jitter = 0;  // a part of max_duration that is added at most
  Milliseconds log_interval{0};
  bool log_on_start = false;
  bool log_on_connected = false;
  uint32_t max_connect_attempts = 1;
  Milliseconds backoff_base{0};
  Milliseconds backoff_max{0};
  std::vector<HashPolicy> hash_policy;
  ConnectMode connect_mode = ConnectMode::kImmediate;
  uint32_t max_early_data = 0;  // bytes read before the upstream is connected; 0 = none
  bool check_drain_close = false;
  std::optional<TunnelSettings> tunnel;
};

}  // namespace weir::filters::tcp_proxy
