#include "proxy/hcm_stats.h"

#include "base/strings.h"

namespace weir::proxy {

HcmStats::HcmStats(stats::Store& store, std::string_view stat_prefix)
    : HcmStats(*store.scope(base::concat("http.", stat_prefix, "."))) {}

HcmStats::HcmStats(StatsScope& scope)
    : rq_total(scope.counter("downstream_rq_total")),
      rq_completed(scope.counter("downstream_rq_completed")),
      rq_classes(scope, "downstream_rq"),
      rq_active(scope.gauge("downstream_rq_active")),
      rq_time(scope.histogram("downstream_rq_time")),
      rq_http1_total(scope.counter("downstream_rq_http1_total")),
      rq_http2_total(scope.counter("downstream_rq_http2_total")),
      rq_rx_reset(scope.counter("downstream_rq_rx_reset")),
      rq_tx_reset(scope.counter("downstream_rq_tx_reset")),
      rq_too_large(scope.counter("downstream_rq_too_large")),
      rq_timeout(scope.counter("downstream_rq_timeout")),
      rq_header_timeout(scope.counter("downstream_rq_header_timeout")),
      rq_idle_timeout(scope.counter("downstream_rq_idle_timeout")),
      rq_max_duration_reached(scope.counter("downstream_rq_max_duration_reached")),
      rq_non_relative_path(scope.counter("downstream_rq_non_relative_path")),
      rq_response_before_rq_complete(scope.counter("downstream_rq_response_before_rq_complete")),
      rq_ws_on_non_ws_route(scope.counter("downstream_rq_ws_on_non_ws_route")),
      rq_failed_path_normalization(scope.counter("downstream_rq_failed_path_normalization")),
      rq_redirected_with_normalized_path(
          scope.counter("downstream_rq_redirected_with_normalized_path")),
      cx_total(scope.counter("downstream_cx_total")),
      cx_destroy(scope.counter("downstream_cx_destroy")),
      cx_destroy_local(scope.counter("downstream_cx_destroy_local")),
      cx_destroy_remote(scope.counter("downstream_cx_destroy_remote")),
      cx_destroy_active_rq(scope.counter("downstream_cx_destroy_active_rq")),
      cx_destroy_local_active_rq(scope.counter("downstream_cx_destroy_local_active_rq")),
      cx_destroy_remote_active_rq(scope.counter("downstream_cx_destroy_remote_active_rq")),
      cx_http1_total(scope.counter("downstream_cx_http1_total")),
      cx_http2_total(scope.counter("downstream_cx_http2_total")),
      cx_idle_timeout(scope.counter("downstream_cx_idle_timeout")),
      cx_max_duration_reached(scope.counter("downstream_cx_max_duration_reached")),
      cx_max_requests_reached(scope.counter("downstream_cx_max_requests_reached")),
      cx_protocol_error(scope.counter("downstream_cx_protocol_error")),
      cx_drain_close(scope.counter("downstream_cx_drain_close")),
      cx_delayed_close_timeout(scope.counter("downstream_cx_delayed_close_timeout")),
      cx_rx_bytes_total(scope.counter("downstream_cx_rx_bytes_total")),
      cx_tx_bytes_total(scope.counter("downstream_cx_tx_bytes_total")),
      cx_active(scope.gauge("downstream_cx_active")),
      cx_http1_active(scope.gauge("downstream_cx_http1_active")),
      cx_http2_active(scope.gauge("downstream_cx_http2_active")),
      cx_length_ms(scope.histogram("downstream_cx_length_ms")),
      flow_control_paused_reading(scope.counter("downstream_flow_control_paused_reading_total")),
      flow_control_resumed_reading(scope.counter("downstream_flow_control_resumed_reading_total")),
      rs_too_large(scope.counter("rs_too_large")),
      cx_upgrades_total(scope.counter("downstream_cx_upgrades_total")),
      cx_upgrades_active(scope.gauge("downstream_cx_upgrades_active")),
      http2(scope) {}

ListenerStats::ListenerStats(stats::Store& store, std::string_view listener_stat_prefix)
    : ListenerStats(*store.scope(base::concat("listener.", listener_stat_prefix, "."))) {}

ListenerStats::ListenerStats(StatsScope& scope)
    : cx_total(scope.counter("downstream_cx_total")),
      cx_destroy(scope.counter("downstream_cx_destroy")),
      cx_transport_timeout(scope.counter("downstream_cx_transport_socket_connect_timeout")),
      cx_active(scope.gauge("downstream_cx_active")),
      cx_length_ms(scope.histogram("downstream_cx_length_ms")),
      pre_cx_timeout(scope.counter("downstream_pre_cx_timeout")),
      no_filter_chain_match(scope.counter("no_filter_chain_match")),
      global_cx_overflow(scope.counter("downstream_global_cx_overflow")),
      pre_cx_active(scope.gauge("downstream_pre_cx_active")) {}

ListenerHttpStats::ListenerHttpStats(stats::Store& store, std::string_view listener_stat_prefix,
                                     std::string_view http_prefix)
    : ListenerHttpStats(*store.scope(
          base::concat("listener.", listener_stat_prefix, ".http.", http_prefix, "."))) {}

ListenerHttpStats::ListenerHttpStats(StatsScope& scope)
    : rq_completed(scope.counter("downstream_rq_completed")), rq_classes(scope, "downstream_rq") {}

std::string listener_stat_name(std::string_view address) {
  return base::replace_all(address, ":", "_");
}

}  // namespace weir::proxy
