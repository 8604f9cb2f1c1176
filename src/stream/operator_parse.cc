// Reads "%NAME(arguments)%" into an Operator: the table of names and what each one's arguments may be.
#include <cstdlib>
#include <iterator>
#include <optional>

#include "base/strings.h"
#include "stream/operators.h"

namespace weir::stream {

namespace {

enum class Arguments : uint8_t { kNone, kTime, kHeader, kText, kChoice, kDuration, kIgnored };

struct Entry {
  std::string_view name;
  Op op;
  Arguments arguments = Arguments::kNone;
  Peer peer = Peer::kDownstreamRemote;
  uint8_t variant = 0;
};

constexpr Entry kEntries[] = {
    {"START_TIME", Op::kStartTime, Arguments::kTime},
    {"START_TIME_LOCAL", Op::kStartTimeLocal, Arguments::kTime},
    {"EMIT_TIME", Op::kEmitTime, Arguments::kTime},
    {"EMIT_TIME_LOCAL", Op::kEmitTimeLocal, Arguments::kTime},
    {"DURATION", Op::kDuration},
    {"REQUEST_DURATION", Op::kRequestDuration},
    {"RESPONSE_DURATION", Op::kResponseDuration},
    {"RESPONSE_TX_DURATION", Op::kResponseTxDuration},
    {"COMMON_DURATION", Op::kCommonDuration, Arguments::kDuration},
    {"BYTES_RECEIVED", Op::kBytesReceived},
    {"BYTES_SENT", Op::kBytesSent},
    {"REQUEST_HEADERS_BYTES", Op::kRequestHeadersBytes},
    {"RESPONSE_HEADERS_BYTES", Op::kResponseHeadersBytes},
    {"RESPONSE_TRAILERS_BYTES", Op::kResponseTrailersBytes},
    {"PROTOCOL", Op::kProtocol},
    {"UPSTREAM_PROTOCOL", Op::kUpstreamProtocol},
    {"RESPONSE_CODE", Op::kResponseCode},
    {"RESPONSE_CODE_DETAILS", Op::kResponseCodeDetails, Arguments::kIgnored},
    {"CONNECTION_TERMINATION_DETAILS", Op::kTerminationDetails},
    {"RESPONSE_FLAGS", Op::kFlags},
    {"RESPONSE_FLAGS_LONG", Op::kFlagsLong},
    {"GRPC_STATUS", Op::kGrpcStatus, Arguments::kChoice},
    {"GRPC_STATUS_NUMBER", Op::kGrpcStatusNumber},
    {"LOCAL_REPLY_BODY", Op::kLocalReplyBody},
    {"UPSTREAM_REQUEST_ATTEMPT_COUNT", Op::kAttemptCount},
    {"REQUEST_HEADER", Op::kRequestHeader, Arguments::kHeader},
    {"REQ", Op::kRequestHeader, Arguments::kHeader},
    {"RESPONSE_HEADER", Op::kResponseHeader, Arguments::kHeader},
    {"RESP", Op::kResponseHeader, Arguments::kHeader},
    {"RESPONSE_TRAILER", Op::kResponseTrailer, Arguments::kHeader},
    {"TRAILER", Op::kResponseTrailer, Arguments::kHeader},
    {"PATH", Op::kPath, Arguments::kChoice},
    {"QUERY_PARAM", Op::kQueryParam, Arguments::kText},
    {"QUERY_PARAMS", Op::kQueryParams, Arguments::kIgnored},
    {"REQ_WITHOUT_QUERY", Op::kRequestWithoutQuery, Arguments::kHeader},
    {"ROUTE_NAME", Op::kRouteName},
    {"VIRTUAL_HOST_NAME", Op::kVirtualHostName},
    {"VIRTUAL_CLUSTER_NAME", Op::kAbsent},
    {"UPSTREAM_CLUSTER", Op::kUpstreamCluster},
    {"UPSTREAM_CLUSTER_RAW", Op::kUpstreamCluster},
    {"FILTER_CHAIN_NAME", Op::kFilterChainName},
    {"LISTENER_NAME", Op::kListenerName},
    {"ACCESS_LOG_TYPE", Op::kAccessLogType},
    {"UPSTREAM_HOST", Op::kAddress, Arguments::kNone, Peer::kUpstreamRemote},
    {"UPSTREAM_HOST_NAME", Op::kAddress, Arguments::kNone, Peer::kUpstreamRemote},
    {"UPSTREAM_HOST_NAME_WITHOUT_PORT", Op::kAddressHost, Arguments::kNone, Peer::kUpstreamRemote},
    {"UPSTREAM_REMOTE_ADDRESS", Op::kAddress, Arguments::kNone, Peer::kUpstreamRemote},
    {"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Op::kAddressHost, Arguments::kNone,
     Peer::kUpstreamRemote},
    {"UPSTREAM_REMOTE_PORT", Op::kAddressPort, Arguments::kNone, Peer::kUpstreamRemote},
    {"UPSTREAM_LOCAL_ADDRESS", Op::kAddress, Arguments::kNone, Peer::kUpstreamLocal},
    {"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Op::kAddressHost, Arguments::kNone,
     Peer::kUpstreamLocal},
    {"UPSTREAM_LOCAL_PORT", Op::kAddressPort, Arguments::kNone, Peer::kUpstreamLocal},
    {"DOWNSTREAM_REMOTE_ADDRESS", Op::kAddress, Arguments::kNone, Peer::kDownstreamRemote},
    {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", Op::kAddressHost, Arguments::kNone,
     Peer::kDownstreamRemote},
    {"DOWNSTREAM_REMOTE_PORT", Op::kAddressPort, Arguments::kNone, Peer::kDownstreamRemote},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", Op::kAddress, Arguments::kNone, Peer::kDownstreamDirect},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", Op::kAddressHost, Arguments::kNone,
     Peer::kDownstreamDirect},
    {"DOWNSTREAM_DIRECT_REMOTE_PORT", Op::kAddressPort, Arguments::kNone, Peer::kDownstreamDirect},
    {"DOWNSTREAM_LOCAL_ADDRESS", Op::kAddress, Arguments::kNone, Peer::kDownstreamLocal},
    {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", Op::kAddressHost, Arguments::kNone,
     Peer::kDownstreamLocal},
    {"DOWNSTREAM_LOCAL_PORT", Op::kAddressPort, Arguments::kNone, Peer::kDownstreamLocal},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS", Op::kAddress, Arguments::kNone, Peer::kDownstreamLocal},
    {"DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT", Op::kAddressHost, Arguments::kNone,
     Peer::kDownstreamLocal},
    {"DOWNSTREAM_DIRECT_LOCAL_PORT", Op::kAddressPort, Arguments::kNone, Peer::kDownstreamLocal},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON", Op::kTransportFailure},
    {"DOWNSTREAM_TRANSPORT_FAILURE_REASON", Op::kDownstreamTransportFailure},
    {"CONNECTION_ID", Op::kConnectionId},
    {"STREAM_ID", Op::kStreamId},
    {"REQUESTED_SERVER_NAME", Op::kRequestedServerName, Arguments::kIgnored},
    {"DOWNSTREAM_TLS_VERSION", Op::kTlsText, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsText::kVersion)},
    {"DOWNSTREAM_TLS_CIPHER", Op::kTlsText, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsText::kCipher)},
    {"DOWNSTREAM_TLS_SESSION_ID", Op::kTlsText, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsText::kSessionId)},
    {"DOWNSTREAM_PEER_SUBJECT", Op::kTlsText, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsText::kSubjectPeer)},
    {"DOWNSTREAM_PEER_ISSUER", Op::kTlsText, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsText::kIssuerPeer)},
    {"DOWNSTREAM_PEER_SERIAL", Op::kTlsText, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsText::kSerialPeer)},
    {"DOWNSTREAM_PEER_FINGERPRINT_256", Op::kTlsText, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsText::kSha256Peer)},
    {"DOWNSTREAM_PEER_FINGERPRINT_1", Op::kTlsText, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsText::kSha1Peer)},
    {"DOWNSTREAM_PEER_CERT", Op::kTlsText, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsText::kCertificatePeer)},
    {"DOWNSTREAM_LOCAL_SUBJECT", Op::kTlsText, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsText::kSubjectLocal)},
    {"DOWNSTREAM_PEER_CERT_V_START", Op::kTlsTime, Arguments::kTime, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsText::kValidFromPeer)},
    {"DOWNSTREAM_PEER_CERT_V_END", Op::kTlsTime, Arguments::kTime, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsText::kValidUntilPeer)},
    {"DOWNSTREAM_PEER_DNS_SAN", Op::kTlsNames, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsNames::kDnsPeer)},
    {"DOWNSTREAM_PEER_URI_SAN", Op::kTlsNames, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsNames::kUriPeer)},
    {"DOWNSTREAM_PEER_IP_SAN", Op::kTlsNames, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsNames::kIpPeer)},
    {"DOWNSTREAM_PEER_EMAIL_SAN", Op::kTlsNames, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsNames::kEmailPeer)},
    {"DOWNSTREAM_LOCAL_DNS_SAN", Op::kTlsNames, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsNames::kDnsLocal)},
    {"DOWNSTREAM_LOCAL_URI_SAN", Op::kTlsNames, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsNames::kUriLocal)},
    {"DOWNSTREAM_LOCAL_IP_SAN", Op::kTlsNames, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsNames::kIpLocal)},
    {"DOWNSTREAM_LOCAL_EMAIL_SAN", Op::kTlsNames, Arguments::kNone, Peer::kDownstreamRemote,
     static_cast<uint8_t>(TlsNames::kEmailLocal)},
    {"UPSTREAM_TLS_VERSION", Op::kTlsText, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsText::kVersion)},
    {"UPSTREAM_TLS_CIPHER", Op::kTlsText, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsText::kCipher)},
    {"UPSTREAM_TLS_SESSION_ID", Op::kTlsText, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsText::kSessionId)},
    {"UPSTREAM_PEER_SUBJECT", Op::kTlsText, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsText::kSubjectPeer)},
    {"UPSTREAM_PEER_ISSUER", Op::kTlsText, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsText::kIssuerPeer)},
    {"UPSTREAM_PEER_SERIAL", Op::kTlsText, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsText::kSerialPeer)},
    {"UPSTREAM_PEER_FINGERPRINT_256", Op::kTlsText, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsText::kSha256Peer)},
    {"UPSTREAM_PEER_FINGERPRINT_1", Op::kTlsText, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsText::kSha1Peer)},
    {"UPSTREAM_PEER_CERT", Op::kTlsText, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsText::kCertificatePeer)},
    {"UPSTREAM_LOCAL_SUBJECT", Op::kTlsText, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsText::kSubjectLocal)},
    {"UPSTREAM_PEER_CERT_V_START", Op::kTlsTime, Arguments::kTime, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsText::kValidFromPeer)},
    {"UPSTREAM_PEER_CERT_V_END", Op::kTlsTime, Arguments::kTime, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsText::kValidUntilPeer)},
    {"UPSTREAM_PEER_DNS_SAN", Op::kTlsNames, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsNames::kDnsPeer)},
    {"UPSTREAM_PEER_URI_SAN", Op::kTlsNames, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsNames::kUriPeer)},
    {"UPSTREAM_PEER_IP_SAN", Op::kTlsNames, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsNames::kIpPeer)},
    {"UPSTREAM_PEER_EMAIL_SAN", Op::kTlsNames, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsNames::kEmailPeer)},
    {"UPSTREAM_LOCAL_DNS_SAN", Op::kTlsNames, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsNames::kDnsLocal)},
    {"UPSTREAM_LOCAL_URI_SAN", Op::kTlsNames, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsNames::kUriLocal)},
    {"UPSTREAM_LOCAL_IP_SAN", Op::kTlsNames, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsNames::kIpLocal)},
    {"UPSTREAM_LOCAL_EMAIL_SAN", Op::kTlsNames, Arguments::kNone, Peer::kUpstreamRemote,
     static_cast<uint8_t>(TlsNames::kEmailLocal)},
    {"DYNAMIC_METADATA", Op::kAbsent, Arguments::kIgnored},
    {"FILTER_STATE", Op::kFilterState, Arguments::kText},
    {"HOSTNAME", Op::kHostname},
    {"UNIQUE_ID", Op::kUniqueId},
    {"ENVIRONMENT", Op::kEnvironment, Arguments::kText},
    {"TRACE_ID", Op::kAbsent},
    {"SPAN_ID", Op::kAbsent},
};

tl::unexpected<Error> bad(std::string_view name, std::string_view why) {
  return fail(Code::kConfig, Side::kLocal, base::concat("%", name, "%: ", why));
}

/// Envoy's %E3S and %E*S (seconds with a fraction) in the words of base::format_time.
std::string time_format(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("%E") && i + 3 < text.size() && text[i + 3] == 'S') {
      const char digits = text[i + 2];
      if (base::is_digit(digits) || digits == '*') {
        out += "%S.%";
        out += digits == '*' ? std::string_view("9") : text.substr(i + 2, 1);
        out += 'f';
        i += 3;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

Result<void> parse_header(Operator& item, std::string_view name, std::string_view arguments) {
  const size_t mark = arguments.find('?');
  item.text = base::lower(base::trim(arguments.substr(0, mark)));
  if (mark != std::string_view::npos)
    item.alternative = base::lower(base::trim(arguments.substr(mark + 1)));
  if (item.text.empty()) return bad(name, "needs a header name");
  if (item.alternative.find('?') != std::string::npos)
    return bad(name, "more than one alternative");
  return {};
}

Result<void> parse_choice(Operator& item, std::string_view name, std::string_view arguments) {
  if (item.op == Op::kGrpcStatus) {
    if (arguments.empty() || arguments == "CAMEL_STRING") return {};
    if (arguments == "SNAKE_STRING") return item.variant = 1, Result<void>();
    if (arguments == "NUMBER") return item.variant = 2, Result<void>();
    return bad(name, "expects CAMEL_STRING, SNAKE_STRING or NUMBER");
  }
  // PATH(WQ|NQ:ORIG|PATH|ORIG_OR_PATH): bit 0 without query, bits 1-2 which path
  const size_t colon = arguments.find(':');
  const auto query = arguments.substr(0, colon);
  const auto which =
      colon == std::string_view::npos ? std::string_view() : arguments.substr(colon + 1);
  if (query == "NQ")
    item.variant |= 1;
  else if (!query.empty() && query != "WQ")
    return bad(name, "expects WQ or NQ");
  if (which == "ORIG")
    item.variant |= 2;
  else if (which == "PATH")
    item.variant |= 4;
  else if (!which.empty() && which != "ORIG_OR_PATH")
    return bad(name, "expects ORIG, PATH or ORIG_OR_PATH");
  return {};
}

constexpr std::string_view kPoints[] = {"DS_RX_BEG", "DS_RX_END", "US_TX_BEG", "US_RX_BEG",
                                        "US_RX_END", "DS_TX_BEG", "DS_TX_END", "US_TX_END"};

std::optional<uint8_t> point_index(std::string_view name) {
  for (size_t i = 0; i < std::size(kPoints); ++i)
    if (kPoints[i] == name) return static_cast<uint8_t>(i);
  return std::nullopt;
}

Result<void> parse_duration(Operator& item, std::string_view name, std::string_view arguments) {
  const auto parts = base::split(arguments, ':');
  if (parts.size() != 3) return bad(name, "expects START:END:UNIT");
  const auto from = point_index(parts[0]);
  const auto to = point_index(parts[1]);
  if (!from || !to) return bad(name, "unknown point in time");
  item.from = *from;
  item.to = *to;
  if (parts[2] == "us")
    item.variant = 1;
  else if (parts[2] == "ns")
    item.variant = 2;
  else if (parts[2] != "ms")
    return bad(name, "expects ms, us or ns");
  return {};
}

Result<void> parse_text(Operator& item, std::string_view name, std::string_view arguments) {
  if (arguments.empty()) return bad(name, "needs an argument");
  item.text = arguments;
  if (item.op == Op::kFilterState) {
    const size_t colon = arguments.rfind(':');
    const auto kind =
        colon == std::string_view::npos ? std::string_view() : arguments.substr(colon + 1);
    if (kind == "PLAIN" || kind == "TYPED") item.text = arguments.substr(0, colon);
  } else if (item.op == Op::kEnvironment) {
    const char* value = std::getenv(item.text.c_str());
    if (value == nullptr) item.op = Op::kAbsent;
    item.text = value == nullptr ? "" : value;
  }
  return {};
}

}  // namespace

Result<Operator> parse_operator(std::string_view name, std::string_view arguments,
                                bool has_arguments) {
  const Entry* found = nullptr;
  for (const Entry& entry : kEntries)
    if (entry.name == name) found = &entry;
  if (found == nullptr) return bad(name, "unknown operator");
  Operator item;
  item.op = found->op;
  item.peer = found->peer;
  item.variant = found->variant;
  if (has_arguments && found->arguments == Arguments::kNone) return bad(name, "takes no arguments");
  switch (found->arguments) {
    case Arguments::kTime:
      item.text = time_format(arguments);
      break;
    case Arguments::kHeader:
      WEIR_CHECKED(parse_header(item, name, arguments));
      break;
    case Arguments::kChoice:
      WEIR_CHECKED(parse_choice(item, name, arguments));
      break;
    case Arguments::kDuration:
      WEIR_CHECKED(parse_duration(item, name, arguments));
      break;
    case Arguments::kText:
      WEIR_CHECKED(parse_text(item, name, arguments));
      break;
    default:
      break;
  }
  return item;
}

}  // namespace weir::stream
