// Reading what a module's author wrote: integers, names and stretches of bytes, each checked.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::wasm::binary {

/// After an overrun `ok()` is false and every read gives zero or nothing.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes, size_t at = 0)
      : bytes_(bytes), at_(std::min(at, bytes.size())) {}
  bool ok() const { return ok_; }
  bool done() const { return at_ >= bytes_.size() || !ok_; }
  size_t position() const { return at_; }
  void fail() {
    ok_ = false;
    at_ = bytes_.size();
  }

  uint8_t byte() {
    if (at_ >= bytes_.size()) return fail(), uint8_t{0};
    return static_cast<uint8_t>(bytes_[at_++]);
  }
  /// Little-endian, of `size` bytes, eight at most.
  uint64_t fixed(unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size; ++i) value |= static_cast<uint64_t>(byte()) << (8 * i);
    return ok_ ? value : 0;
  }
  /// Unsigned LEB128, in as many bytes as `max_bits` may take.
  uint64_t leb(unsigned max_bits = 32) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < max_bits; shift += 7) {
      const uint8_t next = byte();
      value |= static_cast<uint64_t>(next & 0x7f) << shift;
      if ((next & 0x80) == 0) return value;
    }
    return fail(), 0;
  }
  /// Signed LEB128 of up to 64 bits, in two's complement.
  uint64_t signed_leb() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      const uint8_t next = byte();
      value |= static_cast<uint64_t>(next & 0x7f) << shift;
      if ((next & 0x80) != 0) continue;
      if ((next & 0x40) != 0 && shift + 7 < 64) value |= ~uint64_t{0} << (shift + 7);
      return value;
    }
    return fail(), 0;
  }
  std::string_view take(uint64_t size) {
    if (size > bytes_.size() - at_) return fail(), std::string_view{};
    const std::string_view taken = bytes_.substr(at_, size);
    at_ += size;
    return taken;
  }
  /// Its length first.
  std::string_view name() { return take(leb()); }
  /// Up to a NUL, which is taken too.
  std::string_view text() {
    const size_t end = bytes_.find('\0', at_);
    if (end == std::string_view::npos) return fail(), std::string_view{};
    const std::string_view taken = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return taken;
  }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace weir::wasm::binary
