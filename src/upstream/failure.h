// Failure: why an exchange with an upstream gave no (whole) response.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <weir/result.h>

namespace weir::upstream {

enum class FailureKind : uint8_t {
  kNoHealthyHost,
  kOverflow,              // a circuit breaker
  kLocalConnectFailure,   // no socket to be had
  kRemoteConnectFailure,  // refused, unreachable
  kConnectTimeout,
  kConnectionTermination,  // closed or reset before the response was complete
  kRemoteReset,            // the upstream has reset this stream
  kRemoteRefused,          // … and says that it has not acted on it
  kProtocolError,          // the response is malformed
};

/// A host was chosen, and there was no connection to it.
constexpr bool failed_to_connect(FailureKind kind) noexcept {
  return kind == FailureKind::kLocalConnectFailure || kind == FailureKind::kRemoteConnectFailure ||
         kind == FailureKind::kConnectTimeout;
}

struct Failure {
  FailureKind kind = FailureKind::kConnectionTermination;
  std::string
      transport_reason{};  // "delayed connect error: Connection refused"; may be shown to the client
};

/// What an error of a codec or a connection means for an exchange.
Failure failure_of(const Error& error);

/// Envoy's words of the 503 text: "remote connection failure", "overflow" …
std::string_view reset_reason(FailureKind kind) noexcept;

/// For who knows nothing of exchanges; the detail is reset_reason() and the transport's own.
Error error_of(const Failure& failure);

/// "connect: Connection refused" without the name of the call, for clients' eyes.
std::string shown_reason(const std::string& detail);

}  // namespace weir::upstream
