#include "stats/tags.h"

#include <algorithm>

#include "base/strings.h"

namespace weir::stats {

namespace {

constexpr std::string_view kCustom = "wasmcustom.";
constexpr std::string_view kFunction = ".function.";

// Takes "<value>." out of the name at `at`; false if there is no value with something behind it.
bool cut_token(std::string& name, size_t at, std::string_view tag, TaggedName& out) {
  const size_t dot = name.find('.', at);
  if (dot == std::string::npos || dot == at || dot + 1 == name.size()) return false;
  out.tags.emplace_back(tag, name.substr(at, dot - at));
  name.erase(at, dot + 1 - at);
  return true;
}

// A cluster's name may have dots of its own (Envoy would take its first part only): it reaches to the first name
// that clusters' stats begin with.
void cut_cluster(std::string& name, TaggedName& out) {
  constexpr size_t kAt = 8;  // behind "cluster."
  size_t end = std::string::npos;
  for (const std::string_view known :
       {".upstream_", ".membership_", ".circuit_breakers.", ".lb_", ".health_check.",
        ".outlier_detection.", ".external.", ".internal.", ".update_", ".bind_errors",
        ".assignment_", ".max_host_weight", ".version", ".http1.", ".http2.", ".retry_",
        ".original_dst_", ".default.", ".warming_state"}) {
    end = std::min(end, name.find(known, kAt));
  }
  if (end == std::string::npos || end == kAt) {
    cut_token(name, kAt, "envoy_cluster_name", out);
    return;
  }
  out.tags.emplace_back("envoy_cluster_name", name.substr(kAt, end - kAt));
  name.erase(kAt, end + 1 - kAt);
}

bool is_address_char(char c) noexcept {
  return base::is_digit(c) || c == '_' || c == '.' || c == '[' || c == ']' ||
         (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// "listener.<address>.": an address has dots of its own, so it reaches to the last dot that follows only
// characters of addresses. With a stat_prefix in its place there is no tag.
size_t cut_listener(std::string& name, TaggedName& out) {
  const size_t at = std::string_view("listener.").size();
  size_t end = std::string::npos;
  bool digits = false;
  for (size_t i = at; i < name.size() && is_address_char(name[i]); ++i) {
    digits |= base::is_digit(name[i]);
    if (name[i] == '.' && digits) end = i;
  }
  if (end == std::string::npos || name.find('_', at) > end) return std::string::npos;
  out.tags.emplace_back("envoy_listener_address", name.substr(at, end - at));
  name.erase(at, end + 1 - at);
  return at;
}

void cut_http(std::string& name, size_t at, TaggedName& out) {
  if (!cut_token(name, at, "envoy_http_conn_manager_prefix", out)) return;
  constexpr std::string_view kUserAgent = "user_agent.";
  if (name.compare(at, kUserAgent.size(), kUserAgent) == 0) {
    cut_token(name, at + kUserAgent.size(), "envoy_http_user_agent", out);
  }
}

// "wasm.<plugin>.function.<callback>.<x>": a plugin's name may have dots of its own.
void cut_wasm_function(std::string& name, TaggedName& out) {
  constexpr size_t kAt = 5;  // behind "wasm."
  const size_t end = name.rfind(kFunction);
  if (end <= kAt) return;
  out.tags.emplace_back("weir_wasm_plugin", name.substr(kAt, end - kAt));
  name.erase(kAt, end + 1 - kAt);
  cut_token(name, kAt + kFunction.size() - 1, "weir_wasm_function", out);
}

// "<group>.<vm_id>.<x>": a vm_id may have dots of its own, and what is counted has none.
bool cut_vm_id(std::string& name, std::string_view group, TaggedName& out) {
  const size_t end = name.rfind('.');
  if (!name.starts_with(group) || end <= group.size()) return false;
  out.tags.emplace_back("weir_wasm_vm_id", name.substr(group.size(), end - group.size()));
  name.erase(group.size(), end + 1 - group.size());
  return true;
}

void cut_prefix(std::string& name, TaggedName& out) {
  if (name.starts_with("cluster.")) {
    cut_cluster(name, out);
  } else if (name.starts_with("http.")) {
    cut_http(name, 5, out);
  } else if (name.starts_with("tcp.")) {
    cut_token(name, 4, "envoy_tcp_prefix", out);
  } else if (name.starts_with("local_rate_limit.")) {
    cut_token(name, 17, "envoy_local_ratelimit_prefix", out);
  } else if (name.starts_with("wasm.") && name.find(kFunction, 5) != std::string::npos) {
    cut_wasm_function(name, out);
  } else if (cut_vm_id(name, "wasm_shared_data.", out) || cut_vm_id(name, "wasm_queues.", out)) {
    return;
  } else if (name.starts_with("vhost.")) {
    if (!cut_token(name, 6, "envoy_virtual_host", out)) return;
    if (name.compare(6, 9, "vcluster.") == 0) cut_token(name, 15, "envoy_virtual_cluster", out);
    if (name.compare(6, 6, "route.") == 0) cut_token(name, 12, "envoy_route", out);
  } else if (name.starts_with("listener.") && !name.starts_with("listener.admin.")) {
    const size_t at = cut_listener(name, out);
    if (at == std::string::npos) return;
    if (name.compare(at, 5, "http.") == 0) cut_http(name, at + 5, out);
    if (name.compare(at, 7, "worker_") == 0) cut_token(name, at + 7, "envoy_worker_id", out);
  }
  // "<prefix>.http_local_rate_limit.<x>", alone or behind "http.<p>.".
  const size_t limit = name.find(".http_local_rate_limit.");
  if (limit == std::string::npos || limit == 0) return;
  const size_t dot = name.rfind('.', limit - 1);
  if (dot != std::string::npos) {
    cut_token(name, dot + 1, "envoy_local_http_ratelimit_prefix", out);
  } else if (limit != 4 || !name.starts_with("http")) {
    cut_token(name, 0, "envoy_local_http_ratelimit_prefix", out);
  }
}

void cut_response_code(std::string& name, TaggedName& out) {
  const size_t n = name.size();
  if (n < 7 || name.compare(n - 7, 4, "_rq_") != 0 || !base::is_digit(name[n - 3])) return;
  if (name.compare(n - 2, 2, "xx") == 0) {
    out.tags.emplace_back("envoy_response_code_class", name.substr(n - 3, 1));
    name.erase(n - 3, 1);  // "_rq_2xx" is "_rq_xx"
  } else if (base::is_digit(name[n - 2]) && base::is_digit(name[n - 1])) {
    out.tags.emplace_back("envoy_response_code", name.substr(n - 3));
    name.erase(n - 4);
  }
}

}  // namespace

TaggedName extract_tags(std::string_view stat_name) {
  TaggedName out;
  const bool custom = stat_name.starts_with(kCustom);
  std::string name(custom ? stat_name.substr(kCustom.size()) : stat_name);
  if (!custom) {
    cut_response_code(name, out);
    cut_prefix(name, out);
    out.name = "envoy_";
  }
  for (char& c : name) {
    if (!base::is_alpha(c) && !base::is_digit(c) && c != '_') c = '_';
  }
  // A custom name is the plugin's own and may begin with anything.
  if (custom && (name.empty() || base::is_digit(name.front()))) out.name += '_';
  out.name += name;
  return out;
}

}  // namespace weir::stats
