// Result<T> and Error: how every layer of weir reports that something went wrong. No exceptions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <tl/expected.hpp>

namespace weir {

/// Whose fault an error is.
enum class Side : uint8_t { kDownstream, kUpstream, kLocal };

/// What went wrong. Numbers stand where a bad message of the client's gets that HTTP status (stream/local_reply.h).
enum class Code : uint8_t {
  kInternal,         // a bug or an unexpected system error
  kInvalidArgument,  // a value outside its range
  kConfig,           // the configuration author's mistake
  kNotFound,
  kProtocol,           // malformed message or framing
  kHeadersTooLarge,    // 431: header bytes over the limit
  kTooManyHeaders,     // 431: header count over the limit
  kBadVersion,         // 426: an HTTP version that is not served
  kNotImplemented,     // 501: an unknown transfer coding
  kExpectationFailed,  // 417
  kPayloadTooLarge,    // more bytes than are taken
  kConnectFailed,      // connect refused or unreachable
  kConnectTimeout,
  kReset,   // connection reset by the other side
  kClosed,  // orderly end of stream where more was due
  kTimeout,
  kTls,       // a TLS handshake or record failed: refused certificates, no common version
  kOverflow,  // a circuit breaker or limit is reached
  kNoHealthyHost,
  kNoCluster,
  kNoRoute,
  kGuestFault,  // a Wasm guest trapped, looped or handed out bad values
  kExhausted,   // a resource limit (fds, memory, ids)
  kAddressInUse,
  kSystem,  // errno in detail
};

struct Error {
  Code code = Code::kInternal;
  Side side = Side::kLocal;
  std::string detail{};  // for the log, never for the client
};

template <typename T>
using Result = tl::expected<T, Error>;

/// Makes the error half of a Result: `return fail(Code::kProtocol, Side::kDownstream, "bare LF");`
inline tl::unexpected<Error> fail(Code code, Side side, std::string_view detail) {
  return tl::unexpected<Error>(Error{code, side, std::string(detail)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

/// `WEIR_TRY(port, parse_port(text));` binds `port` to the value or returns the error.
#define WEIR_TRY(name, expr)                                                   \
  auto name##_result = (expr);                                                 \
  if (!name##_result) return tl::unexpected(std::move(name##_result).error()); \
  auto& name = *name##_result

/// Same for Result<void>.
#define WEIR_CHECKED(expr)                                                                   \
  do {                                                                                       \
    auto weir_checked_result = (expr);                                                       \
    if (!weir_checked_result) return tl::unexpected(std::move(weir_checked_result).error()); \
  } while (false)

}  // namespace weir
