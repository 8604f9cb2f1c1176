// ConnectionBudget: how many downstream connections the process may have at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace weir::proxy {

/// Owner: the server; outlives every connection. Thread-safe. Connections are counted also while there is no limit.
class ConnectionBudget {
 public:
  static constexpr uint64_t kNoLimit = UINT64_MAX;
  void set_limit(uint64_t limit) noexcept { limit_.store(limit, std::memory_order_relaxed); }
  uint64_t active() const noexcept { return active_.load(std::memory_order_relaxed); }

 private:
  friend class ConnectionShare;
  std::atomic<uint64_t> active_{0};
  std::atomic<uint64_t> limit_{kNoLimit};
};

/// One connection's place in the budget, which it leaves when this dies. Empty: it is not counted.
class ConnectionShare {
 public:
  ConnectionShare() noexcept = default;
  ConnectionShare(ConnectionShare&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)) {}
  ConnectionShare& operator=(ConnectionShare&& other) noexcept {
    std::swap(budget_, other.budget_);
    return *this;
  }
  ~ConnectionShare() {
    if (budget_ != nullptr) budget_->active_.fetch_sub(1, std::memory_order_relaxed);
  }
  /// False, and no place is taken, if the limit is reached.
  bool take(ConnectionBudget& budget) noexcept {
    if (budget.active_.fetch_add(1, std::memory_order_relaxed) >=
        budget.limit_.load(std::memory_order_relaxed)) {
      budget.active_.fetch_sub(1, std::memory_order_relaxed);
      return false;
    }
    budget_ = &budget;
    return true;
  }

 private:
  ConnectionBudget* budget_ = nullptr;
};

}  // namespace weir::proxy
