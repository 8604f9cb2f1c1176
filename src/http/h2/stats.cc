#include "http/h2/h2.h"
#include "http/h2/no_stats.h"

namespace weir::http::h2 {
namespace {

class NoCounter final : public Counter {
 public:
  void add(uint64_t) noexcept override {}
};
class NoGauge final : public Gauge {
 public:
  void add(int64_t) noexcept override {}
  void set(int64_t) noexcept override {}
};
class NoHistogram final : public Histogram {
 public:
  void record(uint64_t) noexcept override {}
};
class NoScope final : public StatsScope {
 public:
  Counter& counter(std::string_view) override { return counter_; }
  Gauge& gauge(std::string_view) override { return gauge_; }
  Histogram& histogram(std::string_view) override { return histogram_; }
  std::unique_ptr<StatsScope> scope(std::string_view) override {
    return std::make_unique<NoScope>();
  }

 private:
  NoCounter counter_;
  NoGauge gauge_;
  NoHistogram histogram_;
};

}  // namespace

Stats::Stats(StatsScope& scope)
    : dropped_headers_with_underscores(scope.counter("http2.dropped_headers_with_underscores")),
      goaway_sent(scope.counter("http2.goaway_sent")),
      header_overflow(scope.counter("http2.header_overflow")),
      headers_cb_no_stream(scope.counter("http2.headers_cb_no_stream")),
      inbound_continuation_frames_flood(scope.counter("http2.inbound_continuation_frames_flood")),
      inbound_empty_frames_flood(scope.counter("http2.inbound_empty_frames_flood")),
      inbound_priority_frames_flood(scope.counter("http2.inbound_priority_frames_flood")),
      inbound_window_update_frames_flood(scope.counter("http2.inbound_window_update_frames_flood")),
      inbound_settings_flood(scope.counter("http2.inbound_settings_flood")),
      inbound_ping_flood(scope.counter("http2.inbound_ping_flood")),
      keepalive_timeout(scope.counter("http2.keepalive_timeout")),
      outbound_control_flood(scope.counter("http2.outbound_control_flood")),
      outbound_flood(scope.counter("http2.outbound_flood")),
      requests_rejected_with_underscores_in_headers(
          scope.counter("http2.requests_rejected_with_underscores_in_headers")),
      rx_messaging_error(scope.counter("http2.rx_messaging_error")),
      rx_reset(scope.counter("http2.rx_reset")),
      stream_refused_errors(scope.counter("http2.stream_refused_errors")),
      stream_reset_flood(scope.counter("http2.stream_reset_flood")),
      flow_control_errors(scope.counter("http2.flow_control_errors")),
      protocol_errors(scope.counter("http2.protocol_errors")),
      trailers(scope.counter("http2.trailers")),
      tx_flush_timeout(scope.counter("http2.tx_flush_timeout")),
      tx_reset(scope.counter("http2.tx_reset")),
      streams_active(scope.gauge("http2.streams_active")),
      pending_send_bytes(scope.gauge("http2.pending_send_bytes")) {}

const Stats& no_stats() {
  static NoScope scope;
  static const Stats stats(scope);
  return stats;
}

}  // namespace weir::http::h2
