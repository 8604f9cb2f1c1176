#include "wasm/property.h"

#include <chrono>
#include <map>
#include <optional>
#include <span>

#include "base/strings.h"
#include "wasm/filter_state.h"
#include "wasm/pairs.h"
#include "wasm/privacy/private_property.h"
#include "wasm/property_value.h"
#include "wasm/vm.h"

namespace weir::wasm {
namespace {

// ---- encodings --------------------------------------------------------------------------------------

Status put_text(PropertyValue& out, std::string_view text) {
  return out.put(PropertyType::kText, text);
}
Status put_some(PropertyValue& out, std::string_view text) {
  return text.empty() ? Status::kNotFound : put_text(out, text);
}
Status put_optional(PropertyValue& out, std::optional<std::string_view> text) {
  return text ? put_text(out, *text) : Status::kNotFound;
}
Status put_int(PropertyValue& out, uint64_t value) {
  return out.put_raw<uint64_t>(PropertyType::kInt, value);
}
Status put_uint(PropertyValue& out, uint64_t value) {
  return out.put_raw<uint64_t>(PropertyType::kUint, value);
}
Status put_seen_int(PropertyValue& out, Sight sight, uint64_t value) {
  if (sight == Sight::kHidden) return Status::kNotFound;
  return sight == Sight::kMasked ? put_text(out, kMask) : put_int(out, value);
}
Status put_bool(PropertyValue& out, bool value) {
  return out.put_raw<uint8_t>(PropertyType::kBool, value ? 1 : 0);
}
Status put_pairs(PropertyValue& out, const PairViews& pairs) {
  return out.put(PropertyType::kMap, encode_pairs(pairs));
}
Status put_duration(PropertyValue& out, MonotonicTime from, MonotonicTime to) {
  if (from == MonotonicTime{} || to == MonotonicTime{}) return Status::kNotFound;
  return out.put_raw<int64_t>(
      PropertyType::kDuration,
      std::chrono::duration_cast<std::chrono::nanoseconds>(to - from).count());
}

/// "1.2.3.4:80" and "[::1]:80".
Status put_port(PropertyValue& out, std::string_view address) {
  const size_t colon = address.rfind(':');
  const auto port =
      colon == std::string_view::npos ? std::nullopt : base::parse_u64(address.substr(colon + 1));
  return port ? put_int(out, *port) : Status::kNotFound;
}

using MapTexts = std::map<std::string, std::string, std::less<>>;

/// A whole map, or the entry that the next segment names; as much of it as the guest may see.
Status put_headers(PropertyValue& out, const FieldSight& sight, const HeaderMap& headers,
                   const PairViews& pseudo, const PropertyPath& path) {
  const bool all = path.size() == 2;
  const std::string wanted = base::lower(path.at(2));
  MapTexts joined;
  std::string made;
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!all && name != wanted) return;
    const auto seen = sight.see_entry(name, value, made);
    if (!seen) return;
    auto [place, fresh] = joined.try_emplace(std::string(name), *seen);
    if (!fresh) base::append_all(place->second, ",", *seen);
  };
  for (const auto& [key, value] : pseudo) add(key, value);
  for (const HeaderMap::Entry& entry : headers) add(entry.name, entry.value);
  if (!all) return joined.empty() ? Status::kNotFound : put_text(out, joined.begin()->second);
  PairViews pairs(joined.begin(), joined.end());
  return put_pairs(out, pairs);
}

// ---- groups -----------------------------------------------------------------------------------------

/// What a property is read from, and what of it the plugin may see.
struct About : Exchange {
  const Privacy* privacy = nullptr;
};

Status read_path(std::string_view target, std::string_view name, PropertyValue& out) {
  const size_t query = target.find('?');
  if (name == "path") return put_text(out, target);
  if (name == "url_path") return put_text(out, target.substr(0, query));
  return put_text(out,
                  query == std::string_view::npos ? std::string_view() : target.substr(query + 1));
}

Status read_request_head(const RequestHead& head, const FieldSight& sight, const PropertyPath& path,
                         PropertyValue& out) {
  const std::string_view name = path.at(1);
  std::string made;
  const auto seen = [&sight, &made](std::string_view field, std::optional<std::string_view> value) {
    return value ? sight.see(field, *value, made) : std::nullopt;
  };
  const auto known = [&head](HeaderId id) { return head.headers.get(id); };
  if (name == "path" || name == "url_path" || name == "query") {
    const auto target = seen(":path", head.path());
    return target ? read_path(*target, name, out) : Status::kNotFound;
  }
  if (name == "host") return put_optional(out, seen(":authority", head.authority()));
  if (name == "scheme") return put_optional(out, seen(":scheme", head.scheme()));
  if (name == "method") return put_optional(out, seen(":method", head.method()));
  if (name == "referer") return put_optional(out, seen("referer", known(HeaderId::kReferer)));
  if (name == "useragent")
    return put_optional(out, seen("user-agent", known(HeaderId::kUserAgent)));
  if (name == "id") return put_optional(out, seen("x-request-id", known(HeaderId::kXRequestId)));
  if (name == "headers") {
    const PairViews pseudo{{":authority", head.authority()},
                           {":path", head.path()},
                           {":method", head.method()},
                           {":scheme", head.scheme()}};
    return put_headers(out, sight, head.headers, pseudo, path);
  }
  return Status::kNotFound;
}

Status read_request(const About& about, const PropertyPath& path, PropertyValue& out) {
  const std::string_view name = path.at(1);
  const StreamInfo& info = about.info;
  const RequestHead* head = about.request;
  const FieldSight sight(about.privacy, Direction::kRequest, "request.headers");
  if (name == "time") {
    const auto ns =
        std::chrono::duration_cast<std::chrono::nanoseconds>(info.start_time.time_since_epoch());
    return out.put_raw<int64_t>(PropertyType::kTimestamp, ns.count());
  }
  if (name == "protocol") return put_text(out, protocol_name(info.protocol));
  if (name == "duration") return put_duration(out, info.start, info.end);
  if (name == "size") {
    const auto announced = head != nullptr && sight.sight("content-length") == Sight::kShown
                               ? head->headers.get(HeaderId::kContentLength)
                               : std::nullopt;
    const auto length = announced ? base::parse_u64(*announced) : std::nullopt;
    return put_int(out, length.value_or(info.bytes_received));
  }
  if (name == "total_size" || name == "headers_bytes") {
    const uint64_t bytes = sight.bytes(head != nullptr ? &head->headers : nullptr, head, nullptr)
                               .value_or(info.request_headers_bytes);
    return put_int(out, bytes + (name == "total_size" ? info.bytes_received : 0));
  }
  return head != nullptr ? read_request_head(*head, sight, path, out) : Status::kNotFound;
}

Status read_grpc_status(const About& about, const FieldSight& sight, PropertyValue& out) {
  std::optional<std::string_view> text;
  if (about.response_trailers != nullptr)
    text = about.response_trailers->get(HeaderId::kGrpcStatus);
  if (!text && about.response != nullptr) text = about.response->headers.get(HeaderId::kGrpcStatus);
  const auto status = text ? base::parse_u64(*text) : std::nullopt;
  return status ? put_seen_int(out, sight.sight("grpc-status"), *status) : Status::kNotFound;
}

Status read_response(const About& about, const PropertyPath& path, PropertyValue& out) {
  const std::string_view name = path.at(1);
  const StreamInfo& info = about.info;
  const ResponseHead* head = about.response;
  const FieldSight sight(about.privacy, Direction::kResponse,
                         name == "trailers" ? "response.trailers" : "response.headers");
  if (name == "code") {
    const int code = head != nullptr ? head->status : info.response_code;
    return code != 0 ? put_seen_int(out, sight.sight(":status"), static_cast<uint64_t>(code))
                     : Status::kNotFound;
  }
  if (name == "code_details") return put_some(out, info.response_code_details());
  if (name == "flags") return put_int(out, info.flags);
  if (name == "grpc_status") return read_grpc_status(about, sight, out);
  if (name == "size") return put_int(out, info.bytes_sent);
  if (name == "total_size" || name == "headers_bytes") {
    const uint64_t bytes = sight.bytes(head != nullptr ? &head->headers : nullptr, nullptr, head)
                               .value_or(info.response_headers_bytes);
    return put_int(out, bytes + (name == "total_size" ? info.bytes_sent : 0));
  }
  if (name == "backend_latency")
    return put_duration(out, info.upstream_first_tx, info.upstream_last_rx);
  if (name == "headers" && head != nullptr) {
    const std::string status = std::to_string(head->status);
    return put_headers(out, sight, head->headers, {{":status", status}}, path);
  }
  const HeaderMap* trailers = about.response_trailers;
  if (name == "trailers" && trailers != nullptr)
    return put_headers(out, sight, *trailers, {}, path);
  return Status::kNotFound;
}

Status read_address(std::string_view address, std::string_view name, PropertyValue& out) {
  if (name == "address") return put_some(out, address);
  return name == "port" ? put_port(out, address) : Status::kNotFound;
}

Status put_first(PropertyValue& out, std::span<const std::string> names) {
  return names.empty() ? Status::kNotFound : put_text(out, names.front());
}

/// What `connection` and `upstream` have in common.
Status read_tls(const TlsInfo* tls, std::string_view name, PropertyValue& out) {
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

Status read_connection(const StreamInfo& info, std::string_view name, PropertyValue& out) {
  const ConnectionInfo* connection = info.connection;
  if (name == "id") return put_uint(out, info.connection_id);
  if (name == "termination_details") return put_some(out, info.connection_termination_details);
  const TlsInfo* tls = connection == nullptr ? nullptr : connection->tls;
  if (name == "mtls") return put_bool(out, tls != nullptr && tls->peer_presented());
  if (connection == nullptr) return Status::kNotFound;
  if (name == "requested_server_name") return put_some(out, connection->requested_server_name);
  if (name == "transport_failure_reason")
    return put_some(out, connection->extras().transport_failure_reason);
  return read_tls(tls, name, out);
}

Status read_upstream(const StreamInfo& info, std::string_view name, PropertyValue& out) {
  if (name == "address" || name == "port") return read_address(info.upstream_host, name, out);
  if (name == "local_address") return put_some(out, info.upstream_local_address);
  if (name == "transport_failure_reason")
    return put_some(out, info.upstream_transport_failure_reason);
  if (name == "cx_pool_ready_duration")
    return put_duration(out, info.upstream_begin, info.upstream_first_tx);
  if (name == "request_attempt_count") return put_uint(out, info.upstream_attempt_count);
  return read_tls(info.upstream_tls.get(), name, out);
}

/// The stream's own, then the connection's.
const std::string* find_state(const StreamInfo& info, std::string_view key) {
  if (const std::string* own = info.filter_state(key)) return own;
  if (info.connection == nullptr) return nullptr;
  const auto& shared = info.connection->extras().filter_state;
  const auto found = shared.find(key);
  return found != shared.end() ? &found->second : nullptr;
}

Status read_filter_state(const About& about, const PropertyPath& path, PropertyValue& out) {
  const StreamInfo& info = about.info;
  const auto* all = info.all_filter_state();
  if (path.size() > 1) {
    const std::string* value = find_state(info, path.whole().substr(path.at(0).size() + 1));
    return value != nullptr ? out.put(PropertyType::kBytes, *value) : Status::kNotFound;
  }
  PairViews pairs;
  const auto add = [&about, &pairs](std::string_view key, std::string_view value) {
    if (key.starts_with(kReadOnlyMark)) return;
    if (const auto seen = seen_state(about.privacy, key, value)) pairs.emplace_back(key, *seen);
  };
  if (all != nullptr)
    for (const auto& [key, value] : *all) add(key, value);
  if (info.connection != nullptr)
    for (const auto& [key, value] : info.connection->extras().filter_state)
      if (all == nullptr || !all->contains(key)) add(key, value);
  return put_pairs(out, pairs);
}

Status read_source(const About& about, std::string_view name, PropertyValue& out) {
  std::string made;
  const auto address = seen_client(about.privacy, about.info.downstream_remote_address, made);
  return address ? read_address(*address, name, out) : Status::kNotFound;
}

Status read_exchange(const About& about, const PropertyPath& path, PropertyValue& out,
                     bool& known) {
  const StreamInfo& info = about.info;
  const std::string_view group = path.at(0);
  known = true;
  if (group == "request") return read_request(about, path, out);
  if (group == "response") return read_response(about, path, out);
  if (group == "source") return read_source(about, path.at(1), out);
  if (group == "destination") return read_address(info.downstream_local_address, path.at(1), out);
  if (group == "connection") return read_connection(info, path.at(1), out);
  if (group == "upstream") return read_upstream(info, path.at(1), out);
  if (group == "filter_state") return read_filter_state(about, path, out);
  if (group == "connection_id") return put_uint(out, info.connection_id);
  // Top-level names and those below xds are the same facts.
  const std::string_view name = group == "xds" ? path.at(1) : group;
  if (name == "cluster_name") return put_some(out, info.upstream_cluster);
  if (name == "route_name") return put_some(out, info.route_name);
  if (group == "xds" && name == "virtual_host_name") return put_some(out, info.virtual_host_name);
  if (group == "xds" && name == "filter_chain_name") return put_some(out, info.filter_chain_name);
  known = false;
  return Status::kNotFound;
}

/// What the call is about: a stream, a connection, or what is being logged.
std::optional<Exchange> exchange_of(Vm& vm) {
  if (StreamContext* stream = vm.stream(); stream != nullptr && stream->callbacks != nullptr) {
    FilterCallbacks& callbacks = *stream->callbacks;
    return Exchange{callbacks.stream_info(), callbacks.request_head(), callbacks.response_head(),
                    callbacks.request_trailers(), callbacks.response_trailers()};
  }
  if (ConnectionContext* connection = vm.connection();
      connection != nullptr && connection->callbacks != nullptr)
    return Exchange{connection->info()};
  if (const Exchange* logged = vm.root().logged) return *logged;
  return std::nullopt;
}

Status read_node(const NodeProperty& node, const PropertyPath& path, size_t at,
                 PropertyValue& out) {
  if (path.size() == at) return out.put(PropertyType::kMessage, node.message);
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
  return name == "metadata" ? read_struct(node.metadata, path, at + 1, out) : Status::kNotFound;
}

Status read_seen_node(Vm& vm, const PropertyPath& path, size_t at, PropertyValue& out) {
  const NodeProperty& node = *vm.group().node;
  const Privacy* privacy = vm.privacy();
  if (privacy == nullptr || privacy->properties().empty()) return read_node(node, path, at, out);
  return read_node(seen_node(privacy->properties(), node), path, at, out);
}

Status read_own(Vm& vm, const PropertyPath& path, PropertyValue& out, bool& known) {
  const Plugin& plugin = vm.root().plugin();
  const std::string_view group = path.at(0);
  known = true;
  if (group == "plugin_name") return put_text(out, plugin.name);
  if (group == "plugin_root_id") return put_text(out, plugin.root_id);
  if (group == "plugin_vm_id") return put_text(out, plugin.vm.vm_id);
  if (group == "plugin_vm_memory") return put_uint(out, vm.memory().size());
  if (group == "node") return read_seen_node(vm, path, 1, out);
  const std::string_view name = group == "xds" ? path.at(1) : group;
  if (group == "xds" && name == "node") return read_seen_node(vm, path, 2, out);
  if (name == "listener_direction")
    return out.put_raw<int64_t>(PropertyType::kInt, plugin.traffic_direction);
  // Before the router has chosen a cluster: the route's.
  StreamContext* stream = name == "cluster_name" ? vm.stream() : nullptr;
  if (stream != nullptr && stream->callbacks != nullptr &&
      stream->callbacks->stream_info().upstream_cluster.empty())
    return put_some(out, stream->callbacks->route_cluster());
  known = false;
  return Status::kNotFound;
}

/// What a guest has stored; of the type that it has declared.
Status put_stored(Vm& vm, const PropertyPath& path, const std::string& value, PropertyValue& out) {
  constexpr uint8_t kString = 1;
  const DeclaredProperty* declared = vm.root().declared.find(path.whole());
  const bool text = declared != nullptr && declared->type == kString;
  return out.put(text ? PropertyType::kText : PropertyType::kBytes, value);
}

Status read_any(Vm& vm, const PropertyPath& path, PropertyValue& out) {
  bool known = false;
  Status status = read_own(vm, path, out, known);
  if (known) return status;
  if (const std::optional<Exchange> exchange = exchange_of(vm)) {
    const About about{*exchange, vm.privacy()};
    const bool host =
        path.at(0) == "upstream" && (path.at(1) == "locality" || path.at(1) == "num_endpoints");
    if (!host) status = read_exchange(about, path, out, known);
    if (!known) status = read_configured(vm, about.info, path, out, known);
    if (known) return status;
    const std::string* kept = find_state(about.info, filter_state_key(path.whole()));
    if (kept != nullptr) return put_stored(vm, path, *kept, out);
  }
  const auto& own = vm.root().properties;
  const auto found = own.find(path.whole());
  return found != own.end() ? put_stored(vm, path, found->second, out) : Status::kNotFound;
}

}  // namespace

Status read_property(Vm& vm, const PropertyPath& path, PropertyValue& out) {
  const Privacy* privacy = vm.privacy();
  if (privacy == nullptr) [[likely]]
    return read_any(vm, path, out);
  const Sight sight = property_sight(privacy->properties(), path);
  if (sight == Sight::kHidden) return Status::kNotFound;
  const Status status = read_any(vm, path, out);
  if (status == Status::kOk && sight == Sight::kMasked) out.put(PropertyType::kText, kMask);
  return status;
}

Status read_property(Vm& vm, const PropertyPath& path, std::string& out) {
  PropertyValue value;
  const Status status = read_property(vm, path, value);
  if (status == Status::kOk) out = value.take();
  return status;
}

}  // namespace weir::wasm
