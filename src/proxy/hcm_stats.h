// HcmStats, ListenerStats, ListenerHttpStats: every metric of the downstream side by Envoy's name, resolved once per generation.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <weir/stats.h>

#include "http/h2/h2.h"
#include "stats/status_classes.h"
#include "stats/store.h"

namespace weir::proxy {

/// "http.<stat_prefix>.*". References stay valid for the life of the process.
struct HcmStats {
  HcmStats(stats::Store& store, std::string_view stat_prefix);
  /// `scope` is "http.<stat_prefix>.".
  explicit HcmStats(StatsScope& scope);

  Counter &rq_total, &rq_completed;
  stats::StatusClasses rq_classes;
  Gauge& rq_active;
  Histogram& rq_time;
  Counter &rq_http1_total, &rq_http2_total, &rq_rx_reset, &rq_tx_reset, &rq_too_large, &rq_timeout,
      &rq_header_timeout, &rq_idle_timeout, &rq_max_duration_reached, &rq_non_relative_path,
      &rq_response_before_rq_complete, &rq_ws_on_non_ws_route, &rq_failed_path_normalization,
      &rq_redirected_with_normalized_path;
  Counter &cx_total, &cx_destroy, &cx_destroy_local, &cx_destroy_remote, &cx_destroy_active_rq,
      &cx_destroy_local_active_rq, &cx_destroy_remote_active_rq, &cx_http1_total, &cx_http2_total,
      &cx_idle_timeout, &cx_max_duration_reached, &cx_max_requests_reached, &cx_protocol_error,
      &cx_drain_close, &cx_delayed_close_timeout, &cx_rx_bytes_total, &cx_tx_bytes_total;
  Gauge &cx_active, &cx_http1_active, &cx_http2_active;
  Histogram& cx_length_ms;
  Counter& flow_control_paused_reading;
  Counter& flow_control_resumed_reading;
  Counter& rs_too_large;  // "rs_too_large": a buffered response over the limit
  Counter& cx_upgrades_total;
  Gauge& cx_upgrades_active;
  http::h2::Stats http2;
};

/// "listener.<address>.*".
struct ListenerStats {
  ListenerStats(stats::Store& store, std::string_view listener_stat_prefix);
  explicit ListenerStats(StatsScope& scope);

  Counter &cx_total, &cx_destroy, &cx_transport_timeout;
  Gauge& cx_active;
  Histogram& cx_length_ms;
  Counter &pre_cx_timeout, &no_filter_chain_match, &global_cx_overflow;
  Gauge& pre_cx_active;
};

/// "listener.<address>.http.<stat_prefix>.*".
struct ListenerHttpStats {
  ListenerHttpStats(stats::Store& store, std::string_view listener_stat_prefix,
                    std::string_view http_prefix);
  explicit ListenerHttpStats(StatsScope& scope);

  Counter& rq_completed;
  stats::StatusClasses rq_classes;
};

/// The metrics of one HttpConnectionManager. Sessions share it beyond their generation.
struct DownstreamStats {
  HcmStats http;
  ListenerHttpStats listener;
};

/// "127.0.0.1_8080": the part of a listener's stat names that stands for its address.
std::string listener_stat_name(std::string_view address);

}  // namespace weir::proxy
