#include "stream/operators.h"

#include <array>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <utility>
#include <unistd.h>

#include "base/random.h"
#include "base/strings.h"
#include "base/time.h"

namespace weir::stream {

namespace {

enum class Arguments : uint8_t { kNone, kTime, kHeader, kText, kChoice, kDuration, kIgnored };

struct Entry {
  std::string_view name;
  Op op;
  Arguments arguments = Arguments::kNone;
  Peer peer = Peer::kDownstreamRemote;
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
    {"DOWNSTREAM_TRANSPORT_FAILURE_REASON", Op::kAbsent},
    {"CONNECTION_ID", Op::kConnectionId},
    {"STREAM_ID", Op::kStreamId},
    {"REQUESTED_SERVER_NAME", Op::kAbsent, Arguments::kIgnored},
    {"DOWNSTREAM_TLS_VERSION", Op::kAbsent},
    {"DOWNSTREAM_TLS_CIPHER", Op::kAbsent},
    {"DOWNSTREAM_TLS_SESSION_ID", Op::kAbsent},
    {"DOWNSTREAM_PEER_SUBJECT", Op::kAbsent},
    {"DOWNSTREAM_PEER_ISSUER", Op::kAbsent},
    {"DOWNSTREAM_PEER_SERIAL", Op::kAbsent},
    {"DOWNSTREAM_PEER_FINGERPRINT_256", Op::kAbsent},
    {"DOWNSTREAM_PEER_URI_SAN", Op::kAbsent},
    {"DOWNSTREAM_PEER_DNS_SAN", Op::kAbsent},
    {"DOWNSTREAM_LOCAL_SUBJECT", Op::kAbsent},
    {"DYNAMIC_METADATA", Op::kAbsent, Arguments::kIgnored},
    {"FILTER_STATE", Op::kFilterState, Arguments::kText},
    {"HOSTNAME", Op::kHostname},
    {"UNIQUE_ID", Op::kUniqueId},
    {"ENVIRONMENT", Op::kEnvironment, Arguments::kText},
    {"TRACE_ID", Op::kAbsent},
    {"SPAN_ID", Op::kAbsent},
};

constexpr std::array<std::string_view, 30> kLongFlags = {"FailedLocalHealthCheck",
                                                         "NoHealthyUpstream",
                                                         "UpstreamRequestTimeout",
                                                         "LocalReset",
                                                         "UpstreamRemoteReset",
                                                         "UpstreamConnectionFailure",
                                                         "UpstreamConnectionTermination",
                                                         "UpstreamOverflow",
                                                         "NoRouteFound",
                                                         "DelayInjected",
                                                         "FaultInjected",
                                                         "RateLimited",
                                                         "UnauthorizedExternalService",
                                                         "RateLimitServiceError",
                                                         "DownstreamConnectionTermination",
                                                         "UpstreamRetryLimitExceeded",
                                                         "StreamIdleTimeout",
                                                         "InvalidEnvoyRequestHeaders",
                                                         "DownstreamProtocolError",
                                                         "UpstreamMaxStreamDurationReached",
                                                         "ResponseFromCacheFilter",
                                                         "NoFilterConfigFound",
                                                         "DurationTimeout",
                                                         "UpstreamProtocolError",
                                                         "NoClusterFound",
                                                         "OverloadManagerTerminated",
                                                         "DnsResolutionFailed",
                                                         "DropOverload",
                                                         "DownstreamRemoteReset",
                                                         "UnconditionalDropOverload"};
static_assert(kLongFlags.size() == static_cast<size_t>(ResponseFlag::kCount_));

constexpr std::array<std::string_view, 17> kGrpcCamel = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};
constexpr std::array<std::string_view, 17> kGrpcSnake = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

// ---- compiling -------------------------------------------------------------------------------------------------

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

// ---- values ------------------------------------------------------------------------------------------------------

ValueKind text_or_absent(std::string_view text, std::string& out) {
  if (text.empty()) return ValueKind::kAbsent;
  out += text;
  return ValueKind::kText;
}

template <typename T>
ValueKind number(T value, std::string& out) {
  base::append_number(out, value);
  return ValueKind::kNumber;
}

ValueKind between(MonotonicTime from, MonotonicTime to, std::string& out, uint8_t unit = 0) {
  if (from == MonotonicTime{} || to == MonotonicTime{} || to < from) return ValueKind::kAbsent;
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count();
  return number(unit == 0 ? ns / 1000000 : unit == 1 ? ns / 1000 : ns, out);
}

MonotonicTime end_of(const FormatContext& context) {
  return context.info.end != MonotonicTime{} ? context.info.end : context.now;
}

MonotonicTime point(const FormatContext& context, uint8_t index) {
  const StreamInfo& info = context.info;
  switch (index) {
    case 0:
      return info.start;
    case 1:
      return info.request_end;
    case 2:
      return info.upstream_first_tx;
    case 3:
      return info.upstream_first_rx;
    case 4:
      return info.upstream_last_rx;
    case 5:
      return info.first_tx;
    case 6:
      return end_of(context);
    default:
      return {};
  }
}

ValueKind append_time(const Operator& item, SystemTime time, bool local, std::string& out) {
  if (local) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    localtime_r(&seconds, &parts);
    time += std::chrono::seconds(parts.tm_gmtoff);
  }
  if (item.text.empty())
    base::append_iso8601(out, time);
  else
    out += base::format_time(item.text, time);
  return ValueKind::kText;
}

std::optional<std::string_view> request_value(const RequestHead& head, std::string_view name) {
  if (!name.empty() && name[0] == ':') {
    std::string_view value;
    if (name == ":method") value = head.method();
    if (name == ":path") value = head.path();
    if (name == ":authority") value = head.authority();
    if (name == ":scheme") value = head.scheme();
    return value.empty() ? std::nullopt : std::optional(value);
  }
  if (name == "host") return head.authority();
  return head.headers.get(name);
}

template <typename Find>
ValueKind first_header(const Operator& item, std::string& out, Find&& find) {
  auto value = find(std::string_view(item.text));
  if (!value && !item.alternative.empty()) value = find(std::string_view(item.alternative));
  if (!value) return ValueKind::kAbsent;
  out += *value;
  return ValueKind::kText;
}

ValueKind append_header(const Operator& item, const FormatContext& context, std::string& out) {
  if (item.op == Op::kResponseHeader) {
    if (context.response == nullptr) return ValueKind::kAbsent;
    if (item.text == ":status" && context.response->status > 0)
      return number(context.response->status, out);
    return first_header(item, out,
                        [&](std::string_view name) { return context.response->headers.get(name); });
  }
  if (item.op == Op::kResponseTrailer) {
    if (context.response_trailers == nullptr) return ValueKind::kAbsent;
    return first_header(
        item, out, [&](std::string_view name) { return context.response_trailers->get(name); });
  }
  if (context.request == nullptr) return ValueKind::kAbsent;
  return first_header(item, out, [&](std::string_view name) -> std::optional<std::string_view> {
    auto value = request_value(*context.request, name);
    if (value && item.op == Op::kRequestWithoutQuery) value = value->substr(0, value->find('?'));
    return value;
  });
}

ValueKind append_path(const Operator& item, const FormatContext& context, std::string& out) {
  if (context.request == nullptr) return ValueKind::kAbsent;
  std::optional<std::string_view> path;
  if ((item.variant & 4) == 0) path = context.request->headers.get(HeaderId::kXEnvoyOriginalPath);
  if (!path && (item.variant & 2) == 0) path = context.request->path();
  if (!path) return ValueKind::kAbsent;
  if ((item.variant & 1) != 0) path = path->substr(0, path->find('?'));
  return text_or_absent(*path, out);
}

ValueKind append_query(const Operator& item, const FormatContext& context, std::string& out) {
  if (context.request == nullptr) return ValueKind::kAbsent;
  const std::string_view path = context.request->path();
  const size_t mark = path.find('?');
  if (mark == std::string_view::npos) return ValueKind::kAbsent;
  std::string_view query = path.substr(mark + 1);
  query = query.substr(0, query.find('#'));
  if (item.op == Op::kQueryParams) return text_or_absent(query, out);
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    const size_t equals = pair.find('=');
    if (pair.substr(0, equals) == item.text)
      return equals == std::string_view::npos ? ValueKind::kAbsent
                                              : text_or_absent(pair.substr(equals + 1), out);
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
  }
  return ValueKind::kAbsent;
}

std::string_view address_of(Peer peer, const StreamInfo& info) {
  switch (peer) {
    case Peer::kDownstreamRemote:
      return info.downstream_remote_address;
    case Peer::kDownstreamDirect:
      return info.downstream_direct_remote_address;
    case Peer::kDownstreamLocal:
      return info.downstream_local_address;
    case Peer::kUpstreamRemote:
      return info.upstream_host;
    case Peer::kUpstreamLocal:
      return info.upstream_local_address;
  }
  return {};
}

ValueKind append_address(const Operator& item, const StreamInfo& info, std::string& out) {
  std::string_view text = address_of(item.peer, info);
  if (item.op == Op::kAddress) return text_or_absent(text, out);
  // "1.2.3.4:80", "[::1]:80" or a path
  const size_t colon = text.rfind(':');
  const bool with_port = colon != std::string_view::npos && !text.starts_with('/') &&
                         base::parse_u64(text.substr(colon + 1)).has_value();
  if (item.op == Op::kAddressPort) {
    if (!with_port) return ValueKind::kAbsent;
    out += text.substr(colon + 1);
    return ValueKind::kNumber;
  }
  if (with_port) text = text.substr(0, colon);
  if (text.size() > 2 && text.front() == '[' && text.back() == ']')
    text = text.substr(1, text.size() - 2);
  return text_or_absent(text, out);
}

ValueKind append_flags(uint32_t flags, bool with_long_names, std::string& out) {
  if (flags == 0) return ValueKind::kAbsent;
  bool first = true;
  for (size_t i = 0; i < kLongFlags.size(); ++i) {
    if ((flags & (1u << i)) == 0) continue;
    if (!std::exchange(first, false)) out += ',';
    out += with_long_names ? kLongFlags[i] : response_flag_name(static_cast<ResponseFlag>(i));
  }
  return ValueKind::kText;
}

ValueKind append_grpc(const Operator& item, const FormatContext& context, std::string& out) {
  std::optional<std::string_view> text;
  if (context.response_trailers != nullptr)
    text = context.response_trailers->get(HeaderId::kGrpcStatus);
  if (!text && context.response != nullptr)
    text = context.response->headers.get(HeaderId::kGrpcStatus);
  if (!text) return ValueKind::kAbsent;
  const auto code = base::parse_u64(*text);
  if (!code) return text_or_absent(*text, out);
  if (item.op == Op::kGrpcStatusNumber || item.variant == 2) return number(*code, out);
  if (*code >= kGrpcCamel.size()) return number(*code, out), ValueKind::kText;
  out += (item.variant == 1 ? kGrpcSnake : kGrpcCamel)[*code];
  return ValueKind::kText;
}

const std::string& host_name() {
  static const std::string name = [] {
    char text[256] = {};
    return std::string(gethostname(text, sizeof text - 1) == 0 ? text : "");
  }();
  return name;
}

/// Numbers and constant texts of StreamInfo.
ValueKind append_fact(const Operator& item, const FormatContext& context, std::string& out) {
  const StreamInfo& info = context.info;
  switch (item.op) {
    case Op::kBytesReceived:
      return number(info.bytes_received, out);
    case Op::kBytesSent:
      return number(info.bytes_sent, out);
    case Op::kRequestHeadersBytes:
      return number(info.request_headers_bytes, out);
    case Op::kResponseHeadersBytes:
      return number(info.response_headers_bytes, out);
    case Op::kResponseTrailersBytes:
      return number(
          context.response_trailers == nullptr ? size_t{0} : context.response_trailers->byte_size(),
          out);
    case Op::kProtocol:
      return text_or_absent(protocol_name(info.protocol), out);
    case Op::kUpstreamProtocol:
      return text_or_absent(info.upstream_protocol, out);
    case Op::kResponseCode:
      return number(info.response_code, out);
    case Op::kResponseCodeDetails:
      return text_or_absent(info.response_code_details(), out);
    case Op::kTerminationDetails:
      return text_or_absent(info.connection_termination_details, out);
    case Op::kFlags:
      return append_flags(info.flags, false, out);
    case Op::kFlagsLong:
      return append_flags(info.flags, true, out);
    case Op::kLocalReplyBody:
      return text_or_absent(info.local_reply_body, out);
    case Op::kAttemptCount:
      return number(info.upstream_attempt_count, out);
    case Op::kRouteName:
      return text_or_absent(info.route_name, out);
    case Op::kVirtualHostName:
      return text_or_absent(info.virtual_host_name, out);
    case Op::kUpstreamCluster:
      return text_or_absent(info.upstream_cluster, out);
    case Op::kFilterChainName:
      return text_or_absent(info.filter_chain_name, out);
    case Op::kListenerName:
      return text_or_absent(info.listener_name, out);
    case Op::kTransportFailure:
      return text_or_absent(info.upstream_transport_failure_reason, out);
    case Op::kConnectionId:
      return number(info.connection_id, out);
    case Op::kStreamId:
      return number(info.stream_id, out);
    case Op::kFilterState: {
      const std::string* value = info.filter_state(item.text);
      return value == nullptr ? ValueKind::kAbsent : text_or_absent(*value, out);
    }
    default:
      return ValueKind::kAbsent;
  }
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

ValueKind append_value(const Operator& item, const FormatContext& context, std::string& out) {
  const StreamInfo& info = context.info;
  switch (item.op) {
    case Op::kLiteral:
    case Op::kEnvironment:
      out += item.text;
      return ValueKind::kText;
    case Op::kAbsent:
      return ValueKind::kAbsent;
    case Op::kStartTime:
      return append_time(item, info.start_time, false, out);
    case Op::kStartTimeLocal:
      return append_time(item, info.start_time, true, out);
    case Op::kEmitTime:
      return append_time(item, std::chrono::system_clock::now(), false, out);
    case Op::kEmitTimeLocal:
      return append_time(item, std::chrono::system_clock::now(), true, out);
    case Op::kDuration:
      return between(info.start, end_of(context), out);
    case Op::kRequestDuration:
      return between(info.start, info.request_end, out);
    case Op::kResponseDuration:
      return between(info.start, info.upstream_first_rx, out);
    case Op::kResponseTxDuration:
      return between(info.upstream_first_rx, end_of(context), out);
    case Op::kCommonDuration:
      return between(point(context, item.from), point(context, item.to), out, item.variant);
    case Op::kGrpcStatus:
    case Op::kGrpcStatusNumber:
      return append_grpc(item, context, out);
    case Op::kRequestHeader:
    case Op::kResponseHeader:
    case Op::kResponseTrailer:
    case Op::kRequestWithoutQuery:
      return append_header(item, context, out);
    case Op::kPath:
      return append_path(item, context, out);
    case Op::kQueryParam:
    case Op::kQueryParams:
      return append_query(item, context, out);
    case Op::kAddress:
    case Op::kAddressHost:
    case Op::kAddressPort:
      return append_address(item, info, out);
    case Op::kAccessLogType:
      out += "DownstreamEnd";
      return ValueKind::kText;
    case Op::kHostname:
      return text_or_absent(host_name(), out);
    case Op::kUniqueId:
      out += base::uuid4();
      return ValueKind::kText;
    default:
      return append_fact(item, context, out);
  }
}

}  // namespace weir::stream
