// TimerWheel: the timers of one loop in hierarchical slots of one tick, 256 ticks and so on.
#pragma once

#include <array>
#include <cstdint>

#include "event/loop.h"

namespace weir::event {

/// A timer hangs in the slot of `slot_tick_`; arming it for later only writes its deadline, and the slot, when
/// it comes due, hangs it further back. Owner and thread: the loop.
class TimerWheel {
 public:
  static constexpr uint64_t kNever = UINT64_MAX;

  /// Arms the timer for the tick, or for the next one if that has passed.
  void arm(Timer& timer, uint64_t deadline) noexcept;
  void unlink(Timer& timer) noexcept;
  /// Fires everything that is due at `tick` or before.
  void advance(uint64_t tick) noexcept;
  /// The next tick at which advance() has something to do; kNever if nothing is linked. It may turn out to be
  /// a timer that was cancelled or moved to later.
  uint64_t next_tick() const noexcept;
  uint64_t tick() const noexcept { return tick_; }

 private:
  // Level 0: 256 slots of one tick (1.28 s in all); levels 1 to 3: 64 slots each of the whole level below
  // (82 s, 87 min, 93 h). What is later than that hangs in the last slot and is moved on when that is due.
  static constexpr unsigned kLevels = 4;
  static constexpr std::array<unsigned, kLevels> kShift = {0, 8, 14, 20};
  static constexpr std::array<unsigned, kLevels> kBits = {8, 6, 6, 6};
  static constexpr std::array<unsigned, kLevels> kFirst = {0, 256, 320, 384};
  static constexpr unsigned kSlots = 448;
  static constexpr uint64_t kSpan = 1ull << 26;

  void link(Timer& timer) noexcept;  // for its deadline_
  void cascade(unsigned level) noexcept;
  void fire(unsigned slot) noexcept;
  Timer* pop(unsigned slot) noexcept;
  uint64_t next_slot_distance(unsigned level) const noexcept;

  std::array<Timer*, kSlots> slots_{};
  std::array<uint64_t, kSlots / 64> occupied_{};  // a bit per slot
  uint64_t tick_ = 0;                             // everything up to here has fired
};

}  // namespace weir::event
