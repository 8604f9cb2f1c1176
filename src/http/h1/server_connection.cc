#include "http/h1/server_connection.h"

#include <utility>

#include "http/chars.h"
#include "http/h1/h1.h"

namespace weir::http::h1 {
namespace {

/// RFC 9112 2.2 asks to forgive an empty line before a request; nobody needs more.
constexpr uint8_t kMaxEmptyLines = 1;

}  // namespace

std::unique_ptr<ServerConnection> make_server_connection(const CodecOptions& options,
                                                         ServerConnectionSink& sink, Buffer& out) {
  return std::make_unique<H1ServerConnection>(options, sink, out);
}

// ---- request half ------------------------------------------------------------------------------------------

Result<void> H1ServerConnection::decode(Buffer& in) {
  if (decoding_)
    return {};  // a callback must not decode; the caller goes on when this call has returned
  if (must_close_ || broken_) {
    in.clear();
    return {};
  }
  decoding_ = true;
  const Fault fault = advance(in);
  decoding_ = false;
  if (fault) {
    if (receiver_ == nullptr) begin_exchange();
    broken_ = true;
    closing_ = true;
    body_.clear();
    return fail(fault.code, Side::kDownstream, fault.what);
  }
  if (read_ended_ && receiver_ != nullptr && request_ != RequestPhase::kComplete)
    return on_read_end();
  return {};
}

Result<void> H1ServerConnection::on_read_end() {
  read_ended_ = true;
  if (receiver_ == nullptr || broken_ || request_ == RequestPhase::kComplete) return {};
  if (request_ == RequestPhase::kTunnel) {
    end_tunnel_request();
    return {};
  }
  broken_ = true;
  closing_ = true;
  return fail(Code::kClosed, Side::kDownstream, "connection closed in the middle of a request");
}

Fault H1ServerConnection::skip_empty_lines(Buffer& in) {
  while (!in.empty()) {
    const char c = in.front().front();
    if (half_empty_line_) {
      if (c != '\n') return malformed("bare CR before a request");
      half_empty_line_ = false;
      if (++empty_lines_ > kMaxEmptyLines) return malformed("empty lines before a request");
    } else if (c == '\r') {
      half_empty_line_ = true;
    } else {
      break;
    }
    in.drain(1);
  }
  return kNoFault;
}

void H1ServerConnection::begin_exchange() {
  request_ = RequestPhase::kHead;
  response_ = ResponsePhase::kHead;
  line_checked_ = continue_sent_ = closing_ = aborted_ = tunnel_ = false;
  empty_lines_ = 0;
  facts_ = RequestFacts();
  scanner_.reset();
  receiver_ = &sink_.on_new_request(*this);
  receiver_->request_head().clear();
}

Fault H1ServerConnection::advance(Buffer& in) {
  if (receiver_ == nullptr) {
    if (Fault fault = skip_empty_lines(in)) return fault;
    if (in.empty()) return kNoFault;
    begin_exchange();
  }
  Due due;
  if (request_ == RequestPhase::kHead) {
    HeadState state = HeadState::kIncomplete;
    if (Fault fault = read_head(in, state, due.head_bytes)) return fault;
    if (state == HeadState::kIncomplete) return kNoFault;
    due.head = true;
    decoder_.start(facts_.framing);
    request_ = facts_.asks == Switch::kNone ? RequestPhase::kBody : RequestPhase::kSwitch;
    if (request_ == RequestPhase::kSwitch) deliver(due);
    if (receiver_ != nullptr && request_ == RequestPhase::kTunnel) deliver_tunnel(in);
  } else if (request_ == RequestPhase::kTunnel) {
    deliver_tunnel(in);
    return kNoFault;
  }
  if (request_ == RequestPhase::kBody) {
    HeaderMap* const trailers =
        decoder_.kind() == BodyKind::kChunked ? &receiver_->request_trailers() : nullptr;
    if (Fault fault = decoder_.decode(in, body_, trailers, options_)) return fault;
    due.end = decoder_.ended();
    if (due.end) request_ = RequestPhase::kComplete;
    deliver(due);
  }
  // Pipelined bytes wait in `in`; more of them are not read before their turn. So does what follows a request to switch.
  const bool whole = request_ == RequestPhase::kComplete || request_ == RequestPhase::kSwitch;
  if (receiver_ != nullptr && whole && !in.empty() && !pipeline_held_) {
    pipeline_held_ = true;
    add_hold();
  }
  return kNoFault;
}

Fault H1ServerConnection::read_head(Buffer& in, HeadState& state, size_t& bytes) {
  const HeadScanner::Found found = scanner_.scan(in);
  if (found == HeadScanner::Found::kBareLf) return malformed("bare LF in a head");
  const size_t size = found == HeadScanner::Found::kEnd ? scanner_.end() : in.size();
  if (size > options_.max_header_bytes)
    return Fault{Code::kHeadersTooLarge, "request head too large"};
  if (found == HeadScanner::Found::kNothing) return check_partial_head(in);
  bytes = size;
  state = HeadState::kComplete;
  RequestHead& head = receiver_->request_head();
  char* const text = take_text(in, size, head.headers);
  return parse_request_head(text, size, scanner_.first_line(), options_, head, facts_);
}

/// A client that speaks something else may never send the empty line: what can be refused is refused now.
Fault H1ServerConnection::check_partial_head(Buffer& in) {
  if (line_checked_) return kNoFault;
  if (!chars::is(in.front().front(), chars::kToken)) return malformed("malformed method");
  const size_t length = scanner_.first_line();
  if (length == 0) return kNoFault;
  line_checked_ = true;
  RequestLine line;
  return check_request_line(in.linearize(length).substr(0, length), options_, line);
}

void H1ServerConnection::deliver(const Due& due) {
  const uint64_t serial = serial_;
  const bool bodiless = decoder_.kind() == BodyKind::kNone && facts_.asks == Switch::kNone;
  if (due.head) {
    if (!options_.answer_continue && facts_.expects_continue)
      receiver_->request_head().headers.add(HeaderId::kExpect, "100-continue");
    receiver_->on_request_head(facts_.protocol, due.head_bytes,
                               bodiless ? EndStream::kYes : EndStream::kNo);
    if (serial == serial_) maybe_send_continue();
  }
  const bool trailers = due.end && decoder_.has_trailers();
  if (serial == serial_ && !bodiless && (!body_.empty() || (due.end && !trailers)))
    receiver_->on_request_body(body_, due.end && !trailers ? EndStream::kYes : EndStream::kNo);
  if (serial == serial_ && trailers) receiver_->on_request_trailers();
  body_.clear();
}

void H1ServerConnection::deliver_tunnel(Buffer& in) {
  if (in.empty()) return;
  body_.append(std::move(in));
  receiver_->on_request_body(body_, EndStream::kNo);
  body_.clear();
}

/// The client has half-closed a tunnel. What comes the other way may go on.
void H1ServerConnection::end_tunnel_request() {
  request_ = RequestPhase::kComplete;
  const uint64_t serial = serial_;
  Buffer nothing;
  receiver_->on_request_body(nothing, EndStream::kYes);
  if (serial == serial_ && response_ == ResponsePhase::kEnded) finish_response();
}

/// Not before the receiver has seen the head: a request that is refused at once needs no body.
void H1ServerConnection::maybe_send_continue() {
  if (!options_.answer_continue || !facts_.expects_continue || continue_sent_ ||
      response_ != ResponsePhase::kHead || !decoder_.untouched())
    return;
  continue_sent_ = true;
  out_.append("HTTP/1.1 100 Continue\r\n\r\n");
}

void H1ServerConnection::hold_request() {
  if (receiver_ != nullptr) add_hold();
}

void H1ServerConnection::release_request() {
  if (receiver_ != nullptr && holds_ > (pipeline_held_ ? 1U : 0U)) remove_hold();
}

void H1ServerConnection::add_hold() {
  if (holds_++ == 0) sink_.on_hold_reading();
}

void H1ServerConnection::remove_hold() {
  if (--holds_ == 0) sink_.on_release_reading();
}

// ---- response half -----------------------------------------------------------------------------------------

void H1ServerConnection::send_informational(const ResponseHead& head) {
  if (receiver_ == nullptr || response_ != ResponsePhase::kHead ||
      facts_.protocol != Protocol::kHttp11)
    return;
  if (head.status < 100 || head.status > 199 || head.status == 101) return;
  if (head.status == 100) {
    if (continue_sent_) return;
    continue_sent_ = true;
  }
  write_response_head(head, ResponseShape(), OutgoingFacts(), options_, out_);
}

BodyFraming H1ServerConnection::response_framing(const ResponseHead& head, EndStream end,
                                                 const OutgoingFacts& facts,
                                                 LengthField& length) const {
  const bool bodiless = facts_.head_method || head.status == 304;
  BodyFraming framing;
  if (facts_.asks == Switch::kConnect && head.status / 100 == 2) {
    length = LengthField::kNone;  // RFC 9110 9.3.6: whatever comes is no body
    if (end == EndStream::kNo) framing.kind = BodyKind::kUntilClose;
  } else if (head.status == 204) {  // RFC 9110 8.6: no content-length either
    length = LengthField::kNone;
  } else if (bodiless) {
    length = facts.has_length ? LengthField::kAsGiven : LengthField::kNone;
  } else if (end == EndStream::kYes) {
    length = LengthField::kZero;
  } else if (facts.has_length) {
    length = LengthField::kAsGiven;
    framing = {BodyKind::kLength, facts.content_length};
  } else {
    length = LengthField::kNone;
    framing.kind =
        facts_.protocol == Protocol::kHttp10 ? BodyKind::kUntilClose : BodyKind::kChunked;
  }
  return framing;
}

ConnectionField H1ServerConnection::decide_connection(const BodyFraming& framing, EndStream end,
                                                      const OutgoingFacts& facts) {
  if (facts.close || draining_ || broken_ || facts_.keep_alive == KeepAlive::kNo ||
      framing.kind == BodyKind::kUntilClose ||
      (end == EndStream::kYes && request_ != RequestPhase::kComplete))
    closing_ = true;
  if (closing_) return ConnectionField::kClose;
  return facts_.protocol == Protocol::kHttp10 ? ConnectionField::kKeepAlive
                                              : ConnectionField::kNone;
}

/// The answer that turns the connection into a tunnel: no framing fields, bytes until both sides have ended.
void H1ServerConnection::send_switch(const ResponseHead& head, const OutgoingFacts& facts) {
  ResponseShape shape;
  if (facts_.asks == Switch::kUpgrade) {
    shape.connection = ConnectionField::kUpgrade;
    shape.protocol = receiver_->request_head().headers.get(HeaderId::kUpgrade).value_or("");
  }
  write_response_head(head, shape, facts, options_, out_);
  writer_.start({BodyKind::kUntilClose, 0});
  closing_ = tunnel_ = true;
  request_ = RequestPhase::kTunnel;
  release_pipeline();
}

void H1ServerConnection::send_head(const ResponseHead& head, EndStream end) {
  if (receiver_ == nullptr || response_ != ResponsePhase::kHead) return;
  response_ = ResponsePhase::kBody;
  const OutgoingFacts facts = outgoing_facts(head.headers);
  if (request_ == RequestPhase::kSwitch) {
    const bool connect = facts_.asks == Switch::kConnect;
    const bool granted = connect ? head.status / 100 == 2 : head.status == 101;
    if (granted && end == EndStream::kNo && !closing_) return send_switch(head, facts);
    // Refused: the request was an ordinary one, and what follows it may be the next. Whoever sends into a tunnel before it
    // stands may send anything, so that after a CONNECT nothing is read any more.
    request_ = RequestPhase::kComplete;
    if (connect) closing_ = true;
  }
  ResponseShape shape;
  shape.framing = response_framing(head, end, facts, shape.length);
  shape.connection = decide_connection(shape.framing, end, facts);
  write_response_head(head, shape, facts, options_, out_);
  writer_.start(shape.framing);
  if (end == EndStream::kYes) finish_response();
}

void H1ServerConnection::send_body(Buffer& data, EndStream end) {
  if (receiver_ == nullptr || response_ != ResponsePhase::kBody) {
    data.clear();
    return;
  }
  writer_.write(data, out_, end);
  if (writer_.mismatched()) closing_ = true;
  if (end == EndStream::kYes) finish_response();
}

void H1ServerConnection::send_trailers(const HeaderMap& trailers) {
  if (receiver_ == nullptr || response_ != ResponsePhase::kBody) return;
  writer_.write_trailers(trailers, out_, options_);
  if (writer_.mismatched()) closing_ = true;
  finish_response();
}

void H1ServerConnection::abort() {
  if (receiver_ == nullptr) return;
  closing_ = aborted_ = true;
  finish_response();
}

void H1ServerConnection::close_after() {
  if (receiver_ != nullptr) closing_ = true;
}

void H1ServerConnection::release_pipeline() {
  if (std::exchange(pipeline_held_, false)) remove_hold();
}

void H1ServerConnection::finish_response() {
  if (request_ == RequestPhase::kTunnel && !aborted_) {  // the client may still be sending
    response_ = ResponsePhase::kEnded;
    sink_.on_response_half_closed();
    return;
  }
  if (request_ != RequestPhase::kComplete) {
    request_incomplete_ = true;
    closing_ = true;
  }
  must_close_ = closing_;
  end_exchange();
}

void H1ServerConnection::end_exchange() {
  ++serial_;
  RequestReceiver& receiver = *receiver_;
  receiver_ = nullptr;
  pipeline_held_ = false;
  const bool held = holds_ > 0;
  holds_ = 0;
  if (held) sink_.on_release_reading();
  sink_.on_exchange_done(receiver);
}

}  // namespace weir::http::h1
