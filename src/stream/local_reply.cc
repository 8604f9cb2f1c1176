#include "stream/local_reply.h"

#include <charconv>

#include "base/strings.h"
#include "http/rules.h"

namespace weir::stream {

namespace {

/// Errors of the client's own messages; a codec says no more than the code and a detail for the log.
ErrorAnswer downstream_answer(const Error& error) noexcept {
  using enum Code;
  constexpr auto dpe = ResponseFlag::kDownstreamProtocolError;
  switch (error.code) {
    case kHeadersTooLarge:
      return {431, "Request Header Fields Too Large", "http1.headers_too_large", dpe};
    case kTooManyHeaders:
      return {431, "Request Header Fields Too Large", "http1.too_many_headers", dpe};
    case kBadVersion:
      return {426, "Upgrade Required", "low_version", dpe};
    case kNotImplemented:
      return {501, "Not Implemented", "http1.invalid_transfer_encoding", dpe};
    case kExpectationFailed:
      return {417, "Expectation Failed", "http1.unknown_expectation", dpe};
    case kForbidden:
      return {403, "Forbidden", "http1.invalid_scheme", dpe};
    case kPayloadTooLarge:
      return {413, "Payload Too Large", kRequestTooLarge, std::nullopt};
    case kTimeout:
      return {408, "request timeout", kRequestTimeout, std::nullopt};
    case kReset:
    case kClosed:
    case kCancelled:
      return {400, "", "downstream_remote_disconnect",
              ResponseFlag::kDownstreamConnectionTermination};
    default:
      return {400, "Bad Request", "http1.codec_error", dpe};
  }
}

ErrorAnswer upstream_answer(const Error& error) noexcept {
  using enum Code;
  switch (error.code) {
    case kNoHealthyHost:
      return {503, "no healthy upstream", "no_healthy_upstream", ResponseFlag::kNoHealthyUpstream};
    case kNoCluster:
      return {503, "", "cluster_not_found", ResponseFlag::kNoClusterFound};
    case kNoRoute:
      return {404, "", "route_not_found", ResponseFlag::kNoRouteFound};
    case kTimeout:
      return {504, "upstream request timeout", "response_timeout",
              ResponseFlag::kUpstreamRequestTimeout};
    case kConnectFailed:
    case kConnectTimeout:
      return {503, "", "upstream_reset_before_response_started",
              ResponseFlag::kUpstreamConnectionFailure};
    case kReset:
      return {503, "", "upstream_reset_before_response_started",
              ResponseFlag::kUpstreamRemoteReset};
    case kClosed:
      return {503, "", "upstream_reset_before_response_started",
              ResponseFlag::kUpstreamConnectionTermination};
    case kOverflow:
      return {503, "", "upstream_reset_before_response_started", ResponseFlag::kUpstreamOverflow};
    case kPayloadTooLarge:
      return {500, "Internal Server Error", kResponseTooLarge, std::nullopt};
    case kProtocol:
    case kHeadersTooLarge:
    case kTooManyHeaders:
    case kBadVersion:
    case kNotImplemented:
      return {502, "", "upstream_reset_before_response_started",
              ResponseFlag::kUpstreamProtocolError};
    default:
      return {502, "", "upstream_error", std::nullopt};
  }
}

LocalReply fixed(int status, std::string_view body, std::string_view details) {
  LocalReply reply;
  reply.status = status;
  reply.body = body;
  reply.details = details;
  return reply;
}

}  // namespace

ErrorAnswer answer_for(const Error& error) noexcept {
  if (error.side == Side::kDownstream) return downstream_answer(error);
  if (error.side == Side::kUpstream) return upstream_answer(error);
  switch (error.code) {
    case Code::kNoHealthyHost:
    case Code::kNoCluster:
    case Code::kNoRoute:
    case Code::kOverflow:
      return upstream_answer(error);
    case Code::kGuestFault:
      return {503, "", "wasm_fail_stream", std::nullopt};
    case Code::kExhausted:
      return {503, "", "overload", ResponseFlag::kOverloadManager};
    default:
      return {500, "Internal Server Error", "internal_error", std::nullopt};
  }
}

LocalReply reply_for(const Error& error, StreamInfo& info) {
  const ErrorAnswer answer = answer_for(error);
  if (answer.flag) info.set_flag(*answer.flag);
  return fixed(answer.status, answer.body, answer.details);
}

LocalReply header_timeout_reply() { return fixed(408, "request header timeout", kHeaderTimeout); }
LocalReply request_timeout_reply() { return fixed(408, "request timeout", kRequestTimeout); }

LocalReply stream_idle_reply(bool request_complete) {
  return fixed(request_complete ? 504 : 408, "stream timeout", kStreamIdleTimeout);
}

LocalReply max_duration_reply(bool request_complete) {
  return fixed(request_complete ? 504 : 408, "downstream duration timeout", kMaxDuration);
}

bool is_grpc_request(const HeaderMap& headers) noexcept {
  constexpr std::string_view kGrpc = "application/grpc";
  const auto type = headers.get(HeaderId::kContentType);
  return type && type->starts_with(kGrpc) &&
         (type->size() == kGrpc.size() || (*type)[kGrpc.size()] == '+');
}

int grpc_status_for(int http_status) noexcept {
  switch (http_status) {
    case 400:
      return 13;  // INTERNAL
    case 401:
      return 16;  // UNAUTHENTICATED
    case 403:
      return 7;  // PERMISSION_DENIED
    case 404:
      return 12;  // UNIMPLEMENTED
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;  // UNAVAILABLE
    default:
      return 2;  // UNKNOWN
  }
}

std::string grpc_message_encode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '%')
      out += c;
    else
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
  }
  return out;
}

void write_reply_fields(const LocalReply& reply, bool grpc, HeaderMap& headers) {
  for (const auto& [name, value] : reply.headers) {
    if (name == "content-length" || (grpc && name == "content-type")) continue;
    if (!http::valid_header_name(name) || !http::valid_header_value(value)) continue;
    if (name == "content-type")
      headers.set(name, value);
    else
      headers.add(name, value);
  }
}

void write_reply_body(LocalReply& reply, bool grpc, std::string_view content_type,
                      ResponseHead& head, Buffer& body) {
  HeaderMap& headers = head.headers;
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

void write_reply(LocalReply& reply, bool grpc, std::string_view content_type, ResponseHead& head,
                 Buffer& body) {
  write_reply_fields(reply, grpc, head.headers);
  write_reply_body(reply, grpc, content_type, head, body);
}

}  // namespace weir::stream
