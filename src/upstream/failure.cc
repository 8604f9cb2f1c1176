#include "upstream/failure.h"

#include "base/strings.h"

namespace weir::upstream {
namespace {

/// A stream that was refused was not acted on: no better than a connection that is not there.
Code code_of(FailureKind kind) noexcept {
  switch (kind) {
    case FailureKind::kNoHealthyHost:
      return Code::kNoHealthyHost;
    case FailureKind::kOverflow:
      return Code::kOverflow;
    case FailureKind::kLocalConnectFailure:
    case FailureKind::kRemoteConnectFailure:
      return Code::kConnectFailed;
    case FailureKind::kConnectTimeout:
      return Code::kConnectTimeout;
    case FailureKind::kConnectionTermination:
    case FailureKind::kRemoteRefused:
      return Code::kClosed;
    case FailureKind::kRemoteReset:
      return Code::kReset;
    case FailureKind::kProtocolError:
      return Code::kProtocol;
  }
  return Code::kReset;
}

}  // namespace

Failure failure_of(const Error& error) {
  const bool cut = error.code == Code::kClosed || error.code == Code::kReset ||
                   error.code == Code::kTimeout || error.code == Code::kSystem;
  return {cut ? FailureKind::kConnectionTermination : FailureKind::kProtocolError};
}

std::string_view reset_reason(FailureKind kind) noexcept {
  switch (kind) {
    case FailureKind::kNoHealthyHost:
      return "no healthy upstream";
    case FailureKind::kOverflow:
      return "overflow";
    case FailureKind::kLocalConnectFailure:
      return "local connection failure";
    case FailureKind::kRemoteConnectFailure:
      return "remote connection failure";
    case FailureKind::kConnectTimeout:
      return "connection timeout";
    case FailureKind::kConnectionTermination:
      return "connection termination";
    case FailureKind::kRemoteReset:
      return "remote reset";
    case FailureKind::kRemoteRefused:
      return "remote refused stream reset";
    case FailureKind::kProtocolError:
      return "protocol error";
  }
  return "connection termination";
}

std::string shown_reason(const std::string& detail) {
  constexpr std::string_view kCall = "connect: ";
  return detail.starts_with(kCall) ? detail.substr(kCall.size()) : detail;
}

Error error_of(const Failure& failure) {
  Error error{code_of(failure.kind), Side::kUpstream, std::string(reset_reason(failure.kind))};
  if (!failure.transport_reason.empty())
    base::append_all(error.detail, ", ", failure.transport_reason);
  return error;
}

}  // namespace weir::upstream
