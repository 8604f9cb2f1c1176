#include "http/h2/server_connection.h"

#include <utility>

namespace weir::http::h2 {
namespace {

// Decoded request heads of one connection at a time: a thousand of browsers' size.
constexpr size_t kMaxHeadBytes = 8 * 1024 * 1024;

/// For a refusal that its receiver leaves unanswered.
int status_of(Code code) noexcept {
  switch (code) {
    case Code::kHeadersTooLarge:
    case Code::kTooManyHeaders:
      return 431;
    case Code::kExpectationFailed:
      return 417;
    default:
      return 400;
  }
}

bool names_close(const HeaderMap& headers) noexcept {
  const auto value = headers.get(HeaderId::kConnection);
  return value && *value == "close";
}

}  // namespace

std::unique_ptr<ServerConnection> make_server_connection(const CodecOptions& codec,
                                                         const Options& options,
                                                         const Environment& environment,
                                                         ServerConnectionSink& sink, Buffer& out) {
  return std::make_unique<H2ServerConnection>(codec, options, environment, sink, out);
}

H2ServerConnection::H2ServerConnection(const CodecOptions& codec, const Options& options,
                                       const Environment& environment, ServerConnectionSink& sink,
                                       Buffer& out)
    : Multiplexer(Role::kServer, codec, options, environment, out), sink_(sink) {}

Result<void> H2ServerConnection::on_read_end() {
  if (active_ == 0 || failed()) return {};
  return fail(Code::kClosed, Side::kDownstream, "connection closed with requests under way");
}

void H2ServerConnection::start_drain() {
  if (std::exchange(draining_, true) || failed()) return;
  nghttp2_submit_shutdown_notice(session());
  pump_or_wait();
}

void H2ServerConnection::finish_drain() {
  if (std::exchange(drained_, true) || failed()) return;
  draining_ = true;
  nghttp2_submit_goaway(session(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session()), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  pump();
}

// ---- requests ----------------------------------------------------------------------------------------------

HeadBlock::Kind H2ServerConnection::block_kind(Stream*, bool first) {
  return first ? HeadBlock::Kind::kRequest : HeadBlock::Kind::kTrailers;
}

void H2ServerConnection::on_block(int32_t id, Stream* stream, EndStream end) {
  if (block_.kind() == HeadBlock::Kind::kRequest) return on_request(id, end);
  if (stream != nullptr) on_trailers(static_cast<ServerStream&>(*stream));
}

void H2ServerConnection::on_request(int32_t id, EndStream end) {
  if (block_.malformed_fault()) return reset(id, H2Error::kProtocolError);
  // A head that the wire's compression makes of a few bytes is held as long as its exchange lasts.
  const size_t bytes = block_.decoded_bytes();
  if (head_bytes_ + bytes > kMaxHeadBytes && active_ > 0) {
    stats_.header_overflow.inc();
    return reset(id, H2Error::kRefusedStream);
  }
  ServerStream& stream = pool_.take(*this);
  head_bytes_ += stream.head_bytes_ = bytes;
  stream.id = id;
  stream.input_ended = end == EndStream::kYes;
  stream.head_method_ = block_.request().method() == "HEAD";
  stream.upgrade_ = block_.upgrade();
  stream.asks_ =
      end == EndStream::kNo && (stream.upgrade_ || block_.request().method() == "CONNECT");
  stream.tunnel_ = stream.refused_ = stream.continue_sent_ = stream.closing_ = false;
  stream.end_told_ = end == EndStream::kYes;
  stream.closed_ = false;
  stream.awaited = block_.length();
  bind(id, &stream);
  open(stream);
  if (stream.asks_) hold(stream);
  RequestReceiver& receiver = sink_.on_new_request(stream);
  stream.receiver_ = &receiver;
  receiver.request_trailers().clear();
  std::swap(receiver.request_head(), block_.request());
  if (block_.refused_fault()) return refuse(stream);

  const bool expects_continue = block_.expects_continue() && end == EndStream::kNo;
  if (expects_continue && !codec_.answer_continue)
    receiver.request_head().headers.add(HeaderId::kExpect, "100-continue");
  receiver.on_request_head(Protocol::kHttp2, block_.decoded_bytes(), end);
  // Not before the receiver has seen the head: a request that is refused at once needs no body.
  if (expects_continue && codec_.answer_continue && stream.id == id && !stream.head_sent &&
      !std::exchange(stream.continue_sent_, true)) {
    constexpr int kContinue = 100;
    fields_.clear();
    fields_.add_status(kContinue);
    nghttp2_submit_headers(session(), NGHTTP2_FLAG_NONE, id, nullptr, fields_.data(),
                           fields_.size(), nullptr);
  }
}

void H2ServerConnection::refuse(ServerStream& stream) {
  const Fault fault = block_.refused_fault();
  if (fault.code == Code::kHeadersTooLarge || fault.code == Code::kTooManyHeaders)
    stats_.header_overflow.inc();
  if (const Violation violation = guard_.on_refusal()) return terminate(violation);
  const int32_t id = stream.id;
  stream.refused_ = true;
  stream.receiver_->on_request_refused(Error{fault.code, Side::kDownstream, fault.what});
  if (stream.id == id && !stream.head_sent) send_status(stream, status_of(fault.code));
}

void H2ServerConnection::send_status(ServerStream& stream, int status) {
  stream.head_sent = stream.output_ended = true;
  fields_.clear();
  fields_.add_status(status);
  nghttp2_submit_response(session(), stream.id, fields_.data(), fields_.size(), nullptr);
  pump_or_wait();
}

void H2ServerConnection::on_trailers(ServerStream& stream) {
  if (block_.malformed_fault()) return reset(stream.id, H2Error::kProtocolError);
  if (block_.refused_fault()) {
    stats_.header_overflow.inc();
    return reset(stream.id, H2Error::kEnhanceYourCalm);
  }
  if (stream.refused_) return;
  if (stream.asks_ || stream.tunnel_) return reset(stream.id, H2Error::kProtocolError);
  stream.end_told_ = true;
  std::swap(stream.receiver_->request_trailers(), block_.fields());
  stream.receiver_->on_request_trailers();
}

void H2ServerConnection::on_body(Stream& base, Buffer& data, EndStream end) {
  auto& stream = static_cast<ServerStream&>(base);
  if (stream.refused_) return;
  if (!stream.asks_) {
    RequestReceiver& receiver = *stream.receiver_;
    stream.end_told_ = end == EndStream::kYes;
    receiver.on_request_body(data, end);
    if (stream.receiver_ == &receiver && stream.end_told_ && stream.closed_) end_exchange(stream);
    return;
  }
  // Bytes for a tunnel that nobody has granted yet.
  stream.received = std::move(data);
  if (stream.received.size() > stream_limit()) reset(stream.id, H2Error::kEnhanceYourCalm);
}

void H2ServerConnection::answer_tunnel(ServerStream& stream, int status) {
  stream.asks_ = false;
  stream.tunnel_ = status / 100 == 2;
  stream.refused_ = !stream.tunnel_;
  const bool waiting = !stream.received.empty() || stream.input_ended;
  if (!stream.tunnel_) stream.received.clear();
  release(stream);
  if (stream.tunnel_ && waiting) deliver_later(stream);
}

// ---- ends --------------------------------------------------------------------------------------------------

void H2ServerConnection::on_closed(Stream& base, uint32_t error) {
  auto& stream = static_cast<ServerStream&>(base);
  RequestReceiver& receiver = *stream.receiver_;
  const bool clean = error == NGHTTP2_NO_ERROR && !stream.peer_reset;
  if (clean && stream.tunnel_ && stream.output_ended && stream.end_told_)
    return end_exchange(stream);
  if (clean && stream.tunnel_ && stream.output_ended && waiting(stream)) {
    // What came before the tunnel was granted is still on its way to the receiver, and the end with it.
    bind(stream.id, nullptr);
    stream.id = 0;
    stream.closed_ = true;
    return;
  }
  receiver.on_request_aborted(
      stream.peer_reset ? Error{Code::kReset, Side::kDownstream, "stream reset by the client"}
                        : Error{Code::kProtocol, Side::kDownstream, "malformed request"});
  // The receiver may have aborted it itself.
  if (stream.receiver_ == &receiver) end_exchange(stream);
}

void H2ServerConnection::on_output_sent(Stream& base) {
  auto& stream = static_cast<ServerStream&>(base);
  if (stream.tunnel_ && !stream.end_told_) return;
  // RFC 9113 8.1: the rest of the request is not wanted.
  if (!stream.input_ended) reset(stream.id, H2Error::kNoError);
  end_exchange(stream);
}

void H2ServerConnection::abort(ServerStream& stream) {
  pump();  // what was given before goes out before, and may have been all
  if (stream.receiver_ == nullptr) return;
  reset(stream.id, H2Error::kInternalError);
  end_exchange(stream);
  pump_or_wait();
}

void H2ServerConnection::end_exchange(ServerStream& stream) {
  RequestReceiver& receiver = *std::exchange(stream.receiver_, nullptr);
  const bool closing = stream.closing_;
  head_bytes_ -= stream.head_bytes_;
  close(stream);
  pool_.give(stream);
  if (closing) finish_drain();
  sink_.on_exchange_done(receiver);
}

void H2ServerConnection::on_blocked(Stream& stream) {
  static_cast<ServerStream&>(stream).receiver_->on_response_blocked();
}

void H2ServerConnection::on_resumed(Stream& stream) {
  static_cast<ServerStream&>(stream).receiver_->on_response_resumed();
}

void H2ServerConnection::on_progress(Stream& stream) {
  if (auto* receiver = static_cast<ServerStream&>(stream).receiver_; receiver != nullptr)
    receiver->on_response_progress();
}

// ---- responses ---------------------------------------------------------------------------------------------

void H2ServerConnection::send_head(ServerStream& stream, const ResponseHead& head, EndStream end) {
  stream.head_sent = true;
  int status = head.status;
  if (stream.upgrade_) {
    // RFC 8441 5: 200 says yes. A 2xx that is no switch would be taken for one.
    constexpr int kOk = 200, kSwitching = 101, kBadGateway = 502;
    if (status == kSwitching) {
      status = kOk;
    } else if (status / 100 == 2) {
      status = kBadGateway;
    }
  }
  if (status == 101) return abort(stream);  // RFC 9113 8.6
  if (names_close(head.headers)) stream.close_after();
  stream.bodiless = stream.head_method_ || status == 204 || status == 304;
  declare_length(stream, head.headers);
  // A length that no body will have.
  const bool wrong_length =
      status == 204 || (end == EndStream::kYes && !stream.bodiless && stream.length_left > 0);
  fields_.clear();
  fields_.add_status(status);
  fields_.add_fields(head.headers);
  if (wrong_length) fields_.remove("content-length");
  if (status == 200 && stream.upgrade_) fields_.remove("sec-websocket-accept");
  nghttp2_data_provider body = provider();
  stream.output_ended = end == EndStream::kYes;
  if (nghttp2_submit_response(session(), stream.id, fields_.data(), fields_.size(),
                              end == EndStream::kYes ? nullptr : &body) != 0)
    return abort(stream);
  if (!stream.asks_) return pump_or_wait();
  // The answer goes before what its receiver sends into the tunnel.
  const int32_t id = stream.id;
  pump();
  if (stream.id == id) answer_tunnel(stream, status);
}

void ServerStream::send_informational(const ResponseHead& head) {
  constexpr int kContinue = 100;
  if (receiver_ == nullptr || head_sent) return;
  if (head.status < kContinue || head.status > 199 || head.status == 101) return;
  if (head.status == kContinue && std::exchange(continue_sent_, true)) return;
  FieldList& fields = connection_.fields_;
  fields.clear();
  fields.add_status(head.status);
  fields.add_fields(head.headers);
  nghttp2_submit_headers(connection_.session(), NGHTTP2_FLAG_NONE, id, nullptr, fields.data(),
                         fields.size(), nullptr);
  connection_.pump_or_wait();
}

void ServerStream::send_head(const ResponseHead& head, EndStream end) {
  if (receiver_ != nullptr && !head_sent) connection_.send_head(*this, head, end);
}

void ServerStream::send_body(Buffer& data, EndStream end) {
  if (receiver_ == nullptr || !head_sent) {
    data.clear();
    return;
  }
  if (!connection_.Multiplexer::send_body(*this, data, end)) connection_.abort(*this);
}

void ServerStream::send_trailers(const HeaderMap& fields) {
  if (receiver_ == nullptr || !head_sent) return;
  if (!connection_.Multiplexer::send_trailers(*this, fields)) connection_.abort(*this);
}

void ServerStream::abort() {
  if (receiver_ != nullptr) connection_.abort(*this);
}

void ServerStream::hold_request() {
  if (receiver_ != nullptr) connection_.hold(*this);
}

void ServerStream::release_request() {
  if (receiver_ != nullptr) connection_.release(*this);
}

void ServerStream::close_after() {
  if (receiver_ == nullptr) return;
  closing_ = true;
  connection_.start_drain();
}

}  // namespace weir::http::h2
