#include "wasm/property.h"

#include <chrono>
#include <map>
#include <optional>
#include <span>

#include "base/strings.h"
#include "wasm/pairs.h"
#include "wasm/vm.h"

namespace weir::wasm {
namespace {

// ---- encodings --------------------------------------------------------------------------------------

Status put_text(std::string& out, std::string_view text) {
  out = text;
  return Status::kOk;
}
Status put_some(std::string& out, std::string_view text) {
  return text.empty() ? Status::kNotFound : put_text(out, text);
}
Status put_optional(std::string& out, std::optional<std::string_view> text) {
  return text ? put_text(out, *text) : Status::kNotFound;
}
template <typename T>
Status put_raw(std::string& out, T value) {
  out.assign(reinterpret_cast<const char*>(&value), sizeof value);
  return Status::kOk;
}
Status put_number(std::string& out, uint64_t value) { return put_raw<uint64_t>(out, value); }
Status put_bool(std::string& out, bool value) { return put_raw<uint8_t>(out, value ? 1 : 0); }
Status put_duration(std::string& out, MonotonicTime from, MonotonicTime to) {
  if (from == MonotonicTime{} || to == MonotonicTime{}) return Status::kNotFound;
  return put_raw<int64_t>(out,
                          std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count());
}
Status put_struct(std::string& out, const StructValue& value) {
  switch (value.kind()) {
    case StructValue::Kind::kNull:
      return Status::kSerializationFailure;
    case StructValue::Kind::kBool:
      return put_bool(out, value.boolean());
    case StructValue::Kind::kNumber:
      return put_raw<double>(out, value.number());
    case StructValue::Kind::kText:
      return put_text(out, value.text());
    default:
      return put_text(out, value.message());
  }
}

/// "1.2.3.4:80" and "[::1]:80".
Status put_port(std::string& out, std::string_view address) {
  const size_t colon = address.rfind(':');
  const auto port =
      colon == std::string_view::npos ? std::nullopt : base::parse_u64(address.substr(colon + 1));
  return port ? put_number(out, *port) : Status::kNotFound;
}

using MapTexts = std::map<std::string, std::string, std::less<>>;

/// A whole map, or the entry that the next segment names.
Status put_headers(std::string& out, const HeaderMap& headers, const PairViews& pseudo,
                   std::string_view name, bool all) {
  if (!all) {
    const std::string lower = base::lower(name);
    for (const auto& [key, value] : pseudo)
      if (key == lower) return put_text(out, value);
    return headers.get(lower) ? put_text(out, headers.joined(lower)) : Status::kNotFound;
  }
  MapTexts joined;
  for (const auto& [key, value] : pseudo) joined.emplace(key, value);
  for (const HeaderMap::Entry& entry : headers) {
    auto [place, fresh] = joined.try_emplace(std::string(entry.name), entry.value);
    if (!fresh) base::append_all(place->second, ",", entry.value);
  }
  PairViews pairs(joined.begin(), joined.end());
  return put_text(out, encode_pairs(pairs));
}

// ---- groups -----------------------------------------------------------------------------------------

struct Request {
  FilterCallbacks& callbacks;
  const StreamInfo& info;
};

Status read_request_head(const RequestHead& head, const PropertyPath& path, std::string& out) {
  const std::string_view name = path.at(1);
  const std::string_view target = head.path();
  const size_t query = target.find('?');
  if (name == "path") return put_text(out, target);
  if (name == "url_path") return put_text(out, target.substr(0, query));
  if (name == "query")
    return put_text(
        out, query == std::string_view::npos ? std::string_view() : target.substr(query + 1));
  if (name == "host") return put_text(out, head.authority());
  if (name == "scheme") return put_text(out, head.scheme());
  if (name == "method") return put_text(out, head.method());
  if (name == "referer") return put_optional(out, head.headers.get(HeaderId::kReferer));
  if (name == "useragent") return put_optional(out, head.headers.get(HeaderId::kUserAgent));
  if (name == "id") return put_optional(out, head.headers.get(HeaderId::kXRequestId));
  if (name == "headers") {
    const PairViews pseudo{{":authority", head.authority()},
                           {":path", head.path()},
                           {":method", head.method()},
                           {":scheme", head.scheme()}};
    return put_headers(out, head.headers, pseudo, path.at(2), path.size() == 2);
  }
  return Status::kNotFound;
}

Status read_request(const Request& about, const PropertyPath& path, std::string& out) {
  const std::string_view name = path.at(1);
  const StreamInfo& info = about.info;
  const RequestHead* head = about.callbacks.request_head();
  if (name == "time") {
    const auto ns =
        std::chrono::duration_cast<std::chrono::nanoseconds>(info.start_time.time_since_epoch());
    return put_raw<int64_t>(out, ns.count());
  }
  if (name == "protocol") return put_text(out, protocol_name(info.protocol));
  if (name == "duration") return put_duration(out, info.start, info.end);
  if (name == "size") {
    const auto announced =
        head != nullptr ? head->headers.get(HeaderId::kContentLength) : std::nullopt;
    const auto length = announced ? base::parse_u64(*announced) : std::nullopt;
    return put_number(out, length.value_or(info.bytes_received));
  }
  if (name == "total_size")
    return put_number(out, info.bytes_received + info.request_headers_bytes);
  if (name == "headers_bytes") return put_number(out, info.request_headers_bytes);
  return head != nullptr ? read_request_head(*head, path, out) : Status::kNotFound;
}

Status read_grpc_status(FilterCallbacks& callbacks, std::string& out) {
  std::optional<std::string_view> text;
  if (const HeaderMap* trailers = callbacks.response_trailers())
    text = trailers->get(HeaderId::kGrpcStatus);
  if (const ResponseHead* head = callbacks.response_head(); !text && head != nullptr)
    text = head->headers.get(HeaderId::kGrpcStatus);
  const auto status = text ? base::parse_u64(*text) : std::nullopt;
  return status ? put_number(out, *status) : Status::kNotFound;
}

Status read_response(const Request& about, const PropertyPath& path, std::string& out) {
  const std::string_view name = path.at(1);
  const StreamInfo& info = about.info;
  const ResponseHead* head = about.callbacks.response_head();
  if (name == "code") {
    const int code = head != nullptr ? head->status : info.response_code;
    return code != 0 ? put_number(out, static_cast<uint64_t>(code)) : Status::kNotFound;
  }
  if (name == "code_details") return put_some(out, info.response_code_details());
  if (name == "flags") return put_number(out, info.flags);
  if (name == "grpc_status") return read_grpc_status(about.callbacks, out);
  if (name == "size") return put_number(out, info.bytes_sent);
  if (name == "total_size") return put_number(out, info.bytes_sent + info.response_headers_bytes);
  if (name == "headers_bytes") return put_number(out, info.response_headers_bytes);
  if (name == "backend_latency")
    return put_duration(out, info.upstream_first_tx, info.upstream_last_rx);
  if (name == "headers" && head != nullptr) {
    const std::string status = std::to_string(head->status);
    return put_headers(out, head->headers, {{":status", status}}, path.at(2), path.size() == 2);
  }
  const HeaderMap* trailers = about.callbacks.response_trailers();
  if (name == "trailers" && trailers != nullptr)
    return put_headers(out, *trailers, {}, path.at(2), path.size() == 2);
  return Status::kNotFound;
}

Status read_address(std::string_view address, std::string_view name, std::string& out) {
  if (name == "address") return put_some(out, address);
  return name == "port" ? put_port(out, address) : Status::kNotFound;
}

Status put_first(std::string& out, std::span<const std::string> names) {
  return names.empty() ? Status::kNotFound : put_text(out, names.front());
}

/// What `connection` and `upstream` have in common.
Status read_tls(const TlsInfo* tls, std::string_view name, std::string& out) {
  if (tls == nullptr) return Status::kNotFound;
  if (name == "tls_version") return put_some(out, tls->text(TlsText::kVersion));
  if (name == "subject_local_certificate") return put_some(out, tls->text(TlsText::kSubjectLocal));
  if (name == "subject_peer_certificate") return put_some(out, tls->text(TlsText::kSubjectPeer));
  if (name == "dns_san_local_certificate") return put_first(out, tls->names(TlsNames::kDnsLocal));
  if (name == "dns_san_peer_certificate") return put_first(out, tls->names(TlsNames::kDnsPeer));
  if (name == "uri_san_local_certificate") return put_first(out, tls->names(TlsNames::kUriLocal));
  if (name == "uri_san_peer_certificate") return put_first(out, tls->names(TlsNames::kUriPeer));
  if (name == "sha256_peer_certificate_digest")
    return put_some(out, tls->text(TlsText::kSha256Peer));
  return Status::kNotFound;
}

Status read_connection(const StreamInfo& info, std::string_view name, std::string& out) {
  const ConnectionInfo* connection = info.connection;
  if (name == "id") return put_number(out, info.connection_id);
  if (name == "termination_details") return put_some(out, info.connection_termination_details);
  const TlsInfo* tls = connection == nullptr ? nullptr : connection->tls;
  if (name == "mtls") return put_bool(out, tls != nullptr && tls->peer_presented());
  if (connection == nullptr) return Status::kNotFound;
  if (name == "requested_server_name") return put_some(out, connection->requested_server_name);
  if (name == "transport_failure_reason")
    return put_some(out, connection->extras().transport_failure_reason);
  return read_tls(tls, name, out);
}

Status read_upstream(const StreamInfo& info, std::string_view name, std::string& out) {
  if (name == "address" || name == "port") return read_address(info.upstream_host, name, out);
  if (name == "local_address") return put_some(out, info.upstream_local_address);
  if (name == "transport_failure_reason")
    return put_some(out, info.upstream_transport_failure_reason);
  if (name == "request_attempt_count") return put_number(out, info.upstream_attempt_count);
  return read_tls(info.upstream_tls.get(), name, out);
}

Status read_filter_state(const StreamInfo& info, const PropertyPath& path, std::string& out) {
  const auto* all = info.all_filter_state();
  if (path.size() > 1) {
    const std::string* value = info.filter_state(path.whole().substr(path.at(0).size() + 1));
    if (value != nullptr) return put_text(out, *value);
    if (info.connection == nullptr) return Status::kNotFound;
    const auto& shared = info.connection->extras().filter_state;
    const auto found = shared.find(path.whole().substr(path.at(0).size() + 1));
    return found != shared.end() ? put_text(out, found->second) : Status::kNotFound;
  }
  PairViews pairs;
  if (all != nullptr) pairs.assign(all->begin(), all->end());
  if (info.connection != nullptr)
    for (const auto& [key, value] : info.connection->extras().filter_state)
      if (all == nullptr || !all->contains(key)) pairs.emplace_back(key, value);
  return put_text(out, encode_pairs(pairs));
}

Status read_stream(StreamContext& stream, const PropertyPath& path, std::string& out, bool& known) {
  if (stream.callbacks == nullptr) return Status::kNotFound;
  const Request about{*stream.callbacks, stream.callbacks->stream_info()};
  const StreamInfo& info = about.info;
  const std::string_view group = path.at(0);
  known = true;
  if (group == "request") return read_request(about, path, out);
  if (group == "response") return read_response(about, path, out);
  if (group == "source") return read_address(info.downstream_remote_address, path.at(1), out);
  if (group == "destination") return read_address(info.downstream_local_address, path.at(1), out);
  if (group == "connection") return read_connection(info, path.at(1), out);
  if (group == "upstream") return read_upstream(info, path.at(1), out);
  if (group == "filter_state") return read_filter_state(info, path, out);
  if (group == "connection_id") return put_number(out, info.connection_id);
  // Top-level names and those below xds are the same facts.
  const std::string_view name = group == "xds" ? path.at(1) : group;
  if (name == "cluster_name") return put_some(out, info.upstream_cluster);
  if (name == "route_name") return put_some(out, info.route_name);
  if (group == "xds" && name == "virtual_host_name") return put_some(out, info.virtual_host_name);
  if (group == "xds" && name == "filter_chain_name") return put_some(out, info.filter_chain_name);
  known = false;
  return Status::kNotFound;
}

Status read_node(const NodeProperty& node, const PropertyPath& path, size_t at, std::string& out) {
  if (path.size() == at) return put_text(out, node.message);
  const std::string_view name = path.at(at);
  if (name == "id") return put_text(out, node.info.id);
  if (name == "cluster") return put_text(out, node.info.cluster);
  if (name == "locality") {
    const std::string_view part = path.at(at + 1);
    if (part == "region") return put_text(out, node.info.region);
    if (part == "zone") return put_text(out, node.info.zone);
    if (part == "sub_zone") return put_text(out, node.info.sub_zone);
    return Status::kNotFound;
  }
  if (name != "metadata") return Status::kNotFound;
  const StructValue* value = &node.metadata;
  for (size_t i = at + 1; i < path.size() && value != nullptr; ++i) value = value->find(path.at(i));
  return value != nullptr ? put_struct(out, *value) : Status::kNotFound;
}

Status read_own(Vm& vm, const PropertyPath& path, std::string& out, bool& known) {
  const Plugin& plugin = vm.root().plugin();
  const std::string_view group = path.at(0);
  known = true;
  if (group == "plugin_name") return put_text(out, plugin.name);
  if (group == "plugin_root_id") return put_text(out, plugin.root_id);
  if (group == "plugin_vm_id") return put_text(out, plugin.vm.vm_id);
  if (group == "plugin_vm_memory") return put_number(out, vm.memory().size());
  if (group == "node") return read_node(*vm.group().node, path, 1, out);
  const std::string_view name = group == "xds" ? path.at(1) : group;
  if (group == "xds" && name == "node") return read_node(*vm.group().node, path, 2, out);
  if (name == "listener_direction") return put_raw<int64_t>(out, plugin.traffic_direction);
  known = false;
  return Status::kNotFound;
}

}  // namespace

NodeProperty::NodeProperty(NodeInfo from) : info(std::move(from)) {
  if (auto parsed = StructValue::parse(info.metadata_json)) metadata = std::move(*parsed);
  append_proto_field(message, 1, info.id);
  append_proto_field(message, 2, info.cluster);
  append_proto_field(message, 3, metadata.message());
  std::string locality;
  append_proto_field(locality, 1, info.region);
  append_proto_field(locality, 2, info.zone);
  append_proto_field(locality, 3, info.sub_zone);
  append_proto_field(message, 4, locality);
}

PropertyPath::PropertyPath(std::string_view path) : whole_(path) {
  if (whole_.ends_with('\0')) whole_.remove_suffix(1);
  parts_ = base::split(whole_, '\0');
}

std::string filter_state_key(std::string_view path) { return base::concat("wasm.", path); }

Status read_property(Vm& vm, const PropertyPath& path, std::string& out) {
  bool known = false;
  Status status = read_own(vm, path, out, known);
  if (known) return status;
  StreamContext* stream = vm.stream();
  if (stream != nullptr && stream->callbacks != nullptr) {
    status = read_stream(*stream, path, out, known);
    if (known) return status;
    const std::string* kept =
        stream->callbacks->stream_info().filter_state(filter_state_key(path.whole()));
    if (kept != nullptr) return put_text(out, *kept);
  }
  const auto& own = vm.root().properties;
  const auto found = own.find(path.whole());
  return found != own.end() ? put_text(out, found->second) : Status::kNotFound;
}

}  // namespace weir::wasm
