#include "stream/operators.h"

#include <array>
#include <ctime>
#include <optional>
#include <utility>
#include <unistd.h>

#include "base/random.h"
#include "base/strings.h"
#include "base/time.h"
#include "stream/local_reply.h"

namespace weir::stream {

namespace {

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
    return first_header(item, out, [&context](std::string_view name) {
      return context.response->headers.get(name);
    });
  }
  if (item.op == Op::kResponseTrailer) {
    if (context.response_trailers == nullptr) return ValueKind::kAbsent;
    return first_header(item, out, [&context](std::string_view name) {
      return context.response_trailers->get(name);
    });
  }
  if (context.request == nullptr) return ValueKind::kAbsent;
  return first_header(item, out,
                      [&item, &context](std::string_view name) -> std::optional<std::string_view> {
                        auto value = request_value(*context.request, name);
                        if (value && item.op == Op::kRequestWithoutQuery)
                          value = value->substr(0, value->find('?'));
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

ValueKind append_flags(uint32_t flags, std::string_view (&name)(ResponseFlag) noexcept,
                       std::string& out) {
  if (flags == 0) return ValueKind::kAbsent;
  bool first = true;
  for (unsigned i = 0; i < static_cast<unsigned>(ResponseFlag::kCount_); ++i) {
    if ((flags & (1u << i)) == 0) continue;
    if (!std::exchange(first, false)) out += ',';
    out += name(static_cast<ResponseFlag>(i));
  }
  return ValueKind::kText;
}

ValueKind append_grpc(const Operator& item, const FormatContext& context, std::string& out) {
  std::optional<std::string_view> text;
  if (context.response_trailers != nullptr)
    text = context.response_trailers->get(HeaderId::kGrpcStatus);
  if (!text && context.response != nullptr)
    text = context.response->headers.get(HeaderId::kGrpcStatus);
  std::optional<uint64_t> code;
  if (text)
    code = base::parse_u64(*text);
  else if (context.info.response_code > 0 && context.request != nullptr &&
           is_grpc_request(context.request->headers))
    code = static_cast<uint64_t>(grpc_status_for(context.info.response_code));
  else
    return ValueKind::kAbsent;
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

/// Null without TLS on that side.
const TlsInfo* tls_of(const Operator& item, const StreamInfo& info) noexcept {
  if (item.peer == Peer::kUpstreamRemote) return info.upstream_tls.get();
  return info.connection == nullptr ? nullptr : info.connection->tls;
}

ValueKind append_tls(const Operator& item, const StreamInfo& info, std::string& out) {
  const TlsInfo* tls = tls_of(item, info);
  if (tls == nullptr) return ValueKind::kAbsent;
  if (item.op == Op::kTlsText) return text_or_absent(tls->text(TlsText{item.variant}), out);
  if (item.op == Op::kTlsNames) {
    return text_or_absent(base::join(tls->names(TlsNames{item.variant}), ","), out);
  }
  const int64_t seconds = TlsText{item.variant} == TlsText::kValidFromPeer
                              ? tls->peer_valid_from()
                              : tls->peer_valid_until();
  if (seconds == 0) return ValueKind::kAbsent;
  return append_time(item, SystemTime(std::chrono::seconds(seconds)), false, out);
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
      if (!context.log_type.empty()) return ValueKind::kAbsent;
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
      return append_flags(info.flags, response_flag_name, out);
    case Op::kFlagsLong:
      return append_flags(info.flags, response_flag_long_name, out);
    case Op::kLocalReplyBody:
      out += info.local_reply_body;  // an empty one too is there, as in Envoy
      return ValueKind::kText;
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
    case Op::kDownstreamTransportFailure:
      return info.connection == nullptr
                 ? ValueKind::kAbsent
                 : text_or_absent(info.connection->extras().transport_failure_reason, out);
    case Op::kRequestedServerName:
      return info.connection == nullptr
                 ? ValueKind::kAbsent
                 : text_or_absent(info.connection->requested_server_name, out);
    case Op::kConnectionId:
      return number(info.connection_id, out);
    case Op::kStreamId:
      return number(info.stream_id, out);
    case Op::kFilterState: {
      if (const std::string* value = info.filter_state(item.text))
        return text_or_absent(*value, out);
      if (info.connection == nullptr) return ValueKind::kAbsent;
      const auto found = info.connection->extras().filter_state.find(item.text);
      if (found == info.connection->extras().filter_state.end()) return ValueKind::kAbsent;
      return text_or_absent(found->second, out);
    }
    default:
      return ValueKind::kAbsent;
  }
}

}  // namespace

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
    case Op::kTlsText:
    case Op::kTlsTime:
    case Op::kTlsNames:
      return append_tls(item, info, out);
    case Op::kAddress:
    case Op::kAddressHost:
    case Op::kAddressPort:
      return append_address(item, info, out);
    case Op::kAccessLogType:
      out += context.log_type.empty() ? std::string_view("DownstreamEnd") : context.log_type;
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
