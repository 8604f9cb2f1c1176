// GuestMemory: the linear memory of a guest, checked. The only place that turns guest addresses into host pointers.
#pragma once

#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "wasm/engine.h"

namespace weir::wasm {

/// A short-lived value: made for a host call, and anew after every call into the guest, because the memory may have grown.
/// Ranges are checked in 64-bit arithmetic; a range of size 0 may lie anywhere up to the end of the memory.
class GuestMemory {
 public:
  explicit GuestMemory(Instance& instance) noexcept : bytes_(instance.memory()) {}

  bool contains(uint64_t at, uint64_t size) const noexcept {
    return at <= bytes_.size() && size <= bytes_.size() - at;
  }
  /// The bytes of a range; valid until the next call into the guest.
  std::optional<std::string_view> view(uint64_t at, uint64_t size) const noexcept {
    at = static_cast<uint32_t>(at);
    size = static_cast<uint32_t>(size);
    if (!contains(at, size)) return std::nullopt;
    return std::string_view(reinterpret_cast<const char*>(bytes_.data()) + at, size);
  }
  char* writable(uint64_t at, uint64_t size) const noexcept {
    at = static_cast<uint32_t>(at);
    size = static_cast<uint32_t>(size);
    return contains(at, size) ? reinterpret_cast<char*>(bytes_.data()) + at : nullptr;
  }
  // The ABI asks for no alignment: bytes are copied.
  template <typename T>
  std::optional<T> load(uint64_t at) const noexcept {
    const char* from = writable(at, sizeof(T));
    if (from == nullptr) return std::nullopt;
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
  }
  template <typename T>
  bool store(uint64_t at, T value) const noexcept {
    char* to = writable(at, sizeof(T));
    if (to == nullptr) return false;
    std::memcpy(to, &value, sizeof(T));
    return true;
  }
  bool write(uint64_t at, std::string_view text) const noexcept {
    char* to = writable(at, text.size());
    if (to == nullptr) return false;
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    return true;
  }
  size_t size() const noexcept { return bytes_.size(); }

 private:
  std::span<uint8_t> bytes_;
};

}  // namespace weir::wasm
