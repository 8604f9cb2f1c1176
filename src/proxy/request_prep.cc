#include "proxy/request_prep.h"

#include <array>

#include "base/random.h"
#include "base/strings.h"
#include "base/time.h"
#include "http/rules.h"
#include "proxy/client_cert.h"

namespace weir::proxy {

namespace {

constexpr uint64_t bit(HeaderId id) noexcept { return uint64_t{1} << static_cast<unsigned>(id); }
static_assert(static_cast<unsigned>(HeaderId::kCount_) <= 64);

/// Which fields a head has, found in one pass.
struct Seen {
  uint64_t ids = 0;
  unsigned referers = 0;
  bool internal_names = false;  // "x-envoy-*", "x-weir-*" that are not interned
  bool has(HeaderId id) const noexcept { return (ids & bit(id)) != 0; }
};

bool internal_name(std::string_view name) noexcept {
  return name.size() > 7 && name[0] == 'x' && name[1] == '-' &&
         (name.starts_with("x-envoy-") || name.starts_with("x-weir-"));
}

Seen look(const HeaderMap& headers) noexcept {
  Seen seen;
  for (const HeaderMap::Entry& entry : headers) {
    seen.ids |= bit(entry.id);
    if (entry.id == HeaderId::kReferer) ++seen.referers;
    if (entry.id == HeaderId::kOther && internal_name(entry.name)) seen.internal_names = true;
  }
  return seen;
}

Refusal refuse(int status, std::string_view body, std::string_view details, bool close) {
  Refusal refusal;
  refusal.reply.status = status;
  refusal.reply.body = body;
  refusal.reply.details = details;
  refusal.close = close;
  return refusal;
}

// ---- target ----------------------------------------------------------------------------------------------------------

bool host_needs_work(std::string_view host, const http::HostOptions& options) noexcept {
  if (options.strip_any_port || options.strip_matching_port || options.strip_trailing_dot)
    return true;
  for (const char c : host)
    if (c >= 'A' && c <= 'Z') return true;
  return false;
}

std::optional<Refusal> check_target(RequestHead& head, StreamInfo& info,
                                    const ChainRuntime& runtime, bool secure,
                                    std::string& scratch) {
  // Only an absolute target says so, and this connection is not what it names (RFC 9110 4.2.2).
  if (head.scheme() == "https" && !secure)
    return refuse(403, "Forbidden", "http1.invalid_scheme", true);
  if (head.authority().empty()) return refuse(400, "", "missing_host_header", true);
  if (host_needs_work(head.authority(), runtime.host_options()))
    head.set_authority(http::normalize_host(head.authority(), runtime.host_options()));
  if (head.method() == "CONNECT") {  // it has no path
    info.tunnel = Tunnel::kAsked;
    return std::nullopt;
  }
  const std::string_view path = head.path();
  if (path.empty()) return refuse(404, "", "missing_path_rejected", false);
  if (path.front() != '/') {
    runtime.stats().rq_non_relative_path.inc();
    return refuse(404, "", "absolute_path_rejected", false);
  }
  const auto outcome = http::normalize_path(path, runtime.hcm().path, scratch);
  if (!outcome) {
    runtime.stats().rq_failed_path_normalization.inc();
    return refuse(400, "", "path_normalization_failed", true);
  }
  if (*outcome == http::PathOutcome::kChanged) head.set_path(scratch);
  if (*outcome == http::PathOutcome::kRedirect) {
    runtime.stats().rq_redirected_with_normalized_path.inc();
    Refusal redirect = refuse(307, "", "path_normalized_redirect", false);
    // "//host/x" would name another host (RFC 3986 4.2); "/.//host/x" is the same path of this one.
    if (scratch.starts_with("//") || scratch.starts_with("/\\")) scratch.insert(0, "/.");
    redirect.reply.headers.emplace_back("location", scratch);
    return redirect;
  }
  return std::nullopt;
}

// ---- who the client is -------------------------------------------------------------------------------------------------

/// The `hops`-th address from the right of x-forwarded-for (0 = the last); empty if there is none or it is no IP.
std::string_view forwarded_address(std::string_view list, uint32_t hops) noexcept {
  while (true) {
    const size_t comma = list.rfind(',');
    const std::string_view last =
        base::trim(comma == std::string_view::npos ? list : list.substr(comma + 1));
    if (hops-- == 0) return net::Address::ip(last, 0) ? last : std::string_view();
    if (comma == std::string_view::npos) return {};
    list = list.substr(0, comma);
  }
}

void set_trusted(std::string_view ip, StreamInfo& info, PrepScratch& scratch) {
  scratch.trusted_address.clear();
  if (ip.find(':') != std::string_view::npos)
    base::append_all(scratch.trusted_address, "[", ip, "]:0");
  else
    base::append_all(scratch.trusted_address, ip, ":0");
  info.downstream_remote_address = scratch.trusted_address;
}

bool known_scheme(std::string_view scheme) noexcept {
  return scheme == "http" || scheme == "https";
}

/// x-forwarded-for, x-forwarded-proto and the scheme that follows from it. Returns the trusted client's IP.
std::string_view forwarded_fields(RequestHead& head, const Seen& seen, StreamInfo& info,
                                  const HcmOptions& hcm, const PeerFacts& peer,
                                  PrepScratch& scratch) {
  HeaderMap& headers = head.headers;
  std::string_view trusted = peer.remote_ip;
  const bool edge = hcm.use_remote_address;
  if (seen.has(HeaderId::kXForwardedFor) || edge) {
    scratch.text =
        seen.has(HeaderId::kXForwardedFor) ? headers.joined("x-forwarded-for") : std::string();
    if (!edge || hcm.xff_num_trusted_hops > 0) {
      const auto found = forwarded_address(
          scratch.text, edge ? hcm.xff_num_trusted_hops - 1 : hcm.xff_num_trusted_hops);
      if (!found.empty()) {
        set_trusted(found, info, scratch);
        trusted = std::string_view(scratch.trusted_address)
                      .substr(found.find(':') != std::string_view::npos, found.size());
      }
    }
    if (edge && !hcm.skip_xff_append && !peer.remote_ip.empty()) {
      if (!scratch.text.empty()) scratch.text += ',';
      scratch.text += peer.remote_ip;
      headers.set(HeaderId::kXForwardedFor, scratch.text);
    }
  }
  const std::string_view proto_here = peer.tls != nullptr ? "https" : "http";
  const bool believed =
      seen.has(HeaderId::kXForwardedProto) && (!edge || hcm.xff_num_trusted_hops > 0);
  if (believed) {
    const auto proto = headers.get(HeaderId::kXForwardedProto);
    if (proto && known_scheme(*proto))
      head.set_stored_scheme(*proto == "https" ? "https" : "http");
    else
      head.set_stored_scheme(proto_here);
  } else {
    headers.set(HeaderId::kXForwardedProto, proto_here);
    head.set_stored_scheme(proto_here);
  }
  return trusted;
}

// ---- fields that the outside may not set ---------------------------------------------------------------------------------

constexpr std::array<std::string_view, 15> kControl = {"x-envoy-retry-on",
                                                       "x-envoy-retry-grpc-on",
                                                       "x-envoy-retriable-status-codes",
                                                       "x-envoy-retriable-header-names",
                                                       "x-envoy-max-retries",
                                                       "x-envoy-upstream-alt-stat-name",
                                                       "x-envoy-upstream-rq-timeout-ms",
                                                       "x-envoy-upstream-rq-per-try-timeout-ms",
                                                       "x-envoy-upstream-rq-timeout-alt-response",
                                                       "x-envoy-expected-rq-timeout-ms",
                                                       "x-envoy-force-trace",
                                                       "x-envoy-ip-tags",
                                                       "x-envoy-hedge-on-per-try-timeout",
                                                       "x-envoy-is-timeout-retry",
                                                       "x-envoy-internal"};
constexpr std::array<std::string_view, 10> kEdgeOnly = {
    "x-envoy-decorator-operation",     "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node", "x-envoy-original-path",
    "x-envoy-original-host",           "x-envoy-external-address",
    "x-envoy-attempt-count",           "x-envoy-original-dst-host",
    "x-envoy-peer-metadata",           "x-envoy-peer-metadata-id"};

bool must_go(std::string_view name, bool edge) noexcept {
  for (const std::string_view control : kControl)
    if (name == control) return true;
  if (!edge) return false;
  if (name.starts_with("x-weir-")) return true;
  for (const std::string_view control : kEdgeOnly)
    if (name == control) return true;
  return false;
}

void sanitize(RequestHead& head, const Seen& seen, bool edge, bool keep_expect) {
  constexpr uint64_t kInterned =
      bit(HeaderId::kXEnvoyExpectedRqTimeoutMs) | bit(HeaderId::kXEnvoyExternalAddress) |
      bit(HeaderId::kXEnvoyInternal) | bit(HeaderId::kXEnvoyOriginalHost) |
      bit(HeaderId::kXEnvoyOriginalPath) | bit(HeaderId::kXEnvoyOverloaded) |
      bit(HeaderId::kXEnvoyUpstreamServiceTime);
  if (seen.internal_names || (seen.ids & kInterned) != 0)
    head.headers.remove_if([edge](const HeaderMap::Entry& entry) {
      return internal_name(entry.name) && must_go(entry.name, edge);
    });
  if (seen.has(HeaderId::kExpect) && !keep_expect)
    head.headers.remove(HeaderId::kExpect);  // the codec has answered it
  if (seen.has(HeaderId::kReferer)) {
    const auto referer = head.headers.get(HeaderId::kReferer);
    const auto host = referer->starts_with("http://")    ? referer->substr(7)
                      : referer->starts_with("https://") ? referer->substr(8)
                                                         : std::string_view();
    if (seen.referers > 1 || host.empty() || host.front() == '/')
      head.headers.remove(HeaderId::kReferer);
  }
}

void request_id(HeaderMap& headers, const Seen& seen, const HcmOptions& hcm) {
  if (!hcm.generate_request_id) return;
  const bool present = seen.has(HeaderId::kXRequestId);
  if (present && (!hcm.use_remote_address || hcm.preserve_external_request_id)) return;
  // Version 4; the version's place at index 14 is also where Envoy keeps its trace reason: '4' is none.
  std::array<char, base::kUuidSize> id;
  base::uuid4(id);
  const std::string_view text(id.data(), id.size());
  if (present)
    headers.set(HeaderId::kXRequestId, text);
  else
    headers.add(HeaderId::kXRequestId, text);
}

void append_via(HeaderMap& headers, const std::string& via, std::string& scratch) {
  if (via.empty()) return;
  scratch = headers.joined("via");
  if (!scratch.empty()) scratch += ", ";
  scratch += via;
  headers.set(HeaderId::kVia, scratch);
}

}  // namespace

std::optional<Refusal> prepare_request(RequestHead& head, StreamInfo& info,
                                       const ChainRuntime& runtime, const PeerFacts& peer,
                                       PrepScratch& scratch) {
  const HcmOptions& hcm = runtime.hcm();
  info.downstream_remote_address = peer.remote_text;
  if (auto refusal = check_target(head, info, runtime, peer.tls != nullptr, scratch.text))
    return refusal;

  const Seen seen = look(head.headers);
  // The codec leaves only what is really an upgrade, and never h2c.
  const bool upgrade = seen.has(HeaderId::kUpgrade);
  if (upgrade) info.tunnel = Tunnel::kAsked;
  constexpr uint64_t kHopByHop = bit(HeaderId::kConnection) | bit(HeaderId::kKeepAlive) |
                                 bit(HeaderId::kProxyConnection) |
                                 bit(HeaderId::kTransferEncoding) | bit(HeaderId::kUpgrade) |
                                 bit(HeaderId::kHttp2Settings) | bit(HeaderId::kTe);
  if ((seen.ids & kHopByHop) != 0) {
    const auto keep = upgrade ? http::UpgradeField::kKeep : http::UpgradeField::kDrop;
    if (auto stripped = http::strip_hop_by_hop(head.headers, keep); !stripped) {
      info.set_flag(ResponseFlag::kDownstreamProtocolError);
      return refuse(400, "Bad Request", "http1.connection_header_rejected", true);
    }
  }
  sanitize(head, seen, hcm.use_remote_address, hcm.proxy_100_continue);
  if (seen.has(HeaderId::kXForwardedClientCert) || peer.tls != nullptr)
    forward_client_cert(head.headers, peer.tls, hcm.forward_client_cert, hcm.client_cert_details,
                        scratch.text);
  const std::string_view client = forwarded_fields(head, seen, info, hcm, peer, scratch);
  if (hcm.use_remote_address && !client.empty())
    head.headers.add(HeaderId::kXEnvoyExternalAddress, client);
  request_id(head.headers, seen, hcm);
  append_via(head.headers, hcm.via, scratch.text);
  return std::nullopt;
}

void prepare_response(ResponseHead& head, const RequestHead& request, const HcmOptions& hcm,
                      SystemTime now, std::string& scratch) {
  HeaderMap& headers = head.headers;
  const auto upgrade = head.status == 101 ? http::UpgradeField::kKeep : http::UpgradeField::kDrop;
  if (!http::strip_hop_by_hop(
          headers, upgrade)) {  // a Connection field that lies: only the list itself goes
    for (const HeaderId id :
         {HeaderId::kConnection, HeaderId::kKeepAlive, HeaderId::kProxyConnection,
          HeaderId::kTransferEncoding, HeaderId::kUpgrade})
      headers.remove(id);
  }
  bool date = false;
  bool server = false;
  for (const HeaderMap::Entry& entry : headers) {
    date = date || entry.id == HeaderId::kDate;
    server = server || entry.id == HeaderId::kServer;
  }
  if (!date) headers.add(HeaderId::kDate, base::http_date(now));
  if (!server && hcm.server_header != ServerHeader::kPassThrough)
    headers.add(HeaderId::kServer, hcm.server_name);
  else if (server && hcm.server_header == ServerHeader::kOverwrite)
    headers.set(HeaderId::kServer, hcm.server_name);
  append_via(headers, hcm.via, scratch);
  if (hcm.always_set_request_id_in_response) {
    if (const auto id = request.headers.get(HeaderId::kXRequestId))
      headers.set(HeaderId::kXRequestId, *id);
  }
}

}  // namespace weir::proxy
