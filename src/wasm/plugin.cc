#include "wasm/plugin.h"

#include <cstring>

#include "base/digest.h"
#include "base/strings.h"

namespace weir::wasm {
namespace {

/// Length-prefixed, so that no two different lists of texts make the same bytes.
void put(std::string& out, std::string_view text) { base::append_all(out, text.size(), ':', text); }
void put(std::string& out, uint64_t number) { base::append_all(out, number, ';'); }
void put(std::string& out, const Key& key) {
  out.append(reinterpret_cast<const char*>(key.words.data()), sizeof key.words);
}

}  // namespace

std::string Key::hex() const {
  return base::hex_encode({reinterpret_cast<const char*>(words.data()), sizeof words});
}

Key digest_key(std::string_view bytes) {
  const base::Sha256 digest = base::sha256(bytes);
  Key key;
  static_assert(sizeof key.words == sizeof digest);
  std::memcpy(key.words.data(), digest.data(), sizeof digest);
  return key;
}

Key VmConfig::key() const {
  std::string text;
  put(text, code_key);
  put(text, vm_id);
  put(text, configuration);
  for (const auto& [name, value] : environment) {
    put(text, name);
    put(text, value);
  }
  text += '|';
  put(text, static_cast<uint64_t>(limits.call_timeout.count()));
  put(text, static_cast<uint64_t>(limits.start_timeout.count()));
  put(text, limits.max_memory_bytes);
  put(text, limits.max_log_lines_per_second);
  put(text, limits.max_callouts);
  put(text, limits.max_callouts_per_second);
  put(text, limits.max_shared_data_bytes);
  put(text, limits.max_shared_data_keys);
  put(text, static_cast<uint64_t>(limits.shared_data_ttl.count()));
  put(text, limits.max_metrics);
  put(text, limits.max_queue_bytes);
  put(text, limits.max_queues);
  put(text, limits.max_header_map_bytes);
  put(text, limits.max_body_bytes);
  put(text, limits.max_streams);
  put(text, limits.max_cpu_percent);
  put(text, recycle.max_streams);
  put(text, static_cast<uint64_t>(recycle.max_age.count()));
  put(text, quarantine.failures);
  put(text, static_cast<uint64_t>(quarantine.window.count()));
  put(text, static_cast<uint64_t>(quarantine.base_interval.count()));
  put(text, static_cast<uint64_t>(quarantine.max_interval.count()));
  put(text, static_cast<uint64_t>(unknown_imports));
  put(text, static_cast<uint64_t>(missing_abi_version));
  for (const std::string& capability : capabilities) put(text, capability);
  if (privacy) put(text, base::concat("privacy", privacy->text()));
  return digest_key(text);
}

void Plugin::seal() {
  std::string text;
  put(text, vm.key());
  put(text, static_cast<uint64_t>(runs_on));
  vm_key = digest_key(text);
  text.clear();
  put(text, vm_key);
  put(text, name);
  put(text, root_id);
  put(text, configuration);
  put(text, static_cast<uint64_t>(failure_policy));
  put(text, static_cast<uint64_t>(allow_on_headers_stop_iteration));
  put(text, static_cast<uint64_t>(callout_failures));
  put(text, static_cast<uint64_t>(join_header_values));
  put(text, static_cast<uint64_t>(traffic_direction));
  put(text, static_cast<uint64_t>(backoff_base.count()));
  put(text, static_cast<uint64_t>(backoff_max.count()));
  put(text, static_cast<uint64_t>(allowed_clusters.has_value()));
  if (allowed_clusters)
    for (const std::string& cluster : *allowed_clusters) put(text, cluster);
  put(text, static_cast<uint64_t>(fail_on_log.size()));
  for (const StringMatcher& one : fail_on_log) put(text, one.describe());
  key = digest_key(text);
}

}  // namespace weir::wasm
