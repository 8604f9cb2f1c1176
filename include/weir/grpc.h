// gRPC over HTTP/2: texts, status codes, and the frames of messages.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <weir/buffer.h>
#include <weir/header_map.h>

namespace weir {

/// The canonical codes.
enum class GrpcCode : uint8_t {
  kOk,
  kCancelled,
  kUnknown,
  kInvalidArgument,
  kDeadlineExceeded,
  kNotFound,
  kAlreadyExists,
  kPermissionDenied,
  kResourceExhausted,
  kFailedPrecondition,
  kAborted,
  kOutOfRange,
  kUnimplemented,
  kInternal,
  kUnavailable,
  kDataLoss,
  kUnauthenticated,
};

/// How a call has ended: by the service's own word (grpc-status and grpc-message of its trailers), or by weir's where there was
/// none.
struct GrpcStatus {
  GrpcCode code = GrpcCode::kOk;
  std::string
      message{};  // any bytes: decoded, not fit for a header (grpc_message_encode) or a log as it is
};

/// Whether this is the content-type of gRPC: "application/grpc", maybe with a "+format" behind it. What has parameters is not,
/// as in Envoy.
bool is_grpc_content_type(std::string_view type) noexcept;

/// A grpc-message: what is not printable ASCII, and '%', percent-encoded.
std::string grpc_message_encode(std::string_view text);
/// What is no escape stays as it is.
std::string grpc_message_decode(std::string_view text);

/// What an answer without a grpc-status means, by its HTTP status.
GrpcCode grpc_code_of_http(int status) noexcept;
/// grpc-status and grpc-message; a status that is missing or no number of 0 to 16 is kUnknown, and the message says so.
GrpcStatus grpc_status_of(const HeaderMap& trailers);
/// grpc-timeout: in the smallest unit that eight digits are enough for.
std::string grpc_timeout(int64_t milliseconds);

/// What stands before a message of `size` bytes: a byte of flags, four of length.
std::array<char, 5> grpc_prefix(uint32_t size) noexcept;

/// The messages of one body that comes piece by piece. Keeps what has come of a message that is not whole yet: never more than
/// the limit and the last piece.
class GrpcReader {
 public:
  enum class Next : uint8_t { kMore, kMessage, kTooLarge, kCompressed };
  explicit GrpcReader(size_t max_message_bytes) noexcept : max_(max_message_bytes) {}
  /// Empties `data`.
  void add(Buffer& data) { in_.append(std::move(data)); }
  /// Moves the next whole message to `message`, which is empty. After kTooLarge and kCompressed there is no going on.
  Next next(Buffer& message);
  /// Nothing has come of a message that is not whole.
  bool at_boundary() const noexcept { return in_.empty(); }
  void clear() noexcept { in_.clear(); }

 private:
  size_t max_;
  Buffer in_;
};

}  // namespace weir
