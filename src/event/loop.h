// Loop: one thread's event loop over libevent, with coarse timers, cross-thread posts and deferred deletion.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>
#include <weir/stream_info.h>

struct event;
struct event_base;

namespace weir::event {

class Loop;
class FdWatch;

/// Base of everything that dies through Loop::defer_delete.
class Deferrable {
 public:
  virtual ~Deferrable() = default;
};

/// A coarse timer (resolution Loop::kTick): call `arm` as often as you like, re-arming to a later time
/// writes one field. Owner: by value in the object it serves. The callback is a plain function with the
/// object as argument; it may arm again, cancel, or destroy the timer's owner by defer_delete.
class Timer {
 public:
  using Callback = void (*)(void* argument);
  Timer(Loop& loop, Callback callback, void* argument) noexcept
      : loop_(loop), callback_(callback), argument_(argument) {}
  ~Timer() {
    if (linked_) unlink();
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// Fires once, not before `delay` from the loop's cached now, at most one tick later.
  void arm(std::chrono::milliseconds delay) noexcept;
  /// Costs one write: the timer stays in its slot, and costs nothing to arm again, until the slot is due.
  void cancel() noexcept { armed_ = false; }
  bool armed() const noexcept { return armed_; }

 private:
  friend class Loop;
  friend class TimerWheel;
  void unlink() noexcept;
  Loop& loop_;
  Callback callback_;
  void* argument_;
  Timer* next_ = nullptr;  // links of the wheel slot
  Timer* prev_ = nullptr;
  uint64_t deadline_ = 0;   // tick number
  uint32_t slot_tick_ = 0;  // low bits of the tick under which it hangs in the wheel
  uint16_t slot_ = 0;       // the slot it hangs in
  bool armed_ = false;
  bool linked_ = false;
};

/// A Timer for what is seldom awaited: it takes memory from the first arm() until release().
class RareTimer {
 public:
  /// Requires: the same loop, callback and argument at every call.
  void arm(Loop& loop, Timer::Callback callback, void* argument, std::chrono::milliseconds delay) {
    if (timer_ == nullptr) timer_ = std::make_unique<Timer>(loop, callback, argument);
    timer_->arm(delay);
  }
  void cancel() noexcept {
    if (timer_ != nullptr) timer_->cancel();
  }
  bool armed() const noexcept { return timer_ != nullptr && timer_->armed(); }
  /// Requires: not from inside its callback.
  void release() noexcept { timer_.reset(); }

 private:
  std::unique_ptr<Timer> timer_;
};

/// Work to do once when the present stage of the loop's turn is over (its fd callbacks; its posted work and timers), without
/// allocation. Intrusive; unlinks itself when destroyed. Used to handle what connections have read and to flush each
/// touched one once.
class EndOfTurn {
 public:
  using Callback = void (*)(void* argument);
  EndOfTurn(Loop& loop, Callback callback, void* argument) noexcept
      : loop_(loop), callback_(callback), argument_(argument) {}
  ~EndOfTurn();
  EndOfTurn(const EndOfTurn&) = delete;
  EndOfTurn& operator=(const EndOfTurn&) = delete;
  void schedule() noexcept;  // idempotent
  bool scheduled() const noexcept { return linked_; }

 private:
  friend class Loop;
  Loop& loop_;
  Callback callback_;
  void* argument_;
  EndOfTurn* next_ = nullptr;
  EndOfTurn* prev_ = nullptr;
  bool linked_ = false;
};

/// One thread's loop. A turn is: wait (one epoll_wait), fd callbacks, end-of-turn work (repeated until none is left), posted
/// work, timers, end-of-turn work again, deferred deletions. Only post() and stop() may be called from other
/// threads.
/// Owner: the worker, or main. Everything that refers to it dies before it. Destroying it destroys posted tasks
/// without running them and deletes what was deferred.
class Loop {
 public:
  static constexpr std::chrono::milliseconds kTick{5};

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void run();  // until stop()
  void stop() noexcept;
  /// One turn that waits at most `max_wait`; for tests and for embedding.
  void run_once(std::chrono::milliseconds max_wait);

  /// Runs `task` on this loop's thread, in order of posting; thread-safe. The eventfd is written only when
  /// the queue was empty. Tasks posted to a stopped loop are destroyed without running.
  void post(std::function<void()> task);

  /// Runs the end-of-turn work as soon as the present fd callback has returned, not after those of all other
  /// fds: bulk data is passed on while the processor's cache holds it. Ignored outside fd callbacks.
  void hasten_end_of_turn() noexcept;
  /// How many have end-of-turn work to do.
  size_t end_of_turn_backlog() const noexcept;

  /// Read once a turn, when the wait is over.
  MonotonicTime now() const noexcept { return now_; }
  /// Where now() stands, for code below that knows no loop.
  const MonotonicTime* clock() const noexcept { return &now_; }
  SystemTime system_now() const noexcept { return system_now_; }
  /// Reads the clock anew.
  void refresh_clock() noexcept;

  /// Destroys the object after the current turn's callbacks have unwound.
  void defer_delete(std::unique_ptr<Deferrable> object);
  struct event_base* base() noexcept {
    return base_;
  }

 private:
  friend class Timer;
  friend class EndOfTurn;
  friend class FdWatch;
  struct Private;
  void turn(std::chrono::milliseconds max_wait);
  void wake() noexcept;
  void wait_over() noexcept;
  void fd_callback_over() noexcept;
  struct event_base* base_ = nullptr;
  std::unique_ptr<Private> private_;
  MonotonicTime now_{};
  SystemTime system_now_{};
};

/// Readiness of a file descriptor, level-triggered if nothing else is said. Owner: by value in the object that owns the fd; must be
/// destroyed (or disarm()ed) before the fd is closed.
class FdWatch {
 public:
  using Callback = void (*)(void* argument, unsigned events);
  static constexpr unsigned kRead = 1;
  static constexpr unsigned kWrite = 2;

  FdWatch(Loop& loop, Callback callback, void* argument) noexcept
      : loop_(loop), callback_(callback), argument_(argument) {}
  ~FdWatch();
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;

  /// When a callback comes: as long as the fd is ready, or once each time that something more has happened to it.
  enum class Trigger : bool { kLevel, kEdge };
  /// Requires: not attached yet.
  void attach(int fd, Trigger trigger = Trigger::kLevel);
  /// Sets the events to wait for (kRead | kWrite or 0). Cheap when nothing changes.
  void want(unsigned events);
  unsigned wanted() const noexcept { return wanted_; }
  void disarm() noexcept;

 private:
  static void trampoline(int fd, short what, void* arg) noexcept;
  Loop& loop_;
  Callback callback_;
  void* argument_;
  struct event* event_of(unsigned which);
  struct event* read_event_ = nullptr;  // allocated when first wanted
  struct event* write_event_ = nullptr;
  int fd_ = -1;
  unsigned wanted_ = 0;
  Trigger trigger_ = Trigger::kLevel;
};

}  // namespace weir::event
