#include "event/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace weir::event {

void TimerWheel::arm(Timer& timer, uint64_t deadline) noexcept {
  timer.deadline_ = std::max(deadline, tick_ + 1);
  timer.armed_ = true;
  if (timer.linked_) {
    // What is linked is due within the span of the wheel.
    const uint32_t due_in = timer.slot_tick_ - static_cast<uint32_t>(tick_);
    if (timer.deadline_ - tick_ >= due_in) return;
    unlink(timer);
  }
  link(timer);
}

void TimerWheel::link(Timer& timer) noexcept {
  // While a tick is processed (tick_ is that tick) a cascade may bring timers that are due at once.
  const uint64_t tick = std::min(std::max(timer.deadline_, tick_), tick_ + kSpan - 1);
  const uint64_t distance = tick - tick_;
  unsigned level = 0;
  while (level + 1 < kLevels && distance >= 1ull << kShift[level + 1]) ++level;
  const unsigned slot =
      kFirst[level] + static_cast<unsigned>((tick >> kShift[level]) & ((1u << kBits[level]) - 1));
  timer.slot_tick_ = static_cast<uint32_t>(tick);
  timer.slot_ = static_cast<uint16_t>(slot);
  timer.prev_ = nullptr;
  timer.next_ = slots_[slot];
  if (timer.next_ != nullptr) timer.next_->prev_ = &timer;
  slots_[slot] = &timer;
  occupied_[slot / 64] |= 1ull << (slot % 64);
  timer.linked_ = true;
}

void TimerWheel::unlink(Timer& timer) noexcept {
  if (timer.prev_ != nullptr) {
    timer.prev_->next_ = timer.next_;
  } else {
    slots_[timer.slot_] = timer.next_;
    if (timer.next_ == nullptr) occupied_[timer.slot_ / 64] &= ~(1ull << (timer.slot_ % 64));
  }
  if (timer.next_ != nullptr) timer.next_->prev_ = timer.prev_;
  timer.next_ = timer.prev_ = nullptr;
  timer.linked_ = false;
}

Timer* TimerWheel::pop(unsigned slot) noexcept {
  Timer* timer = slots_[slot];
  if (timer != nullptr) unlink(*timer);
  return timer;
}

void TimerWheel::cascade(unsigned level) noexcept {
  const unsigned slot =
      kFirst[level] + static_cast<unsigned>((tick_ >> kShift[level]) & ((1u << kBits[level]) - 1));
  // What goes back into the same slot (a full turn of the wheel later) must not be seen again.
  Timer* timer = slots_[slot];
  slots_[slot] = nullptr;
  occupied_[slot / 64] &= ~(1ull << (slot % 64));
  while (timer != nullptr) {
    Timer* next = timer->next_;
    timer->next_ = timer->prev_ = nullptr;
    timer->linked_ = false;
    if (timer->armed_) link(*timer);
    timer = next;
  }
}

void TimerWheel::fire(unsigned slot) noexcept {
  // One at a time from the front: a callback may cancel, arm or destroy any other timer of the slot. Nothing is
  // added to this slot meanwhile, because deadlines of new timers lie behind tick_ and within the level.
  while (Timer* timer = pop(slot)) {
    if (!timer->armed_) continue;
    if (timer->deadline_ > tick_) {
      link(*timer);
      continue;
    }
    timer->armed_ = false;
    timer->callback_(timer->argument_);
  }
}

void TimerWheel::advance(uint64_t tick) noexcept {
  while (tick_ < tick) {
    // Straight to the next tick that has something, so that a long sleep costs nothing.
    const uint64_t next = next_tick();
    if (next > tick) {
      tick_ = tick;
      return;
    }
    tick_ = next;
    for (unsigned level = kLevels - 1; level > 0; --level) {
      if ((tick_ & ((1ull << kShift[level]) - 1)) == 0) cascade(level);
    }
    fire(static_cast<unsigned>(tick_ & 255));
  }
}

// Slots of the level until the next occupied one after the current: 1 .. number of slots; 0 if none.
uint64_t TimerWheel::next_slot_distance(unsigned level) const noexcept {
  const unsigned count = 1u << kBits[level];
  const unsigned current = static_cast<unsigned>(tick_ >> kShift[level]) & (count - 1);
  const unsigned words = count / 64;
  const uint64_t* bits = &occupied_[kFirst[level] / 64];
  // The word of the slot after the current one, from that slot on; then whole words; then that word's rest.
  const unsigned start = (current + 1) & (count - 1);
  for (unsigned i = 0; i <= words; ++i) {
    const unsigned word = (start / 64 + i) % words;
    uint64_t set = bits[word];
    if (i == 0) set &= ~0ull << (start % 64);
    if (i == words) set &= ~(~0ull << (start % 64));
    if (set == 0) continue;
    const unsigned slot = word * 64 + static_cast<unsigned>(std::countr_zero(set));
    return ((slot - start) & (count - 1)) + 1;
  }
  return 0;
}

uint64_t TimerWheel::next_tick() const noexcept {
  uint64_t best = kNever;
  for (unsigned level = 0; level < kLevels; ++level) {
    const uint64_t distance = next_slot_distance(level);
    if (distance == 0) continue;
    best = std::min(best, ((tick_ >> kShift[level]) + distance) << kShift[level]);
  }
  return best;
}

}  // namespace weir::event
