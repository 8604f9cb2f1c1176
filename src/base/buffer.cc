#include <weir/buffer.h>

#include <sys/uio.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "base/block_pool.h"
#include "base/check.h"

namespace weir {

// `filled` is the end of the bytes that some slice has claimed: only the slice that ends there may grow,
// so two buffers that share a block after move_to() never write over each other.
struct Buffer::Block {
  uint32_t refs;
  uint32_t filled;
  uint32_t room;  // bytes of data; other than kRoom: a block of its own, not pooled
  uint32_t padding;
  char* data() noexcept { return reinterpret_cast<char*>(this) + sizeof(Block); }
  const char* data() const noexcept { return reinterpret_cast<const char*>(this) + sizeof(Block); }
};

namespace {

constexpr uint32_t kRoom = Buffer::kBlockSize - 16;  // bytes of data in one pooled block
constexpr size_t kSliceSize = 24;
// Slices up to this size are copied behind the last one where there is room: a body that trickles in byte by
// byte must not pin a block per byte.
constexpr size_t kSmall = 1024;

constinit thread_local base::FreeList block_list{Buffer::kBlockSize, 256};
constinit thread_local base::FreeList slice_list{kSliceSize, 512};

}  // namespace

const char* Buffer::Slice::data() const noexcept { return block->data() + begin; }

// Takes over one reference of `block`.
Buffer::Slice* Buffer::new_slice(Block* block, uint32_t begin, uint32_t end) {
  static_assert(sizeof(Block) == kBlockSize - kRoom);
  static_assert(sizeof(Slice) == kSliceSize);
  if (block == nullptr) {
    block = static_cast<Block*>(block_list.take());
    block->refs = 1;
    block->filled = 0;
    block->room = kRoom;
  }
  auto* slice = static_cast<Slice*>(slice_list.take());
  slice->next = nullptr;
  slice->block = block;
  slice->begin = begin;
  slice->end = end;
  return slice;
}

void Buffer::release(Slice* slice) noexcept {
  Block* block = slice->block;
  if (--block->refs == 0) {
    if (block->room == kRoom) {
      block_list.give(block);
    } else {
      std::free(block);
    }
  }
  slice_list.give(slice);
}

void Buffer::push_back(Slice* slice) noexcept {
  slice->next = nullptr;
  if (tail_ != nullptr) {
    tail_->next = slice;
  } else {
    head_ = slice;
  }
  tail_ = slice;
}

void Buffer::push_front(Slice* slice) noexcept {
  slice->next = head_;
  head_ = slice;
  if (tail_ == nullptr) tail_ = slice;
}

size_t Buffer::tail_room() const noexcept {
  if (tail_ == nullptr || tail_->end != tail_->block->filled) return 0;
  return tail_->block->room - tail_->end;
}

bool Buffer::copies_small(size_t n) const noexcept {
  return tail_ != nullptr && (tail_room() >= n || tail_->end - tail_->begin <= kSmall);
}

Buffer::Buffer(Buffer&& other) noexcept
    : head_(std::exchange(other.head_, nullptr)),
      tail_(std::exchange(other.tail_, nullptr)),
      spare_(std::exchange(other.spare_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    clear();
    head_ = std::exchange(other.head_, nullptr);
    tail_ = std::exchange(other.tail_, nullptr);
    spare_ = std::exchange(other.spare_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

void Buffer::release_all() noexcept {
  for (Slice* list : {head_, spare_}) {
    while (list != nullptr) {
      Slice* next = list->next;
      release(list);
      list = next;
    }
  }
  head_ = tail_ = spare_ = nullptr;
  size_ = 0;
}

void Buffer::append(std::string_view text) {
  while (!text.empty()) {
    size_t room = tail_room();
    if (room == 0) {
      push_back(new_slice(nullptr, 0, 0));
      room = kRoom;
    }
    const size_t n = std::min(room, text.size());
    std::memcpy(tail_->block->data() + tail_->end, text.data(), n);
    tail_->end += static_cast<uint32_t>(n);
    tail_->block->filled = tail_->end;
    size_ += n;
    text.remove_prefix(n);
  }
}

void Buffer::prepend(std::string_view text) {
  // Room before the first slice is free only if nobody else refers to its block.
  if (head_ != nullptr && head_->block->refs == 1 && head_->begin > 0) {
    const size_t n = std::min<size_t>(head_->begin, text.size());
    head_->begin -= static_cast<uint32_t>(n);
    std::memcpy(head_->block->data() + head_->begin, text.data() + text.size() - n, n);
    size_ += n;
    text.remove_suffix(n);
  }
  while (!text.empty()) {
    // Written at the block's end, so that the next prepend finds room before it.
    const size_t n = std::min<size_t>(kRoom, text.size());
    Slice* slice = new_slice(nullptr, static_cast<uint32_t>(kRoom - n), kRoom);
    slice->block->filled = kRoom;
    std::memcpy(slice->block->data() + slice->begin, text.data() + text.size() - n, n);
    push_front(slice);
    size_ += n;
    text.remove_suffix(n);
  }
}

void Buffer::append(Buffer&& other) {
  if (other.empty() || this == &other) return;
  if (other.size_ <= kSmall && copies_small(other.size_)) {
    other.for_each_slice([this](std::string_view part) { append(part); });
    other.clear();
    return;
  }
  if (tail_ != nullptr) {
    tail_->next = other.head_;
  } else {
    head_ = other.head_;
  }
  tail_ = other.tail_;
  size_ += other.size_;
  other.head_ = other.tail_ = nullptr;
  other.size_ = 0;
}

void Buffer::prepend(Buffer&& other) {
  if (other.empty() || this == &other) return;
  other.tail_->next = head_;
  if (tail_ == nullptr) tail_ = other.tail_;
  head_ = other.head_;
  size_ += other.size_;
  other.head_ = other.tail_ = nullptr;
  other.size_ = 0;
}

void Buffer::move_to(Buffer& target, size_t n) {
  if (&target == this) return;
  if (n >= size_) {
    target.append(std::move(*this));
    return;
  }
  while (n > 0) {
    const uint32_t length = head_->end - head_->begin;
    if (length == 0) {  // left by a reserve() that nothing was committed to
      Slice* slice = head_;
      head_ = slice->next;
      release(slice);
      continue;
    }
    const size_t part = std::min<size_t>(length, n);
    if (part <= kSmall && target.copies_small(part)) {
      target.append(std::string_view(head_->data(), part));
      drain(part);
      n -= part;
      continue;
    }
    if (length <= n) {
      Slice* slice = head_;
      head_ = slice->next;
      target.push_back(slice);
      target.size_ += length;
      size_ -= length;
      n -= length;
    } else {
      const uint32_t cut = head_->begin + static_cast<uint32_t>(n);
      ++head_->block->refs;
      target.push_back(new_slice(head_->block, head_->begin, cut));
      head_->begin = cut;
      target.size_ += n;
      size_ -= n;
      n = 0;
    }
  }
}

void Buffer::share_to(Buffer& target) const {
  for (const Slice* slice = head_; slice != nullptr; slice = slice->next) {
    const uint32_t length = slice->end - slice->begin;
    if (length == 0) continue;
    if (length <= kSmall && target.copies_small(length)) {
      target.append(std::string_view(slice->data(), length));
      continue;
    }
    ++slice->block->refs;
    target.push_back(target.new_slice(slice->block, slice->begin, slice->end));
    target.size_ += length;
  }
}

void Buffer::drain(size_t n) noexcept {
  n = std::min(n, size_);
  size_ -= n;
  while (n > 0) {
    const uint32_t length = head_->end - head_->begin;
    if (length > n) {
      head_->begin += static_cast<uint32_t>(n);
      return;
    }
    n -= length;
    Slice* slice = head_;
    head_ = slice->next;
    release(slice);
  }
  // Nothing empty stays at the front; an empty tail that reserve() made stays for its commit().
  if (head_ == nullptr) tail_ = nullptr;
}

std::string_view Buffer::front() const noexcept {
  for (const Slice* slice = head_; slice != nullptr; slice = slice->next) {
    if (slice->end != slice->begin) return {slice->data(), slice->end - slice->begin};
  }
  return {};
}

std::string_view Buffer::linearize(size_t n) {
  n = std::min(n, size_);
  if (n == 0) return {};
  const std::string_view first = front();
  if (first.size() >= n) return first.substr(0, n);
  WEIR_CHECK(n <= UINT32_MAX - sizeof(Block));
  Block* block = nullptr;
  if (n > kRoom) {
    block = static_cast<Block*>(std::malloc(sizeof(Block) + n));
    WEIR_CHECK(block != nullptr);
    block->refs = 1;
    block->room = static_cast<uint32_t>(n);
  }
  Slice* joined = new_slice(block, 0, static_cast<uint32_t>(n));
  joined->block->filled = static_cast<uint32_t>(n);
  copy_out(0, n, joined->block->data());
  drain(n);
  push_front(joined);
  size_ += n;
  return {joined->data(), n};
}

size_t Buffer::copy_out(size_t offset, size_t n, char* to) const noexcept {
  size_t copied = 0;
  for (const Slice* slice = head_; slice != nullptr && copied < n; slice = slice->next) {
    const size_t length = slice->end - slice->begin;
    if (offset >= length) {
      offset -= length;
      continue;
    }
    const size_t part = std::min(length - offset, n - copied);
    std::memcpy(to + copied, slice->data() + offset, part);
    copied += part;
    offset = 0;
  }
  return copied;
}

bool Buffer::overwrite(size_t offset, std::string_view text) noexcept {
  Slice* first = head_;
  for (; first != nullptr && offset >= first->end - first->begin; first = first->next)
    offset -= first->end - first->begin;
  size_t covered = 0;
  for (Slice* slice = first; covered < offset + text.size(); slice = slice->next) {
    if (slice->block->refs != 1) return false;
    covered += slice->end - slice->begin;
  }
  for (Slice* slice = first; !text.empty(); slice = slice->next) {
    const size_t part = std::min(slice->end - slice->begin - offset, text.size());
    std::memcpy(slice->block->data() + slice->begin + offset, text.data(), part);
    text.remove_prefix(part);
    offset = 0;
  }
  return true;
}

void Buffer::replace(size_t offset, size_t length, std::string_view text) {
  offset = std::min(offset, size_);
  length = std::min(length, size_ - offset);
  if (length == text.size() && overwrite(offset, text)) return;
  Buffer before;
  move_to(before, offset);
  drain(length);
  before.append(text);
  // What is small behind the text comes along: bytes that are put in one by one must not pin a block each.
  while (head_ != nullptr) {
    const size_t next = head_->end - head_->begin;
    // An empty one is what reserve() has left: it is the last.
    if (next == 0 || next > kSmall || !before.copies_small(next)) break;
    move_to(before, next);
  }
  prepend(std::move(before));
}

std::string Buffer::to_string() const {
  std::string text;
  text.reserve(size_);
  for_each_slice([&text](std::string_view part) { text.append(part); });
  return text;
}

std::span<char> Buffer::reserve(size_t min) {
  WEIR_DCHECK(min <= kBlockSize - 64);
  min = std::max<size_t>(min, 1);
  if (tail_room() < min) push_back(new_slice(nullptr, 0, 0));
  return {tail_->block->data() + tail_->end, tail_room()};
}

void Buffer::commit(size_t n) noexcept {
  WEIR_DCHECK(n <= tail_room());
  if (n == 0) return;
  tail_->end += static_cast<uint32_t>(n);
  tail_->block->filled = tail_->end;
  size_ += n;
}

size_t Buffer::gather(std::span<iovec> out) const noexcept {
  size_t filled = 0;
  for (const Slice* slice = head_; slice != nullptr && filled < out.size(); slice = slice->next) {
    if (slice->end == slice->begin) continue;
    out[filled].iov_base = const_cast<char*>(slice->data());
    out[filled].iov_len = slice->end - slice->begin;
    ++filled;
  }
  return filled;
}

size_t Buffer::scatter(std::span<iovec> out, size_t want) {
  WEIR_DCHECK(spare_ == nullptr);
  size_t filled = 0;
  size_t room = tail_room();
  // A few left-over bytes are not worth an iovec.
  if (room >= 512 && !out.empty()) {
    out[0] = {tail_->block->data() + tail_->end, room};
    filled = 1;
  } else {
    room = 0;
  }
  Slice** last = &spare_;
  while (filled < out.size() && room < want) {
    Slice* slice = new_slice(nullptr, 0, 0);
    *last = slice;
    last = &slice->next;
    out[filled++] = {slice->block->data(), kRoom};
    room += kRoom;
  }
  return filled;
}

void Buffer::commit_scatter(size_t n) noexcept {
  if (const size_t room = tail_room(); room >= 512) {
    const size_t part = std::min(room, n);
    commit(part);
    n -= part;
  }
  while (spare_ != nullptr) {
    Slice* slice = spare_;
    spare_ = slice->next;
    if (n == 0) {
      release(slice);
      continue;
    }
    const size_t part = std::min<size_t>(kRoom, n);
    slice->end = static_cast<uint32_t>(part);
    slice->block->filled = slice->end;
    push_back(slice);
    size_ += part;
    n -= part;
  }
}

}  // namespace weir
