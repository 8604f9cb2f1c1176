#include "upstream/shared_state.h"

#include <algorithm>

#include "upstream/cluster.h"

namespace weir::upstream {
namespace {

/// ':' separates nothing in a stat name, but it does in statsd and in the text format.
std::string stat_prefix(std::string_view stat_name) {
  std::string prefix = "cluster.";
  prefix += stat_name;
  std::replace(prefix.begin() + 8, prefix.end(), ':', '_');
  prefix += '.';
  return prefix;
}

/// A host that goes by its name is the same one wherever it is.
bool same_members(const EndpointSet& left, const EndpointSet& right) {
  const auto same_host = [](const EndpointOptions& one, const EndpointOptions& other) {
    if (one.name.empty() || other.name.empty()) return one == other;
    return one.name == other.name && one.port == other.port;
  };
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&same_host](const LocalityOptions& one, const LocalityOptions& other) {
                      return std::equal(one.endpoints.begin(), one.endpoints.end(),
                                        other.endpoints.begin(), other.endpoints.end(), same_host);
                    });
}

}  // namespace

ClusterStats::ClusterStats(StatsScope& scope)
    : cx_total(scope.counter("upstream_cx_total")),
      cx_http1_total(scope.counter("upstream_cx_http1_total")),
      cx_http2_total(scope.counter("upstream_cx_http2_total")),
      cx_connect_fail(scope.counter("upstream_cx_connect_fail")),
      cx_connect_timeout(scope.counter("upstream_cx_connect_timeout")),
      cx_overflow(scope.counter("upstream_cx_overflow")),
      cx_destroy(scope.counter("upstream_cx_destroy")),
      cx_destroy_local(scope.counter("upstream_cx_destroy_local")),
      cx_destroy_remote(scope.counter("upstream_cx_destroy_remote")),
      cx_destroy_with_active_rq(scope.counter("upstream_cx_destroy_with_active_rq")),
      cx_destroy_local_with_active_rq(scope.counter("upstream_cx_destroy_local_with_active_rq")),
      cx_destroy_remote_with_active_rq(scope.counter("upstream_cx_destroy_remote_with_active_rq")),
      cx_idle_timeout(scope.counter("upstream_cx_idle_timeout")),
      cx_max_requests(scope.counter("upstream_cx_max_requests")),
      cx_max_duration_reached(scope.counter("upstream_cx_max_duration_reached")),
      cx_protocol_error(scope.counter("upstream_cx_protocol_error")),
      cx_none_healthy(scope.counter("upstream_cx_none_healthy")),
      cx_rx_bytes_total(scope.counter("upstream_cx_rx_bytes_total")),
      cx_tx_bytes_total(scope.counter("upstream_cx_tx_bytes_total")),
      cx_connect_attempts_exceeded(scope.counter("upstream_cx_connect_attempts_exceeded")),
      flow_control_paused_reading(scope.counter("upstream_flow_control_paused_reading_total")),
      flow_control_resumed_reading(scope.counter("upstream_flow_control_resumed_reading_total")),
      cx_active(scope.gauge("upstream_cx_active")),
      cx_connect_ms(scope.histogram("upstream_cx_connect_ms")),
      cx_length_ms(scope.histogram("upstream_cx_length_ms")),
      rq_total(scope.counter("upstream_rq_total")),
      rq_pending_total(scope.counter("upstream_rq_pending_total")),
      rq_pending_overflow(scope.counter("upstream_rq_pending_overflow")),
      rq_pending_failure_eject(scope.counter("upstream_rq_pending_failure_eject")),
      rq_cancelled(scope.counter("upstream_rq_cancelled")),
      rq_timeout(scope.counter("upstream_rq_timeout")),
      rq_max_duration_reached(scope.counter("upstream_rq_max_duration_reached")),
      rq_retry(scope.counter("upstream_rq_retry")),
      rq_retry_success(scope.counter("upstream_rq_retry_success")),
      rq_rx_reset(scope.counter("upstream_rq_rx_reset")),
      rq_tx_reset(scope.counter("upstream_rq_tx_reset")),
      rq_completed(scope.counter("upstream_rq_completed")),
      rq_active(scope.gauge("upstream_rq_active")),
      rq_pending_active(scope.gauge("upstream_rq_pending_active")),
      rq_time(scope.histogram("upstream_rq_time")),
      membership_total(scope.gauge("membership_total")),
      membership_healthy(scope.gauge("membership_healthy")),
      membership_change(scope.counter("membership_change")),
      original_dst_host_invalid(scope.counter("original_dst_host_invalid")),
      http2(scope) {}

Breaker::Breaker(StatsScope& scope, std::string_view open_name, std::string_view remaining_name)
    : open_(scope.gauge(open_name)), remaining_(scope.gauge(remaining_name)) {}

bool Breaker::try_take(uint32_t max, bool track_remaining) noexcept {
  const uint32_t before = used_.fetch_add(1, std::memory_order_relaxed);
  if (before >= max) {
    used_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  taken(before + 1, max, track_remaining);
  return true;
}

void Breaker::take(uint32_t max, bool track_remaining) noexcept {
  taken(used_.fetch_add(1, std::memory_order_relaxed) + 1, max, track_remaining);
}

void Breaker::taken(uint32_t now, uint32_t max, bool track_remaining) noexcept {
  // Compared on every change, because an edit may move the maximum.
  const bool full = now >= max;
  if (full != is_open_.load(std::memory_order_relaxed)) {
    is_open_.store(full, std::memory_order_relaxed);
    open_.set(full ? 1 : 0);
  }
  if (track_remaining) remaining_.set(full ? 0 : max - now);
}

void Breaker::give_back(uint32_t max, bool track_remaining) noexcept {
  taken(used_.fetch_sub(1, std::memory_order_relaxed) - 1, max, track_remaining);
}

Breakers::Breakers(StatsScope& scope)
    : connections(scope, "cx_open", "remaining_cx"),
      pending(scope, "rq_pending_open", "remaining_pending"),
      requests(scope, "rq_open", "remaining_rq") {
  // There are no route retries yet; dashboards look for the name.
  scope.gauge("rq_retry_open").set(0);
}

ClusterSharedState::ClusterSharedState(std::string_view stat_name, stats::Store& store)
    : scope_(store.scope(stat_prefix(stat_name))),
      stats_(*scope_),
      classes_(*scope_, "upstream_rq") {
  breakers_[0] = std::make_unique<Breakers>(*scope_->scope("circuit_breakers.default"));
  breakers_[1] = std::make_unique<Breakers>(*scope_->scope("circuit_breakers.high"));
}

std::shared_ptr<const net::tls::Stats> ClusterSharedState::tls_stats(
    const net::TransportFactory& transport) {
  return std::make_shared<const net::tls::Stats>(*scope_->scope("ssl"), transport);
}

Counter* ClusterSharedState::code_counter(int status) noexcept {
  if (status < kFirstCode || status > kLastCode) return nullptr;
  auto& slot = codes_[static_cast<size_t>(status - kFirstCode)];
  Counter* counter = slot.load(std::memory_order_acquire);
  if (counter == nullptr) {
    // Two workers may get here at once: the scope gives both the same counter.
    counter = &scope_->counter("upstream_rq_" + std::to_string(status));
    slot.store(counter, std::memory_order_release);
  }
  return counter;
}

void ClusterSharedState::charge_response(int status, bool per_code) noexcept {
  stats_.rq_completed.inc();
  classes_.count(status);
  if (!per_code) return;
  if (Counter* counter = code_counter(status)) counter->inc();
}

ClusterSharedState& ClusterRegistry::state(const ClusterOptions& options) {
  const std::string& stat_name =
      options.alt_stat_name.empty() ? options.name : options.alt_stat_name;
  std::string key = options.name + '\n' + stat_name;
  const std::lock_guard lock(mutex_);
  auto& state = states_[std::move(key)];
  if (!state) state = std::make_unique<ClusterSharedState>(stat_name, store_);
  return *state;
}

bool ClusterSharedState::note_members(std::shared_ptr<const EndpointSet> members) {
  const bool changed = members_ == nullptr || !same_members(*members_, *members);
  members_ = std::move(members);
  return changed;
}

void ClusterRegistry::count_members(const ClusterEntry& entry) {
  if (entry.options->type == ClusterType::kOriginalDst) return;  // its workers count
  ClusterStats& stats = entry.state->stats();
  auto members = entry.hosts();
  int64_t hosts = 0;
  for (const LocalityOptions& locality : *members)
    hosts += static_cast<int64_t>(locality.endpoints.size());
  stats.membership_total.set(hosts);
  stats.membership_healthy.set(hosts);
  if (entry.state->note_members(std::move(members))) stats.membership_change.inc();
}

void ClusterRegistry::published(const ClusterTable& table) {
  for (const ClusterEntry& entry : table.entries()) count_members(entry);
  store_.gauge("cluster_manager.active_clusters").set(static_cast<int64_t>(table.entries().size()));
}

}  // namespace weir::upstream
