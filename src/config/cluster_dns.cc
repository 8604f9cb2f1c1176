#include "config/cluster_dns.h"

#include <string>
#include <vector>

#include "config/parts.h"

namespace weir::config {
namespace {

using std::chrono::milliseconds;
using upstream::DnsOptions;
using upstream::LookupFamily;
using upstream::ResolverOptions;

constexpr std::string_view kCares =
    "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig";
constexpr uint32_t kMaxTimeoutSeconds = 3600;
constexpr uint32_t kMaxTries = 100;

void read_servers(View& view, std::string_view field, ResolverOptions& out) {
  for (auto& server : view.children(field)) {
    auto address = read_server_address(*server);
    if (address) out.servers.push_back(address->to_string());
  }
}

void read_options(View& view, ResolverOptions& out) {
  auto options = view.child("dns_resolver_options");
  if (!options) return;
  out.use_tcp = options->boolean("use_tcp_for_dns_lookups", false);
  out.no_search_domains = options->boolean("no_default_search_domain", false);
}

void read_cares(View& config, ResolverOptions& out) {
  read_servers(config, "resolvers", out);
  read_options(config, out);
  out.servers_as_fallback = config.boolean("use_resolvers_as_fallback", false);
  out.filter_unroutable_families = config.boolean("filter_unroutable_families", false);
  out.udp_max_queries = config.uint32("udp_max_queries", 0);
  out.query_timeout =
      std::chrono::seconds(config.uint32("query_timeout_seconds", 5, 1, kMaxTimeoutSeconds));
  out.query_tries = config.uint32("query_tries", 4, 1, kMaxTries);
  out.rotate_servers = config.boolean("rotate_nameservers", false);
  out.edns0_payload = config.uint32("edns0_max_payload_size", 0, 512, 4096);
  config.later({"max_udp_channel_duration", "reinit_channel_on_timeout"});
}

void read_typed(View& extension, ResolverOptions& out) {
  extension.ignore({"name"});
  auto config = extension.required_child("typed_config");
  if (!config) return;
  const std::string type = config->type();
  if (type == kCares) return read_cares(*config, out);
  for (const std::string& key : config->keys()) config->ignore({key});
  if (!type.empty()) refuse_type(*config, type, {kCares});
}

LookupFamily family_of(size_t index) {
  constexpr LookupFamily kFamilies[] = {LookupFamily::kAuto, LookupFamily::kV4Only,
                                        LookupFamily::kV6Only, LookupFamily::kV4Preferred,
                                        LookupFamily::kAll};
  return kFamilies[index];
}

// What the cluster and DnsCluster have in common.
void read_rates(View& view, DnsOptions& out) {
  out.refresh_rate = view.millis("dns_refresh_rate", out.refresh_rate);
  if (out.refresh_rate.count() == 0) view.error("dns_refresh_rate", "must be greater than 0");
  out.jitter = view.millis("dns_jitter", milliseconds(0));
  out.respect_ttl = view.boolean("respect_dns_ttl", false);
  auto failure = view.child("dns_failure_refresh_rate");
  if (!failure) return;
  if (!failure->has("base_interval")) failure->missing("base_interval");
  out.failure_base = failure->millis("base_interval", milliseconds(1000));
  if (out.failure_base.count() == 0) failure->error("base_interval", "must be greater than 0");
  out.failure_max = failure->millis("max_interval", out.failure_base * 10);
  if (out.failure_max < out.failure_base)
    failure->error("max_interval", "is shorter than base_interval");
}

}  // namespace

void read_resolver(View& view, ResolverOptions& out) {
  const bool use_tcp = view.boolean("use_tcp_for_dns_lookups", out.use_tcp);
  if (auto typed = view.child("typed_dns_resolver_config")) {
    out = {};
    read_typed(*typed, out);
    view.ignore({"dns_resolution_config"});  // the older form, which this one wins over
    return;
  }
  if (auto older = view.child("dns_resolution_config")) {
    out = {};
    read_servers(*older, "resolvers", out);
    read_options(*older, out);
    return;
  }
  out.use_tcp = use_tcp;
}

void read_cluster_dns(View& cluster, DnsOptions& out) {
  out.family = family_of(cluster.enumeration(
      "dns_lookup_family", {"AUTO", "V4_ONLY", "V6_ONLY", "V4_PREFERRED", "ALL"}, 0));
  read_rates(cluster, out);
  out.wait_for_warm = cluster.boolean("wait_for_warm_on_init", true);
  if (cluster.has("dns_resolvers")) {
    out.resolver = {};
    read_servers(cluster, "dns_resolvers", out.resolver);
  }
  read_resolver(cluster, out.resolver);
}

void read_dns_cluster(View& config, upstream::ClusterOptions& out,
                      const ResolverOptions& default_resolver) {
  DnsOptions dns;
  dns.wait_for_warm = out.dns.wait_for_warm;
  dns.resolver = default_resolver;
  const size_t family = config.enumeration(
      "dns_lookup_family", {"UNSPECIFIED", "AUTO", "V4_ONLY", "V6_ONLY", "V4_PREFERRED", "ALL"}, 0);
  dns.family = family == 0 ? LookupFamily::kAuto : family_of(family - 1);
  read_rates(config, dns);
  if (auto typed = config.child("typed_dns_resolver_config")) {
    dns.resolver = {};
    read_typed(*typed, dns.resolver);
  }
  out.type = config.boolean("all_addresses_in_single_endpoint", false)
                 ? upstream::ClusterType::kLogicalDns
                 : upstream::ClusterType::kStrictDns;
  out.dns = std::move(dns);
}

}  // namespace weir::config
