#include "config/listener_filters.h"

#include <algorithm>
#include <array>
#include <utility>

#include "config/chain_match.h"
#include "config/parts.h"
#include "config/proxy_protocol.h"
#include "proxy/listener_filters/http_inspector.h"
#include "proxy/listener_filters/local_ratelimit.h"
#include "proxy/listener_filters/original_dst.h"
#include "proxy/listener_filters/proxy_protocol.h"
#include "proxy/listener_filters/tls_inspector.h"

namespace weir::config {
namespace {

using proxy::ListenerFilter;
using MakerPtr = std::shared_ptr<const proxy::ListenerFilterMaker>;

#define LISTENER_FILTER(name) "envoy.extensions.filters.listener." name
constexpr std::string_view kTlsInspector = LISTENER_FILTER("tls_inspector.v3.TlsInspector");
constexpr std::string_view kHttpInspector = LISTENER_FILTER("http_inspector.v3.HttpInspector");
constexpr std::string_view kProxyProtocol = LISTENER_FILTER("proxy_protocol.v3.ProxyProtocol");
constexpr std::string_view kOriginalDst = LISTENER_FILTER("original_dst.v3.OriginalDst");
constexpr std::string_view kLocalRateLimit = LISTENER_FILTER("local_ratelimit.v3.LocalRateLimit");
#undef LISTENER_FILTER

/// A maker from a function of the two scopes.
template <typename Make>
class Maker final : public proxy::ListenerFilterMaker {
 public:
  explicit Maker(Make make) : make_(std::move(make)) {}
  std::shared_ptr<const ListenerFilter> make(StatsScope& listener,
                                             StatsScope& root) const override {
    return make_(listener, root);
  }

 private:
  Make make_;
};
template <typename Make>
MakerPtr maker_of(Make make) {
  return std::make_shared<const Maker<Make>>(std::move(make));
}

// ---- the filters --------------------------------------------------------------------------------------------------------

MakerPtr tls_inspector(proxy::TlsInspectorOptions options) {
  return maker_of([options](StatsScope& listener, StatsScope&) {
    return std::make_shared<const proxy::TlsInspector>(options, listener);
  });
}

MakerPtr read_tls_inspector(View& config) {
  proxy::TlsInspectorOptions options;
  options.max_client_hello_size =
      config.uint32("max_client_hello_size", options.max_client_hello_size, 256, 16384);
  options.close_on_parse_error =
      config.boolean("close_connection_on_client_hello_parsing_errors", false);
  config.later({"enable_ja3_fingerprinting", "enable_ja4_fingerprinting"});
  config.ignore({"initial_read_buffer_size"});  // what is there is looked at, in one go
  return tls_inspector(options);
}

MakerPtr http_inspector() {
  return maker_of([](StatsScope& listener, StatsScope&) {
    return std::make_shared<const proxy::HttpInspector>(listener);
  });
}

void read_rules(View& config, proxy::ProxyProtocolOptions& out) {
  for (auto& rule : config.children("rules")) {
    const uint32_t type = rule->uint32("tlv_type", 0, 0, 255);
    auto present = rule->child("on_tlv_present");
    if (!present) continue;
    const std::string space =
        present->text("metadata_namespace", "envoy.filters.listener.proxy_protocol");
    const std::string key = present->required_text("key");
    out.rules.push_back({static_cast<uint8_t>(type), space + "." + key});
  }
}

MakerPtr read_proxy_protocol(View& config) {
  proxy::ProxyProtocolOptions options;
  read_rules(config, options);
  options.allow_without = config.boolean("allow_requests_without_proxy_protocol", false);
  for (const std::string& version : config.texts("disallowed_versions")) {
    if (version == "V1")
      options.allow_v1 = false;
    else if (version == "V2")
      options.allow_v2 = false;
    else
      config.error("disallowed_versions", quote(version) + " is neither V1 nor V2");
  }
  options.pass_through = read_pass_through(config);
  options.stat_prefix = config.text("stat_prefix");
  // Both kinds of state are the connection's filter state here.
  config.enumeration("tlv_location", {"DYNAMIC_METADATA", "FILTER_STATE"}, 0);
  return maker_of([options](StatsScope& listener, StatsScope&) {
    return std::make_shared<const proxy::ProxyProtocol>(options, listener);
  });
}

MakerPtr read_local_ratelimit(View& config) {
  const std::string prefix = config.required_text("stat_prefix");
  config.later({"runtime_enabled"});
  auto bucket = config.required_child("token_bucket");
  if (!bucket) return nullptr;
  if (!bucket->has("max_tokens")) bucket->missing("max_tokens");
  const uint32_t max = bucket->uint32("max_tokens", 1, 1);
  const uint32_t per_fill = bucket->uint32("tokens_per_fill", 1, 1);
  auto interval = bucket->duration("fill_interval", std::chrono::nanoseconds(0));
  if (interval < std::chrono::milliseconds(50)) {
    bucket->error("fill_interval", "must be at least 0.05s");
    interval = std::chrono::milliseconds(50);
  }
  return maker_of([max, per_fill, interval, prefix](StatsScope&, StatsScope& root) {
    return std::make_shared<const proxy::ListenerRateLimit>(max, per_fill, interval, prefix, root);
  });
}

MakerPtr read_by_type(View& config, std::string_view type) {
  if (type == kTlsInspector) return read_tls_inspector(config);
  if (type == kHttpInspector) return http_inspector();
  if (type == kProxyProtocol) return read_proxy_protocol(config);
  if (type == kLocalRateLimit) return read_local_ratelimit(config);
  if (type == kOriginalDst) {
    return maker_of(
        [](StatsScope&, StatsScope&) { return std::make_shared<const proxy::OriginalDst>(); });
  }
  for (const std::string& key : config.keys()) config.ignore({key});
  if (!type.empty())
    refuse_type(config, type,
                {kTlsInspector, kHttpInspector, kProxyProtocol, kOriginalDst, kLocalRateLimit});
  return nullptr;
}

// ---- inspectors that chains need ----------------------------------------------------------------------------------------

bool is_http_protocol(std::string_view name) {
  return name == "http/1.0" || name == "http/1.1" || name == "h2c";
}

/// Plain HTTP is told from other plain bytes by the http_inspector; with TLS the names are ALPN's.
bool needs_http_inspector(const proxy::FilterChainOptions& chain) {
  const auto& protocols = chain.match.application_protocols;
  const bool tls = chain.match.transport_protocol == "tls" ||
                   (chain.transport != nullptr && chain.transport->secure());
  return !tls && std::any_of(protocols.begin(), protocols.end(), is_http_protocol);
}

bool needs_tls_inspector(const proxy::FilterChainOptions& chain) {
  const proxy::FilterChainMatch& match = chain.match;
  return !match.server_names.empty() || !match.transport_protocol.empty() ||
         (!match.application_protocols.empty() && !needs_http_inspector(chain));
}

}  // namespace

void read_listener_filters(View& listener, proxy::ListenerOptions& out) {
  out.filters_timeout = listener.millis("listener_filters_timeout", out.filters_timeout);
  out.continue_on_filters_timeout = listener.boolean("continue_on_listener_filters_timeout", false);
  bool sees_tls = false, sees_http = false;
  for (auto& filter : listener.children("listener_filters")) {
    filter->required_text("name");
    filter->later({"config_discovery", "filter_disabled"});
    if (filter->has("config_discovery")) continue;
    auto config = filter->required_child("typed_config");
    if (!config) continue;
    if (!config->has("@type")) config->missing("@type");
    const std::string type = config->type();
    sees_tls |= type == kTlsInspector;
    sees_http |= type == kHttpInspector;
    if (auto maker = read_by_type(*config, type)) out.filters.push_back(std::move(maker));
  }
  const auto any = [&out](bool (*needs)(const proxy::FilterChainOptions&)) {
    return std::any_of(out.filter_chains.begin(), out.filter_chains.end(),
                       [needs](const auto& chain) { return needs(*chain); });
  };
  if (!sees_tls && any(&needs_tls_inspector)) out.filters.push_back(tls_inspector({}));
  if (!sees_http && any(&needs_http_inspector)) out.filters.push_back(http_inspector());
}

}  // namespace weir::config
