// Enumerations of the Proxy-Wasm ABI; the numbers are the wire's.
#pragma once

#include <cstdint>

namespace weir::wasm {

enum class Status : uint32_t {
  kOk = 0,
  kNotFound = 1,
  kBadArgument = 2,
  kSerializationFailure = 3,
  kParseFailure = 4,
  kInvalidMemoryAccess = 6,
  kEmpty = 7,
  kCasMismatch = 8,
  kInternalFailure = 10,
  kUnimplemented = 12,
};

enum class MapType : uint32_t {
  kRequestHeaders = 0,
  kRequestTrailers = 1,
  kResponseHeaders = 2,
  kResponseTrailers = 3,
  kGrpcInitialMetadata = 4,
  kGrpcTrailingMetadata = 5,
  kCalloutHeaders = 6,
  kCalloutTrailers = 7,
};
inline constexpr uint32_t kMapTypes = 8;

enum class BufferType : uint32_t {
  kRequestBody = 0,
  kResponseBody = 1,
  kDownstreamData = 2,
  kUpstreamData = 3,
  kCalloutBody = 4,
  kGrpcMessage = 5,
  kVmConfiguration = 6,
  kPluginConfiguration = 7,
  kCallData = 8,
  kRedisReply = 9,  // Higress
};
inline constexpr uint32_t kBufferTypes = 10;

enum class MetricType : uint32_t { kCounter = 0, kGauge = 1, kHistogram = 2 };

/// The two low bits of a callout's id.
enum class CalloutKind : uint32_t { kHttp = 0, kGrpcCall = 1, kGrpcStream = 2, kRedis = 3 };
inline constexpr uint32_t kCalloutKinds = 4;
constexpr CalloutKind callout_kind(uint32_t id) noexcept {
  return static_cast<CalloutKind>(id % kCalloutKinds);
}

/// WASI preview 1.
enum class Errno : uint32_t {
  kOk = 0,
  kBadf = 8,
  kNotdir = 20,
  kFault = 21,
  kInval = 28,
  kNoent = 44,
  kNosys = 52,
  kNotsup = 58,
  kSpipe = 70,
  kNotcapable = 76,
};

}  // namespace weir::wasm
