// Watchdog: a thread that interrupts guest calls which are over their budget.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <ctime>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "wasm/engine.h"

namespace weir::wasm {

/// What one thread tells the watchdog about its running guest call. Written by that thread with plain stores.
class alignas(64) WatchCell {
 public:
  /// The number of the next call, unique among all cells. Order: next(), Instance::set_sequence(), begin(), the call, end().
  uint64_t next() noexcept { return ++last_sequence_; }
  void begin(uint64_t sequence, Instance& instance, uint64_t budget_ns) noexcept {
    instance_.store(&instance, std::memory_order_relaxed);
    budget_ns_.store(budget_ns, std::memory_order_relaxed);
    running_.store(sequence, std::memory_order_release);
  }
  void end() noexcept { running_.store(0, std::memory_order_release); }

 private:
  friend class Watchdog;
  std::atomic<uint64_t> running_{0};
  std::atomic<uint64_t> budget_ns_{0};
  std::atomic<Instance*> instance_{nullptr};
  uint64_t last_sequence_ = 0;  // the owner's

  // The watchdog's own, under its mutex.
  bool attached_ = false;
  clockid_t cpu_clock_{};
  uint64_t seen_ = 0;
  bool terminated_ = false;
  int64_t cpu_at_first_ns_ = 0;
  std::chrono::steady_clock::time_point wall_at_first_{};
};

/// Owner: the Host. A call's time is the CPU time of its thread, counted from the first sample that sees it, so that a busy
/// machine punishes nobody; ten times the budget in wall-clock time ends it too. Looks every kLook while no guest
/// is seen to run and every kSample while one is, and sleeps when none has run for a while.
class Watchdog {
 public:
  explicit Watchdog(unsigned cells);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  WatchCell& cell(unsigned index) noexcept { return *cells_[index]; }
  /// On the thread that uses the cell: lends the thread's CPU clock, until detach.
  void attach(unsigned index);
  void detach(unsigned index);
  /// After begin(): one load when the watchdog is awake.
  void note_call() noexcept {
    if (asleep_.load(std::memory_order_relaxed)) wake();
  }
  /// Before an instance is destroyed: no terminate() of it is under way afterwards. It must not be running.
  void forget(Instance& instance) noexcept;
  uint64_t terminations() const noexcept { return terminations_.load(std::memory_order_relaxed); }

  /// To the next look, where this one has seen no guest run; to the next one, where it has.
  static constexpr std::chrono::milliseconds kLook{16};
  static constexpr std::chrono::milliseconds kSample{4};
  /// CPU time that a call may use beyond its budget, as far as the machine lets the watchdog run.
  static constexpr std::chrono::milliseconds kMaxCpuOverrun = kLook + kSample;
  static constexpr unsigned kIdleLooks = 16;  // without a guest, before it sleeps

 private:
  void run();
  bool sample();
  bool sample(WatchCell& cell);
  void wake() noexcept;

  std::vector<std::unique_ptr<WatchCell>> cells_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> asleep_{false};
  std::atomic<uint64_t> terminations_{0};
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace weir::wasm
