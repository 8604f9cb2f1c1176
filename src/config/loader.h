// Loader: one YAML file (Envoy v3 schema) into typed options, or all of its errors at once.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <weir/filter_registry.h>

#include "net/address.h"
#include "proxy/listener_options.h"
#include "router/filter_host.h"
#include "stats/store.h"
#include "upstream/options.h"

namespace weir::config {

/// One thing that is wrong: `weir.yaml:41:9: static_resources.listeners[0]…: unknown field "x" (did you mean "y"?)`.
struct Diagnostic {
  std::string file;
  unsigned line = 0;  // 1-based; 0 = the file as a whole
  unsigned column = 0;
  std::string path;  // "static_resources.listeners[0].name"
  std::string message;
  std::string to_string() const;
};

struct AdminOptions {
  std::optional<net::Address> address;
  std::string access_log_path;
  bool operator==(const AdminOptions&) const = default;
};

struct ReloadOptions {  // weir's own bootstrap field `reload`
  bool watch = true;
  std::chrono::milliseconds debounce{50};
  bool operator==(const ReloadOptions&) const = default;
};

/// Where a message of the configuration stands.
struct Place {
  std::string file;
  unsigned line = 0;  // 1-based
  unsigned column = 0;
  std::string path;
};

/// Everything that one file says.
struct Configuration {
  std::string node_id, node_cluster;
  std::string node_metadata_json = "{}";
  std::string node_region, node_zone, node_sub_zone;
  AdminOptions admin;
  ReloadOptions reload;
  uint64_t max_downstream_connections = UINT64_MAX;  // overload_manager; the greatest number: none
  std::chrono::milliseconds old_generation_max_age{std::chrono::minutes(10)};  // weir's own
  std::vector<std::shared_ptr<const proxy::ListenerOptions>> listeners;
  std::vector<std::shared_ptr<const upstream::ClusterOptions>> clusters;
  /// Canonical JSON text of each listener (with its filters) and cluster, in the same order: equal text, equal meaning. What
  /// the difference of two generations and /config_dump are made from; secrets are redacted in dump_json only.
  std::vector<std::string> listener_paths;  // "static_resources.listeners[0]"
  std::vector<std::string> listener_texts;
  std::vector<std::string> listener_frames;  // likewise, without what the plugins are made of
  std::vector<std::string> cluster_texts;
  std::vector<std::shared_ptr<const BootstrapExtension>> extensions;
  std::string dump_json;
  std::vector<std::string> files;  // every file read: the YAML itself first, then data sources
  std::vector<Place> places;       // of what can still turn out wrong: listeners, plugins

  /// What was found wrong after the load, at the innermost known place that encloses `path`.
  Diagnostic diagnose(std::string_view path, std::string message) const;
};

/// A command line may have a file, a text (the overlay), or both; `context` as below.
struct Input {
  std::string path;  // empty: the text alone
  std::string text;
};

class TlsContexts;

struct LoadContext {
  const FilterRegistry& registry;
  stats::Store& stats;
  router::FilterHost& host;
  TlsContexts* tls = nullptr;  // null: every load makes its TLS contexts anew
};

struct LoadResult {
  std::unique_ptr<Configuration> configuration;  // null if there is any diagnostic
  std::vector<Diagnostic> diagnostics;
  std::vector<std::string> files;  // read so far, also when loading failed: all are watched
};

/// Thread: main. Never throws; relative paths are taken from the working directory. `overlay` (the text of
/// --config-yaml) is laid over the file: mappings are merged, lists appended, everything else replaced.
LoadResult load_file(const std::string& path, LoadContext& context,
                     const std::string& overlay = {});
LoadResult load(const Input& input, LoadContext& context);
/// `name` stands in diagnostics.
LoadResult load_text(const std::string& text, const std::string& name, LoadContext& context);

}  // namespace weir::config
