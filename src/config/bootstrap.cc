#include "config/bootstrap.h"

#include <utility>

#include "config/cluster.h"
#include "config/cluster_dns.h"
#include "config/json_text.h"
#include "config/listener.h"
#include "config/parts.h"
#include "config/resource_file.h"

namespace weir::config {
namespace {

constexpr std::string_view kClusterType = "envoy.config.cluster.v3.Cluster";
constexpr std::string_view kListenerType = "envoy.config.listener.v3.Listener";

void read_node(View& root, Configuration& out) {
  auto node = root.child("node");
  if (!node) return;
  out.node_id = node->text("id");
  out.node_cluster = node->text("cluster");
  if (auto metadata = node->child("metadata")) {
    out.node_metadata_json = canonical_json(metadata->node());
    for (const std::string& key : metadata->keys()) metadata->ignore({key});
  }
  if (auto locality = node->child("locality")) {
    out.node_region = locality->text("region");
    out.node_zone = locality->text("zone");
    out.node_sub_zone = locality->text("sub_zone");
  }
  node->ignore({"user_agent_name", "user_agent_version", "user_agent_build_version",
                "client_features", "extensions", "listening_addresses"});
  node->later({"dynamic_parameters"});
}

std::string read_admin_log(View& log) {
  log.ignore({"name"});
  log.later({"filter"});
  auto config = log.required_child("typed_config");
  if (!config) return {};
  constexpr std::string_view kFileLog = "envoy.extensions.access_loggers.file.v3.FileAccessLog";
  const std::string type = config->type();
  if (type != kFileLog) {
    for (const std::string& key : config->keys()) config->ignore({key});
    if (!type.empty()) refuse_type(*config, type, {kFileLog});
    return {};
  }
  config->later({"log_format", "format", "json_format", "typed_json_format"});
  return config->required_text("path");
}

void read_admin(View& root, Configuration& out) {
  auto admin = root.child("admin");
  if (!admin) return;
  static_cast<void>(admin->path());  // remembers the place, for an address that cannot be bound
  if (admin->has("address")) {
    if (auto address = read_address(*admin, "address", PortZero::kAllowed))
      out.admin.address = address->address;
  }
  admin->one_of({"access_log", "access_log_path"}, View::Required::kNo);
  out.admin.access_log_path = admin->text("access_log_path");
  auto logs = admin->children("access_log");
  for (size_t i = 0; i < logs.size(); ++i) {
    out.admin.access_log_path = read_admin_log(*logs[i]);
    if (i > 0) logs[i]->error({}, "more than one access log is not supported yet");
  }
  admin->later({"socket_options", "allow_paths"});
  admin->ignore({"profile_path", "ignore_global_conn_limit"});
}

void read_own_fields(View& root, Configuration& out) {
  using std::chrono::hours;
  using std::chrono::milliseconds;
  if (auto reload = root.child("reload")) {
    out.reload.watch = reload->boolean("watch", out.reload.watch);
    out.reload.debounce = reload->millis("debounce", out.reload.debounce);
    if (out.reload.debounce > std::chrono::minutes(1)) reload->error("debounce", "longer than 1m");
  }
  out.old_generation_max_age = root.millis("old_generation_max_age", out.old_generation_max_age);
}

constexpr std::string_view kConnectionsMonitor =
    "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig";

void read_overload_manager(View& root, Configuration& out) {
  auto manager = root.child("overload_manager");
  if (!manager) return;
  for (auto& monitor : manager->children("resource_monitors")) {
    monitor->required_text("name");
    auto config = monitor->required_child("typed_config");
    if (!config) continue;
    const std::string type = config->type();
    if (type == kConnectionsMonitor) {
      if (!config->has("max_active_downstream_connections"))
        config->missing("max_active_downstream_connections");
      out.max_downstream_connections = static_cast<uint64_t>(
          config->integer("max_active_downstream_connections", 1, 1, INT64_MAX));
      continue;
    }
    for (const std::string& key : config->keys()) config->ignore({key});
    if (type.empty())
      config->missing("@type");
    else
      refuse_type(*config, type, {kConnectionsMonitor});
  }
  // The number of connections is looked at when one comes.
  manager->ignore({"refresh_interval"});
  manager->later({"actions", "loadshed_points", "buffer_factory_config"});
}

void refuse_later(View& root) {
  root.later({"cluster_manager",
              "stats_config",
              "stats_sinks",
              "hds_config",
              "tracing",
              "layered_runtime",
              "watchdog",
              "watchdogs",
              "header_prefix",
              "application_log_config",
              "default_socket_interface",
              "inline_headers",
              "xds_delegate_extension",
              "xds_config_tracker_extension",
              "listener_manager",
              "certificate_provider_instances",
              "perf_tracing_file_path",
              "default_config_source",
              "stats_server_version_override",
              "memory_allocator_manager",
              "flags_path",
              "grpc_async_client_manager_config",
              "enable_worker_cpu_affinity",
              "fatal_actions",
              "config_sources",
              "node_context_params"});
  // They change nothing that could be seen: statistics are merged when they are read, and RE2 is the only engine.
  root.ignore({"stats_flush_interval", "stats_flush_on_admin", "enable_dispatcher_stats",
               "default_regex_engine"});
}

void read_extensions(View& root, Loading& loading, Configuration& out) {
  const FilterRegistry& registry = loading.context.registry;
  for (auto& view : root.children("bootstrap_extensions")) {
    const std::string name = view->required_text("name");
    auto config = view->required_child("typed_config");
    if (!config) continue;
    if (!config->has("@type")) config->missing("@type");
    const std::string type = config->type();
    const BootstrapExtensionMaker maker = registry.find_bootstrap_extension(type);
    if (maker == nullptr) {
      std::vector<std::string_view> known;
      for (const auto& [each, unused] : registry.bootstrap_extensions()) known.push_back(each);
      if (!type.empty()) refuse_type(*config, type, known);
      for (const std::string& key : config->keys()) config->ignore({key});
      continue;
    }
    auto stats = loading.context.stats.scope({});
    FactoryContext context = factory_context(loading, *stats, *stats, name);
    if (auto made = maker(*config, context)) out.extensions.push_back(std::move(made));
  }
}

// The text of a listener or cluster together with the digests of what it took from files and the environment.
std::string comparable_text(const Node& node, const Sources& sources) {
  std::string out = canonical_json(node);
  const std::string uses = sources.uses_json();
  if (uses.empty()) return out;
  out.pop_back();
  return out + (out.size() > 1 ? ",\"@sources\":" : "\"@sources\":") + uses + "}";
}

/// Readers of what may stand in the bootstrap and in files of the discovery services.
struct Resources {
  Loading& loading;
  Configuration& out;
  UniqueNames cluster_names{"cluster"}, listener_names{"listener"}, addresses{"address"};

  void add_cluster(View& cluster);
  void add_listener(View& listener);
};

void Resources::add_cluster(View& cluster) {
  loading.views.sources.start_uses();
  auto options = read_cluster(cluster, loading);
  if (!options->name.empty()) cluster_names.add(cluster, "name", options->name);
  loading.clusters.insert(options->name);
  loading.upstream_filters.insert(loading.upstream_filters.end(), options->http_filters.begin(),
                                  options->http_filters.end());
  out.clusters.push_back(std::move(options));
  out.cluster_texts.push_back(comparable_text(cluster.node(), loading.views.sources));
}

void Resources::add_listener(View& listener) {
  loading.views.sources.start_uses();
  // Whether its socket can be opened is seen later.
  out.listener_paths.push_back(listener.path());
  auto options = read_listener(listener, loading);
  if (!options->name.empty())
    listener_names.add(listener, listener.has("name") ? "name" : "address", options->name);
  const bool chosen_by_kernel = !options->address.is_unix() && options->address.port() == 0;
  if (options->address.family() != AF_UNSPEC && !chosen_by_kernel && options->bind_to_port) {
    addresses.add(listener, "address", options->address.to_string());
  }
  for (const proxy::ListenAddress& each : options->additional_addresses) {
    if (options->bind_to_port && (each.address.is_unix() || each.address.port() != 0))
      addresses.add(listener, "additional_addresses", each.address.to_string());
  }
  out.listeners.push_back(std::move(options));
  out.listener_texts.push_back(comparable_text(listener.node(), loading.views.sources));
  out.listener_frames.push_back(frame_json(listener.node()));
}

std::string dump(const Node& root, const Loading& loading) {
  std::string out = redacted_json(root);
  std::string files;
  for (const auto& [path, node] : loading.files) {
    if (node == nullptr) continue;
    files += files.empty() ? "{" : ",";
    append_json_string(path, files);
    files += ":" + redacted_json(*node);
  }
  if (files.empty()) return out;
  out.pop_back();
  return out + (out.size() > 1 ? "," : "") + "\"@files\":" + files + "}}";
}

}  // namespace

void read_bootstrap(const Node& root_node, Loading& loading, Configuration& out) {
  View root(loading.views, root_node, {});
  read_node(root, out);
  read_admin(root, out);
  read_own_fields(root, out);
  read_resolver(root, loading.resolver);
  read_overload_manager(root, out);
  refuse_later(root);
  auto fixed = root.child("static_resources");
  auto dynamic = root.child("dynamic_resources");
  if (fixed) loading.secrets.read_static(*fixed);
  if (dynamic) dynamic->later({"ads_config", "lds_resources_locator", "cds_resources_locator"});
  Resources resources{loading, out};
  // Clusters first: routes name them.
  if (fixed)
    for (auto& cluster : fixed->children("clusters")) resources.add_cluster(*cluster);
  if (dynamic && dynamic->has("cds_config"))
    for (auto& cluster : read_resources(*dynamic, "cds_config", kClusterType, loading))
      resources.add_cluster(*cluster);
  read_extensions(root, loading, out);
  if (fixed)
    for (auto& listener : fixed->children("listeners")) resources.add_listener(*listener);
  if (dynamic && dynamic->has("lds_config"))
    for (auto& listener : read_resources(*dynamic, "lds_config", kListenerType, loading))
      resources.add_listener(*listener);
  out.dump_json = dump(root_node, loading);
}

}  // namespace weir::config
