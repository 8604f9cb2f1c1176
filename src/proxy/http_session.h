// HttpSession: the HTTP state of one downstream connection.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "http/connection.h"
#include "http/keepalive.h"
#include "net/connection.h"
#include "proxy/session.h"

namespace weir::proxy {

class HttpStream;

/// Owner: its ListenerHost. Thread: its loop's. Reads bytes from the connection into the codec, which yields exchanges; each
/// gets an HttpStream that runs by the newest runtime: one at a time with HTTP/1, many with HTTP/2. Which of the two it is, the
/// configuration says, or the transport (ALPN), or the first bytes. Connection-scoped options are those of the runtime at accept.
/// Death: finish() lets go of streams and connection, then Session::end().
class HttpSession final : public Session,
                          public net::ConnectionSink,
                          public http::ServerConnectionSink {
 public:
  /// An idle HTTP/1 connection gives memory back after this pause; shorter ones cost nothing.
  static constexpr Milliseconds kRestAfter{200};

  HttpSession(SessionDeps& deps, ListenerHost& host, ChainSlot& chain,
              AcceptedConnection&& accepted);
  ~HttpSession() override;

  // Session
  void start() override;
  void start_drain() override;
  void close_if_idle() override;
  void abort() override;

  // net::ConnectionSink
  void on_data(Buffer& in, net::ReadEnd end) override;
  void on_write_blocked() override;
  void on_write_resumed() override;
  void on_error(const Error& error) override;

  // http::ServerConnectionSink
  http::RequestReceiver& on_new_request(http::ResponseWriter& writer) override;
  void on_exchange_done(http::RequestReceiver& receiver) override;
  void on_hold_reading() override;
  void on_release_reading() override;
  void on_response_half_closed() override;

  // For HttpStream.
  /// Response bytes stand in connection().out(), or frames of them are to be made: have them sent at the end of the turn.
  void response_written() {
    if (multiplexed_) return frames_due();
    connection_->written();
  }
  void count_sent(size_t bytes) noexcept {
    stats().cx_tx_bytes_total.add(bytes);
    info_.bytes_sent += bytes;
  }
  /// Bytes went either way: the stream is not idle.
  void note_activity() {
    if (stream_idle_timeout_.count() > 0)
      stream_idle_timer_.arm(deps_.loop, &on_stream_idle_timer, this, stream_idle_timeout_);
  }
  void set_stream_idle_timeout(Milliseconds timeout);
  /// Whether the connection ends with this response: max_requests_per_connection of HTTP/1.
  bool last_request() noexcept;
  bool multiplexed() const noexcept { return multiplexed_; }
  /// Frames are being read: what streams write meanwhile is counted and sent when that is done.
  bool reading_frames() const noexcept { return multiplexed_ && decoding_; }
  /// The connection is to be reset when it closes.
  void reset_on_close() noexcept { reset_due_ = true; }

 private:
  enum class State : uint8_t { kOpen, kClosing, kFinished };
  enum class Ended : uint8_t { kLocal, kRemote };

  static void on_idle_timer(void* self);
  static void on_duration_timer(void* self);
  static void on_stream_idle_timer(void* self);
  static void on_head_timer(void* self);
  const HcmStats& stats() const noexcept { return scope_->stats->http; }
  /// False: the first bytes do not say yet which protocol it is.
  bool choose_codec(Buffer& in, net::ReadEnd end);
  void make_codec(Protocol protocol);
  void decode(Buffer& in);
  void on_codec_error(const Error& error);
  void on_client_gone(std::string_view details);
  bool output_over_limit() const noexcept;
  void update_reading();
  void drop_streams();
  void arm_idle();
  void arm_duration(Milliseconds delay);
  /// Lets go of what the next request makes anew: most connections of an edge are idle.
  void rest();
  void update_head_timer();
  /// Closes if the codec says so or nothing more can come.
  void maybe_close();
  const char* ending_reason() const noexcept;
  void close_gracefully(const char* why);
  void finish(Ended ended, std::string_view why);

  // HTTP/2 (multiplexed_session.cc).
  void on_frames(Buffer& in, net::ReadEnd end);
  void on_connection_error(const Error& error);
  std::unique_ptr<HttpStream> take_stream(HttpStream& stream) noexcept;
  void end_stream(HttpStream& stream);
  void finish_drain();
  void begin_keepalive();
  void frames_due();
  void make_frames();
  void frames_made(size_t before);
  static void on_frames_due(void* self);
  static void on_ping_sent(void* self);
  static void on_ping_unanswered(void* self);

  const std::shared_ptr<const ConnectionScope> scope_;
  std::unique_ptr<http::ServerConnection> codec_;  // null before the first bytes, and at rest
  std::unique_ptr<HttpStream> stream_;             // the newest; it owns the next
  std::unique_ptr<http::KeepAlive<http::ServerConnection>>
      keepalive_;                                 // null: HTTP/1, or not wanted
  std::unique_ptr<event::EndOfTurn> frames_due_;  // null: HTTP/1
  event::Timer idle_timer_;
  event::RareTimer stream_idle_timer_;
  event::RareTimer head_timer_;
  event::RareTimer duration_timer_;
  const char* why_closed_ = nullptr;  // by us, for the log
  uint64_t requests_ = 0;
  std::chrono::duration<int32_t, std::milli> stream_idle_timeout_{0};
  uint32_t kept_bytes_ = 0;  // of the input, not yet decoded
  State state_ = State::kOpen;
  bool multiplexed_ = false;
  bool resting_ = false;        // HTTP/1 between two requests, without codec
  bool idle_for_rest_ = false;  // what idle_timer_ is armed for: rest(), or the idle timeout
  bool decoding_ = false;
  bool draining_ = false;
  bool drain_finished_ = false;  // HTTP/2: no further stream is taken
  bool expired_ = false;         // max_connection_duration is over
  bool reset_due_ = false;
  // Why the socket is not read, and whether it is.
  bool codec_holds_ = false;
  bool backlogged_ = false;   // whole requests may wait in the input: they come first
  bool output_held_ = false;  // the client does not read the answers: no further request is begun
  bool reading_held_ = false;
  bool remote_closed_ = false;
};

}  // namespace weir::proxy
