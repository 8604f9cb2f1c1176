#include "wasm/limits_config.h"

#include <algorithm>
#include <type_traits>

namespace weir::wasm {
namespace {

constexpr int64_t kMany = 1'000'000'000;

void read_limits(ConfigView& vm, Limits& out) {
  const auto view = vm.message("limits");
  if (!view) return;
  const auto read = [&view](std::string_view field, auto& value, int64_t min, int64_t max) {
    value = static_cast<std::remove_reference_t<decltype(value)>>(
        view->integer(field, static_cast<int64_t>(value), min, max));
  };
  constexpr int64_t kTiB = int64_t{1} << 40;
  out.call_timeout = view->duration("call_timeout", out.call_timeout);
  out.start_timeout = view->duration("start_timeout", out.start_timeout);
  read("max_memory_bytes", out.max_memory_bytes, 65536, int64_t{4} << 30);
  read("max_log_lines_per_second", out.max_log_lines_per_second, 0, kMany);
  read("max_callouts", out.max_callouts, 0, kMany);
  read("max_callouts_per_second", out.max_callouts_per_second, 0, kMany);
  read("max_shared_data_bytes", out.max_shared_data_bytes, 0, kTiB);
  read("max_shared_data_keys", out.max_shared_data_keys, 0, kMany);
  const auto ttl = view->duration("shared_data_ttl", out.shared_data_ttl);
  out.shared_data_ttl = std::chrono::duration_cast<std::chrono::milliseconds>(ttl);
  if (ttl.count() != 0 && out.shared_data_ttl.count() == 0)
    view->error("shared_data_ttl", "must be 0s or at least 1ms");
  read("max_metrics", out.max_metrics, 0, kMany);
  read("max_queue_bytes", out.max_queue_bytes, 0, kTiB);
  read("max_queues", out.max_queues, 0, kMany);
  read("max_header_map_bytes", out.max_header_map_bytes, 1024, kMaxPairsBytes);
  read("max_body_bytes", out.max_body_bytes, 0, int64_t{UINT32_MAX});
  read("max_streams", out.max_streams, 0, kMany);
  read("max_cpu_percent", out.max_cpu_percent, 0, 100);
}

void read_recycle(ConfigView& vm, Recycle& out) {
  const auto view = vm.message("recycle");
  if (!view) return;
  if (!view->has("max_streams") && !view->has("max_age"))
    view->error({}, "expected max_streams, max_age or both");
  out.max_streams = static_cast<uint64_t>(view->integer("max_streams", 0, 1, kMany));
  out.max_age =
      std::chrono::duration_cast<std::chrono::milliseconds>(view->duration("max_age", out.max_age));
  if (view->has("max_age") && out.max_age < kMinRecycleAge)
    view->error("max_age", "must be at least 1s");
}

void read_quarantine(ConfigView& vm, QuarantineOptions& out) {
  using std::chrono::milliseconds;
  const auto view = vm.message("quarantine");
  if (!view) return;
  const auto read = [&view](std::string_view field, milliseconds fallback) {
    const auto value = std::chrono::duration_cast<milliseconds>(view->duration(field, fallback));
    if (value < milliseconds(1)) view->error(field, "must be at least 1ms");
    return value;
  };
  out.failures = static_cast<uint32_t>(view->integer("failures", out.failures, 0, 1000));
  out.window = read("window", out.window);
  out.base_interval = read("base_interval", out.base_interval);
  out.max_interval = read("max_interval", std::max(out.max_interval, out.base_interval));
  if (out.max_interval < out.base_interval)
    view->error("max_interval", "must not be less than base_interval");
}

}  // namespace

void read_vm_bounds(ConfigView& vm, VmConfig& out) {
  read_limits(vm, out.limits);
  read_recycle(vm, out.recycle);
  read_quarantine(vm, out.quarantine);
}

}  // namespace weir::wasm
