// The stats of the Wasm host, the records behind GET /wasm, and the clock that guest calls are measured with.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <weir/stream_info.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "base/log.h"
#include "stats/store.h"
#include "wasm/function_stats.h"
#include "wasm/limits.h"
#include "wasm/plugin.h"

namespace weir::wasm {

/// Ticks of the processor's constant clock: a third of what asking the system costs.
inline uint64_t read_ticks() noexcept {
#if defined(__x86_64__)
  return __rdtsc();
#else
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}
/// Measured against the steady clock since the process started; the longer it runs, the better.
uint64_t ticks_to_ns(uint64_t ticks) noexcept;
uint64_t ticks_per_second() noexcept;

/// A guest call that failed.
struct GuestFailure {
  SystemTime time{};
  std::string_view callback;  // a literal
  std::string why;  // of a trap: its message, and below it the stack, a line for each function
  std::string vm_id;
  unsigned worker = 0;
  bool on_main = false;
  bool canary = false;
};

/// A plugin that is set aside on one worker.
struct QuarantineNote {
  SystemTime until{};
  std::string why;
  bool on_main = false;  // the worker is the main thread
};

/// "wasm.<plugin>.<name>". Live as long as the process.
struct PluginStats {
  PluginStats(stats::Store& store, std::string_view label, unsigned threads);
  /// Thread-safe, both.
  void note(GuestFailure failure);
  std::optional<GuestFailure> last_failure() const;
  /// One worker sets the plugin aside, or takes it back. Thread-safe.
  void quarantine(unsigned worker, QuarantineNote note);
  void release(unsigned worker);
  std::map<unsigned, QuarantineNote> quarantines() const;  // by worker
  /// Whether the log has not yet told that VMs of this generation are refused this function. Thread-safe.
  bool is_new_refusal(std::string_view function, uint64_t generation);
  Counter& calls;      // brought up to date by HostStats::publish()
  Counter& traps;      // guest calls that ended in a trap or an exit
  Counter& timeouts;   // guest calls that the watchdog ended
  Counter& vm_reload;  // a dead VM is to be replaced
  Counter& vm_reload_success;
  Counter& vm_reload_failure;
  Counter& vm_reload_backoff;    // its replacement had to wait
  Counter& vm_recycled;          // a VM that works gave its place to a fresh one
  Counter& quarantined_total;    // times that a worker has set it aside
  Gauge& quarantined;            // workers on which it is set aside
  Counter& failed_streams;       // streams that got 503 or a reset by FAIL_CLOSED
  Counter& bypassed_streams;     // streams that went on without the filter by FAIL_OPEN
  Counter& unlogged;             // exchanges that an access logger without a VM has missed
  Counter& allocator_nulls;      // times that the guest's allocator had no memory for the host
  Counter& grpc_calls;           // begun, unary
  Counter& grpc_streams;         // begun
  Counter& grpc_failures;        // of both: ended with another status than OK
  std::vector<Counter*> limits;  // by LimitKind
  FunctionStats functions;

  struct LimitLine : base::LogLimiter {
    LimitLine() noexcept : LogLimiter(1000) {}
  };
  std::array<LimitLine, static_cast<size_t>(LimitKind::kCount_)> limit_lines;  // by LimitKind

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::optional<GuestFailure> last_failure_;
  std::map<unsigned, QuarantineNote> quarantines_;
  std::map<std::string, uint64_t, std::less<>> refusals_;  // the generation that was told last
};

/// One plugin inside one VM. Written by the VM's thread alone.
struct alignas(64) PluginCell {
  std::atomic<uint64_t> calls{0};
  std::atomic<uint64_t> ticks{0};
  std::atomic<uint64_t> worst_ticks{0};
  std::atomic<uint64_t> limit_hits{0};
  std::string label;
  std::string root_id;

  void count(unsigned callbacks, uint64_t call_ticks) noexcept {
    calls.store(calls.load(std::memory_order_relaxed) + callbacks, std::memory_order_relaxed);
    ticks.store(ticks.load(std::memory_order_relaxed) + call_ticks, std::memory_order_relaxed);
    if (call_ticks > worst_ticks.load(std::memory_order_relaxed))
      worst_ticks.store(call_ticks, std::memory_order_relaxed);
  }
};

enum class VmState : uint8_t { kStarting, kRunning, kSpare, kDraining, kDead };

/// What one VM shows of itself. Owner: VmRecords. Written by the VM's thread, read by main.
struct VmRecord {
  uint64_t serial = 0;
  std::string vm_id;
  std::string vm_key;
  std::string privacy;  // its rules as JSON; empty: none
  uint64_t generation = 0;
  unsigned worker = 0;
  bool on_main = false;  // of a singleton
  std::atomic<VmState> state{VmState::kStarting};
  std::atomic<uint64_t> memory_bytes{0};
  std::atomic<uint64_t> heap_bytes{0};
  std::atomic<uint64_t> streams{0};
  std::list<PluginCell> plugins;  // complete once the state is another than kStarting

  void set_state(VmState to) noexcept { state.store(to, std::memory_order_release); }
  VmState get_state() const noexcept { return state.load(std::memory_order_acquire); }
};

/// All VMs of the process. Thread-safe.
class VmRecords {
 public:
  VmRecord& add();
  void remove(VmRecord& record);
  template <typename Visitor>
  void for_each(Visitor&& visit) const {
    const std::lock_guard lock(mutex_);
    for (const auto& record : records_) visit(record);
  }

 private:
  mutable std::mutex mutex_;
  std::list<VmRecord> records_;
  uint64_t last_serial_ = 0;
};

/// Stats of the host itself and of all plugins. Thread-safe.
class HostStats {
 public:
  /// `threads` run guests.
  HostStats(stats::Store& store, unsigned threads);
  PluginStats& plugin(std::string_view label);
  /// Every plugin since the process started, by name. They live as long as this.
  std::vector<std::pair<std::string_view, const PluginStats*>> plugins() const;
  Counter& created;  // "wasm.envoy.wasm.runtime.v8.created"
  Gauge& active;
  Counter& compiled;  // "wasm.modules_compiled"
  Gauge& vm_count;    // "wasm.wasm_vm_count"
  // Of the serving generation (spares are left out), and of older ones that still have streams.
  Gauge &vms_serving, &vms_draining, &streams_serving, &streams_draining;

  /// Counts `records` into these four, and brings what callbacks have cost up to date. Thread: main.
  void publish(const VmRecords& records);

 private:
  stats::Store& store_;
  const unsigned threads_;
  mutable std::mutex mutex_;  // guards plugins_
  std::map<std::string, std::unique_ptr<PluginStats>, std::less<>> plugins_;
};

}  // namespace weir::wasm
