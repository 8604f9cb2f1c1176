#include "config/parts.h"

#include <algorithm>
#include <cctype>
#include <climits>

#include "base/strings.h"
#include "config/loading.h"
#include "config/scalar.h"

namespace weir::config {
namespace {

// Messages of the schema that this release does not know what to do with, without "envoy.extensions.".
constexpr std::string_view kLaterTypes[] = {
    "filters.http.upstream_codec.v3.UpstreamCodec",
    "filters.http.jwt_authn.v3.JwtAuthentication",
    "filters.http.ext_authz.v3.ExtAuthz",
    "filters.http.rbac.v3.RBAC",
    "filters.http.ratelimit.v3.RateLimit",
    "filters.http.basic_auth.v3.BasicAuth",
    "filters.http.api_key_auth.v3.ApiKeyAuth",
    "filters.http.csrf.v3.CsrfPolicy",
    "filters.http.ext_proc.v3.ExternalProcessor",
    "filters.http.oauth2.v3.OAuth2",
    "filters.http.bandwidth_limit.v3.BandwidthLimit",
    "filters.http.admission_control.v3.AdmissionControl",
    "filters.http.adaptive_concurrency.v3.AdaptiveConcurrency",
    "filters.http.ip_tagging.v3.IPTagging",
    "filters.http.header_to_metadata.v3.Config",
    "filters.http.set_metadata.v3.Config",
    "filters.http.set_filter_state.v3.Config",
    "filters.http.stateful_session.v3.StatefulSession",
    "filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
    "filters.http.grpc_http1_bridge.v3.Config",
    "filters.http.custom_response.v3.CustomResponse",
    "filters.http.credential_injector.v3.CredentialInjector",
    "filters.http.dynamic_forward_proxy.v3.FilterConfig",
    "filters.http.cdn_loop.v3.CdnLoopConfig",
    "filters.http.composite.v3.Composite",
    "filters.http.cache.v3.CacheConfig",
    "filters.http.tap.v3.Tap",
    "filters.network.ext_authz.v3.ExtAuthz",
    "filters.network.ratelimit.v3.RateLimit",
    "filters.network.redis_proxy.v3.RedisProxy",
    "access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
    "access_loggers.grpc.v3.TcpGrpcAccessLogConfig",
    "access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig"};
// Never: weir is extended by Wasm and native filters.
constexpr std::string_view kExcludedTypes[] = {
    "filters.http.lua.v3.Lua", "filters.http.lua.v3.LuaPerRoute",
    "filters.http.golang.v3alpha.Config", "filters.http.dynamic_modules.v3.DynamicModuleFilter"};

bool listed(std::string_view type, const std::string_view* first, const std::string_view* last) {
  constexpr std::string_view kPrefix = "envoy.extensions.";
  if (type.substr(0, kPrefix.size()) != kPrefix) return false;
  return std::find(first, last, type.substr(kPrefix.size())) != last;
}

// The permission bits are written as people write them, 0660, or as the schema's plain number.
int read_mode(View& pipe) {
  const Node* mode = pipe.raw("mode");
  if (mode == nullptr || !mode->scalar()) return static_cast<int>(pipe.integer("mode", 0, 0, 0777));
  if (mode->text.size() < 2 || mode->text[0] != '0')
    return static_cast<int>(pipe.integer("mode", 0, 0, 0777));
  int value = 0;
  for (char c : mode->text) {
    if (c < '0' || c > '7' || value > 0777) {
      value = 01000;
      break;
    }
    value = value * 8 + (c - '0');
  }
  if (value > 0777)
    pipe.error("mode", "expected permission bits up to 0777, found " + mode->describe());
  return value > 0777 ? 0 : value;
}

/// RFC 1035 2.3.4; underscores occur in names of services.
bool is_host_name(std::string_view name) {
  constexpr size_t kMaxName = 253, kMaxLabel = 63;
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > kMaxName) return false;
  size_t label = 0;
  for (const char c : name) {
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
      continue;
    }
    if ((std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_') ||
        ++label > kMaxLabel)
      return false;
  }
  return label > 0;
}

struct SocketParts {
  std::string host;
  uint16_t port = 0;
  bool ipv4_compat = false;
};

SocketParts read_socket_parts(View& socket, PortZero port_zero) {
  socket.later({"named_port", "resolver_name", "network_namespace_filepath"});
  SocketParts parts;
  parts.ipv4_compat = socket.boolean("ipv4_compat", false);
  parts.host = socket.required_text("address");
  if (!socket.has("port_value")) socket.missing("port_value");
  parts.port = static_cast<uint16_t>(
      socket.integer("port_value", 0, port_zero == PortZero::kAllowed ? 0 : 1, 65535));
  return parts;
}

void refuse_udp(View& socket) {
  if (socket.enumeration("protocol", {"TCP", "UDP"}, 0) == 1)
    socket.error("protocol", "UDP is not supported yet");
}

std::optional<AddressParts> read_socket_address(View& socket, PortZero port_zero) {
  refuse_udp(socket);
  const SocketParts read = read_socket_parts(socket, port_zero);
  if (read.host.empty()) return std::nullopt;
  auto address = net::Address::ip(read.host, read.port);
  if (!address) {
    socket.error("address", quote(read.host) +
                                " is not an IP address; host names are for clusters "
                                "of the types STRICT_DNS and LOGICAL_DNS");
    return std::nullopt;
  }
  AddressParts parts;
  parts.ipv4_compat = read.ipv4_compat;
  parts.address = *address;
  return parts;
}

std::optional<AddressParts> read_pipe(View& pipe) {
  AddressParts parts;
  parts.unix_mode = read_mode(pipe);
  const std::string path = pipe.required_text("path");
  if (path.empty()) return std::nullopt;
  auto address = net::Address::pipe(path);
  if (!address) {
    pipe.error("path", address.error().detail);
    return std::nullopt;
  }
  parts.address = *address;
  return parts;
}

/// The one of the two kinds that an Address has; null, with an error, if it has none. `kind` lives as long as the program.
std::unique_ptr<View> address_kind(View& address, std::string_view& kind) {
  address.later({"envoy_internal_address"});
  kind = address.one_of({"socket_address", "pipe"}, View::Required::kYes);
  return kind.empty() ? nullptr : address.child(kind);
}

}  // namespace

void UniqueNames::add(View& view, std::string_view field, const std::string& name) {
  auto [first, fresh] = lines_.try_emplace(name, view.mark_of(field).line);
  if (fresh) return;
  view.error(field, "duplicate " + std::string(what_) + " " + quote(name) + " (first on line " +
                        std::to_string(first->second) + ")");
}

std::optional<AddressParts> read_address(View& parent, std::string_view field, PortZero port_zero) {
  auto address = parent.required_child(field);
  if (!address) return std::nullopt;
  std::string_view kind;
  auto inner = address_kind(*address, kind);
  if (!inner) return std::nullopt;
  return kind == "pipe" ? read_pipe(*inner) : read_socket_address(*inner, port_zero);
}

std::vector<net::SocketOption> read_socket_options(View& parent, std::string_view field) {
  std::vector<net::SocketOption> out;
  for (auto& view : parent.children(field)) {
    net::SocketOption option;
    option.level = static_cast<int>(view->integer("level", 0, 0, INT_MAX));
    option.name = static_cast<int>(view->integer("name", 0, 0, INT_MAX));
    option.when = static_cast<net::SocketOption::When>(
        view->enumeration("state", {"STATE_PREBIND", "STATE_BOUND", "STATE_LISTENING"}, 0));
    view->ignore({"description"});
    view->later({"type"});
    if (view->one_of({"int_value", "buf_value"}, View::Required::kYes) == "buf_value") {
      auto bytes = parse_base64(view->text("buf_value"));
      if (!bytes) view->error("buf_value", "not base64");
      option.value = bytes.value_or("");
    } else {
      const int value = static_cast<int>(view->integer("int_value", 0, INT_MIN, INT_MAX));
      option.value.assign(reinterpret_cast<const char*>(&value), sizeof value);
    }
    out.push_back(std::move(option));
  }
  return out;
}

std::optional<HostParts> read_host(View& parent, std::string_view field) {
  auto address = parent.required_child(field);
  if (!address) return std::nullopt;
  std::string_view kind;
  auto inner = address_kind(*address, kind);
  if (!inner) return std::nullopt;
  if (kind == "pipe") {
    auto parts = read_pipe(*inner);
    if (!parts) return std::nullopt;
    return HostParts{parts->address, {}, 0};
  }
  refuse_udp(*inner);
  const SocketParts read = read_socket_parts(*inner, PortZero::kRefused);
  if (read.host.empty()) return std::nullopt;
  if (auto numeric = net::Address::ip(read.host, read.port)) return HostParts{*numeric, {}, 0};
  if (!is_host_name(read.host)) {
    inner->error("address", quote(read.host) + " is neither an IP address nor a host name");
    return std::nullopt;
  }
  return HostParts{{}, read.host, read.port};
}

std::optional<net::Address> read_source_address(View& socket) {
  auto parts = read_socket_address(socket, PortZero::kAllowed);
  if (!parts) return std::nullopt;
  return parts->address;
}

std::optional<net::Address> read_server_address(View& address) {
  auto socket = address.required_child("socket_address");
  if (!socket) return std::nullopt;
  socket->enumeration("protocol", {"TCP", "UDP"}, 0);
  const SocketParts read = read_socket_parts(*socket, PortZero::kRefused);
  if (read.host.empty()) return std::nullopt;
  auto numeric = net::Address::ip(read.host, read.port);
  if (numeric) return *numeric;
  socket->error("address", quote(read.host) + " is not an IP address");
  return std::nullopt;
}

KeepaliveParts read_keepalive(View& parent, std::string_view field) {
  KeepaliveParts parts;
  auto keepalive = parent.child(field);
  if (!keepalive) return parts;
  parts.probes = static_cast<int>(keepalive->integer("keepalive_probes", 9, 1, 127));
  parts.time_s = static_cast<int>(keepalive->integer("keepalive_time", 7200, 1, 32767));
  parts.interval_s = static_cast<int>(keepalive->integer("keepalive_interval", 75, 1, 32767));
  return parts;
}

double read_fraction(View& percent) {
  constexpr double kParts[] = {100, 10'000, 1'000'000};
  const size_t denominator =
      percent.enumeration("denominator", {"HUNDRED", "TEN_THOUSAND", "MILLION"}, 0);
  const double numerator = percent.uint32("numerator", 0);
  return std::min(1.0, numerator / kParts[denominator]);
}

std::optional<double> read_runtime_fraction(View& parent, std::string_view field) {
  auto runtime = parent.child(field);
  if (!runtime) return std::nullopt;
  runtime->ignore({"runtime_key"});
  auto percent = runtime->required_child("default_value");
  return percent ? std::optional(read_fraction(*percent)) : std::nullopt;
}

std::optional<router::RegexRewrite> read_regex_rewrite(View& parent, std::string_view field) {
  auto rewrite = parent.child(field);
  if (!rewrite) return std::nullopt;
  if (!rewrite->has("pattern")) rewrite->missing("pattern");
  auto pattern = base::Regex::read(*rewrite, "pattern");
  std::string substitution = rewrite->text("substitution");
  if (!pattern) return std::nullopt;
  return router::RegexRewrite{std::move(*pattern), std::move(substitution)};
}

std::optional<stream::Format> compile_format(View& view, std::string_view field,
                                             std::string_view text) {
  auto format = stream::Format::compile(text);
  if (format) return std::move(*format);
  view.error(field, format.error().detail);
  return std::nullopt;
}

void refuse_type(View& config, std::string_view type, const std::vector<std::string_view>& taken) {
  if (listed(type, std::begin(kExcludedTypes), std::end(kExcludedTypes))) {
    config.error("@type",
                 quote(type) + " is not supported: weir is extended by Wasm and native filters");
    return;
  }
  if (listed(type, std::begin(kLaterTypes), std::end(kLaterTypes))) {
    config.error("@type", quote(type) + " is not supported yet");
    return;
  }
  std::string message = "unknown type " + quote(type);
  const std::string near = suggestion(type, taken);
  if (!near.empty() || taken.empty()) {
    config.error("@type", message + near);
    return;
  }
  message += "; known here:";
  for (std::string_view name : taken) message.append(" ").append(name);
  config.error("@type", message);
}

}  // namespace weir::config
