// The parts of a Loop that its header does not show.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "event/loop.h"
#include "event/timer_wheel.h"

namespace weir::event {

struct Loop::Private {
  TimerWheel wheel;
  MonotonicTime origin{};                         // tick 0
  struct event* wait_limit = nullptr;             // ends the wait at the next deadline
  uint64_t wait_limit_tick = TimerWheel::kNever;  // 0: due before any tick, by run_once()
  struct event* wake_event = nullptr;
  int wake_fd = -1;

  std::mutex mutex;  // guards posted and thread
  std::vector<std::function<void()>>
      posted;  // configuration and control traffic, never per request
  std::thread::id thread{};
  std::atomic<bool> has_posted{false};
  std::atomic<bool> stopping{false};
  std::vector<std::function<void()>> running;  // being run; kept for its capacity

  EndOfTurn* first_end = nullptr;
  EndOfTurn* last_end = nullptr;
  size_t end_count = 0;
  bool hastened = false;  // by the present fd callback
  std::vector<std::unique_ptr<Deferrable>> deferred;
  std::vector<std::unique_ptr<Deferrable>> dying;  // kept for its capacity
  bool clock_stale = true;                         // the wait is over and now_ not read yet
  MonotonicTime next_system_sync{};
  SystemTime::duration system_offset{};

  uint64_t tick_of(MonotonicTime time) const noexcept;
  void run_posted();
  void run_end_of_turn();
  void run_deferred();
  bool has_work() const noexcept;
};

}  // namespace weir::event
