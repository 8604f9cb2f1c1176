// WireReader: reads protobuf messages that guests hand over, without their definitions.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::wasm {

/// The fields of one message one after the other.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) noexcept : in_(bytes) {}
  /// False at the end, and where the bytes are malformed.
  bool next() {
    if (bad_ || in_.empty()) return false;
    const uint64_t key = varint();
    field_ = key >> 3;
    value_ = 0;
    bytes_ = {};
    is_bytes_ = false;
    switch (key & 7) {
      case 0:
        value_ = varint();
        break;
      case 1:
        take(8);
        break;
      case 2:
        is_bytes_ = true;
        bytes_ = take(varint());
        break;
      case 5:
        take(4);
        break;
      default:
        bad_ = true;
    }
    if (field_ == 0) bad_ = true;
    return !bad_;
  }
  bool bad() const noexcept { return bad_; }
  /// The field's bytes if it has this number and is of the wire type of texts and messages.
  std::optional<std::string_view> bytes(uint64_t field) const noexcept {
    if (field_ != field || !is_bytes_) return std::nullopt;
    return bytes_;
  }
  std::optional<uint64_t> number(uint64_t field) const noexcept {
    if (field_ != field || is_bytes_) return std::nullopt;
    return value_;
  }

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !in_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(in_.front());
      in_.remove_prefix(1);
      value |= uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    bad_ = true;
    return 0;
  }
  std::string_view take(uint64_t size) {
    if (size > in_.size()) {
      bad_ = true;
      return {};
    }
    const std::string_view taken = in_.substr(0, size);
    in_.remove_prefix(size);
    return taken;
  }
  std::string_view in_;
  std::string_view bytes_;
  uint64_t field_ = 0;
  uint64_t value_ = 0;
  bool is_bytes_ = false;
  bool bad_ = false;
};

}  // namespace weir::wasm
