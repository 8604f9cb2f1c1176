// FreeList: a thread's stack of equally sized blocks, so that buffers and arenas do not call malloc once warm.
#pragma once

#include <cstddef>
#include <cstdint>

// Under the address sanitizer every block goes back to malloc, so that use after free is seen.
#if defined(__SANITIZE_ADDRESS__)
#define WEIR_POOL_BLOCKS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR_POOL_BLOCKS 0
#endif
#endif
#ifndef WEIR_POOL_BLOCKS
#define WEIR_POOL_BLOCKS 1
#endif

namespace weir::base {

/// Owner: a `constinit thread_local` variable; thread: its own. Blocks may be given back on another thread
/// than they were taken on: they simply join that thread's list. When the thread ends, its blocks are freed,
/// and later calls on it (destructors of other thread-locals) go to malloc and free.
class FreeList {
 public:
  constexpr FreeList(size_t block_size, uint32_t capacity) noexcept
      : block_size_(block_size), capacity_(WEIR_POOL_BLOCKS ? capacity : 0) {}
  FreeList(const FreeList&) = delete;
  FreeList& operator=(const FreeList&) = delete;

  /// Uninitialised memory of the block size. Out of memory aborts.
  void* take() noexcept {
    if (head_ == nullptr) return take_slow();
    Node* node = head_;
    head_ = node->next;
    --count_;
    return node;
  }
  void give(void* block) noexcept {
    if (count_ >= capacity_ || !registered_) return give_slow(block);
    auto* node = static_cast<Node*>(block);
    node->next = head_;
    head_ = node;
    ++count_;
  }
  uint32_t count() const noexcept { return count_; }
  /// Frees all blocks held.
  void trim() noexcept;

 private:
  friend struct FreeListExit;
  struct Node {
    Node* next;
  };
  void* take_slow() noexcept;
  void give_slow(void* block) noexcept;
  void register_for_exit() noexcept;

  size_t block_size_;
  uint32_t capacity_;
  uint32_t count_ = 0;
  Node* head_ = nullptr;
  FreeList* next_registered_ = nullptr;
  bool registered_ = false;
};

}  // namespace weir::base
