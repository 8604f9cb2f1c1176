#include "config/routes.h"

#include <utility>

#include "base/strings.h"
#include "config/metadata.h"
#include "config/parts.h"
#include "config/resource_file.h"
#include "router/route_table.h"

namespace weir::config {
namespace {

constexpr std::string_view kRouteConfiguration = "envoy.config.route.v3.RouteConfiguration";

using router::RouteTableOptions;
using router::VirtualHostOptions;

// A "*" alone, at one end, or nowhere.
bool domain_shape(std::string_view domain) {
  const size_t star = domain.find('*');
  if (star == std::string_view::npos) return true;
  if (domain.find('*', star + 1) != std::string_view::npos) return false;
  return star == 0 || star == domain.size() - 1;
}

void read_domains(View& view, VirtualHostOptions& host, UniqueNames& seen) {
  for (const std::string& domain : view.texts("domains")) {
    std::string lower = base::lower(domain);
    if (lower.empty()) {
      view.error("domains", "a domain is empty");
      continue;
    }
    if (!domain_shape(lower)) {
      view.error("domains",
                 quote(domain) + " has a \"*\" that stands neither alone nor at one end");
      continue;
    }
    seen.add(view, "domains", lower);
    host.domains.push_back(std::move(lower));
  }
  if (view.no_items("domains")) view.missing("domains");
}

VirtualHostOptions read_virtual_host(View& view, RouteScope& scope, UniqueNames& names,
                                     UniqueNames& domains) {
  VirtualHostOptions host;
  host.name = view.required_text("name");
  if (!host.name.empty()) names.add(view, "name", host.name);
  read_domains(view, host, domains);
  host.require_tls = static_cast<VirtualHostOptions::RequireTls>(
      view.enumeration("require_tls", {"NONE", "EXTERNAL_ONLY", "ALL"}, 0));
  host.include_attempt_count = view.boolean("include_request_attempt_count", false);
  host.include_filter_times = view.boolean("include_filter_times_in_response", false);
  host.request_headers =
      stream::HeaderOps::read(view, "request_headers_to_add", "request_headers_to_remove");
  host.response_headers =
      stream::HeaderOps::read(view, "response_headers_to_add", "response_headers_to_remove");
  host.filters = read_filter_overrides(view, scope);
  view.later({"virtual_clusters", "rate_limits", "include_attempt_count_in_response",
              "retry_policy", "retry_policy_typed_config", "hedge_policy",
              "include_is_timeout_retry_header", "per_request_buffer_limit_bytes",
              "request_body_buffer_limit", "request_mirror_policies", "matcher", "cors"});
  host.metadata = read_metadata(view);
  for (auto& route : view.children("routes")) host.routes.push_back(read_route(*route, scope));
  return host;
}

}  // namespace

void check_cluster(View& view, std::string_view field, const std::string& name,
                   const RouteScope& scope) {
  if (scope.validate_clusters) check_cluster(view, field, name, scope.loading);
}

void check_cluster(View& view, std::string_view field, const std::string& name,
                   const Loading& loading) {
  const auto& clusters = loading.clusters;
  if (name.empty() || clusters.count(name) > 0) return;
  const std::vector<std::string_view> known(clusters.begin(), clusters.end());
  view.error(field, "unknown cluster " + quote(name) + suggestion(name, known));
}

namespace {

std::unique_ptr<View> find_routes(View& hcm, Loading& loading) {
  const auto required = hcm.has("scoped_routes") ? View::Required::kNo : View::Required::kYes;
  const std::string_view kind = hcm.one_of({"route_config", "rds"}, required);
  if (kind.empty()) return nullptr;
  if (kind == "route_config") return hcm.child(kind);
  auto rds = hcm.child("rds");
  if (!rds) return nullptr;
  const std::string name = rds->required_text("route_config_name");
  if (name.empty()) return nullptr;
  return find_resource(*rds, "config_source", kRouteConfiguration, "name", name, loading);
}

}  // namespace

std::shared_ptr<const router::RouteTable> read_routes(View& hcm, RouteScope& scope) {
  auto view = find_routes(hcm, scope.loading);
  if (!view) return nullptr;
  scope.validate_clusters = hcm.has("route_config");
  RouteTableOptions table;
  table.name = view->text("name");
  scope.validate_clusters = view->boolean("validate_clusters", scope.validate_clusters);
  scope.max_direct_body = view->uint32("max_direct_response_body_size_bytes", 4096);
  table.most_specific_header_mutations_wins =
      view->boolean("most_specific_header_mutations_wins", false);
  table.ignore_port_in_host_matching = view->boolean("ignore_port_in_host_matching", false);
  table.request_headers =
      stream::HeaderOps::read(*view, "request_headers_to_add", "request_headers_to_remove");
  table.response_headers =
      stream::HeaderOps::read(*view, "response_headers_to_add", "response_headers_to_remove");
  table.filters = read_filter_overrides(*view, scope);
  view->later({"vhds", "internal_only_headers", "request_mirror_policies",
               "ignore_path_parameters_in_path_matching", "vhost_header",
               "cluster_specifier_plugins"});
  view->ignore({"metadata"});
  UniqueNames names("virtual host"), domains("domain");
  for (auto& host : view->children("virtual_hosts")) {
    table.virtual_hosts.push_back(read_virtual_host(*host, scope, names, domains));
  }
  if (view->failed()) return nullptr;
  auto built = router::RouteTable::build(std::move(table));
  if (built) return std::move(*built);
  view->error({}, built.error().detail);
  return nullptr;
}

}  // namespace weir::config
