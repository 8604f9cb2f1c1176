#include "wasm/stats.h"

#include <utility>

#include "base/strings.h"

namespace weir::wasm {
namespace {

struct ClockAnchor {
  std::chrono::steady_clock::time_point time = std::chrono::steady_clock::now();
  uint64_t ticks = read_ticks();
};
const ClockAnchor kAnchor;

}  // namespace

uint64_t ticks_to_ns(uint64_t ticks) noexcept {
#if defined(__x86_64__)
  const auto elapsed_ns =
      static_cast<double>((std::chrono::steady_clock::now() - kAnchor.time).count());
  const auto elapsed_ticks = static_cast<double>(read_ticks() - kAnchor.ticks);
  if (elapsed_ticks <= 0) return 0;
  return static_cast<uint64_t>(static_cast<double>(ticks) * (elapsed_ns / elapsed_ticks));
#else
  return ticks;
#endif
}

uint64_t ticks_per_second() noexcept {
  constexpr uint64_t kBillion = 1'000'000'000;
  const uint64_t ns = ticks_to_ns(kBillion);
  return ns == 0 ? kBillion : static_cast<uint64_t>(1e18 / static_cast<double>(ns));
}

namespace {
Counter& named(stats::Store& store, std::string_view label, std::string_view name) {
  return store.counter(base::concat("wasm.", label, ".", name));
}
}  // namespace

PluginStats::PluginStats(stats::Store& store, std::string_view label, unsigned threads)
    : calls(named(store, label, "calls")),
      traps(named(store, label, "traps")),
      timeouts(named(store, label, "timeouts")),
      vm_reload(named(store, label, "vm_reload")),
      vm_reload_success(named(store, label, "vm_reload_success")),
      vm_reload_failure(named(store, label, "vm_reload_failure")),
      vm_reload_backoff(named(store, label, "vm_reload_backoff")),
      vm_recycled(named(store, label, "vm_recycled")),
      quarantined_total(named(store, label, "quarantined_total")),
      quarantined(store.gauge(base::concat("wasm.", label, ".quarantined"))),
      failed_streams(named(store, label, "failed_streams")),
      bypassed_streams(named(store, label, "bypassed_streams")),
      unlogged(named(store, label, "unlogged")),
      allocator_nulls(named(store, label, "allocator_nulls")),
      grpc_calls(named(store, label, "grpc_calls")),
      grpc_streams(named(store, label, "grpc_streams")),
      grpc_failures(named(store, label, "grpc_failures")),
      functions(store, base::concat("wasm.", label, ".function."), threads) {
  for (unsigned i = 0; i < static_cast<unsigned>(LimitKind::kCount_); ++i)
    limits.push_back(
        &named(store, label, base::concat("limit.", limit_name(static_cast<LimitKind>(i)))));
}

void PluginStats::note(GuestFailure failure) {
  const std::lock_guard lock(mutex_);
  last_failure_ = std::move(failure);
}

std::optional<GuestFailure> PluginStats::last_failure() const {
  const std::lock_guard lock(mutex_);
  return last_failure_;
}

void PluginStats::quarantine(unsigned worker, QuarantineNote note) {
  const std::lock_guard lock(mutex_);
  quarantined_total.inc();
  quarantines_.insert_or_assign(worker, std::move(note));
  quarantined.set(static_cast<int64_t>(quarantines_.size()));
}

void PluginStats::release(unsigned worker) {
  const std::lock_guard lock(mutex_);
  quarantines_.erase(worker);
  quarantined.set(static_cast<int64_t>(quarantines_.size()));
}

bool PluginStats::is_new_refusal(std::string_view function, uint64_t generation) {
  const std::lock_guard lock(mutex_);
  const auto [told, fresh] = refusals_.try_emplace(std::string(function), generation);
  return std::exchange(told->second, generation) != generation || fresh;
}

std::map<unsigned, QuarantineNote> PluginStats::quarantines() const {
  const std::lock_guard lock(mutex_);
  return quarantines_;
}

VmRecord& VmRecords::add() {
  const std::lock_guard lock(mutex_);
  VmRecord& record = records_.emplace_back();
  record.serial = ++last_serial_;
  return record;
}

void VmRecords::remove(VmRecord& record) {
  const std::lock_guard lock(mutex_);
  records_.remove_if([&record](const VmRecord& each) { return &each == &record; });
}

HostStats::HostStats(stats::Store& store, unsigned threads)
    : created(store.counter("wasm.envoy.wasm.runtime.v8.created")),
      active(store.gauge("wasm.envoy.wasm.runtime.v8.active")),
      compiled(store.counter("wasm.modules_compiled")),
      vm_count(store.gauge("wasm.wasm_vm_count")),
      vms_serving(store.gauge("wasm.vms_serving")),
      vms_draining(store.gauge("wasm.vms_draining")),
      streams_serving(store.gauge("wasm.streams_serving")),
      streams_draining(store.gauge("wasm.streams_draining")),
      store_(store),
      threads_(threads) {}

void HostStats::publish(const VmRecords& records) {
  int64_t vms[2] = {}, streams[2] = {};
  records.for_each([&vms, &streams](const VmRecord& record) {
    const VmState state = record.get_state();
    if (state != VmState::kRunning && state != VmState::kDraining) return;
    const bool old = state == VmState::kDraining;
    ++vms[old];
    streams[old] += static_cast<int64_t>(record.streams.load(std::memory_order_relaxed));
  });
  vms_serving.set(vms[0]);
  vms_draining.set(vms[1]);
  streams_serving.set(streams[0]);
  streams_draining.set(streams[1]);
  const std::lock_guard lock(mutex_);
  for (const auto& [label, plugin] : plugins_) plugin->calls.add(plugin->functions.publish());
}

PluginStats& HostStats::plugin(std::string_view label) {
  const std::lock_guard lock(mutex_);
  auto found = plugins_.find(label);
  if (found == plugins_.end())
    found =
        plugins_.emplace(std::string(label), std::make_unique<PluginStats>(store_, label, threads_))
            .first;
  return *found->second;
}

std::vector<std::pair<std::string_view, const PluginStats*>> HostStats::plugins() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string_view, const PluginStats*>> out;
  out.reserve(plugins_.size());
  for (const auto& [label, stats] : plugins_) out.emplace_back(label, stats.get());
  return out;
}

}  // namespace weir::wasm
