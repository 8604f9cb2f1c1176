// Reads a PluginConfig (envoy.extensions.wasm.v3) from the configuration.
#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/strings.h"
#include "wasm/host.h"
#include "wasm/limits_config.h"
#include "wasm/modules/module_source.h"
#include "wasm/modules/module_store.h"
#include "wasm/plugin.h"

namespace weir::wasm {
namespace {

constexpr std::string_view kRuntime = "envoy.wasm.runtime.v8";

/// google.protobuf.Any as guests get it: text as it is, structures as JSON.
std::string read_any(ConfigView& parent, std::string_view field) {
  if (!parent.has(field)) return {};
  const auto any = parent.message(field);
  if (!any) return {};
  const std::string type = any->type();
  if (type == "google.protobuf.StringValue") return any->text("value");
  if (type == "google.protobuf.BytesValue") {
    auto bytes = base::base64_decode(any->text("value"));
    if (!bytes) any->error("value", "expected base64");
    return bytes.value_or(std::string());
  }
  if (type == "google.protobuf.Struct") return any->json("value").value_or("{}");
  if (type == "xds.type.v3.TypedStruct" || type == "udpa.type.v1.TypedStruct") {
    any->text("type_url");
    return any->json("value").value_or("{}");
  }
  any->error("@type", type.empty() ? "\"@type\" is missing"
                                   : "expected a StringValue, BytesValue, Struct or TypedStruct");
  return {};
}

void read_environment(ConfigView& vm, VmConfig& out) {
  const auto view = vm.message("environment_variables");
  if (!view) return;
  std::set<std::string> names;
  for (const std::string& name : view->texts("host_env_keys")) {
    names.insert(name);
    if (const char* value = std::getenv(name.c_str()); value != nullptr)
      out.environment.emplace_back(name, value);
  }
  if (const auto pairs = view->message("key_values")) {
    for (const std::string& name : pairs->keys()) {
      if (!names.insert(name).second) pairs->error(name, "the name stands in host_env_keys too");
      out.environment.emplace_back(name, pairs->text(name));
    }
  }
  std::sort(out.environment.begin(), out.environment.end());
}

/// A module of another address: from memory or the cache. Otherwise it is awaited, or the edit refused.
void read_remote(ConfigView& code, VmConfig& out, Host* host, bool refuse_a_miss) {
  const auto remote = code.message("remote");
  const auto request = remote ? read_remote_module(*remote) : nullptr;
  if (!request) return;
  out.code_key = request->digest;
  if (host != nullptr) out.code = host->modules().find(request->digest);
  if (out.code) return;
  out.awaited = request;
  if (refuse_a_miss && host != nullptr && host->modules().fetches())
    code.error("remote", base::concat("the module is not in the cache (nack_on_code_cache_miss): ",
                                      host->modules().fetch(request, ModuleStore::Arrival::kWait)));
}

/// Until the module is there the plugin serves on as it was, whole: a new configuration may be nothing that the old module takes.
void stand_in(Plugin& plugin, Host* host) {
  if (!plugin.vm.awaited) return;
  const auto before = host != nullptr ? host->serving(plugin) : nullptr;
  if (before == nullptr) {
    plugin.vm.code_key = digest_key(base::concat("awaited ", plugin.vm.code_key.hex()));
    return;
  }
  auto awaited = std::move(plugin.vm.awaited);
  std::string path = std::move(plugin.config_path);
  plugin = *before;
  plugin.vm.awaited = std::move(awaited);
  plugin.config_path = std::move(path);
}

void read_code(ConfigView& vm, VmConfig& out, Host* host) {
  const bool refuse_a_miss = vm.boolean("nack_on_code_cache_miss", false);
  const auto code = vm.message("code");
  if (!code) {
    vm.error("code", "required: the module");
    return;
  }
  const std::string_view source = code->one_of({"local", "remote"}, ConfigView::Required::kYes);
  if (source == "remote") return read_remote(*code, out, host, refuse_a_miss);
  if (source.empty()) return;
  auto bytes = code->data_source("local");
  if (!bytes) return;
  if (bytes->empty()) {
    code->error("local", "the module is empty");
    return;
  }
  out.code_key = digest_key(*bytes);
  out.code = std::make_shared<const std::string>(std::move(*bytes));
}

/// The allow-list belongs to the VM here: two plugins with different lists do not share one. Envoy has it in the VmConfig, where it
/// had it in the PluginConfig before.
void read_capabilities(ConfigView& view, VmConfig& out) {
  constexpr std::string_view kField = "capability_restriction_config";
  const auto message = view.message(kField);
  if (!message) return;
  if (!out.capabilities.empty()) view.error(kField, "stands in vm_config already");
  const auto allowed = message->message("allowed_capabilities");
  if (!allowed) return;
  for (const std::string& name : allowed->keys()) {
    const bool own =
        out.host_functions != nullptr && out.host_functions->find_import(name) != nullptr;
    if (!own && !is_known_capability(name))
      allowed->error(name, "no host function or callback of that name");
    out.capabilities.push_back(name);
    if (auto empty = allowed->message(name)) empty.reset();  // SanitizationConfig has no fields
  }
  std::sort(out.capabilities.begin(), out.capabilities.end());
}

void read_vm(ConfigView& plugin, VmConfig& out, Host* host) {
  const auto vm = plugin.message("vm_config");
  if (!vm) {
    plugin.error("vm_config", "required: the module to run");
    return;
  }
  out.vm_id = vm->text("vm_id");
  out.runtime = vm->text("runtime");
  if (!out.runtime.empty() && out.runtime != kRuntime)
    vm->error("runtime", base::concat("unknown runtime; expected \"", kRuntime, "\" or none"));
  read_code(*vm, out, host);
  out.configuration = read_any(*vm, "configuration");
  vm->boolean("allow_precompiled", false);
  read_environment(*vm, out);
  read_vm_bounds(*vm, out);
  read_capabilities(*vm, out);
  if (vm->boolean("allow_unknown_imports", false))  // weir's own
    out.unknown_imports = UnknownImports::kUnimplemented;
  if (vm->boolean("allow_missing_abi_version", false))  // likewise
    out.missing_abi_version = MissingAbiVersion::kFirst;
}

/// weir's own: without the field a callout may go to any cluster.
void read_clusters(ConfigView& view, Plugin& out) {
  if (!view.has("allowed_clusters")) return;
  out.allowed_clusters = view.texts("allowed_clusters");
  std::sort(out.allowed_clusters->begin(), out.allowed_clusters->end());
}

/// weir's own.
void read_callout_failures(ConfigView& view, Plugin& out) {
  out.callout_failures = static_cast<CalloutFailures>(view.enumeration(
      "callout_failures", {"RESPONSE", "NO_HEADERS"}, static_cast<size_t>(out.callout_failures)));
}

/// weir's own.
void read_fail_on_log(ConfigView& view, Plugin& out) {
  if (!view.has("fail_on_log")) return;
  out.fail_on_log.clear();
  for (const auto& one : view.messages("fail_on_log"))
    out.fail_on_log.push_back(StringMatcher::read(*one));
}

void read_policy(ConfigView& view, Plugin& out) {
  const size_t policy = view.enumeration(
      "failure_policy", {"UNSPECIFIED", "FAIL_RELOAD", "FAIL_CLOSED", "FAIL_OPEN"}, 0);
  // A route's may be stricter than that of its filter, too.
  if (policy != 0) out.failure_policy = policy == 3 ? FailurePolicy::kOpen : FailurePolicy::kClosed;
  if (view.has("fail_open")) {
    const bool open = view.boolean("fail_open", false);
    if (open && view.has("failure_policy"))
      view.error("fail_open", "cannot stand beside failure_policy");
    if (open || !view.has("failure_policy"))
      out.failure_policy = open ? FailurePolicy::kOpen : FailurePolicy::kClosed;
  }
  const auto reload = view.message("reload_config");
  if (!reload) return;
  const auto backoff = reload->message("backoff");
  if (!backoff) return;
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  out.backoff_base =
      duration_cast<milliseconds>(backoff->duration("base_interval", out.backoff_base));
  out.backoff_max = duration_cast<milliseconds>(
      backoff->duration("max_interval", std::max(out.backoff_max, out.backoff_base)));
  if (out.backoff_base < milliseconds(1)) backoff->error("base_interval", "must be at least 1ms");
  if (out.backoff_max < out.backoff_base)
    backoff->error("max_interval", "must not be less than base_interval");
}

}  // namespace

std::shared_ptr<const Plugin> read_route_plugin(ConfigView& view, const Plugin& base) {
  auto plugin = std::make_unique<Plugin>(base);
  plugin->of_route = true;
  plugin->config_path = view.path();
  for (const std::string_view field : {"vm_config", "capability_restriction_config"})
    view.unsupported(field, "a route's plugin runs in the VM of the filter");
  if (view.has("name")) plugin->name = view.text("name");
  if (view.has("root_id")) plugin->root_id = view.text("root_id");
  if (view.has("configuration")) plugin->configuration = read_any(view, "configuration");
  read_policy(view, *plugin);
  read_fail_on_log(view, *plugin);
  read_clusters(view, *plugin);
  read_callout_failures(view, *plugin);
  plugin->allow_on_headers_stop_iteration =
      view.boolean("allow_on_headers_stop_iteration", base.allow_on_headers_stop_iteration);
  plugin->join_header_values = view.boolean("join_header_values", base.join_header_values);
  if (view.failed()) return nullptr;
  plugin->seal();
  return std::shared_ptr<const Plugin>(std::move(plugin));
}

std::shared_ptr<const Plugin> read_plugin(ConfigView& view, std::string_view traffic_direction,
                                          RunsOn runs_on, Host* host, const HostFunctions* own) {
  auto plugin = std::make_unique<Plugin>();
  plugin->vm.host_functions = own;
  plugin->config_path = view.path();
  plugin->runs_on = runs_on;
  plugin->name = view.text("name");
  plugin->root_id = view.text("root_id");
  read_vm(view, plugin->vm, host);
  plugin->configuration = read_any(view, "configuration");
  read_policy(view, *plugin);
  read_fail_on_log(view, *plugin);
  read_capabilities(view, plugin->vm);
  read_clusters(view, *plugin);
  read_callout_failures(view, *plugin);
  plugin->vm.privacy = Privacy::read(view);
  plugin->allow_on_headers_stop_iteration = view.boolean("allow_on_headers_stop_iteration", false);
  plugin->join_header_values = view.boolean("join_header_values", false);  // weir's own
  plugin->traffic_direction = traffic_direction == "INBOUND"    ? 1
                              : traffic_direction == "OUTBOUND" ? 2
                                                                : 0;
  const VmConfig& vm = plugin->vm;
  if (view.failed() || (!vm.code && !vm.awaited)) return nullptr;
  stand_in(*plugin, host);
  plugin->seal();
  return std::shared_ptr<const Plugin>(std::move(plugin));
}

}  // namespace weir::wasm
