// ConnectionBudget: how many downstream connections the process may have at a time; WorkerLoads: how a listener's are spread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

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

/// "exact_balance": the connections of one listening address on each worker. Shared by these and by the connections, which may
/// outlive the listener. Thread-safe.
class WorkerLoads {
 public:
  struct Cell {
    mutable std::atomic<uint32_t> count{0};
  };
  explicit WorkerLoads(size_t workers) : cells_(workers) {}
  /// The worker with the fewest, which gets one more; of equals the first from `from` on.
  size_t take_least(size_t from) const noexcept {
    for (;;) {
      size_t best = from % cells_.size();
      uint32_t least = cells_[best].count.load(std::memory_order_relaxed);
      for (size_t i = 1; i < cells_.size(); ++i) {
        const size_t at = (from + i) % cells_.size();
        const uint32_t load = cells_[at].count.load(std::memory_order_relaxed);
        if (load < least) least = load, best = at;
      }
      // Another worker may have had the same thought.
      if (cells_[best].count.compare_exchange_strong(least, least + 1, std::memory_order_relaxed))
        return best;
    }
  }
  const Cell& cell(size_t worker) const noexcept { return cells_[worker]; }

 private:
  std::vector<Cell> cells_;
};

/// One connection's place in the budget, and among its worker's, which it leaves when this dies. Empty: it is not counted.
class ConnectionShare {
 public:
  ConnectionShare() noexcept = default;
  ConnectionShare(ConnectionShare&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)), load_(std::move(other.load_)) {}
  ConnectionShare& operator=(ConnectionShare&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(load_, other.load_);
    return *this;
  }
  ~ConnectionShare() {
    if (budget_ != nullptr) budget_->active_.fetch_sub(1, std::memory_order_relaxed);
    if (load_ != nullptr) load_->count.fetch_sub(1, std::memory_order_relaxed);
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
  /// The place that WorkerLoads::take_least() has taken.
  void keep(std::shared_ptr<const WorkerLoads::Cell> load) noexcept { load_ = std::move(load); }

 private:
  ConnectionBudget* budget_ = nullptr;
  std::shared_ptr<const WorkerLoads::Cell> load_;  // null: nobody balances
};

}  // namespace weir::proxy
