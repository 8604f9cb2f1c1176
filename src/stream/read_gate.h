// ReadGate: counts the reasons why a sender must wait; it stops on the first and goes on after the last.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/check.h"

namespace weir::stream {

/// Who asks a sender to wait.
enum class Why : uint8_t { kFilter, kTerminal, kReceiver, kCount_ };

class ReadGate {
 public:
  /// True if the sender must be stopped now: this is the first reason.
  bool hold(Why why) noexcept {
    ++holds_[static_cast<size_t>(why)];
    return total_++ == 0;
  }
  /// True if the sender may go on: this was the last reason. An unbalanced caller crashes here, named by `why`.
  bool release(Why why) noexcept {
    WEIR_CHECK(holds_[static_cast<size_t>(why)]-- > 0);
    return --total_ == 0;
  }
  bool held() const noexcept { return total_ > 0; }
  uint32_t count(Why why) const noexcept { return holds_[static_cast<size_t>(why)]; }
  void reset() noexcept {
    holds_ = {};
    total_ = 0;
  }

 private:
  std::array<uint32_t, static_cast<size_t>(Why::kCount_)> holds_{};
  uint32_t total_ = 0;
};

}  // namespace weir::stream
