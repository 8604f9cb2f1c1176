// The callbacks that nghttp2 makes, and the session that makes them.
#include "base/check.h"
#include "http/h2/memory.h"
#include "http/h2/multiplexer.h"

namespace weir::http::h2 {

struct Callbacks {
  static Multiplexer& self(void* user) noexcept { return *static_cast<Multiplexer*>(user); }
  static std::string_view text(const uint8_t* data, size_t size) noexcept {
    return {reinterpret_cast<const char*>(data), size};
  }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
    self(user).begin_block(*frame);
    return 0;
  }
  static int header(nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size,
                    const uint8_t* value, size_t value_size, uint8_t, void* user) noexcept {
    return self(user).add_field(text(name, name_size), text(value, value_size));
  }
  static int frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
    self(user).on_frame(*frame);
    return 0;
  }
  static int data_chunk(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size,
                        void* user) noexcept {
    self(user).on_data(id, reinterpret_cast<const char*>(data), size);
    return 0;
  }
  static int frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
    self(user).on_sent(*frame);
    return 0;
  }
  static int stream_close(nghttp2_session*, int32_t id, uint32_t error, void* user) noexcept {
    self(user).on_stream_close(id, error);
    return 0;
  }
  static ssize_t read(nghttp2_session*, int32_t id, uint8_t*, size_t length, uint32_t* flags,
                      nghttp2_data_source*, void* user) noexcept {
    // An exchange may be over here and its stream still wait for its reset.
    Stream* const stream = self(user).find(id);
    return stream != nullptr ? self(user).read_data(*stream, length, *flags)
                             : ssize_t{NGHTTP2_ERR_DEFERRED};
  }
  static int send_data(nghttp2_session*, nghttp2_frame* frame, const uint8_t* header, size_t length,
                       nghttp2_data_source*, void* user) noexcept {
    Stream* const stream = self(user).find(frame->hd.stream_id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    self(user).send_data(*stream, header, length);
    return 0;
  }

  static nghttp2_session_callbacks* make() noexcept {
    nghttp2_session_callbacks* callbacks = nullptr;
    WEIR_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &data_chunk);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, &frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &stream_close);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, &send_data);
    return callbacks;
  }
};

nghttp2_data_provider Multiplexer::provider() noexcept {
  nghttp2_data_provider provider{};
  provider.read_callback = &Callbacks::read;
  return provider;
}

void Multiplexer::make_session() {
  // Copied into each session; one for the process is enough, and lives as long.
  static const nghttp2_session_callbacks* const callbacks = Callbacks::make();
  nghttp2_option* option = nullptr;
  WEIR_CHECK(nghttp2_option_new(&option) == 0);
  nghttp2_option_set_no_auto_window_update(option, 1);
  // Messages are judged by the HeadBlock and counted by the multiplexer.
  nghttp2_option_set_no_http_messaging(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_deflate_dynamic_table_size(option, options_.hpack_table_size);
  nghttp2_option_set_max_outbound_ack(option, options_.max_outbound_control_frames);
  // The guard counts resets, with the clock of the loop.
  constexpr uint64_t kNever = uint64_t{1} << 40;
  nghttp2_option_set_stream_reset_rate_limit(option, kNever, kNever);
  nghttp2_session* made = nullptr;
  const int result =
      role_ == Role::kServer
          ? nghttp2_session_server_new3(&made, callbacks, this, option, thread_memory())
          : nghttp2_session_client_new3(&made, callbacks, this, option, thread_memory());
  nghttp2_option_del(option);
  WEIR_CHECK(result == 0);
  session_.reset(made);
}

}  // namespace weir::http::h2
