#include "filters/http/grpc_web/grpc_web_filter.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <weir/grpc.h>

#include "filters/common/grpc.h"
#include "filters/http/grpc_web/base64.h"

namespace weir::filters {

namespace {

enum class Form : uint8_t { kBinary, kText };

/// "application/grpc-web" or "…-web-text", with a "+format" or a parameter behind it.
std::optional<Form> form_of(std::string_view type) noexcept {
  constexpr std::string_view kWeb = "application/grpc-web";
  constexpr std::string_view kText = "-text";
  if (!type.starts_with(kWeb)) return std::nullopt;
  type.remove_prefix(kWeb.size());
  const Form form = type.starts_with(kText) ? Form::kText : Form::kBinary;
  if (form == Form::kText) type.remove_prefix(kText.size());
  if (!type.empty() && type[0] != '+' && type[0] != ';') return std::nullopt;
  return form;
}

/// What a gRPC client makes of an HTTP status (gRPC's http-grpc-status-mapping).
std::string_view grpc_status_of(int http_status) noexcept {
  switch (http_status) {
    case 200:
    case 500:
      return "2";  // UNKNOWN
    case 400:
      return "13";  // INTERNAL
    case 401:
      return "16";  // UNAUTHENTICATED
    case 403:
      return "7";  // PERMISSION_DENIED
    case 404:
      return "12";  // UNIMPLEMENTED
    case 429:
    case 502:
    case 503:
    case 504:
      return "14";  // UNAVAILABLE
    default:
      return "2";
  }
}

class GrpcWebFilter final : public HttpFilter {
 public:
  Flow on_request_head(RequestHead& head, EndStream) override {
    HeaderMap& headers = head.headers;
    const auto form = form_of(headers.get(HeaderId::kContentType).value_or(""));
    if (!form) return Flow::kContinue;
    active_ = true;
    request_form_ = response_form_ = *form;
    // The client may want its answer in the other form.
    if (const auto accepted = form_of(headers.get(HeaderId::kAccept).value_or("")))
      response_form_ = *accepted;
    headers.remove(HeaderId::kContentLength);
    headers.set(HeaderId::kContentType, "application/grpc");
    headers.set(HeaderId::kTe, "trailers");
    headers.set("grpc-accept-encoding", "identity");
    return Flow::kContinue;
  }
  Flow on_request_body(Buffer& data, EndStream end) override {
    if (!active_ || request_form_ == Form::kBinary) return Flow::kContinue;
    std::string decoded;
    bool good = true;
    data.for_each_slice([this, &decoded, &good](std::string_view slice) {
      good = good && decoder_.decode(slice, decoded);
    });
    if (!good || (end == EndStream::kYes && !decoder_.complete())) return refuse(good);
    data.clear();
    data.append(decoded);
    return Flow::kContinue;
  }
  Flow on_request_trailers(HeaderMap&) override {
    if (active_ && !decoder_.complete()) return refuse(true);
    return Flow::kContinue;
  }

  Flow on_response_head(ResponseHead& head, EndStream end) override {
    if (!active_) return Flow::kContinue;
    HeaderMap& headers = head.headers;
    const bool grpc = is_grpc_content_type(headers.get(HeaderId::kContentType).value_or(""));
    if (!grpc && end == EndStream::kNo) {
      foreign_ = true;
      return Flow::kPauseHead;
    }
    if (!grpc) become_trailers_only(head, {});
    headers.set(HeaderId::kContentType, web_type());
    if (end == EndStream::kNo) headers.remove(HeaderId::kContentLength);
    return Flow::kContinue;
  }
  Flow on_response_body(Buffer& data, EndStream end) override {
    if (!active_) return Flow::kContinue;
    if (foreign_) return gather(data, end);
    if (response_form_ == Form::kBinary) return Flow::kContinue;
    std::string encoded;
    data.for_each_slice([this, &encoded](std::string_view slice) { encode(slice, encoded); });
    if (end == EndStream::kYes) encoder_.flush(encoded);
    data.clear();
    data.append(encoded);
    return Flow::kContinue;
  }
  Flow on_response_trailers(HeaderMap& trailers) override {
    if (!active_) return Flow::kContinue;
    if (foreign_) {
      finish_foreign();
    } else {
      callbacks_->add_response_body(Buffer(trailer_frame(trailers)));
    }
    trailers.remove_if([](const HeaderMap::Entry&) { return true; });
    return Flow::kContinue;
  }

 private:
  /// Of an answer that is no gRPC, so much becomes the message.
  static constexpr size_t kMessageBytes = 4096;

  std::string_view web_type() const noexcept {
    return response_form_ == Form::kText ? "application/grpc-web-text+proto"
                                         : "application/grpc-web+proto";
  }

  Flow refuse(bool letters_good) {
    LocalReply reply;
    reply.status = 400;
    reply.body = "Bad gRPC-web request, invalid base64 data.";
    reply.details =
        letters_good ? "grpc_base64_decode_failed_bad_size" : "grpc_base64_decode_failed";
    callbacks_->reply(std::move(reply));
    return Flow::kReplied;
  }

  /// A message is padded at its end, so that the client has all of it at once.
  void encode(std::string_view piece, std::string& out) {
    while (!piece.empty()) {
      const size_t size = frames_.advance(piece);
      encoder_.encode(piece.substr(0, size), out);
      if (frames_.at_boundary()) encoder_.flush(out);
      piece.remove_prefix(size);
    }
  }

  /// The trailers as the body's last message, which has the top bit of its flags set.
  std::string trailer_frame(const HeaderMap& trailers) {
    std::string fields;
    for (const HeaderMap::Entry& entry : trailers)
      fields.append(entry.name).append(":").append(entry.value).append("\r\n");
    std::string frame(1, '\x80');
    for (const int shift : {24, 16, 8, 0}) frame += static_cast<char>(fields.size() >> shift & 255);
    frame += fields;
    if (response_form_ == Form::kBinary) return frame;
    std::string out;
    encoder_.flush(out);
    encoder_.encode(frame, out);
    encoder_.flush(out);
    return out;
  }

  // ---- answers that are no gRPC, of an upstream or a filter ----

  Flow gather(Buffer& data, EndStream end) {
    const size_t room = kMessageBytes - message_.size();
    const size_t size = std::min(room, data.size());
    const size_t before = message_.size();
    message_.resize(before + size);
    data.copy_out(0, size, message_.data() + before);
    if (end == EndStream::kYes) {
      finish_foreign();
      callbacks_->continue_response();
    }
    return Flow::kDrop;
  }
  void finish_foreign() {
    ResponseHead& head = *callbacks_->response_head();
    become_trailers_only(head, message_);
    head.headers.set(HeaderId::kContentType, web_type());
    head.headers.set(HeaderId::kContentLength, "0");
    head.headers.remove(HeaderId::kContentEncoding);
  }
  static void become_trailers_only(ResponseHead& head, std::string_view message) {
    if (!head.headers.has(HeaderId::kGrpcStatus))
      head.headers.set(HeaderId::kGrpcStatus, grpc_status_of(head.status));
    if (!message.empty()) head.headers.set(HeaderId::kGrpcMessage, grpc_message_encode(message));
  }

  bool active_ = false;
  bool foreign_ = false;  // the answer is no gRPC
  Form request_form_ = Form::kBinary, response_form_ = Form::kBinary;
  Base64Decoder decoder_;
  Base64Encoder encoder_;
  GrpcFrames frames_;
  std::string message_;
};

class Factory final : public HttpFilterFactory {
 public:
  std::unique_ptr<HttpFilter> create(unsigned) const override {
    return std::make_unique<GrpcWebFilter>();
  }
};

}  // namespace

std::shared_ptr<const HttpFilterFactory> make_grpc_web(ConfigView&, FactoryContext&) {
  return std::make_shared<const Factory>();
}

}  // namespace weir::filters
