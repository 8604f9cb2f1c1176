#include "base/block_pool.h"

#include <cstdlib>

#include "base/check.h"

namespace weir::base {

// One per thread, with a destructor; the lists themselves have none, so that reaching them costs no guard.
struct FreeListExit {
  FreeList* lists = nullptr;
  bool over = false;
  ~FreeListExit() {
    over = true;
    for (FreeList* list = lists; list != nullptr; list = list->next_registered_) {
      list->trim();
      list->capacity_ = 0;
    }
  }
};

namespace {
thread_local FreeListExit thread_exit;
}

void FreeList::register_for_exit() noexcept {
  registered_ = true;
  if (thread_exit.over) {
    capacity_ = 0;
    return;
  }
  next_registered_ = thread_exit.lists;
  thread_exit.lists = this;
}

void* FreeList::take_slow() noexcept {
  if (!registered_) register_for_exit();
  void* block = std::malloc(block_size_);
  WEIR_CHECK(block != nullptr);
  return block;
}

void FreeList::give_slow(void* block) noexcept {
  if (!registered_) {
    register_for_exit();
    if (count_ < capacity_) return give(block);
  }
  std::free(block);
}

void FreeList::trim() noexcept {
  while (head_ != nullptr) {
    Node* node = head_;
    head_ = node->next;
    std::free(node);
  }
  count_ = 0;
}

}  // namespace weir::base
