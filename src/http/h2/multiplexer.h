// What both roles of HTTP/2 share: one nghttp2 session, its frames, windows and limits.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <weir/buffer.h>
#include <weir/result.h>

#include "http/connection.h"
#include "http/h2/field_list.h"
#include "http/h2/frame_guard.h"
#include "http/h2/h2.h"
#include "http/h2/head_block.h"
#include "http/h2/outbound_ledger.h"
#include "http/h2/stream.h"

namespace weir::http::h2 {

struct SessionDeleter {
  void operator()(nghttp2_session* session) const noexcept { nghttp2_session_del(session); }
};

/// Base of the two roles.
///
/// nghttp2 is entered from two places: feed() gives it bytes, pump() takes frames from it. Neither is entered while one of them runs:
/// what receivers ask for inside their callbacks is submitted, and sent by the pump that follows. A body is never copied: it
/// is moved out of the input's slices and, with its frame headers, to the wire's buffer.
class Multiplexer {
 public:
  Multiplexer(const Multiplexer&) = delete;
  Multiplexer& operator=(const Multiplexer&) = delete;

 protected:
  Multiplexer(Role role, const CodecOptions& codec, const Options& options,
              const Environment& environment, Buffer& out);
  virtual ~Multiplexer();

  // What the roles do about what has come. No hook is called once the connection has failed.
  virtual HeadBlock::Kind block_kind(Stream* stream, bool first) = 0;
  virtual void on_block(int32_t id, Stream* stream, EndStream end) = 0;
  virtual void on_body(Stream& stream, Buffer& data, EndStream end) = 0;
  /// nghttp2 has closed the stream, whose id is no longer of use.
  virtual void on_closed(Stream& stream, uint32_t error) = 0;
  /// END_STREAM is in the wire's buffer.
  virtual void on_output_sent(Stream& stream) = 0;
  virtual void on_blocked(Stream& stream) = 0;
  virtual void on_resumed(Stream& stream) = 0;
  /// kProgress further bytes of its body went to the wire's buffer. Nothing may be asked for inside.
  virtual void on_progress(Stream&) {}
  virtual void on_settings() {}

  Result<void> feed(Buffer& in);
  /// Moves what may be sent to the wire's buffer, unless that is what is going on already.
  void pump();
  /// The end of a writer's call: pumps, or leaves it to flush().
  void pump_or_wait() {
    if (output_ == Output::kAtOnce) pump();
  }
  /// Ends the connection with a GOAWAY.
  void terminate(const Violation& violation);
  bool failed() const noexcept { return failed_; }
  /// Nothing is to be read or written any more.
  bool finished() const noexcept {
    return failed_ || (nghttp2_session_want_read(session()) == 0 &&
                       nghttp2_session_want_write(session()) == 0);
  }
  Side peer() const noexcept {
    return role_ == Role::kServer ? Side::kDownstream : Side::kUpstream;
  }

  void open(Stream& stream) noexcept;
  /// For destructors: the streams go before this base does.
  void abandon_streams() noexcept;
  /// Takes the stream out of all lists and away from nghttp2, which may still have to reset it.
  void close(Stream& stream) noexcept;
  void reset(int32_t id, H2Error error) noexcept;
  /// The peer's message breaks the rules of HTTP (RFC 9113 8.1.1): ends the stream or, as configured, the connection.
  void refuse_message(Stream& stream, const char* what);
  /// Tells nghttp2 whose stream it is; null: nobody's any more.
  void bind(int32_t id, Stream* stream) noexcept;

  // The sending half of a stream.
  static nghttp2_data_provider provider() noexcept;
  void declare_length(Stream& stream, const HeaderMap& headers) noexcept;
  /// False: more or less than the declared content-length.
  bool send_body(Stream& stream, Buffer& data, EndStream end);
  bool send_trailers(Stream& stream, const HeaderMap& trailers);
  void resume(Stream& stream) noexcept;

  // The receiving half.
  void hold(Stream& stream) noexcept { ++stream.holds; }
  void release(Stream& stream) noexcept;

  /// Delivers what is in `received`, and the end, at the end of this feed() or by the next.
  void deliver_later(Stream& stream) noexcept;
  /// Whether there is something of it to be delivered.
  static bool waiting(const Stream& stream) noexcept;
  bool anything_waits() const noexcept { return !received_.empty(); }
  size_t stream_limit() const noexcept { return stream_limit_; }

  void block_writes() noexcept { write_blocked_ = true; }
  void unblock_writes();
  bool send_ping();

  nghttp2_session* session() const noexcept { return session_.get(); }
  const CodecOptions codec_;
  const Options options_;
  const Stats& stats_;
  HeadBlock block_;
  FieldList fields_;
  uint64_t pongs_ = 0;
  size_t active_ = 0;  // in open_
  base::IntrusiveList<Stream, OpenTag> open_;
  FrameGuard guard_;
  FrameScanner scanner_;

 private:
  friend struct Callbacks;

  void make_session();
  void submit_settings();
  void feed_slice();
  void fail_with(std::string_view what);
  void deliver(Stream& stream, EndStream end);
  void credit(Stream* stream, int32_t id, size_t bytes) noexcept;
  void forget_credit(Stream& stream) noexcept;
  Result<void> outcome();
  Stream* find(int32_t id) noexcept {
    // That there is none is not kept: there may be one a frame later.
    if (id != found_id_ || found_ == nullptr) {
      found_ = static_cast<Stream*>(nghttp2_session_get_stream_user_data(session(), id));
      found_id_ = id;
    }
    return found_;
  }
  static bool is_live(void* self, uint32_t id) {
    return static_cast<Multiplexer*>(self)->find(static_cast<int32_t>(id)) != nullptr;
  }

  /// The unsent bytes of a stream above which its sender waits. A peer that opens no window must not make each of its many streams
  /// hold a full limit: when all together hold more than two, further ones get little.
  size_t share() const noexcept {
    return unsent_bytes_ > 2 * stream_limit_ ? std::min(stream_limit_, kSmallShare) : stream_limit_;
  }
  void count_unsent(int64_t change) noexcept {
    unsent_bytes_ += static_cast<size_t>(change);
    stats_.pending_send_bytes.add(change);
  }

  // From nghttp2.
  void begin_block(const nghttp2_frame& frame);
  int add_field(std::string_view name, std::string_view value);
  void on_frame(const nghttp2_frame& frame);
  void on_data(int32_t id, const char* data, size_t size);
  void on_sent(const nghttp2_frame& frame);
  ssize_t read_data(Stream& stream, size_t length, uint32_t& flags);
  void send_data(Stream& stream, const uint8_t* header, size_t length);
  void on_stream_close(int32_t id, uint32_t error);

  static constexpr size_t kSmallShare = 16 * 1024;
  static constexpr uint32_t kProgress = 16 * 1024;

  const Role role_;
  const size_t stream_limit_;
  const Output output_;
  Buffer& out_;
  std::unique_ptr<nghttp2_session, SessionDeleter> session_;
  base::IntrusiveList<Stream, ReceivedTag> received_;
  base::IntrusiveList<Stream, WaitingTag> waiting_;
  base::IntrusiveList<Stream, ResumedTag> resumed_;
  OutboundLedger outbound_;
  Buffer slice_;             // of the input, being read
  Stream* found_ = nullptr;  // what find() has found last, for found_id_
  int32_t found_id_ = -1;
  const char* slice_at_ = nullptr;  // where the rest of it begins
  size_t held_bytes_ = 0;           // sum of unconsumed
  size_t unsent_bytes_ = 0;         // of all streams
  size_t owed_ = 0;                 // bytes of the connection's window that are kept back
  uint64_t appended_ = 0;           // bytes that went to the wire's buffer
  Violation violation_;             // found inside nghttp2
  Error error_;
  bool failed_ = false;
  bool error_told_ = false;
  bool feeding_ = false;
  bool pumping_ = false;
  bool write_blocked_ = false;
};

}  // namespace weir::http::h2
