#include "stream/local_reply.h"

#include <charconv>
#include <weir/grpc.h>

#include "base/strings.h"
#include "http/rules.h"

namespace weir::stream {

namespace {

LocalReply fixed(int status, std::string_view body, std::string_view details) {
  LocalReply reply;
  reply.status = status;
  reply.body = body;
  reply.details = details;
  return reply;
}

}  // namespace

LocalReply codec_error_reply(const Error& error, StreamInfo& info) {
  info.set_flag(ResponseFlag::kDownstreamProtocolError);
  const bool http2 = info.protocol == Protocol::kHttp2;
  switch (error.code) {
    case Code::kHeadersTooLarge:
      return fixed(431, "Request Header Fields Too Large",
                   http2 ? "http2.headers_too_large" : "http1.headers_too_large");
    case Code::kTooManyHeaders:
      return fixed(431, "Request Header Fields Too Large",
                   http2 ? "http2.too_many_headers" : "http1.too_many_headers");
    case Code::kBadVersion:
      return fixed(426, "Upgrade Required", "low_version");
    case Code::kNotImplemented:
      return fixed(501, "Not Implemented", "http1.invalid_transfer_encoding");
    case Code::kExpectationFailed:
      return fixed(417, "Expectation Failed", "http1.unknown_expectation");
    default:
      return fixed(400, "Bad Request", http2 ? "http2.codec_error" : "http1.codec_error");
  }
}

LocalReply header_timeout_reply() { return fixed(408, "request header timeout", kHeaderTimeout); }
LocalReply request_timeout_reply() { return fixed(408, "request timeout", kRequestTimeout); }

LocalReply stream_idle_reply(RequestState request) {
  return fixed(request == RequestState::kComplete ? 504 : 408, "stream timeout",
               kStreamIdleTimeout);
}

LocalReply max_duration_reply(RequestState request) {
  LocalReply reply = fixed(request == RequestState::kComplete ? 504 : 408,
                           "downstream duration timeout", kMaxDuration);
  reply.grpc_status = 4;  // DEADLINE_EXCEEDED
  return reply;
}

bool is_grpc_request(const HeaderMap& headers) noexcept {
  return is_grpc_content_type(headers.get(HeaderId::kContentType).value_or(std::string_view()));
}

int grpc_status_for(int http_status) noexcept {
  return static_cast<int>(grpc_code_of_http(http_status));
}

void write_reply_fields(const LocalReply& reply, ReplyForm form, HeaderMap& headers) {
  const bool grpc = form == ReplyForm::kGrpc;
  for (const auto& [name, value] : reply.headers) {
    if (name == "content-length" || (grpc && name == "content-type")) continue;
    if (!http::valid_header_name(name) || !http::valid_header_value(value)) continue;
    if (name == "content-type")
      headers.set(name, value);
    else
      headers.add(name, value);
  }
}

void write_reply_body(LocalReply& reply, ReplyForm form, std::string_view content_type,
                      ResponseHead& head, Buffer& body) {
  HeaderMap& headers = head.headers;
  const bool grpc = form == ReplyForm::kGrpc;
  head.status = grpc ? 200 : reply.status;
  char digits[24];
  if (grpc) {
    const int status = reply.grpc_status >= 0 ? reply.grpc_status : grpc_status_for(reply.status);
    const auto end = std::to_chars(digits, digits + sizeof digits, status).ptr;
    headers.set(HeaderId::kContentType, "application/grpc");
    headers.set(HeaderId::kGrpcStatus, std::string_view(digits, static_cast<size_t>(end - digits)));
    if (!reply.body.empty()) headers.set(HeaderId::kGrpcMessage, grpc_message_encode(reply.body));
  } else if (!reply.body.empty()) {
    const auto end = std::to_chars(digits, digits + sizeof digits, reply.body.size()).ptr;
    headers.set(HeaderId::kContentLength,
                std::string_view(digits, static_cast<size_t>(end - digits)));
    if (!headers.has(HeaderId::kContentType))
      headers.add(HeaderId::kContentType, content_type.empty() ? "text/plain" : content_type);
    body.append(reply.body);
  }
}

void write_reply(LocalReply& reply, ReplyForm form, std::string_view content_type,
                 ResponseHead& head, Buffer& body) {
  write_reply_fields(reply, form, head.headers);
  write_reply_body(reply, form, content_type, head, body);
}

}  // namespace weir::stream
