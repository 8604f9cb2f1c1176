// Quarantine: when a VM that keeps failing is set aside, and for how long.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <weir/stream_info.h>

#include "wasm/upkeep.h"

namespace weir::wasm {

/// Failures that count are starts that fail, calls that run out of time, and pauses that the cost of traps has brought: enough of them
/// within a window, and the VM is set aside. Each time doubles the pause, until one good interval clears it: no failure
/// for as long as the last pause and the window.
/// Owner: a VmSlot. Thread: the worker's.
class Quarantine {
 public:
  explicit Quarantine(QuarantineOptions options) noexcept : options_(options) {}

  /// Counts a failure. True: the VM is to be set aside, for pause(); until release() nothing counts.
  bool note(MonotonicTime now);
  std::chrono::milliseconds pause() const noexcept { return pause_; }
  bool active() const noexcept { return active_; }
  void release(MonotonicTime now) noexcept;

 private:
  const QuarantineOptions options_;
  std::deque<MonotonicTime> failures_;  // of the window, the oldest first
  MonotonicTime last_trouble_{};        // a failure, or the end of a pause
  std::chrono::milliseconds pause_{0};
  unsigned times_ = 0;  // without a good interval between them
  bool active_ = false;
};

}  // namespace weir::wasm
