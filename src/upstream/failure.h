// Failure: why an exchange with an upstream gave no (whole) response.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::upstream {

enum class FailureKind : uint8_t {
  kNoHealthyHost,
  kOverflow,              // a circuit breaker
  kLocalConnectFailure,   // no socket to be had
  kRemoteConnectFailure,  // refused, unreachable
  kConnectTimeout,
  kConnectionTermination,  // closed or reset before the response was complete
  kProtocolError,          // the response is malformed
};

struct Failure {
  FailureKind kind = FailureKind::kConnectionTermination;
  std::string
      transport_reason{};  // "delayed connect error: Connection refused"; may be shown to the client
};

/// Envoy's words of the 503 text: "remote connection failure", "overflow" …
std::string_view reset_reason(FailureKind kind) noexcept;

}  // namespace weir::upstream
