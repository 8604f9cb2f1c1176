// Upkeep: when a VM that works is replaced by a fresh one, and when one that keeps failing is set aside, as `vm_config.recycle` and
// `vm_config.quarantine` (weir's own messages) say.
#pragma once

#include <chrono>
#include <cstdint>

namespace weir::wasm {

/// To live with guests that leak. Each worker's VM counts for itself; 0 = never.
struct Recycle {
  uint64_t max_streams = 0;
  std::chrono::milliseconds max_age{0};
  bool operator==(const Recycle&) const = default;
};
inline constexpr std::chrono::seconds kMinRecycleAge{1};

/// Each worker counts for itself.
struct QuarantineOptions {
  uint32_t failures = 10;  // within the window; 0 = never
  std::chrono::milliseconds window{60'000};
  std::chrono::milliseconds base_interval{10'000};
  std::chrono::milliseconds max_interval{300'000};
  bool operator==(const QuarantineOptions&) const = default;
};

}  // namespace weir::wasm
