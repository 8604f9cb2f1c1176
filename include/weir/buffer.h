// Buffer: the bytes of a body on their way through weir, as a list of slices of pooled blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

struct iovec;

namespace weir {

/// A byte queue made of slices that refer to reference-counted, pooled blocks.
///
/// Moving bytes between buffers does not copy them (a block may be shared by two slices), except for pieces of
/// up to 1 KiB that fit behind the last slice; appending text copies it into the tail block. Owner: whoever holds it, by
/// value. Thread: a buffer and all buffers that it exchanged bytes with stay on one thread, because the counts are not atomic.
class Buffer {
 public:
  static constexpr size_t kBlockSize = 16 * 1024;  // bytes of one pooled block, header included

  Buffer() noexcept = default;
  explicit Buffer(std::string_view text) { append(text); }
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { clear(); }

  size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  void append(std::string_view text);   // copies
  void prepend(std::string_view text);  // copies
  void append(Buffer&& other);          // takes all slices of `other`, O(1); leaves it empty
  void prepend(Buffer&& other);
  /// Moves the first `n` bytes (or all, if fewer) to the end of `target` without copying.
  void move_to(Buffer& target, size_t n);
  /// Appends the same bytes to `target` without copying them: both hold the blocks.
  void share_to(Buffer& target) const;
  /// Forgets the first `n` bytes (or all, if fewer).
  void drain(size_t n) noexcept;
  void clear() noexcept {
    if (head_ != nullptr || spare_ != nullptr) release_all();
  }

  /// The first contiguous run of bytes; empty if the buffer is.
  std::string_view front() const noexcept;
  /// Makes the first min(n, size()) bytes contiguous (copies only if they are not) and returns them.
  std::string_view linearize(size_t n);
  /// Copies up to `n` bytes from `offset` to `to`; returns how many.
  size_t copy_out(size_t offset, size_t n, char* to) const noexcept;
  /// Replaces the bytes [offset, offset + length) by `text`, which is not of this buffer; ranges beyond the end are clamped.
  void replace(size_t offset, size_t length, std::string_view text);
  std::string to_string() const;

  /// Writable room of at least `min` bytes (at most kBlockSize - 64) at the tail; valid until the next
  /// change. `commit(n)` makes its first n bytes part of the buffer.
  std::span<char> reserve(size_t min);
  void commit(size_t n) noexcept;

  /// Fills `out` with the first slices for writev; returns how many were filled.
  size_t gather(std::span<iovec> out) const noexcept;
  /// Room for readv: up to out.size() blocks, the tail's free room first. After the read, call
  /// commit_scatter with the number of bytes read; unused blocks return to the pool.
  size_t scatter(std::span<iovec> out, size_t want);
  void commit_scatter(size_t n) noexcept;

  /// Calls `visit(std::string_view)` for each slice in order.
  template <typename Visitor>
  void for_each_slice(Visitor&& visit) const {
    for (const Slice* slice = head_; slice != nullptr; slice = slice->next)
      visit(std::string_view(slice->data(), slice->end - slice->begin));
  }

 private:
  struct Block;  // reference-counted storage, defined in base/buffer.cc
  struct Slice {
    Slice* next = nullptr;
    Block* block = nullptr;
    uint32_t begin = 0;
    uint32_t end = 0;
    const char* data() const noexcept;
  };
  Slice* new_slice(Block* block, uint32_t begin, uint32_t end);
  void push_back(Slice* slice) noexcept;
  void push_front(Slice* slice) noexcept;
  /// Requires: the range is in the buffer. False: others hold a block of it, and nothing has changed.
  bool overwrite(size_t offset, std::string_view text) noexcept;
  static void release(Slice* slice) noexcept;
  void release_all() noexcept;
  size_t tail_room() const noexcept;
  bool copies_small(size_t n) const noexcept;

  Slice* head_ = nullptr;
  Slice* tail_ = nullptr;
  Slice* spare_ = nullptr;  // empty slices handed out by scatter(), not yet committed
  size_t size_ = 0;
};

}  // namespace weir
