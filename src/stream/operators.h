// The operators of formats: what "%NAME(arguments)%" reads of a stream. Private to stream/format.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "stream/format.h"

namespace weir::stream {

enum class Op : uint8_t {
  kLiteral,
  // time
  kStartTime,
  kStartTimeLocal,
  kEmitTime,
  kEmitTimeLocal,
  kDuration,
  kRequestDuration,
  kResponseDuration,
  kResponseTxDuration,
  kCommonDuration,
  // sizes
  kBytesReceived,
  kBytesSent,
  kRequestHeadersBytes,
  kResponseHeadersBytes,
  kResponseTrailersBytes,
  // outcome
  kProtocol,
  kUpstreamProtocol,
  kResponseCode,
  kResponseCodeDetails,
  kTerminationDetails,
  kFlags,
  kFlagsLong,
  kGrpcStatus,
  kGrpcStatusNumber,
  kLocalReplyBody,
  kAttemptCount,
  // headers
  kRequestHeader,
  kResponseHeader,
  kResponseTrailer,
  kPath,
  kQueryParam,
  kQueryParams,
  kRequestWithoutQuery,
  // routing
  kRouteName,
  kVirtualHostName,
  kUpstreamCluster,
  kFilterChainName,
  kListenerName,
  kAccessLogType,
  // addresses: whole, without port, port alone
  kAddress,
  kAddressHost,
  kAddressPort,
  kTransportFailure,
  kDownstreamTransportFailure,
  // TLS: `peer` says of which side, `variant` which TlsText or TlsNames
  kRequestedServerName,
  kTlsText,
  kTlsTime,
  kTlsNames,
  kConnectionId,
  kStreamId,
  // data
  kFilterState,
  kHostname,
  kUniqueId,
  kEnvironment,
  kAbsent,  // known, but nothing in this process can have a value for it
};

/// Which address an address operator reads.
enum class Peer : uint8_t {
  kDownstreamRemote,
  kDownstreamDirect,
  kDownstreamLocal,
  kUpstreamRemote,
  kUpstreamLocal
};

/// A compiled operator.
struct Operator {
  Op op = Op::kLiteral;
  Peer peer = Peer::kDownstreamRemote;
  uint8_t variant = 0;       // of grpc status texts, path kinds, duration units, facts of TLS
  uint8_t from = 0, to = 0;  // points of COMMON_DURATION
  std::string text;          // literal, header name, time format, key; for kEnvironment the value
  std::string alternative;   // second header name
};

/// Errors: kConfig with the operator's name.
Result<Operator> parse_operator(std::string_view name, std::string_view arguments,
                                bool has_arguments);
/// Appends the value as it is, not escaped. kAbsent: nothing was appended.
ValueKind append_value(const Operator& item, const FormatContext& context, std::string& out);

}  // namespace weir::stream
