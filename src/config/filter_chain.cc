#include "config/filter_chain.h"

#include <utility>

#include "config/access_log.h"
#include "config/chain_match.h"
#include "config/hcm.h"
#include "config/json_text.h"
#include "config/parts.h"
#include "config/routes.h"
#include "config/tls.h"

namespace weir::config {
namespace {

using proxy::FilterChainOptions;

constexpr std::string_view kRawBuffer =
    "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";

constexpr std::string_view kTcpProxyType = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";

void take_everything(const View& view) {
  for (const std::string& key : view.keys()) view.ignore({key});
}

void read_transport(View& chain, FilterChainOptions& out, HcmScope& scope) {
  out.transport_connect_timeout =
      chain.millis("transport_socket_connect_timeout", out.transport_connect_timeout);
  auto socket = chain.child("transport_socket");
  if (!socket) return;
  out.frame = canonical_json(socket->node());
  socket->ignore({"name"});
  auto config = socket->required_child("typed_config");
  if (!config) return;
  const std::string type = config->type();
  if (type == kRawBuffer) return;
  if (type == kDownstreamTls) {
    // Not by place: an edit that moves the chain keeps its context.
    const Node* match = chain.raw("filter_chain_match");
    const std::string chain_scope = std::string(scope.listener) + "|" + out.name + "|" +
                                    (match == nullptr ? std::string() : canonical_json(*match));
    out.transport = read_downstream_tls(*config, chain_scope, scope.loading);
    return;
  }
  take_everything(*config);
  if (!type.empty()) refuse_type(*config, type, {kRawBuffer, kDownstreamTls});
}

// Null after an error.
std::shared_ptr<const NetworkFilterFactory> make_factory(View& config, std::string_view type,
                                                         std::string_view name, HcmScope& scope) {
  const FilterRegistry& registry = scope.loading.context.registry;
  const NetworkFilterMaker maker = type.empty() ? nullptr : registry.find_network(type);
  if (maker == nullptr) {
    std::vector<std::string_view> known{kHcmType};
    for (const auto& [each, unused] : registry.network()) known.push_back(each);
    if (!type.empty()) refuse_type(config, type, known);
    take_everything(config);
    return nullptr;
  }
  auto stats = scope.loading.context.stats.scope({});
  FactoryContext context =
      factory_context(scope.loading, *stats, *stats, name, scope.traffic_direction);
  auto factory = maker(config, context);
  if (!factory && !config.failed()) config.error({}, "the filter refuses this configuration");
  return factory;
}

// What tcp_proxy cannot read by itself: access logs are the session's, and only here all clusters are known.
void read_tcp_proxy_parts(View& config, FilterChainOptions& out, HcmScope& scope) {
  out.access_logs = read_access_logs(config, "access_log", scope.loading);
  check_cluster(config, "cluster", config.text("cluster"), scope.loading);
  auto weighted = config.child("weighted_clusters");
  if (!weighted) return;
  for (const auto& each : weighted->children("clusters")) {
    check_cluster(*each, "name", each->text("name"), scope.loading);
    take_everything(*each);  // the filter itself reads the rest
  }
  take_everything(*weighted);
}

// A terminal filter ends the chain, and none stands behind it.
void judge_order(View& filter, const std::string& name, bool terminal, bool last) {
  if (terminal && !last)
    filter.error({}, "the terminal filter " + quote(name) + " must be the last of \"filters\"");
  if (!terminal && last)
    filter.error({},
                 "the last filter must be a terminal one, such as "
                 "envoy.filters.network.http_connection_manager; " +
                     quote(name) + " is not");
}

void read_network_filter(View& filter, FilterChainOptions& out, HcmScope& scope, bool last) {
  const std::string name = filter.required_text("name");
  filter.later({"config_discovery"});
  if (filter.has("config_discovery")) return;
  auto config = filter.required_child("typed_config");
  if (!config) return;
  if (!config->has("@type")) config->missing("@type");
  const std::string type = config->type();
  if (type == kHcmType) {
    if (const Node* codec = config->raw("codec_type")) out.frame += canonical_json(*codec);
    out.hcm = read_hcm(*config, scope);
    return judge_order(filter, name, true, last);
  }
  if (type == kTcpProxyType && scope.loading.context.registry.find_network(type) != nullptr)
    read_tcp_proxy_parts(*config, out, scope);
  auto factory = make_factory(*config, type, name, scope);
  if (factory == nullptr) return;
  judge_order(filter, name, factory->terminal(), last);
  out.filters.push_back({name, type, std::move(factory)});
}

/// `unnamed` is the key of a chain that neither has a name nor says what it matches.
std::unique_ptr<FilterChainOptions> read_filter_chain(View& chain, HcmScope& scope,
                                                      std::string_view unnamed) {
  Sources& sources = scope.loading.views.sources;
  Sources::Uses uses = sources.take_uses();
  auto out = std::make_unique<FilterChainOptions>();
  out->name = chain.text("name");
  out->key = unnamed;
  out->match = read_chain_match(chain, "filter_chain_match");
  if (const Node* match = chain.raw("filter_chain_match")) out->key = canonical_json(*match);
  if (!out->name.empty()) out->key = "name " + out->name;
  chain.later({"use_proxy_proto", "on_demand_configuration"});
  chain.ignore({"metadata"});
  read_transport(chain, *out, scope);
  auto filters = chain.children("filters");
  if (chain.no_items("filters")) chain.missing("filters");
  for (size_t i = 0; i < filters.size(); ++i)
    read_network_filter(*filters[i], *out, scope, i + 1 == filters.size());
  out->frame += out->hcm != nullptr ? " http" : " bytes";
  out->text = canonical_json(chain.node()) + std::string(scope.traffic_direction) +
              std::to_string(scope.listener_port) + sources.uses_json();
  sources.add_uses(std::move(uses));
  return out;
}

/// Chains that match the same connections: which of them was meant?
void judge_matches(View& listener, std::vector<std::unique_ptr<View>>& views,
                   const proxy::ListenerOptions& out) {
  proxy::ChainMatcher matcher;
  for (size_t i = 0; i < views.size(); ++i) {
    auto added = matcher.add(out.filter_chains[i]->match, i);
    if (added) continue;
    const std::string other = "filter_chains[" + added.error().detail + "]";
    views[i]->error(views[i]->has("filter_chain_match") ? "filter_chain_match" : "",
                    "matches the same connections as " + listener.path() + "." + other);
  }
}

}  // namespace

void read_filter_chains(View& listener, proxy::ListenerOptions& out, Loading& loading) {
  HcmScope scope{loading, out.traffic_direction,
                 out.address.is_unix() ? uint16_t{0} : out.address.port(), out.name};
  listener.later({"filter_chain_matcher"});
  auto chains = listener.children("filter_chains");
  auto fallback = listener.child("default_filter_chain");
  if (listener.no_items("filter_chains") && !fallback) listener.missing("filter_chains");
  UniqueNames names("filter chain");
  for (auto& chain : chains) {
    out.filter_chains.push_back(read_filter_chain(*chain, scope, {}));
    const std::string& name = out.filter_chains.back()->name;
    if (!name.empty()) names.add(*chain, "name", name);
  }
  judge_matches(listener, chains, out);
  if (!fallback) return;
  auto chain = read_filter_chain(*fallback, scope, "default");
  if (!chain->match.matches_everything())
    fallback->error("filter_chain_match", "the default filter chain matches what no other does");
  if (!chain->name.empty()) names.add(*fallback, "name", chain->name);
  out.default_filter_chain = std::move(chain);
}

}  // namespace weir::config
