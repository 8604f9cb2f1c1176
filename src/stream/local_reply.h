// Local replies: the answers to what is wrong with a request itself, and what turns any answer into a response. What becomes of
// upstream failures stands in router/replies.h.
#pragma once

#include <string>
#include <string_view>
#include <weir/grpc.h>
#include <weir/http_filter.h>

namespace weir::stream {

/// The answer to a request that the codec refuses, with Envoy's status and text; sets the flag DPE. A connection that ends in the
/// middle of a request (kClosed) has nobody left to answer.
LocalReply codec_error_reply(const Error& error, StreamInfo& info);

// Answers with a fixed text. `details` are Envoy's.
inline constexpr std::string_view kRequestTooLarge = "request_payload_too_large";
inline constexpr std::string_view kResponseTooLarge = "response_payload_too_large";
inline constexpr std::string_view kHeaderTimeout = "request_header_timeout";
inline constexpr std::string_view kRequestTimeout = "request_overall_timeout";
inline constexpr std::string_view kStreamIdleTimeout = "stream_idle_timeout";
inline constexpr std::string_view kMaxDuration = "max_duration_timeout";
LocalReply header_timeout_reply();
LocalReply request_timeout_reply();
enum class RequestState : bool { kIncomplete, kComplete };
/// 408 while the request is incomplete, else 504.
LocalReply stream_idle_reply(RequestState request);
LocalReply max_duration_reply(RequestState request);

/// "application/grpc" or "application/grpc+…".
bool is_grpc_request(const HeaderMap& headers) noexcept;
/// The grpc-status of an HTTP status that weir answers itself with.
int grpc_status_for(int http_status) noexcept;

/// What the client's protocol makes of an answer: a response with a text, or a 200 with trailers alone.
enum class ReplyForm : bool { kText, kGrpc };

/// The fields that the answer brings along. Its framing is not its own, nor is the content-type for gRPC.
void write_reply_fields(const LocalReply& reply, ReplyForm form, HeaderMap& headers);
/// Fills `head` and `body`: text body with content-type and content-length, an empty one without; for gRPC a 200 with
/// grpc-status and grpc-message and no body. A content-type that stands there already is kept; else `content_type`, else
/// text/plain.
void write_reply_body(LocalReply& reply, ReplyForm form, std::string_view content_type,
                      ResponseHead& head, Buffer& body);
/// Both.
void write_reply(LocalReply& reply, ReplyForm form, std::string_view content_type,
                 ResponseHead& head, Buffer& body);

}  // namespace weir::stream
