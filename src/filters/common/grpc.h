// What the filters for gRPC know of its messages.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::filters {

/// Where the messages of a gRPC body begin and end: a byte of flags, four of length, the message. Follows one body that
/// comes piece by piece. Keeps counts alone, never the bytes.
class GrpcFrames {
 public:
  /// How many bytes of `piece` there are up to the end of the present message; all of them if it goes on. Call it again
  /// with what is left.
  size_t advance(std::string_view piece) noexcept {
    size_t taken = 0;
    while (head_ < kHeadBytes && taken < piece.size()) {
      if (head_ > 0) left_ = left_ << 8 | static_cast<unsigned char>(piece[taken]);
      ++head_;
      ++taken;
      if (head_ == kHeadBytes) ++messages_;
    }
    if (head_ < kHeadBytes) return taken;
    const size_t more = std::min<size_t>(left_, piece.size() - taken);
    left_ -= static_cast<uint32_t>(more);
    if (left_ == 0) head_ = 0;
    return taken + more;
  }
  /// True between two messages.
  bool at_boundary() const noexcept { return head_ == 0; }
  /// Messages that have begun.
  uint64_t messages() const noexcept { return messages_; }
  /// All of a piece.
  void skip(std::string_view piece) noexcept {
    while (!piece.empty()) piece.remove_prefix(advance(piece));
  }

 private:
  static constexpr int kHeadBytes = 5;
  int head_ = 0;  // bytes of the head that have come
  uint32_t left_ = 0;
  uint64_t messages_ = 0;
};

}  // namespace weir::filters
