// Frames of HTTP/2 as they are seen before nghttp2 reads them (RFC 9113 4.1).
#pragma once

#include <cstddef>
#include <cstdint>

namespace weir::http::h2 {

enum class FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
  kPriorityUpdate = 16,  // RFC 9218 7.1
};

inline constexpr size_t kFrameHeaderSize = 9;
inline constexpr uint8_t kFlagAck = 1;
inline constexpr uint8_t kFlagEndStream = 1;
inline constexpr uint8_t kFlagEndHeaders = 4;
inline constexpr uint8_t kFlagPadded = 8;

struct FrameHeader {
  uint32_t length = 0;
  FrameType type = FrameType::kData;
  uint8_t flags = 0;
  uint32_t stream = 0;
  bool has(uint8_t flag) const noexcept { return (flags & flag) != 0; }
};

/// RFC 9113 7.
enum class H2Error : uint32_t {
  kNoError = 0,
  kProtocolError = 1,
  kInternalError = 2,
  kFlowControlError = 3,
  kStreamClosed = 5,
  kRefusedStream = 7,
  kCancel = 8,
  kEnhanceYourCalm = 11,
};

/// Why a connection has to end, or nothing. `what` is a literal.
struct Violation {
  H2Error error = H2Error::kNoError;
  const char* what = nullptr;
  explicit operator bool() const noexcept { return what != nullptr; }
};

}  // namespace weir::http::h2
