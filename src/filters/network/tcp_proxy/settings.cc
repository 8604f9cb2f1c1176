#include "filters/network/tcp_proxy/settings.h"

#include "base/random.h"

namespace weir::filters::tcp_proxy {

namespace {

using std::chrono::nanoseconds;

constexpr uint32_t kReadAhead = 16384;

Milliseconds read_millis(ConfigView& config, std::string_view field, Milliseconds fallback) {
  const nanoseconds value = config.duration(field, fallback);
  return std::chrono::ceil<Milliseconds>(value);
}

void read_clusters(ConfigView& config, Settings& out) {
  config.unsupported("on_demand", "clusters are not discovered on demand");
  if (config.has("on_demand")) return;
  if (config.one_of({"cluster", "weighted_clusters"}, ConfigView::Required::kYes) == "cluster") {
    out.clusters.push_back({config.required_text("cluster"), 1});
    out.total_weight = 1;
    return;
  }
  auto weighted = config.message("weighted_clusters");
  if (!weighted) return;
  for (auto& each : weighted->messages("clusters")) {
    WeightedCluster cluster;
    cluster.name = each->required_text("name");
    cluster.weight = static_cast<uint32_t>(each->integer("weight", 0, 1, UINT32_MAX));
    if (!each->has("weight")) each->missing("weight");
    each->unsupported("metadata_match", "subsets of hosts are not supported");
    out.total_weight += cluster.weight;
    out.clusters.push_back(std::move(cluster));
  }
  if (out.clusters.empty()) weighted->missing("clusters");
}

void read_log_options(ConfigView& config, Settings& out) {
  config.unsupported("access_log_flush_interval", "the field stands in \"access_log_options\" now");
  config.unsupported("flush_access_log_on_connected",
                     "the field stands in \"access_log_options\" now");
  auto options = config.message("access_log_options");
  if (!options) return;
  out.log_interval = read_millis(*options, "access_log_flush_interval", Milliseconds(0));
  if (options->has("access_log_flush_interval") && out.log_interval < Milliseconds(1))
    options->error("access_log_flush_interval", "must be at least 0.001s");
  out.log_on_connected = options->boolean("flush_access_log_on_connected", false);
  out.log_on_start = options->boolean("flush_access_log_on_start", false);
}

void read_attempts(ConfigView& config, Settings& out) {
  out.max_connect_attempts =
      static_cast<uint32_t>(config.integer("max_connect_attempts", 1, 1, UINT32_MAX));
  auto backoff = config.message("backoff_options");
  if (!backoff) return;
  if (!backoff->has("base_interval")) backoff->missing("base_interval");
  out.backoff_base = read_millis(*backoff, "base_interval", Milliseconds(0));
  if (backoff->has("base_interval") && out.backoff_base < Milliseconds(1))
    backoff->error("base_interval", "must be at least 0.001s");
  out.backoff_max = read_millis(*backoff, "max_interval", 10 * out.backoff_base);
  if (out.backoff_max < out.backoff_base)
    backoff->error("max_interval", "must not be less than \"base_interval\"");
}

void read_hash_policy(ConfigView& config, Settings& out) {
  for (auto& policy : config.messages("hash_policy")) {
    const std::string_view kind =
        policy->one_of({"source_ip", "filter_state"}, ConfigView::Required::kYes);
    HashPolicy read;
    if (kind == "source_ip") static_cast<void>(policy->message("source_ip"));
    if (kind == "filter_state") {
      auto state = policy->message("filter_state");
      if (state) read.filter_state_key = state->required_text("key");
    }
    out.hash_policy.push_back(std::move(read));
  }
  if (out.hash_policy.size() > 1) config.error("hash_policy", "at most one policy is allowed");
}

void read_duration_limit(ConfigView& config, Settings& out) {
  out.max_duration = read_millis(config, "max_downstream_connection_duration", Milliseconds(0));
  if (config.has("max_downstream_connection_duration") && out.max_duration < Milliseconds(1))
    config.error("max_downstream_connection_duration", "must be at least 0.001s");
  auto jitter = config.message("max_downstream_connection_duration_jitter_percentage");
  if (!jitter) return;
  const double percent = jitter->number("value", 0);
  if (percent < 0 || percent > 100) jitter->error("value", "must be between 0 and 100");
  out.max_duration_jitter = percent / 100;
}

void read_connect_mode(ConfigView& config, Settings& out) {
  static const std::vector<std::string_view> kModes = {"IMMEDIATE", "ON_DOWNSTREAM_DATA",
                                                       "ON_DOWNSTREAM_TLS_HANDSHAKE"};
  out.connect_mode =
      static_cast<ConnectMode>(config.enumeration("upstream_connect_mode", kModes, 0));
  out.max_early_data =
      static_cast<uint32_t>(config.integer("max_early_data_bytes", 0, 0, UINT32_MAX));
  if (out.connect_mode == ConnectMode::kOnData && !config.has("max_early_data_bytes"))
    config.error("upstream_connect_mode", "ON_DOWNSTREAM_DATA needs \"max_early_data_bytes\"");
}

}  // namespace

Stats::Stats(StatsScope& scope)
    : cx_total(scope.counter("downstream_cx_total")),
      cx_no_route(scope.counter("downstream_cx_no_route")),
      cx_tx_bytes_total(scope.counter("downstream_cx_tx_bytes_total")),
      cx_rx_bytes_total(scope.counter("downstream_cx_rx_bytes_total")),
      paused_reading(scope.counter("downstream_flow_control_paused_reading_total")),
      resumed_reading(scope.counter("downstream_flow_control_resumed_reading_total")),
      early_data(scope.counter("early_data_received_count_total")),
      idle_timeout(scope.counter("idle_timeout")),
      max_duration(scope.counter("max_downstream_connection_duration")),
      upstream_flush_total(scope.counter("upstream_flush_total")),
      tunnel_failed(scope.counter("tunnel_failed")) {}

std::shared_ptr<const Settings> Settings::read(ConfigView& config, FactoryContext& context) {
  const std::string prefix = config.required_text("stat_prefix");
  auto out = std::make_unique<Settings>(*context.stats.scope("tcp." + prefix + "."));
  read_clusters(config, *out);
  out->idle_timeout = read_millis(config, "idle_timeout", out->idle_timeout);
  out->downstream_idle_timeout = read_millis(config, "downstream_idle_timeout", Milliseconds(0));
  out->upstream_idle_timeout = read_millis(config, "upstream_idle_timeout", Milliseconds(0));
  read_log_options(config, *out);
  read_attempts(config, *out);
  read_hash_policy(config, *out);
  read_duration_limit(config, *out);
  read_connect_mode(config, *out);
  out->check_drain_close = config.boolean("check_drain_close", false);
  config.unsupported("metadata_match", "subsets of hosts are not supported");
  out->tunnel = TunnelSettings::read(config);
  // An answer may take its time: who does not read does not see either that the client has gone.
  if (out->tunnel && !config.has("max_early_data_bytes")) out->max_early_data = kReadAhead;
  config.unsupported("proxy_protocol_tlvs", "TLVs of its own are not supported");
  config.unsupported("proxy_protocol_tlv_merge_policy", "TLVs of its own are not supported");
  if (config.failed()) return nullptr;
  return out;
}

const std::string& Settings::choose_cluster() const noexcept {
  if (clusters.size() == 1) return clusters.front().name;
  uint64_t draw = base::random_below(total_weight);
  for (const WeightedCluster& cluster : clusters) {
    if (draw < cluster.weight) return cluster.name;
    draw -= cluster.weight;
  }
  return clusters.back().name;
}

}  // namespace weir::filters::tcp_proxy
