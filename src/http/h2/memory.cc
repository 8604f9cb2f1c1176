#include "http/h2/memory.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace weir::http::h2 {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

constexpr size_t kStep = 64;     // bytes between one size of blocks and the next
constexpr size_t kClasses = 8;   // larger blocks are malloc's alone
constexpr uint32_t kKept = 512;  // blocks of a size that are kept
constexpr uint32_t kLarge = kClasses;

/// Stands in front of each block.
struct alignas(std::max_align_t) Block {
  union {
    Block* next;  // while it is kept
    size_t size;  // while it is large and in use
  };
  uint32_t kind;  // its class, or kLarge
};

struct Kept {
  ~Kept() {
    closed = true;
    for (Block* block : first) {
      while (block != nullptr) {
        Block* const next = block->next;
        std::free(block);
        block = next;
      }
    }
    first = {};
  }
  std::array<Block*, kClasses> first{};
  std::array<uint32_t, kClasses> count{};
  bool closed = false;  // the thread ends
};
thread_local Kept kept;

size_t room(const Block& block) noexcept {
  return block.kind == kLarge ? block.size : (block.kind + 1) * kStep;
}

void* take(size_t size, void*) noexcept {
  const size_t kind = size == 0 ? 0 : (size - 1) / kStep;
  if (kind >= kClasses) {
    auto* block = static_cast<Block*>(std::malloc(sizeof(Block) + size));
    if (block == nullptr) return nullptr;
    block->size = size;
    block->kind = kLarge;
    return block + 1;
  }
  Block* block = kept.first[kind];
  if (block != nullptr) {
    kept.first[kind] = block->next;
    --kept.count[kind];
    return block + 1;
  }
  block = static_cast<Block*>(std::malloc(sizeof(Block) + (kind + 1) * kStep));
  if (block == nullptr) return nullptr;
  block->kind = static_cast<uint32_t>(kind);
  return block + 1;
}

void give(void* memory, void*) noexcept {
  if (memory == nullptr) return;
  Block* const block = static_cast<Block*>(memory) - 1;
  if (block->kind == kLarge || kept.closed || kept.count[block->kind] >= kKept)
    return std::free(block);
  block->next = kept.first[block->kind];
  kept.first[block->kind] = block;
  ++kept.count[block->kind];
}

void* take_zeroed(size_t count, size_t size, void*) noexcept {
  if (size != 0 && count > SIZE_MAX / size) return nullptr;
  void* const memory = take(count * size, nullptr);
  if (memory != nullptr) std::memset(memory, 0, count * size);
  return memory;
}

void* resize(void* memory, size_t size, void*) noexcept {
  if (memory == nullptr) return take(size, nullptr);
  const size_t before = room(static_cast<Block*>(memory)[-1]);
  if (size <= before) return memory;
  void* const larger = take(size, nullptr);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, memory, before);
  give(memory, nullptr);
  return larger;
}

}  // namespace

nghttp2_mem* thread_memory() noexcept {
  if constexpr (kSanitized) return nullptr;  // which sees more in malloc's blocks
  static nghttp2_mem memory{nullptr, &take, &give, &take_zeroed, &resize};
  return &memory;
}

}  // namespace weir::http::h2
