// Plugin: one configured use of a module, as the configuration says it. No VM hangs on it; those are found by its key.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <weir/config_view.h>
#include <weir/host_functions.h>
#include <weir/matchers.h>

#include "wasm/exports.h"
#include "wasm/import_table.h"
#include "wasm/limits.h"
#include "wasm/privacy/privacy.h"
#include "wasm/upkeep.h"

namespace weir::wasm {

class Host;
class ModuleStore;
struct ModuleRequest;

/// A digest that names a module, a VM or a plugin. Equal content, equal key.
struct Key {
  std::array<uint64_t, 4> words{};
  bool operator==(const Key&) const = default;
  auto operator<=>(const Key&) const = default;
  std::string hex() const;
};
struct KeyHash {
  size_t operator()(const Key& key) const noexcept { return static_cast<size_t>(key.words[0]); }
};
Key digest_key(std::string_view bytes);

/// The four values of Envoy's enum; UNSPECIFIED and FAIL_RELOAD mean FAIL_CLOSED here, every policy replaces the VM.
enum class FailurePolicy : uint8_t { kClosed, kOpen };

/// Which threads have VMs of a plugin.
enum class RunsOn : uint8_t { kWorkers, kMain };

/// Everything that makes a VM: plugins with an equal key() share one VM per worker.
struct VmConfig {
  std::string vm_id;
  std::string runtime;
  std::shared_ptr<const std::string> code;  // null: nothing runs until it has been fetched
  Key code_key;
  std::shared_ptr<const ModuleRequest>
      awaited;  // the module to come; meanwhile all else is of before
  std::string configuration;
  std::vector<std::pair<std::string, std::string>> environment;  // sorted by name
  Limits limits;
  Recycle recycle;
  QuarantineOptions quarantine;
  std::vector<std::string> capabilities;  // sorted; empty = everything is allowed
  UnknownImports unknown_imports = UnknownImports::kRefused;
  MissingAbiVersion missing_abi_version = MissingAbiVersion::kRefused;
  std::shared_ptr<const Privacy> privacy;         // null: nothing is hidden
  const HostFunctions* host_functions = nullptr;  // the embedder's, in the registry; null: none
  Key key() const;
};

/// What a guest gets of a callout that has timed out or found no connection.
enum class CalloutFailures : uint8_t {
  kResponse,   // a response 504 or 503, as Envoy has it
  kNoHeaders,  // no headers, as of any other failure: what the ABI says
};

/// Owner: its filter factories, in shared immutable form. Thread: any.
struct Plugin {
  std::string name;
  std::string root_id;
  std::string configuration;
  VmConfig vm;
  RunsOn runs_on = RunsOn::kWorkers;
  bool of_route = false;  // it is what a route makes of the filter's plugin
  FailurePolicy failure_policy = FailurePolicy::kClosed;
  bool allow_on_headers_stop_iteration = false;
  CalloutFailures callout_failures = CalloutFailures::kResponse;
  bool join_header_values = false;  // a read of one header has the values of all fields of the name
  std::optional<std::vector<std::string>> allowed_clusters;  // of callouts, sorted; none = all
  std::vector<StringMatcher> fail_on_log;  // what a guest says that has recovered from a panic
  int64_t traffic_direction = 0;           // 0 unspecified, 1 inbound, 2 outbound
  std::chrono::milliseconds backoff_base{1000};
  std::chrono::milliseconds backoff_max{30000};
  std::string config_path;  // where it stands in the configuration, for messages

  bool fails_on(std::string_view log_line) const {
    return std::any_of(fail_on_log.begin(), fail_on_log.end(),
                       [log_line](const StringMatcher& one) { return one.matches(log_line); });
  }
  bool may_call(std::string_view cluster) const {
    return !allowed_clusters ||
           std::binary_search(allowed_clusters->begin(), allowed_clusters->end(), cluster);
  }

  Key vm_key;
  Key key;  // of the plugin; made by seal()
  void seal();
  /// The name in stats and logs; "unnamed" stands for none.
  std::string_view label() const noexcept {
    return name.empty() ? std::string_view("unnamed") : std::string_view(name);
  }
};

/// A plugin as a route changes it, and what counts for it. Owner: the route table.
struct PluginStats;
struct RoutePlugin {
  std::shared_ptr<const Plugin> plugin;
  PluginStats* stats = nullptr;       // null where the configuration is only validated
  std::shared_ptr<const void> use{};  // while it lives, so do the VMs (see PluginUses)
};

/// Reads the PluginConfig of a route: another configuration in the VM of `base`. Null when it is in error.
std::shared_ptr<const Plugin> read_route_plugin(ConfigView& config, const Plugin& base);
/// Reads a PluginConfig message. Null when it is in error (reported on the view). Without a host nothing is fetched.
std::shared_ptr<const Plugin> read_plugin(ConfigView& config, std::string_view traffic_direction,
                                          RunsOn runs_on = RunsOn::kWorkers, Host* host = nullptr,
                                          const HostFunctions* own = nullptr);

}  // namespace weir::wasm
