// What the peer may still send on which stream, in two bits for each of the newest ones.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::http::h2 {

/// nghttp2 1.52 ignores frames on streams that are closed, whoever closed them. Errors are due only where the peer itself had
/// finished (RFC 9113 5.1): after a reset of ours its frames may still be on their way.
class StreamLedger {
 public:
  enum class State : uint8_t { kSkipped, kOpen, kFinished, kReset };
  static constexpr uint32_t kKept = 1024;  // older streams are forgotten

  /// `id` is higher than every stream that the peer has opened.
  bool is_new(uint32_t id) const noexcept { return id > last_; }
  bool knows(uint32_t id) const noexcept { return id <= last_ && (last_ - id) / 2 < kKept; }
  /// Requires: knows(id).
  State state(uint32_t id) const noexcept {
    return static_cast<State>((bits_[place(id) / 4] >> shift(id)) & 3);
  }
  void set(uint32_t id, State state) noexcept {
    uint8_t& byte = bits_[place(id) / 4];
    byte = static_cast<uint8_t>((byte & ~(3U << shift(id))) |
                                (static_cast<unsigned>(state) << shift(id)));
  }
  /// Opens a stream; those below it that were never opened are skipped (RFC 9113 5.1.1). Requires: is_new(id), odd.
  void open(uint32_t id) noexcept {
    if ((id - last_) / 2 >= kKept) {
      bits_.fill(0);
    } else {
      for (uint32_t skipped = last_ | 1; skipped < id; skipped += 2) {
        if (skipped > last_) set(skipped, State::kSkipped);
      }
    }
    last_ = id;
    set(id, State::kOpen);
  }

 private:
  static size_t place(uint32_t id) noexcept { return (id >> 1) % kKept; }
  static unsigned shift(uint32_t id) noexcept { return (place(id) % 4) * 2; }

  uint32_t last_ = 0;
  std::array<uint8_t, kKept / 4> bits_{};
};

}  // namespace weir::http::h2
