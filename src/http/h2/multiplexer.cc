#include "http/h2/multiplexer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "http/h2/no_stats.h"
#include "http/rules.h"

namespace weir::http::h2 {
namespace {

/// Below this a frame is not ended early just because a slice of the body ends.
constexpr size_t kWholeSlice = 4096;
/// RFC 9113 6.5.2: what a field is taken to cost beside its texts.
constexpr size_t kFieldOverhead = 32;

template <typename Tag>
bool linked(const Stream& stream) noexcept {
  return static_cast<const base::ListNode<Tag>&>(stream).linked();
}
template <typename Tag>
void unlink(Stream& stream) noexcept {
  base::IntrusiveList<Stream, Tag>::erase(stream);
}

}  // namespace

Multiplexer::Multiplexer(Role role, const CodecOptions& codec, const Options& options,
                         const Environment& environment, Buffer& out)
    : codec_(codec),
      options_(options),
      stats_(environment.stats != nullptr ? *environment.stats : no_stats()),
      block_(codec_, options_, stats_),
      guard_(role, codec_, options_, stats_, environment.now),
      scanner_(role, guard_),
      role_(role),
      stream_limit_(environment.stream_buffer_limit),
      output_(environment.output),
      out_(out) {
  make_session();
  submit_settings();
  pump();
}

Multiplexer::~Multiplexer() = default;

void Multiplexer::abandon_streams() noexcept {
  while (!open_.empty()) {
    Stream& stream = open_.front();
    count_unsent(-static_cast<int64_t>(stream.unsent.size()));
    stats_.streams_active.dec();
    unlink<OpenTag>(stream);
  }
}

void Multiplexer::submit_settings() {
  std::array<nghttp2_settings_entry, 5> entries{};
  size_t count = 0;
  const auto add = [&entries, &count](int32_t id, uint32_t value) {
    entries[count++] = {id, value};
  };
  add(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options_.initial_stream_window_size);
  add(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
      static_cast<uint32_t>(codec_.max_header_bytes + kFieldOverhead * codec_.max_header_count));
  constexpr uint32_t kDefaultTable = 4096;
  if (options_.hpack_table_size != kDefaultTable)
    add(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, options_.hpack_table_size);
  if (role_ == Role::kClient) {
    add(NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
  } else {
    add(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options_.max_concurrent_streams);
    if (options_.allow_connect) add(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
  }
  WEIR_CHECK(nghttp2_submit_settings(session(), NGHTTP2_FLAG_NONE, entries.data(), count) == 0);
  WEIR_CHECK(nghttp2_session_set_local_window_size(
                 session(), NGHTTP2_FLAG_NONE, 0,
                 static_cast<int32_t>(options_.initial_connection_window_size)) == 0);
}

// ---- in ----------------------------------------------------------------------------------------------------

Result<void> Multiplexer::feed(Buffer& in) {
  if (feeding_) return {};
  feeding_ = true;
  while (!in.empty() && !failed_) {
    in.move_to(slice_, in.front().size());
    feed_slice();
    slice_.clear();
  }
  while (!failed_) {
    Stream* const stream = received_.empty() ? nullptr : &received_.front();
    if (stream == nullptr) break;
    deliver(*stream, stream->input_ended ? EndStream::kYes : EndStream::kNo);
  }
  if (failed_) in.clear();  // after a GOAWAY nothing is of interest
  feeding_ = false;
  pump();
  return outcome();
}

Result<void> Multiplexer::outcome() {
  if (!failed_ || std::exchange(error_told_, true)) return {};
  return fail(error_);
}

void Multiplexer::feed_slice() {
  const std::string_view bytes = slice_.front();
  Violation violation;
  const size_t good = scanner_.scan(bytes, &is_live, this, violation);
  slice_at_ = bytes.data();
  const ssize_t read =
      nghttp2_session_mem_recv(session(), reinterpret_cast<const uint8_t*>(bytes.data()), good);
  if (read < 0 && !violation) {
    if (violation_) {
      violation = violation_;
    } else if (read == NGHTTP2_ERR_FLOODED) {
      stats_.outbound_control_flood.inc();
      violation = {H2Error::kEnhanceYourCalm, "too many frames to acknowledge"};
    } else if (read == NGHTTP2_ERR_BAD_CLIENT_MAGIC) {
      violation = {H2Error::kProtocolError, "bad connection preface"};
    } else {
      violation = {H2Error::kInternalError, nghttp2_strerror(static_cast<int>(read))};
    }
  }
  if (violation) terminate(violation);
}

void Multiplexer::fail_with(std::string_view what) {
  failed_ = true;
  error_ = Error{Code::kProtocol, peer(), std::string(what)};
}

void Multiplexer::terminate(const Violation& violation) {
  if (failed_) return;
  fail_with(violation.what);
  if (violation.error != H2Error::kEnhanceYourCalm) stats_.protocol_errors.inc();
  nghttp2_session_terminate_session(session(), static_cast<uint32_t>(violation.error));
}

void Multiplexer::begin_block(const nghttp2_frame& frame) {
  const bool first = frame.headers.cat == NGHTTP2_HCAT_REQUEST;
  Stream* const stream = find(frame.hd.stream_id);
  if (stream == nullptr && !first) stats_.headers_cb_no_stream.inc();
  block_.begin(block_kind(stream, first));
}

int Multiplexer::add_field(std::string_view name, std::string_view value) {
  block_.add(name, value);
  if (!block_.bomb()) return 0;
  stats_.header_overflow.inc();
  violation_ = {H2Error::kEnhanceYourCalm, "header block far over the limits"};
  return NGHTTP2_ERR_CALLBACK_FAILURE;
}

void Multiplexer::on_frame(const nghttp2_frame& frame) {
  if (failed_) return;
  const bool ends = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  switch (frame.hd.type) {
    case NGHTTP2_DATA:
      if (Stream* stream = find(frame.hd.stream_id); stream != nullptr && ends) {
        if (stream->awaited > 0)
          return refuse_message(*stream, "body shorter than its content-length");
        stream->input_ended = true;
        deliver(*stream, EndStream::kYes);
      }
      break;
    case NGHTTP2_HEADERS: {
      Stream* stream = find(frame.hd.stream_id);
      if (stream != nullptr && linked<ReceivedTag>(*stream)) {
        deliver(*stream, EndStream::kNo);
        stream = find(frame.hd.stream_id);  // its receiver may have ended it
      }
      if (stream != nullptr && ends) stream->input_ended = true;
      block_.finish(ends ? EndStream::kYes : EndStream::kNo);
      if (stream != nullptr && stream->awaited > 0 && block_.kind() == HeadBlock::Kind::kTrailers)
        block_.fault("body shorter than its content-length");
      if (!block_.malformed_fault() || options_.override_stream_error_on_invalid_http_message) {
        on_block(frame.hd.stream_id, stream, ends ? EndStream::kYes : EndStream::kNo);
      } else {
        stats_.rx_messaging_error.inc();
        terminate({H2Error::kProtocolError, block_.malformed_fault().what});
      }
      break;
    }
    case NGHTTP2_RST_STREAM:
      stats_.rx_reset.inc();
      if (frame.rst_stream.error_code == NGHTTP2_REFUSED_STREAM) stats_.stream_refused_errors.inc();
      if (Stream* stream = find(frame.hd.stream_id)) stream->peer_reset = true;
      break;
    case NGHTTP2_PING:
      if ((frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 && frame.ping.opaque_data[0] == 0) ++pongs_;
      break;
    case NGHTTP2_SETTINGS:
      if ((frame.hd.flags & NGHTTP2_FLAG_ACK) == 0) on_settings();
      break;
    default:
      break;
  }
}

void Multiplexer::on_data(int32_t id, const char* data, size_t size) {
  if (failed_) return;
  Stream* const stream = find(id);
  credit(stream, id, size);
  if (stream == nullptr) return;
  if (stream->awaited >= 0) {
    if (size > static_cast<uint64_t>(stream->awaited))
      return refuse_message(*stream, "body longer than its content-length");
    stream->awaited -= static_cast<int64_t>(size);
  }
  // The bytes stand in the slice that is being read; those before them have been dealt with.
  slice_.drain(static_cast<size_t>(data - slice_at_));
  slice_.move_to(stream->received, size);
  slice_at_ = data + size;
  if (!linked<ReceivedTag>(*stream)) received_.push_back(*stream);
}

void Multiplexer::deliver(Stream& stream, EndStream end) {
  if (linked<ReceivedTag>(stream)) unlink<ReceivedTag>(stream);
  Buffer data = std::move(stream.received);
  on_body(stream, data, end);
}

void Multiplexer::deliver_later(Stream& stream) noexcept {
  if (!linked<ReceivedTag>(stream)) received_.push_back(stream);
}

bool Multiplexer::waiting(const Stream& stream) noexcept { return linked<ReceivedTag>(stream); }

// ---- windows -----------------------------------------------------------------------------------------------

/// A held stream keeps its own window. That of the connection goes back as long as not more waits behind held streams than the
/// connection's window is worth: one slow stream does not stop the others, and many do not take memory without bound.
void Multiplexer::credit(Stream* stream, int32_t id, size_t bytes) noexcept {
  if (stream == nullptr || stream->holds == 0) {
    nghttp2_session_consume(session(), id, bytes);
    return;
  }
  stream->unconsumed += static_cast<uint32_t>(bytes);
  held_bytes_ += bytes;
  if (held_bytes_ > options_.initial_connection_window_size) {
    owed_ += bytes;
  } else {
    nghttp2_session_consume_connection(session(), bytes);
  }
}

void Multiplexer::forget_credit(Stream& stream) noexcept {
  held_bytes_ -= std::exchange(stream.unconsumed, 0);
  if (owed_ > 0 && held_bytes_ <= options_.initial_connection_window_size)
    nghttp2_session_consume_connection(session(), std::exchange(owed_, 0));
}

void Multiplexer::release(Stream& stream) noexcept {
  if (stream.holds == 0 || --stream.holds > 0 || stream.unconsumed == 0) return;
  nghttp2_session_consume_stream(session(), stream.id, stream.unconsumed);
  forget_credit(stream);
  pump_or_wait();
}

// ---- streams -----------------------------------------------------------------------------------------------

void Multiplexer::open(Stream& stream) noexcept {
  open_.push_back(stream);
  ++active_;
  stats_.streams_active.inc();
}

void Multiplexer::close(Stream& stream) noexcept {
  if (!linked<OpenTag>(stream)) return;
  unlink<OpenTag>(stream);
  unlink<ReceivedTag>(stream);
  unlink<WaitingTag>(stream);
  unlink<ResumedTag>(stream);
  --active_;
  stats_.streams_active.dec();
  if (!stream.unsent.empty()) count_unsent(-static_cast<int64_t>(stream.unsent.size()));
  forget_credit(stream);
  if (stream.id != 0) bind(stream.id, nullptr);
  stream.reset();
}

void Multiplexer::reset(int32_t id, H2Error error) noexcept {
  nghttp2_submit_rst_stream(session(), NGHTTP2_FLAG_NONE, id, static_cast<uint32_t>(error));
}

void Multiplexer::refuse_message(Stream& stream, const char* what) {
  if (options_.override_stream_error_on_invalid_http_message)
    return reset(stream.id, H2Error::kProtocolError);
  stats_.rx_messaging_error.inc();
  terminate({H2Error::kProtocolError, what});
}

void Multiplexer::bind(int32_t id, Stream* stream) noexcept {
  nghttp2_session_set_stream_user_data(session(), id, stream);
  found_id_ = -1;
}

void Multiplexer::on_stream_close(int32_t id, uint32_t error) {
  Stream* const stream = find(id);
  found_id_ = -1;
  if (stream != nullptr && !failed_) on_closed(*stream, error);
}

// ---- out ---------------------------------------------------------------------------------------------------

void Multiplexer::pump() {
  if (feeding_ || pumping_) return;
  pumping_ = true;
  outbound_.settle(appended_, appended_ - std::min<uint64_t>(appended_, out_.size()));
  while (true) {
    const uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session(), &data);
    if (size > 0) {
      out_.append({reinterpret_cast<const char*>(data), static_cast<size_t>(size)});
      appended_ += static_cast<size_t>(size);
      continue;
    }
    if (size < 0 && !failed_) fail_with(nghttp2_strerror(static_cast<int>(size)));
    Stream* const stream = failed_ ? nullptr : resumed_.pop_front();
    if (stream == nullptr) break;
    stream->told_blocked = false;
    on_resumed(*stream);
  }
  pumping_ = false;
}

void Multiplexer::on_sent(const nghttp2_frame& frame) {
  const auto type = static_cast<FrameType>(frame.hd.type);
  guard_.on_sent(type);
  outbound_.note_frame();
  switch (frame.hd.type) {
    case NGHTTP2_GOAWAY:
      stats_.goaway_sent.inc();
      if (frame.goaway.error_code == NGHTTP2_FLOW_CONTROL_ERROR) stats_.flow_control_errors.inc();
      if (frame.goaway.error_code != NGHTTP2_NO_ERROR && !failed_) {
        stats_.protocol_errors.inc();
        fail_with(frame.goaway.opaque_data_len == 0
                      ? std::string_view("protocol error")
                      : std::string_view(reinterpret_cast<const char*>(frame.goaway.opaque_data),
                                         frame.goaway.opaque_data_len));
      }
      return;
    case NGHTTP2_RST_STREAM: {
      stats_.tx_reset.inc();
      if (frame.rst_stream.error_code == NGHTTP2_PROTOCOL_ERROR) stats_.rx_messaging_error.inc();
      if (frame.rst_stream.error_code == NGHTTP2_FLOW_CONTROL_ERROR)
        stats_.flow_control_errors.inc();
      const Violation violation =
          guard_.on_reset_sent(static_cast<uint32_t>(frame.hd.stream_id),
                               static_cast<H2Error>(frame.rst_stream.error_code));
      if (violation) terminate(violation);
      outbound_.note_control();
      break;
    }
    case NGHTTP2_PING:
    case NGHTTP2_SETTINGS:
      outbound_.note_control();
      break;
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
      if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) == 0 || failed_) break;
      if (Stream* stream = find(frame.hd.stream_id)) on_output_sent(*stream);
      break;
    default:
      break;
  }
  if (failed_) return;
  if (outbound_.control_frames() > options_.max_outbound_control_frames) {
    stats_.outbound_control_flood.inc();
    terminate({H2Error::kEnhanceYourCalm, "too many control frames that the peer does not read"});
  } else if (outbound_.frames() > options_.max_outbound_frames) {
    stats_.outbound_flood.inc();
    terminate({H2Error::kEnhanceYourCalm, "too many frames that the peer does not read"});
  }
}

void Multiplexer::declare_length(Stream& stream, const HeaderMap& headers) noexcept {
  stream.length_left = -1;
  uint64_t length = 0;
  if (const auto text = headers.get(HeaderId::kContentLength);
      text && parse_content_length(*text, length))
    stream.length_left = static_cast<int64_t>(length);
}

bool Multiplexer::send_body(Stream& stream, Buffer& data, EndStream end) {
  if (stream.output_ended) {
    data.clear();
    return true;
  }
  const auto size = static_cast<int64_t>(data.size());
  if (stream.bodiless) {
    data.clear();
  } else {
    if (stream.length_left >= 0 && size > stream.length_left) {
      data.clear();
      return false;
    }
    if (stream.length_left >= 0) stream.length_left -= size;
    count_unsent(size);
    stream.unsent.append(std::move(data));
  }
  if (end == EndStream::kYes) {
    if (!stream.bodiless && stream.length_left > 0) return false;
    stream.output_ended = true;
  }
  const int32_t id = stream.id;
  resume(stream);
  // What is over the limit waits for the peer alone.
  if (stream.unsent.size() > share())
    pump();
  else
    pump_or_wait();
  // The pump may have ended the exchange.
  if (stream.id == id && !stream.output_ended && !stream.told_blocked &&
      stream.unsent.size() > share()) {
    stream.told_blocked = true;
    on_blocked(stream);
  }
  return true;
}

bool Multiplexer::send_trailers(Stream& stream, const HeaderMap& trailers) {
  if (stream.output_ended) return true;
  if (!stream.bodiless && stream.length_left > 0) return false;
  stream.output_ended = true;
  if (!stream.bodiless && !trailers.empty()) {
    stream.has_trailers = true;
    stream.trailers.copy_from(trailers);
    stats_.trailers.inc();
  }
  resume(stream);
  pump_or_wait();
  return true;
}

void Multiplexer::resume(Stream& stream) noexcept {
  if (!stream.deferred || linked<WaitingTag>(stream)) return;
  stream.deferred = false;
  nghttp2_session_resume_data(session(), stream.id);
}

ssize_t Multiplexer::read_data(Stream& stream, size_t length, uint32_t& flags) {
  size_t size = stream.unsent.size();
  if (size == 0 && !stream.output_ended) {
    stream.deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  if (size > 0 && write_blocked_) {
    stream.deferred = true;
    waiting_.push_back(stream);
    return NGHTTP2_ERR_DEFERRED;
  }
  flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (size > length) {
    // A frame of one slice is moved as it is.
    const size_t slice = stream.unsent.front().size();
    return static_cast<ssize_t>(slice >= kWholeSlice && slice < length ? slice : length);
  }
  if (!stream.output_ended) return static_cast<ssize_t>(size);
  flags |= NGHTTP2_DATA_FLAG_EOF;
  if (stream.has_trailers) {
    fields_.clear();
    fields_.add_trailers(stream.trailers);
    if (!fields_.empty()) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      nghttp2_submit_trailer(session(), stream.id, fields_.data(), fields_.size());
    }
  }
  return static_cast<ssize_t>(size);
}

void Multiplexer::send_data(Stream& stream, const uint8_t* header, size_t length) {
  const std::string_view text(reinterpret_cast<const char*>(header), kFrameHeaderSize);
  if (length < kWholeSlice) {
    out_.append(text);
    stream.unsent.move_to(out_, length);
  } else {
    // In front of a slice there is often room for the header, behind one that was moved there is none.
    Buffer frame;
    stream.unsent.move_to(frame, length);
    frame.prepend(text);
    out_.append(std::move(frame));
  }
  appended_ += kFrameHeaderSize + length;
  count_unsent(-static_cast<int64_t>(length));
  if (stream.told_blocked && !linked<ResumedTag>(stream) && stream.unsent.size() <= share() / 2)
    resumed_.push_back(stream);
  stream.progress += static_cast<uint32_t>(length);
  if (stream.progress < kProgress) return;
  stream.progress = 0;
  on_progress(stream);
}

void Multiplexer::unblock_writes() {
  write_blocked_ = false;
  while (Stream* stream = waiting_.pop_front()) resume(*stream);
  pump();
}

bool Multiplexer::send_ping() {
  if (nghttp2_submit_ping(session(), NGHTTP2_FLAG_NONE, nullptr) != 0) return false;
  pump();
  return true;
}

}  // namespace weir::http::h2
