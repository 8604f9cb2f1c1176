#include "config/http2_options.h"

#include <cstdint>

namespace weir::config {
namespace {

constexpr uint32_t kMost = INT32_MAX;  // RFC 9113 6.5.2: of a window and of a stream id
constexpr uint32_t kSmallestWindow = 65535;

void read_keepalive(View& view, http::h2::Options& out) {
  auto keepalive = view.child("connection_keepalive");
  if (!keepalive) return;
  out.keepalive_interval = keepalive->millis("interval", out.keepalive_interval);
  out.keepalive_timeout = keepalive->millis("timeout", out.keepalive_timeout);
  if (!keepalive->has("timeout"))
    keepalive->missing("timeout");
  else if (out.keepalive_timeout.count() == 0)
    keepalive->error("timeout", "must be greater than 0");
  out.keepalive_idle_interval =
      keepalive->millis("connection_idle_interval", out.keepalive_idle_interval);
  if (auto jitter = keepalive->child("interval_jitter")) {
    const double percent = jitter->number("value", 0);
    if (percent < 0 || percent > 100)
      jitter->error("value", "must be between 0 and 100");
    else
      out.keepalive_jitter = percent / 100;
  }
}

}  // namespace

http::h2::Options read_http2_options(View& view) {
  http::h2::Options out;
  out.hpack_table_size = view.uint32("hpack_table_size", out.hpack_table_size);
  out.max_concurrent_streams =
      view.uint32("max_concurrent_streams", out.max_concurrent_streams, 1, kMost);
  out.initial_stream_window_size = view.uint32(
      "initial_stream_window_size", out.initial_stream_window_size, kSmallestWindow, kMost);
  out.initial_connection_window_size = view.uint32(
      "initial_connection_window_size", out.initial_connection_window_size, kSmallestWindow, kMost);
  out.allow_connect = view.boolean("allow_connect", out.allow_connect);
  out.max_outbound_frames = view.uint32("max_outbound_frames", out.max_outbound_frames, 1);
  out.max_outbound_control_frames =
      view.uint32("max_outbound_control_frames", out.max_outbound_control_frames, 1);
  out.max_consecutive_inbound_frames_with_empty_payload =
      view.uint32("max_consecutive_inbound_frames_with_empty_payload",
                  out.max_consecutive_inbound_frames_with_empty_payload);
  out.max_inbound_priority_frames_per_stream = view.uint32(
      "max_inbound_priority_frames_per_stream", out.max_inbound_priority_frames_per_stream);
  out.max_inbound_window_update_frames_per_data_frame_sent =
      view.uint32("max_inbound_window_update_frames_per_data_frame_sent",
                  out.max_inbound_window_update_frames_per_data_frame_sent, 1);
  out.stream_reset_burst = view.uint32("stream_reset_burst", 1000, 1);
  out.stream_reset_rate = view.uint32("stream_reset_rate", 33, 1);
  out.override_stream_error_on_invalid_http_message =
      view.boolean("override_stream_error_on_invalid_http_message",
                   out.override_stream_error_on_invalid_http_message);
  read_keepalive(view, out);
  if (view.boolean("allow_metadata", false))
    view.error("allow_metadata",
               "METADATA frames, an extension of Envoy's own, are not supported: they are ignored");
  view.later({"stream_error_on_invalid_http_messaging", "custom_settings_parameters",
              "use_oghttp2_codec", "max_metadata_size", "enable_huffman_encoding",
              "max_header_field_size_kb"});
  return out;
}

}  // namespace weir::config
