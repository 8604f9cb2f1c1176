#include "wasm/describe.h"

#include <algorithm>
#include <initializer_list>
#include <map>

#include "base/json.h"
#include "base/strings.h"
#include "base/time.h"

namespace weir::wasm {
namespace {

constexpr uint64_t kNsPerUs = 1000;

std::string_view state_name(VmState state) noexcept {
  constexpr std::string_view kNames[] = {"starting", "running", "spare", "draining", "dead"};
  return kNames[static_cast<unsigned>(state)];
}

uint64_t relaxed(const std::atomic<uint64_t>& value) noexcept {
  return value.load(std::memory_order_relaxed);
}

std::string thread_name(unsigned worker, bool on_main) {
  return on_main ? std::string("main") : base::concat("worker_", worker);
}

struct Totals {
  uint64_t vms = 0;
  uint64_t streams = 0;
};

void write_plugin_in_vm(base::JsonWriter& json, const PluginCell& cell) {
  json.begin_object().key("name").text(cell.label).key("root_id").text(cell.root_id);
  json.key("calls").number(relaxed(cell.calls));
  json.key("total_us").number(ticks_to_ns(relaxed(cell.ticks)) / kNsPerUs);
  json.key("worst_us").number(ticks_to_ns(relaxed(cell.worst_ticks)) / kNsPerUs);
  json.key("limit_hits").number(relaxed(cell.limit_hits)).end_object();
}

void write_vm(base::JsonWriter& json, const VmRecord& vm) {
  json.begin_object();
  json.key("vm_id").text(vm.vm_id).key("vm_key").text(vm.vm_key.substr(0, 16));
  json.key("generation").number(vm.generation);
  json.key("thread").text(thread_name(vm.worker, vm.on_main));
  json.key("state").text(state_name(vm.get_state()));
  json.key("memory_bytes").number(relaxed(vm.memory_bytes));
  json.key("heap_bytes").number(relaxed(vm.heap_bytes));
  json.key("streams").number(relaxed(vm.streams));
  if (!vm.privacy.empty()) json.key("privacy").raw(vm.privacy);
  json.key("plugins").begin_array();
  for (const PluginCell& cell : vm.plugins) write_plugin_in_vm(json, cell);
  json.end_array().end_object();
}

std::string_view first_line(std::string_view text) noexcept {
  return text.substr(0, text.find('\n'));
}

/// "RuntimeError: unreachable\n    at inner (...)\n    at outer (...)"
void write_failure(base::JsonWriter& json, const GuestFailure& failure) {
  constexpr std::string_view kAt = "at ";
  json.begin_object().key("time").text(base::iso8601(failure.time));
  json.key("callback").text(failure.callback).key("vm_id").text(failure.vm_id);
  json.key("thread").text(failure.canary ? std::string("canary")
                                         : thread_name(failure.worker, failure.on_main));
  std::string_view rest = failure.why;
  const auto next_line = [&rest] {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = base::trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return line;
  };
  json.key("why").text(next_line()).key("stack").begin_array();
  while (!rest.empty()) {
    std::string_view line = next_line();
    if (line.starts_with(kAt)) line.remove_prefix(kAt.size());
    if (!line.empty()) json.text(line);
  }
  json.end_array().end_object();
}

void write_quarantines(base::JsonWriter& json, const std::map<unsigned, QuarantineNote>& notes) {
  json.key("quarantines").begin_array();
  for (const auto& [worker, note] : notes) {
    json.begin_object().key("thread").text(thread_name(worker, note.on_main));
    json.key("until").text(base::iso8601(note.until)).key("why").text(first_line(note.why));
    json.end_object();
  }
  json.end_array();
}

/// What somebody who looks has to see first.
void write_alerts(base::JsonWriter& json, const HostStats& stats) {
  json.key("alerts").begin_array();
  for (const auto& [label, plugin] : stats.plugins())
    for (const auto& [worker, note] : plugin->quarantines())
      json.text(base::concat("QUARANTINED: plugin ", label, " on ",
                             thread_name(worker, note.on_main), " until ",
                             base::iso8601(note.until), ": ", first_line(note.why)));
  json.end_array();
}

/// Those that were called. Buckets by their upper bound in microseconds.
void write_functions(base::JsonWriter& json, const FunctionStats& functions) {
  json.key("functions").begin_array();
  for (unsigned i = 0; i < kMaxExports; ++i) {
    const FunctionStats::Totals totals = functions.totals(i);
    if (totals.calls == 0 && totals.failures == 0) continue;
    json.begin_object().key("name").text(export_name(i)).key("calls").number(totals.calls);
    json.key("total_us").number(totals.time_us).key("worst_us").number(totals.worst_us);
    json.key("host_calls").number(totals.host_calls);
    json.key("memory_grown_bytes").number(totals.grown_bytes);
    json.key("failures").number(totals.failures).key("limit_hits").number(totals.limit_hits);
    json.key("duration_us").begin_object();
    for (size_t b = 0; b < kTimeBuckets; ++b) {
      if (totals.buckets[b] == 0) continue;
      json.key(b < kTimeBoundsUs.size() ? std::to_string(kTimeBoundsUs[b]) : "more");
      json.number(totals.buckets[b]);
    }
    json.end_object().end_object();
  }
  json.end_array();
}

/// Since the process started, VMs that are gone included.
void write_plugin(base::JsonWriter& json, const stats::Store& store, std::string_view label,
                  const PluginStats& stats, const Totals& totals) {
  const auto count = [&store, &label](std::string_view name) {
    return store.counter_value(base::concat("wasm.", label, ".", name));
  };
  json.begin_object().key("name").text(label);
  const auto quarantines = stats.quarantines();
  json.key("state").text(quarantines.empty() ? "ok" : "quarantined");
  if (!quarantines.empty()) write_quarantines(json, quarantines);
  json.key("vms").number(totals.vms).key("streams").number(totals.streams);
  uint64_t calls = 0;
  for (unsigned i = 0; i < kMaxExports; ++i) calls += stats.functions.totals(i).calls;
  json.key("calls").number(calls);
  for (const std::string_view name :
       {"traps", "timeouts", "vm_reload", "vm_reload_success", "vm_reload_failure",
        "vm_reload_backoff", "vm_recycled", "quarantined_total", "failed_streams",
        "bypassed_streams", "unlogged", "allocator_nulls"})
    json.key(name).number(count(name));
  json.key("limit_hits").begin_object();
  for (unsigned i = 0; i < static_cast<unsigned>(LimitKind::kCount_); ++i) {
    const std::string_view name = limit_name(static_cast<LimitKind>(i));
    json.key(name).number(count(base::concat("limit.", name)));
  }
  json.end_object();
  write_functions(json, stats.functions);
  if (const auto failure = stats.last_failure()) {
    json.key("last_failure");
    write_failure(json, *failure);
  }
  json.end_object();
}

void write_counts(base::JsonWriter& json, const stats::Store& store, std::string_view vm_id,
                  std::string (*stat)(std::string_view vm_id, std::string_view name),
                  std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    json.key(name).number(store.counter_value(stat(vm_id, name)));
}

/// What guests keep for each other, by vm_id, with its limits. Counts are since the process started.
void write_shared(base::JsonWriter& json, const Services& services) {
  json.key("shared_data").begin_array();
  services.shared_data.for_each([&json, &services](std::string_view vm_id,
                                                   const SharedStore& shared) {
    const SharedStore::Size size = shared.size();
    const SharedDataLimits limits = shared.limits();
    json.begin_object().key("vm_id").text(vm_id);
    json.key("keys").number(uint64_t{size.keys}).key("bytes").number(uint64_t{size.bytes});
    json.key("max_bytes").number(limits.max_bytes).key("max_keys").number(limits.max_keys);
    json.key("ttl_ms").number(static_cast<int64_t>(limits.ttl.count()));
    write_counts(
        json, services.store, vm_id, &shared_data_stat,
        {"reads", "hits", "misses", "writes", "cas_conflicts", "evicted", "expired", "refused"});
    json.end_object();
  });
  json.end_array().key("shared_queues").begin_array();
  services.queues.for_each([&json, &services](std::string_view vm_id, const SharedQueues::Use& use,
                                              const QueueLimits& limits) {
    json.begin_object().key("vm_id").text(vm_id).key("queues").number(use.queues);
    json.key("length").number(uint64_t{use.items}).key("bytes").number(uint64_t{use.bytes});
    json.key("max_bytes").number(limits.max_bytes).key("max_queues").number(limits.max_queues);
    write_counts(json, services.store, vm_id, &queue_stat,
                 {"enqueued", "dequeued", "dropped", "refused"});
    json.end_object();
  });
  json.end_array();
}

}  // namespace

std::string describe(const Services& services) {
  std::string out;
  base::JsonWriter json(out);
  std::map<std::string, Totals> plugins;
  std::map<uint64_t, Totals> generations;
  json.begin_object();
  write_alerts(json, services.stats);
  json.key("vms").begin_array();
  services.records.for_each([&json, &plugins, &generations](const VmRecord& vm) {
    if (vm.get_state() == VmState::kStarting) return;  // its plugins are still being written
    write_vm(json, vm);
    Totals& generation = generations[vm.generation];
    ++generation.vms;
    generation.streams += relaxed(vm.streams);
    for (const PluginCell& cell : vm.plugins) {
      Totals& plugin = plugins[cell.label];
      ++plugin.vms;
      plugin.streams += relaxed(vm.streams);
    }
  });
  json.end_array().key("plugins").begin_array();
  // Also those that have no VM now: they are the ones that somebody looks for.
  for (const auto& [label, stats] : services.stats.plugins())
    write_plugin(json, services.store, label, *stats, plugins[std::string(label)]);
  json.end_array().key("generations").begin_array();
  for (const auto& [generation, totals] : generations) {
    json.begin_object().key("generation").number(generation);
    json.key("vms").number(totals.vms).key("streams").number(totals.streams).end_object();
  }
  json.end_array();
  write_shared(json, services);
  json.key("shared_data_stores").number(static_cast<uint64_t>(services.shared_data.size()));
  json.key("watchdog_interruptions").number(services.watchdog.terminations()).end_object();
  return out;
}

}  // namespace weir::wasm
