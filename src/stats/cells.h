// Cells: the numbers behind all metrics, 8 bytes a metric and thread, contiguous per thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace weir::stats {

unsigned thread_index() noexcept;

/// Owner: the store. allocate() under the store's lock; the rest from any thread. A thread writes its own cells alone (index 0 is
/// shared and pays for an atomic add), everybody may read them.
class Cells {
 public:
  explicit Cells(unsigned threads) : threads_(threads) {
    for (unsigned i = 0; i < threads; ++i) tables_.push_back(std::make_unique<Table>());
  }
  /// `count` cells in a row; returns the index of the first.
  uint32_t allocate(uint32_t count) {
    if (next_ % kChunk + count > kChunk) next_ = (next_ / kChunk + 1) * kChunk;
    const uint32_t first = next_;
    next_ += count;
    for (const auto& table : tables_) {
      std::atomic<Cell*>& slot = table->chunks[first / kChunk];
      if (slot.load(std::memory_order_relaxed) != nullptr) continue;
      owned_.push_back(std::make_unique<std::array<Cell, kChunk>>());
      slot.store(owned_.back()->data(), std::memory_order_release);
    }
    return first;
  }
  void add(uint32_t index, uint64_t n) noexcept {
    const unsigned thread = thread_index();
    if (thread == 0 || thread >= threads_) {
      cell(0, index).fetch_add(n, std::memory_order_relaxed);
      return;
    }
    Cell& own = cell(thread, index);
    own.store(own.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t sum(uint32_t index) const noexcept {
    uint64_t total = 0;
    for (unsigned i = 0; i < threads_; ++i) total += cell(i, index).load(std::memory_order_relaxed);
    return total;
  }

 private:
  using Cell = std::atomic<uint64_t>;
  static constexpr uint32_t kChunk = 512;
  static constexpr uint32_t kChunks = 4096;  // two million cells
  struct Table {
    std::array<std::atomic<Cell*>, kChunks> chunks{};
  };
  Cell& cell(unsigned thread, uint32_t index) const noexcept {
    return tables_[thread]->chunks[index / kChunk].load(std::memory_order_acquire)[index % kChunk];
  }
  unsigned threads_;
  uint32_t next_ = 0;
  std::vector<std::unique_ptr<Table>> tables_;
  std::vector<std::unique_ptr<std::array<Cell, kChunk>>> owned_;
};

}  // namespace weir::stats
