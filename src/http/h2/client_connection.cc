#include "http/h2/client_connection.h"

#include <algorithm>
#include <utility>

#include "http/chars.h"
#include "http/h2/upgrade.h"

namespace weir::http::h2 {
namespace {

/// An upstream must not keep a request waiting for ever with heads that promise another.
constexpr uint8_t kMaxInformational = 10;
/// Before its SETTINGS have come, a peer is not given more (RFC 9113 6.5.2 recommends at least this as its limit).
constexpr uint32_t kFirstStreams = 100;

}  // namespace

std::unique_ptr<ClientConnection> make_client_connection(const CodecOptions& codec,
                                                         const Options& options,
                                                         const Environment& environment,
                                                         Buffer& out) {
  return std::make_unique<H2ClientConnection>(codec, options, environment, out);
}

H2ClientConnection::H2ClientConnection(const CodecOptions& codec, const Options& options,
                                       const Environment& environment, Buffer& out)
    : Multiplexer(Role::kClient, codec, options, environment, out) {}

size_t H2ClientConnection::capacity() const noexcept {
  if (draining()) return 0;
  const uint32_t theirs = settings_seen_ ? nghttp2_session_get_remote_settings(
                                               session(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
                                         : kFirstStreams;
  const size_t limit = std::min(theirs, options_.max_concurrent_streams);
  return limit > active_ ? limit - active_ : 0;
}

bool H2ClientConnection::draining() const noexcept {
  return failed() || nghttp2_session_check_request_allowed(session()) == 0;
}

Result<void> H2ClientConnection::on_read_end() {
  if (active_ == 0 || failed()) return {};
  return fail(Code::kClosed, Side::kUpstream, "connection closed before the response was complete");
}

void H2ClientConnection::detach() {
  for (Stream& stream : open_) static_cast<ClientStream&>(stream).receiver_ = nullptr;
}

// ---- requests ----------------------------------------------------------------------------------------------

RequestWriter& H2ClientConnection::start(ResponseReceiver& receiver) {
  ClientStream& stream = pool_.take(*this);
  stream.receiver_ = &receiver;
  stream.in_use_ = true;
  stream.closed_ = false;
  stream.response_ = ClientStream::Phase::kHead;
  stream.informational_ = 0;
  stream.upgrade_.clear();
  stream.websocket_key_.clear();
  open(stream);
  return stream;
}

void H2ClientConnection::on_settings() {
  if (std::exchange(settings_seen_, true)) return;
  // Each head may end exchanges, so the search begins anew.
  while (true) {
    const auto found = std::find_if(open_.begin(), open_.end(), [](Stream& stream) {
      return static_cast<ClientStream&>(stream).waiting_ != nullptr;
    });
    if (found == open_.end()) return;
    auto& stream = static_cast<ClientStream&>(*found);
    const auto head = std::move(stream.waiting_);
    send_head(stream, *head);
  }
}

void H2ClientConnection::send_head(ClientStream& stream, const RequestHead& head) {
  const std::string_view asked = stream.output_ended ? std::string_view() : requested_upgrade(head);
  if (!asked.empty() && !settings_seen_) {
    stream.waiting_ = std::make_unique<RequestHead>();
    RequestHead& copy = *stream.waiting_;
    copy.headers.copy_from(head.headers);
    copy.set_method(head.method());
    copy.set_path(head.path());
    copy.set_authority(head.authority());
    copy.set_scheme(head.scheme());
    return;
  }
  // Who does not know extended CONNECT gets the request without its wish, as a server of HTTP/1 may read it (RFC 9110 7.8).
  const bool extended =
      !asked.empty() &&
      nghttp2_session_get_remote_settings(session(), NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
  const bool plain_connect = head.method() == "CONNECT";
  fields_.clear();
  fields_.add_known(":method", extended ? std::string_view("CONNECT") : head.method());
  if (extended) fields_.add_known(":protocol", asked);
  if (!plain_connect) {
    fields_.add_known(":scheme", head.scheme().empty() ? std::string_view("http") : head.scheme());
    fields_.add_known(":path", head.path().empty() ? std::string_view("/") : head.path());
  }
  fields_.add_known(":authority", head.authority());
  fields_.add_fields(head.headers);
  if (extended) {
    stream.upgrade_ = asked;
    stream.websocket_key_ =
        head.headers.get(HeaderId::kSecWebsocketKey).value_or(std::string_view());
    fields_.remove("sec-websocket-key");
  }
  const bool bodiless = stream.output_ended && stream.unsent.empty() && !stream.has_trailers;
  nghttp2_data_provider body = provider();
  const int32_t id =
      nghttp2_submit_request(session(), nullptr, fields_.data(), fields_.size(),
                             bodiless ? nullptr : &body, static_cast<Stream*>(&stream));
  if (id < 0) {
    stream.closed_ = true;
    return fail_exchange(
        stream, Error{Code::kClosed, Side::kUpstream, "the connection takes no more requests"},
        true);
  }
  stream.id = id;
  pump_or_wait();
}

void ClientStream::send_head(const RequestHead& head, EndStream end) {
  if (!in_use_ || head_sent) return;
  head_sent = true;
  head_method_ = head.method() == "HEAD";
  connect_ = head.method() == "CONNECT";
  connection_.declare_length(*this, head.headers);
  output_ended = end == EndStream::kYes;
  connection_.send_head(*this, head);
}

void ClientStream::send_body(Buffer& data, EndStream end) {
  if (!in_use_ || closed_) {
    data.clear();
    if (in_use_ && end == EndStream::kYes) {
      output_ended = true;
      connection_.maybe_free(*this);
    }
    return;
  }
  if (!connection_.Multiplexer::send_body(*this, data, end)) {
    connection_.reset(id, H2Error::kInternalError);
    connection_.pump_or_wait();
    return;
  }
  connection_.maybe_free(*this);
}

void ClientStream::send_trailers(const HeaderMap& fields) {
  if (!in_use_) return;
  if (closed_) {
    output_ended = true;
  } else if (!connection_.Multiplexer::send_trailers(*this, fields)) {
    connection_.reset(id, H2Error::kInternalError);
    connection_.pump_or_wait();
    return;
  }
  connection_.maybe_free(*this);
}

void ClientStream::abort() {
  if (in_use_) connection_.abort(*this);
}

void ClientStream::hold_response() {
  if (in_use_) connection_.hold(*this);
}

void ClientStream::release_response() {
  if (in_use_) connection_.release(*this);
}

// ---- responses ---------------------------------------------------------------------------------------------

HeadBlock::Kind H2ClientConnection::block_kind(Stream* stream, bool) {
  const bool head = stream == nullptr ||
                    static_cast<ClientStream*>(stream)->response_ == ClientStream::Phase::kHead;
  return head ? HeadBlock::Kind::kResponse : HeadBlock::Kind::kTrailers;
}

void H2ClientConnection::on_block(int32_t id, Stream* base, EndStream end) {
  if (base == nullptr) return;
  auto& stream = static_cast<ClientStream&>(*base);
  response_started_ = true;
  const Fault fault = block_.malformed_fault() ? block_.malformed_fault() : block_.refused_fault();
  if (fault) {
    const bool malformed = static_cast<bool>(block_.malformed_fault());
    if (!malformed) stats_.header_overflow.inc();
    reset(id, malformed ? H2Error::kProtocolError : H2Error::kCancel);
    return fail_exchange(stream, Error{fault.code, Side::kUpstream, fault.what}, false);
  }
  if (stream.receiver_ == nullptr) return;
  if (stream.response_ == ClientStream::Phase::kBody) {
    std::swap(stream.receiver_->response_trailers(), block_.fields());
    stats_.trailers.inc();
    ResponseReceiver& receiver = *stream.receiver_;
    stream.response_ = ClientStream::Phase::kEnded;
    end_response(stream);
    return receiver.on_response_trailers();
  }
  const int status = block_.status();
  const bool opens = status / 100 == 2 && (stream.connect_ || !stream.upgrade_.empty());
  if (status >= 200 && !opens)
    stream.awaited = stream.head_method_ || status == 204 || status == 304 ? 0 : block_.length();
  if (end == EndStream::kYes && stream.awaited > 0)
    return refuse_message(stream, "content-length without a body");
  ResponseHead& head = stream.receiver_->response_head();
  std::swap(head.headers, block_.fields());
  head.status = status;
  if (status < 200) return on_informational(stream);
  // RFC 9110 9.3.6: a tunnel has no length.
  if (opens) head.headers.remove(HeaderId::kContentLength);
  if (!stream.upgrade_.empty() && head.status == 200 && end == EndStream::kNo) show_switch(stream);
  ResponseReceiver& receiver = *stream.receiver_;
  stream.response_ = ClientStream::Phase::kBody;
  if (end == EndStream::kYes) {
    stream.response_ = ClientStream::Phase::kEnded;
    end_response(stream);
  }
  receiver.on_response_head(block_.decoded_bytes(), end);
}

void H2ClientConnection::on_informational(ClientStream& stream) {
  ResponseReceiver& receiver = *stream.receiver_;
  if (++stream.informational_ > kMaxInformational) {
    reset(stream.id, H2Error::kEnhanceYourCalm);
    return fail_exchange(
        stream, Error{Code::kProtocol, Side::kUpstream, "too many informational responses"}, false);
  }
  const int status = receiver.response_head().status;
  const int32_t id = stream.id;
  if (status == 100 || status == 102 || status == 103) receiver.on_informational();
  if (stream.id == id && stream.receiver_ == &receiver) receiver.response_head().clear();
}

/// RFC 8441 5: the 200 of an extended CONNECT is the 101 of HTTP/1.
void H2ClientConnection::show_switch(ClientStream& stream) {
  constexpr int kSwitching = 101;
  ResponseHead& head = stream.receiver_->response_head();
  head.status = kSwitching;
  head.headers.set(HeaderId::kUpgrade, stream.upgrade_);
  if (!stream.websocket_key_.empty())
    head.headers.set("sec-websocket-accept", websocket_accept(stream.websocket_key_));
}

void H2ClientConnection::on_body(Stream& base, Buffer& data, EndStream end) {
  auto& stream = static_cast<ClientStream&>(base);
  ResponseReceiver* const receiver = stream.receiver_;
  if (receiver == nullptr) return;
  if (stream.response_ == ClientStream::Phase::kHead)
    return refuse_message(stream, "body before the response");
  if (stream.response_ != ClientStream::Phase::kBody) return;
  if (end == EndStream::kYes) {
    stream.response_ = ClientStream::Phase::kEnded;
    end_response(stream);
  }
  receiver->on_response_body(data, end);
}

// ---- ends --------------------------------------------------------------------------------------------------

/// Called before the receiver is told of the end, which may start the next exchange: what is complete is out of the way then.
void H2ClientConnection::end_response(ClientStream& stream) {
  if (stream.output_ended) stream.receiver_ = nullptr;
}

/// Free when nghttp2 has done with it, the response has ended and the sender has.
void H2ClientConnection::maybe_free(ClientStream& stream) {
  if (!stream.in_use_ || !stream.closed_ || !stream.output_ended) return;
  stream.in_use_ = false;
  stream.receiver_ = nullptr;
  stream.waiting_.reset();
  close(stream);
  pool_.give(stream);
}

void H2ClientConnection::on_closed(Stream& base, uint32_t error) {
  auto& stream = static_cast<ClientStream&>(base);
  stream.closed_ = true;
  const bool complete = stream.response_ == ClientStream::Phase::kEnded;
  if (complete || stream.receiver_ == nullptr) {
    if (!complete) stream.output_ended = true;
    bind(stream.id, nullptr);
    return maybe_free(stream);
  }
  // nghttp2 closes what stands above the last stream of a GOAWAY with the same code.
  const bool unseen =
      error == NGHTTP2_REFUSED_STREAM && stream.response_ == ClientStream::Phase::kHead;
  Error what{Code::kReset, Side::kUpstream, "stream reset by the upstream"};
  if (!stream.peer_reset && !unseen)
    what = error == NGHTTP2_INTERNAL_ERROR
               ? Error{Code::kInternal, Side::kLocal, "request body that is not of its length"}
               : Error{Code::kProtocol, Side::kUpstream, "malformed response"};
  fail_exchange(stream, what, unseen);
}

void H2ClientConnection::fail_exchange(ClientStream& stream, const Error& error, bool unseen) {
  ResponseReceiver* const receiver = std::exchange(stream.receiver_, nullptr);
  stream.closed_ = stream.output_ended = true;
  maybe_free(stream);
  if (receiver != nullptr) receiver->on_exchange_reset(error, unseen);
}

void H2ClientConnection::abort(ClientStream& stream) {
  if (!stream.closed_ && stream.id != 0) reset(stream.id, H2Error::kCancel);
  stream.closed_ = stream.output_ended = true;
  maybe_free(stream);
  pump_or_wait();
}

void H2ClientConnection::on_output_sent(Stream&) {}

void H2ClientConnection::on_blocked(Stream& stream) {
  if (ResponseReceiver* receiver = static_cast<ClientStream&>(stream).receiver_)
    receiver->on_request_blocked();
}

void H2ClientConnection::on_resumed(Stream& stream) {
  if (ResponseReceiver* receiver = static_cast<ClientStream&>(stream).receiver_)
    receiver->on_request_resumed();
}

}  // namespace weir::http::h2
