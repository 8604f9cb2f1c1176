// Reads a PluginConfig (envoy.extensions.wasm.v3) from the configuration.
#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/strings.h"
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

void read_limits(ConfigView& vm, Limits& out) {
  const auto view = vm.message("limits");
  if (!view) return;
  constexpr int64_t kMany = 1'000'000'000;
  out.call_timeout = view->duration("call_timeout", out.call_timeout);
  out.start_timeout = view->duration("start_timeout", out.start_timeout);
  out.max_memory_bytes = static_cast<uint64_t>(view->integer(
      "max_memory_bytes", static_cast<int64_t>(out.max_memory_bytes), 65536, int64_t{4} << 30));
  out.max_log_lines_per_second = static_cast<uint32_t>(
      view->integer("max_log_lines_per_second", out.max_log_lines_per_second, 0, kMany));
  out.max_callouts =
      static_cast<uint32_t>(view->integer("max_callouts", out.max_callouts, 0, kMany));
  out.max_callouts_per_second = static_cast<uint32_t>(
      view->integer("max_callouts_per_second", out.max_callouts_per_second, 0, kMany));
  out.max_shared_data_bytes = static_cast<uint64_t>(
      view->integer("max_shared_data_bytes", static_cast<int64_t>(out.max_shared_data_bytes), 0,
                    int64_t{1} << 40));
  out.max_metrics = static_cast<uint32_t>(view->integer("max_metrics", out.max_metrics, 0, kMany));
}

void read_code(ConfigView& vm, VmConfig& out) {
  const auto code = vm.message("code");
  if (!code) {
    vm.error("code", "required: the module");
    return;
  }
  code->unsupported("remote", "modules are loaded from local files or inline");
  if (!code->has("local")) {
    if (!code->has("remote"))
      code->error("local", "required: filename, inline_bytes or inline_string");
    return;
  }
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
    if (!is_known_capability(name))
      allowed->error(name, "no host function or callback of that name");
    out.capabilities.push_back(name);
    if (auto empty = allowed->message(name)) empty.reset();  // SanitizationConfig has no fields
  }
  std::sort(out.capabilities.begin(), out.capabilities.end());
}

void read_vm(ConfigView& plugin, VmConfig& out) {
  const auto vm = plugin.message("vm_config");
  if (!vm) {
    plugin.error("vm_config", "required: the module to run");
    return;
  }
  out.vm_id = vm->text("vm_id");
  out.runtime = vm->text("runtime");
  if (!out.runtime.empty() && out.runtime != kRuntime)
    vm->error("runtime", base::concat("unknown runtime; expected \"", kRuntime, "\" or none"));
  read_code(*vm, out);
  out.configuration = read_any(*vm, "configuration");
  vm->boolean("allow_precompiled", false);
  vm->boolean("nack_on_code_cache_miss", false);
  read_environment(*vm, out);
  read_limits(*vm, out.limits);
  read_capabilities(*vm, out);
  if (vm->boolean("allow_unknown_imports", false))  // weir's own
    out.unknown_imports = UnknownImports::kUnimplemented;
}

/// weir's own: without the field a callout may go to any cluster.
void read_clusters(ConfigView& view, Plugin& out) {
  if (!view.has("allowed_clusters")) return;
  out.allowed_clusters = view.texts("allowed_clusters");
  std::sort(out.allowed_clusters->begin(), out.allowed_clusters->end());
}

void read_policy(ConfigView& view, Plugin& out) {
  const size_t policy = view.enumeration(
      "failure_policy", {"UNSPECIFIED", "FAIL_RELOAD", "FAIL_CLOSED", "FAIL_OPEN"}, 0);
  if (policy == 3) out.failure_policy = FailurePolicy::kOpen;
  if (view.boolean("fail_open", false)) {
    if (view.has("failure_policy")) view.error("fail_open", "cannot stand beside failure_policy");
    out.failure_policy = FailurePolicy::kOpen;
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

std::shared_ptr<const Plugin> read_plugin(ConfigView& view, std::string_view traffic_direction) {
  auto plugin = std::make_unique<Plugin>();
  plugin->config_path = view.path();
  plugin->name = view.text("name");
  plugin->root_id = view.text("root_id");
  read_vm(view, plugin->vm);
  plugin->configuration = read_any(view, "configuration");
  read_policy(view, *plugin);
  read_capabilities(view, plugin->vm);
  read_clusters(view, *plugin);
  plugin->allow_on_headers_stop_iteration = view.boolean("allow_on_headers_stop_iteration", false);
  plugin->traffic_direction = traffic_direction == "INBOUND"    ? 1
                              : traffic_direction == "OUTBOUND" ? 2
                                                                : 0;
  if (view.failed() || !plugin->vm.code) return nullptr;
  plugin->seal();
  return std::shared_ptr<const Plugin>(std::move(plugin));
}

}  // namespace weir::wasm
