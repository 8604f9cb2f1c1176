// HTTP/2 (RFC 9113): options, counters, and the two roles behind the seam of http/connection.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <weir/stats.h>
#include <weir/stream_info.h>

#include "http/connection.h"

namespace weir::http::h2 {

/// core.v3.Http2ProtocolOptions; names and defaults are Envoy's. Connection-scoped.
struct Options {
  uint32_t hpack_table_size = 4096;
  uint32_t max_concurrent_streams = 1024;
  uint32_t initial_stream_window_size = 16 * 1024 * 1024;
  uint32_t initial_connection_window_size = 24 * 1024 * 1024;
  bool allow_connect = false;  // extended CONNECT (RFC 8441) is announced and accepted
  uint32_t max_outbound_frames = 10000;
  uint32_t max_outbound_control_frames = 1000;
  uint32_t max_consecutive_inbound_frames_with_empty_payload = 1;
  uint32_t max_inbound_priority_frames_per_stream = 100;
  uint32_t max_inbound_window_update_frames_per_data_frame_sent = 10;
  uint64_t stream_reset_burst = 1000;  // RST_STREAM of either side; weir's names for the bucket
  uint64_t stream_reset_rate = 33;     // per second
  // A malformed message resets its stream alone (weir's default); false: it ends the connection, as Envoy's default does.
  bool override_stream_error_on_invalid_http_message = true;
  // connection_keepalive; 0 = off. The owner of the connection keeps the time.
  std::chrono::milliseconds keepalive_interval{0};
  std::chrono::milliseconds keepalive_timeout{0};
  std::chrono::milliseconds keepalive_idle_interval{0};
  double keepalive_jitter = 0.15;
  bool operator==(const Options&) const = default;
};

/// "http2.*" below a scope ("http.<stat_prefix>." or "cluster.<name>.").
struct Stats {
  explicit Stats(StatsScope& scope);
  Counter &dropped_headers_with_underscores, &goaway_sent, &header_overflow, &headers_cb_no_stream,
      &inbound_continuation_frames_flood, &inbound_empty_frames_flood,
      &inbound_priority_frames_flood, &inbound_window_update_frames_flood, &inbound_settings_flood,
      &inbound_ping_flood, &keepalive_timeout, &outbound_control_flood, &outbound_flood,
      &requests_rejected_with_underscores_in_headers, &rx_messaging_error, &rx_reset,
      &stream_refused_errors, &stream_reset_flood, &flow_control_errors, &protocol_errors,
      &trailers, &tx_flush_timeout, &tx_reset;
  Gauge &streams_active, &pending_send_bytes;
};

/// When the frames of what writers are given are made: inside their calls, or by flush() and decode(). Frames that are made together
/// cost less: the code that makes them stays in the processor's cache.
enum class Output : uint8_t { kAtOnce, kWhenFlushed };

/// What a connection uses of its surroundings; outlives it.
struct Environment {
  const MonotonicTime* now = nullptr;  // the loop's clock
  const Stats* stats = nullptr;        // null: nothing is counted
  size_t stream_buffer_limit =
      256 * 1024;  // unsent body of one exchange above which its sender is told to wait
  Output output = Output::kAtOnce;
};

/// Cleartext with prior knowledge or behind ALPN "h2": the bytes are the same. `out` outlives the connection.
/// An upgrade (RFC 8441 extended CONNECT) is given to receivers in the form of HTTP/1: GET with an "upgrade" header, its
/// answer 101; plain CONNECT keeps its method and has no path.
std::unique_ptr<ServerConnection> make_server_connection(const CodecOptions& codec,
                                                         const Options& options,
                                                         const Environment& environment,
                                                         ServerConnectionSink& sink, Buffer& out);
std::unique_ptr<ClientConnection> make_client_connection(const CodecOptions& codec,
                                                         const Options& options,
                                                         const Environment& environment,
                                                         Buffer& out);

}  // namespace weir::http::h2
