#include "event/loop.h"

#include <event2/event.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "event/loop_private.h"

namespace weir::event {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds kForever{60 * 60 * 1000};
// End-of-turn work that schedules itself again and again must not starve the sockets.
constexpr int kMaxEndOfTurn = 1 << 16;

struct event_base* make_base() {
  struct event_config* config = event_config_new();
  WEIR_CHECK(config != nullptr);
  // The loop keeps its own clock and is used by one thread. The change list stays off: it applies changes when
  // the next wait begins, when the fd may be closed already and its duplicate still be watched for ever.
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
  event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
  event_config_avoid_method(config, "select");
  event_config_avoid_method(config, "poll");
  struct event_base* base = event_base_new_with_config(config);
  event_config_free(config);
  WEIR_CHECK(base != nullptr);
  return base;
}

void on_wake(evutil_socket_t fd, short, void*) noexcept {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = ::read(fd, &count, sizeof count);
}

void on_wait_limit(evutil_socket_t, short, void*) noexcept {}

}  // namespace

uint64_t Loop::Private::tick_of(MonotonicTime time) const noexcept {
  return time <= origin ? 0 : static_cast<uint64_t>((time - origin) / kTick);
}

bool Loop::Private::has_work() const noexcept {
  return first_end != nullptr || !deferred.empty() || has_posted.load(std::memory_order_acquire);
}

Loop::Loop() : base_(make_base()), private_(std::make_unique<Private>()) {
  Private& p = *private_;
  p.wake_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  WEIR_CHECK(p.wake_fd >= 0);
  p.wake_event = event_new(base_, p.wake_fd, EV_READ | EV_PERSIST, &on_wake, nullptr);
  WEIR_CHECK(p.wake_event != nullptr && event_add(p.wake_event, nullptr) == 0);
  p.wait_limit = event_new(base_, -1, 0, &on_wait_limit, nullptr);
  WEIR_CHECK(p.wait_limit != nullptr);
  p.thread = std::this_thread::get_id();
  p.origin = std::chrono::steady_clock::now();
  refresh_clock();
}

Loop::~Loop() {
  Private& p = *private_;
  p.run_deferred();
  p.posted.clear();
  p.run_deferred();  // destroying a task may have deferred something
  event_free(p.wait_limit);
  event_free(p.wake_event);
  ::close(p.wake_fd);
  event_base_free(base_);
}

void Loop::refresh_clock() noexcept {
  Private& p = *private_;
  now_ = std::chrono::steady_clock::now();
  p.clock_stale = false;
  // The wall clock is derived, and set again often enough to follow its adjustments.
  if (now_ >= p.next_system_sync) {
    p.system_offset = std::chrono::system_clock::now().time_since_epoch() - now_.time_since_epoch();
    p.next_system_sync = now_ + milliseconds(250);
  }
  system_now_ = SystemTime(
      std::chrono::duration_cast<SystemTime::duration>(now_.time_since_epoch()) + p.system_offset);
}

void Loop::wait_over() noexcept {
  if (private_->clock_stale) refresh_clock();
}

void Loop::run() {
  {
    const std::lock_guard lock(private_->mutex);
    private_->thread = std::this_thread::get_id();
  }
  while (!private_->stopping.load(std::memory_order_acquire)) turn(kForever);
  private_->stopping.store(false, std::memory_order_relaxed);
}

void Loop::run_once(milliseconds max_wait) {
  {
    const std::lock_guard lock(private_->mutex);
    private_->thread = std::this_thread::get_id();
  }
  turn(max_wait);
}

void Loop::stop() noexcept {
  private_->stopping.store(true, std::memory_order_release);
  wake();
}

void Loop::wake() noexcept {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(private_->wake_fd, &one, sizeof one);
}

// The order matters: see the class comment.
void Loop::turn(milliseconds max_wait) {
  Private& p = *private_;
  if (p.clock_stale) refresh_clock();
  int flags = EVLOOP_ONCE;
  const uint64_t next = p.wheel.next_tick();
  const MonotonicTime limit = now_ + max_wait;
  if (max_wait <= milliseconds(0) || p.has_work() || next <= p.tick_of(now_)) {
    flags |= EVLOOP_NONBLOCK;
  } else {
    // The libevent timer that bounds the wait is added again only when the deadline comes nearer; one that
    // has become too early costs one idle turn.
    const uint64_t bound = std::min(next, p.tick_of(limit) + 1);
    if (bound < p.wait_limit_tick) {
      const nanoseconds wait =
          std::min<nanoseconds>(p.origin + bound * kTick - now_, max_wait) + nanoseconds(999);
      timeval tv{};
      tv.tv_sec = static_cast<time_t>(wait / std::chrono::seconds(1));
      tv.tv_usec =
          static_cast<suseconds_t>(wait % std::chrono::seconds(1) / std::chrono::microseconds(1));
      event_add(p.wait_limit, &tv);
      p.wait_limit_tick = bound;
    }
  }
  p.clock_stale = true;
  event_base_loop(base_, flags);
  wait_over();
  // Fired, or about to: the next wait decides anew.
  if (p.wait_limit_tick != TimerWheel::kNever &&
      !event_pending(p.wait_limit, EV_TIMEOUT, nullptr)) {
    p.wait_limit_tick = TimerWheel::kNever;
  }
  // Before timers: what has arrived in time is not too late because this thread was busy.
  p.run_end_of_turn();
  if (p.has_posted.load(std::memory_order_acquire)) p.run_posted();
  p.wheel.advance(p.tick_of(now_));
  p.run_end_of_turn();
  p.run_deferred();
  p.hastened = false;
}

void Loop::post(std::function<void()> task) {
  Private& p = *private_;
  bool wake_up = false;
  {
    const std::lock_guard lock(p.mutex);
    wake_up = p.posted.empty() && p.thread != std::this_thread::get_id();
    p.posted.push_back(std::move(task));
    p.has_posted.store(true, std::memory_order_release);
  }
  if (wake_up) wake();
}

void Loop::Private::run_posted() {
  {
    const std::lock_guard lock(mutex);
    running.swap(posted);
    has_posted.store(false, std::memory_order_relaxed);
  }
  for (auto& task : running) {
    task();
    task = nullptr;  // what it captured dies before the next task runs
  }
  running.clear();
}

void Loop::Private::run_end_of_turn() {
  for (int i = 0; first_end != nullptr && i < kMaxEndOfTurn; ++i) {
    EndOfTurn& work = *first_end;
    first_end = work.next_;
    (first_end != nullptr ? first_end->prev_ : last_end) = nullptr;
    work.next_ = work.prev_ = nullptr;
    work.linked_ = false;
    --end_count;
    work.callback_(work.argument_);
  }
}

void Loop::hasten_end_of_turn() noexcept { private_->hastened = true; }

size_t Loop::end_of_turn_backlog() const noexcept { return private_->end_count; }

void Loop::fd_callback_over() noexcept {
  if (std::exchange(private_->hastened, false)) private_->run_end_of_turn();
}

void Loop::Private::run_deferred() {
  while (!deferred.empty()) {
    dying.swap(deferred);
    dying.clear();
  }
}

void Loop::defer_delete(std::unique_ptr<Deferrable> object) {
  if (object != nullptr) private_->deferred.push_back(std::move(object));
}

void Timer::arm(milliseconds delay) noexcept {
  Loop::Private& p = *loop_.private_;
  const nanoseconds since = loop_.now_ - p.origin + std::max(delay, milliseconds(0));
  p.wheel.arm(*this, static_cast<uint64_t>((since + Loop::kTick - nanoseconds(1)) / Loop::kTick));
}

void Timer::unlink() noexcept { loop_.private_->wheel.unlink(*this); }

EndOfTurn::~EndOfTurn() {
  if (!linked_) return;
  Loop::Private& p = *loop_.private_;
  (prev_ != nullptr ? prev_->next_ : p.first_end) = next_;
  (next_ != nullptr ? next_->prev_ : p.last_end) = prev_;
  --p.end_count;
}

void EndOfTurn::schedule() noexcept {
  if (linked_) return;
  Loop::Private& p = *loop_.private_;
  linked_ = true;
  next_ = nullptr;
  prev_ = p.last_end;
  (prev_ != nullptr ? prev_->next_ : p.first_end) = this;
  p.last_end = this;
  ++p.end_count;
}

}  // namespace weir::event
