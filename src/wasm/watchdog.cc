#include "wasm/watchdog.h"

#include <pthread.h>

#include "base/log.h"

namespace weir::wasm {
namespace {

int64_t cpu_ns(clockid_t clock) noexcept {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) return -1;
  return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Watchdog::Watchdog(unsigned cells) {
  for (unsigned i = 0; i < cells; ++i) {
    cells_.push_back(std::make_unique<WatchCell>());
    cells_.back()->last_sequence_ = static_cast<uint64_t>(i) << 48;
  }
  thread_ = std::thread([this] { run(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::attach(unsigned index) {
  const std::lock_guard lock(mutex_);
  WatchCell& cell = *cells_[index];
  cell.attached_ = pthread_getcpuclockid(pthread_self(), &cell.cpu_clock_) == 0;
}

void Watchdog::detach(unsigned index) {
  const std::lock_guard lock(mutex_);
  cells_[index]->attached_ = false;
}

void Watchdog::forget(Instance& instance) noexcept {
  // Taking the lock is what matters: a sample that has looked at the instance is over now, and a later one finds its
  // sequence number gone.
  const std::lock_guard lock(mutex_);
  for (auto& cell : cells_) {
    Instance* expected = &instance;
    if (cell->running_.load(std::memory_order_acquire) == 0)
      cell->instance_.compare_exchange_strong(expected, nullptr, std::memory_order_relaxed);
  }
}

void Watchdog::wake() noexcept {
  {
    const std::lock_guard lock(mutex_);
    asleep_.store(false, std::memory_order_relaxed);
  }
  changed_.notify_all();
}

bool Watchdog::sample(WatchCell& cell) {
  const uint64_t running = cell.running_.load(std::memory_order_acquire);
  if (running == 0) {
    cell.seen_ = 0;
    return false;
  }
  const uint64_t budget = cell.budget_ns_.load(std::memory_order_relaxed);
  const auto now = std::chrono::steady_clock::now();
  if (running != cell.seen_) {
    cell.seen_ = running;
    cell.terminated_ = false;
    cell.wall_at_first_ = now;
    cell.cpu_at_first_ns_ = cell.attached_ ? cpu_ns(cell.cpu_clock_) : -1;
    return true;
  }
  if (budget == 0 || cell.terminated_) return true;
  const auto wall = static_cast<uint64_t>((now - cell.wall_at_first_).count());
  const int64_t cpu = cell.attached_ ? cpu_ns(cell.cpu_clock_) : -1;
  const bool over_cpu = cpu >= 0 && cell.cpu_at_first_ns_ >= 0 &&
                        static_cast<uint64_t>(cpu - cell.cpu_at_first_ns_) >= budget;
  if (!over_cpu && wall < budget * 10) return true;
  Instance* instance = cell.instance_.load(std::memory_order_relaxed);
  // The call may just have ended; then the number is another one, and terminate() itself compares it once more.
  if (instance != nullptr && cell.running_.load(std::memory_order_acquire) == running) {
    instance->terminate(running);
    cell.terminated_ = true;
    terminations_.fetch_add(1, std::memory_order_relaxed);
  }
  return true;
}

bool Watchdog::sample() {
  bool any = false;
  for (auto& cell : cells_) any |= sample(*cell);
  return any;
}

void Watchdog::run() {
  base::set_thread_name("watchdog");
  std::unique_lock lock(mutex_);
  unsigned idle = 0;
  while (!stopping_) {
    const bool running = sample();
    if (running) {
      idle = 0;
      asleep_.store(false, std::memory_order_relaxed);
    } else if (++idle == kIdleLooks) {
      // Threads see the flag and wake it from now on; the looks that follow catch a call that began just before.
      asleep_.store(true, std::memory_order_relaxed);
    } else if (idle > kIdleLooks + 2) {
      while (!stopping_ && asleep_.load(std::memory_order_relaxed)) changed_.wait(lock);
      idle = 0;
      continue;
    }
    changed_.wait_for(lock, running ? kSample : kLook);
    if (idle > kIdleLooks && !asleep_.load(std::memory_order_relaxed)) idle = 0;
  }
}

}  // namespace weir::wasm
