#include "http/h1/client_connection.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "http/chars.h"
#include "http/h1/h1.h"

namespace weir::http::h1 {
namespace {

/// An upstream must not keep a request waiting for ever with heads that promise another.
constexpr uint8_t kMaxInformational = 10;

/// Methods for which the absence of a body is not worth a "content-length: 0" (RFC 9110 8.6).
bool usually_bodiless(std::string_view method) noexcept {
  constexpr std::array<std::string_view, 6> kMethods{"GET",     "HEAD",    "DELETE",
                                                     "OPTIONS", "CONNECT", "TRACE"};
  return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

}  // namespace

std::unique_ptr<ClientConnection> make_client_connection(const CodecOptions& options, Buffer& out) {
  return std::make_unique<H1ClientConnection>(options, out);
}

// ---- request half ------------------------------------------------------------------------------------------

RequestWriter& H1ClientConnection::start(ResponseReceiver& receiver) {
  ++serial_;
  receiver_ = &receiver;
  request_ = RequestPhase::kHead;
  response_ = ResponsePhase::kHead;
  informational_ = 0;
  head_method_ = response_started_ = connect_ = false;
  offered_.clear();
  scanner_.reset();
  return *this;
}

BodyFraming H1ClientConnection::request_framing(const RequestHead& head, EndStream end,
                                                const OutgoingFacts& facts,
                                                LengthField& length) const {
  BodyFraming framing;
  length = LengthField::kNone;
  if (end == EndStream::kYes) {
    if (facts.has_length || !usually_bodiless(head.method())) length = LengthField::kZero;
  } else if (facts.has_length) {
    length = LengthField::kAsGiven;
    framing = {BodyKind::kLength, facts.content_length};
  } else {
    framing.kind = BodyKind::kChunked;
  }
  return framing;
}

void H1ClientConnection::send_head(const RequestHead& head, EndStream end) {
  if (request_ != RequestPhase::kHead) return;
  request_ = RequestPhase::kBody;
  head_method_ = head.method() == "HEAD";
  connect_ = head.method() == "CONNECT";
  const OutgoingFacts facts = outgoing_facts(head.headers);
  RequestShape shape;
  if (end == EndStream::kNo && (connect_ || facts.upgrade)) {
    request_ = RequestPhase::kSwitch;
    if (!connect_) {
      shape.connection = ConnectionField::kUpgrade;
      offered_ = *head.headers.get(HeaderId::kUpgrade);
    }
    shape.framing.kind = BodyKind::kUntilClose;
  } else {
    shape.framing = request_framing(head, end, facts, shape.length);
  }
  write_request_head(head, shape, facts, options_, out_);
  writer_.start(shape.framing);
  if (end == EndStream::kYes) finish_request();
}

void H1ClientConnection::send_body(Buffer& data, EndStream end) {
  if (request_ != RequestPhase::kBody) {
    data.clear();
    return;
  }
  writer_.write(data, out_, end);
  if (end == EndStream::kYes) finish_request();
}

void H1ClientConnection::send_trailers(const HeaderMap& trailers) {
  if (request_ != RequestPhase::kBody) return;
  writer_.write_trailers(trailers, out_, options_);
  finish_request();
}

void H1ClientConnection::finish_request() {
  request_ = RequestPhase::kComplete;
  if (writer_.mismatched()) spoiled_ = true;
}

// ---- response half -----------------------------------------------------------------------------------------

bool H1ClientConnection::reusable() const noexcept {
  return exchange_complete() && keep_alive_ && !spoiled_;
}

void H1ClientConnection::detach() {
  ++serial_;
  receiver_ = nullptr;
  spoiled_ = true;
}

Result<void> H1ClientConnection::decode(Buffer& in) {
  if (decoding_ || in.empty()) return {};
  if (response_ != ResponsePhase::kComplete && receiver_ == nullptr) {  // detached
    in.clear();
    return {};
  }
  decoding_ = true;
  const Fault fault = advance(in);
  decoding_ = false;
  if (!fault) return {};
  spoiled_ = true;
  body_.clear();
  return fail(fault.code, Side::kUpstream, fault.what);
}

Result<void> H1ClientConnection::on_read_end() {
  spoiled_ = true;
  if (response_ == ResponsePhase::kComplete || receiver_ == nullptr) return {};
  if (response_ == ResponsePhase::kBody && decoder_.kind() == BodyKind::kUntilClose) {
    response_ = ResponsePhase::kComplete;
    Buffer nothing;
    receiver_->on_response_body(nothing, EndStream::kYes);
    return {};
  }
  return fail(Code::kClosed, Side::kUpstream, "connection closed before the response was complete");
}

Fault H1ClientConnection::advance(Buffer& in) {
  if (response_ == ResponsePhase::kComplete) {
    in.clear();
    return malformed("bytes that no request asked for");
  }
  if (request_ == RequestPhase::kHead) return malformed("response before the request");
  response_started_ = true;
  Due due;
  while (response_ == ResponsePhase::kHead) {
    HeadState state = HeadState::kIncomplete;
    if (Fault fault = read_head(in, state, due.head_bytes)) return fault;
    if (state == HeadState::kIncomplete) return kNoFault;
    if (state == HeadState::kFinal) {
      due.head = true;
      response_ = ResponsePhase::kBody;
      break;
    }
    const uint64_t serial = serial_;
    const int status = receiver_->response_head().status;
    if (status == 100 || status == 102 || status == 103) receiver_->on_informational();
    if (serial != serial_) return kNoFault;
    receiver_->response_head().clear();
    if (in.empty()) return kNoFault;
  }
  HeaderMap* const trailers =
      decoder_.kind() == BodyKind::kChunked ? &receiver_->response_trailers() : nullptr;
  if (Fault fault = decoder_.decode(in, body_, trailers, options_)) return fault;
  due.end = decoder_.ended();
  if (due.end) {
    response_ = ResponsePhase::kComplete;
    // Never the beginning of another client's answer.
    if (!in.empty()) spoiled_ = true;
    in.clear();
  }
  deliver(due);
  return kNoFault;
}

Fault H1ClientConnection::read_head(Buffer& in, HeadState& state, size_t& bytes) {
  const HeadScanner::Found found = scanner_.scan(in);
  if (found == HeadScanner::Found::kBareLf) return malformed("bare LF in a response head");
  const size_t size = found == HeadScanner::Found::kEnd ? scanner_.end() : in.size();
  if (size > options_.max_header_bytes)
    return Fault{Code::kHeadersTooLarge, "response head too large"};
  if (found == HeadScanner::Found::kNothing) {
    // Whatever does not begin like a status line will not become one (HTTP/0.9).
    constexpr std::string_view kStart = "HTTP/1.";
    const std::string_view front = in.front();
    const size_t known = std::min(front.size(), kStart.size());
    return front.substr(0, known) == kStart.substr(0, known) ? kNoFault
                                                             : malformed("malformed status line");
  }
  bytes = size;
  return parse_head(take_text(in, size, receiver_->response_head().headers), size, state);
}

/// RFC 9110 7.8, 9.3.6: only what was asked for is granted, and only by the status that says so.
bool H1ClientConnection::granted(const StatusLine& line, const HeaderMap& headers) const {
  if (connect_) return line.status / 100 == 2;
  if (request_ != RequestPhase::kSwitch || line.status != 101 || line.protocol != Protocol::kHttp11)
    return false;
  std::string_view chosen = headers.get(HeaderId::kUpgrade).value_or("");
  std::string_view offers = offered_;
  while (!chosen.empty() && !offers.empty())
    if (base::iequals(chars::next_element(offers), chosen)) return true;
  return false;
}

void H1ClientConnection::open_tunnel(HeaderMap& headers) {
  if (request_ == RequestPhase::kSwitch) request_ = RequestPhase::kBody;
  tunnel_ = spoiled_ = true;
  headers.remove(HeaderId::kContentLength);
  decoder_.start({BodyKind::kUntilClose, 0});
}

Fault H1ClientConnection::parse_head(char* text, size_t size, HeadState& state) {
  const size_t first_line = scanner_.first_line();
  StatusLine line;
  if (Fault fault = parse_status_line({text, first_line}, line)) return fault;
  ResponseHead& head = receiver_->response_head();
  head.status = line.status;
  FieldFacts facts;
  const size_t fields = first_line + 2;
  if (Fault fault = parse_fields(text + fields, size - fields, Section::kResponse, options_,
                                 head.headers, facts))
    return fault;

  if (granted(line, head.headers)) {
    state = HeadState::kFinal;
    open_tunnel(head.headers);
    return kNoFault;
  }
  const bool informational = line.status < 200;
  const BodyAllowed allowed =
      informational || head_method_ || line.status == 204 || line.status == 304 ? BodyAllowed::kNo
                                                                                : BodyAllowed::kYes;
  BodyFraming framing;
  if (Fault fault = response_framing(facts, line.protocol, allowed, framing)) return fault;
  if (informational) {
    if (line.status == 101) return malformed("101 that nobody asked for");
    if (++informational_ > kMaxInformational) return malformed("too many informational responses");
    state = HeadState::kInformational;
    scanner_.reset();
    return kNoFault;
  }
  state = HeadState::kFinal;
  if (request_ == RequestPhase::kSwitch) {
    request_ = RequestPhase::kComplete;
    // An upstream that takes a refusal for a grant would find the next request in its tunnel.
    spoiled_ = true;
  }
  keep_alive_ = (line.protocol == Protocol::kHttp11 || facts.connection_keep_alive) &&
                !facts.connection_close && framing.kind != BodyKind::kUntilClose;
  // RFC 9110 6.4.1, 9112 6.3: whoever announces a body for a 204 may send it, and it would look like the next answer.
  if (line.status == 204 && (facts.transfer_encodings > 0 || facts.content_lengths > 0) &&
      facts.content_length != "0")
    keep_alive_ = false;
  decoder_.start(framing);
  return kNoFault;
}

void H1ClientConnection::deliver(const Due& due) {
  const uint64_t serial = serial_;
  const bool bodiless = decoder_.kind() == BodyKind::kNone;
  const bool trailers = due.end && decoder_.has_trailers();
  if (due.head)
    receiver_->on_response_head(due.head_bytes, bodiless ? EndStream::kYes : EndStream::kNo);
  if (serial == serial_ && !bodiless && (!body_.empty() || (due.end && !trailers)))
    receiver_->on_response_body(body_, due.end && !trailers ? EndStream::kYes : EndStream::kNo);
  if (serial == serial_ && trailers) receiver_->on_response_trailers();
  // The callbacks may have begun another exchange, but decode() is not entered twice: the body is this one's.
  body_.clear();
}

}  // namespace weir::http::h1
