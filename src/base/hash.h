// Hashes of strings, for tables; not for security. A table that a peer can fill uses a random seed.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace weir::base {

namespace internal {
inline uint64_t load64(const char* at) noexcept {
  uint64_t value;
  std::memcpy(&value, at, 8);
  return value;
}
inline uint64_t load32(const char* at) noexcept {
  uint32_t value;
  std::memcpy(&value, at, 4);
  return value;
}
__extension__ using Wide = unsigned __int128;
inline uint64_t fold(uint64_t a, uint64_t b) noexcept {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}
}  // namespace internal

/// A wyhash-like 64-bit hash: some 1 ns for short names.
inline uint64_t hash_bytes(std::string_view text, uint64_t seed = 0) noexcept {
  constexpr uint64_t k0 = 0xa0761d6478bd642full;
  constexpr uint64_t k1 = 0xe7037ed1a0b428dbull;
  const char* at = text.data();
  size_t n = text.size();
  seed ^= k0;
  while (n > 16) {
    seed = internal::fold(internal::load64(at) ^ k1, internal::load64(at + 8) ^ seed);
    at += 16;
    n -= 16;
  }
  uint64_t a = 0;
  uint64_t b = 0;
  if (n >= 8) {
    a = internal::load64(at);
    b = internal::load64(at + n - 8);
  } else if (n >= 4) {
    a = internal::load32(at);
    b = internal::load32(at + n - 4);
  } else if (n > 0) {
    const auto byte = [at](size_t i) {
      return static_cast<uint64_t>(static_cast<unsigned char>(at[i]));
    };
    a = byte(0) << 16 | byte(n / 2) << 8 | byte(n - 1);
  }
  return internal::fold(k1 ^ text.size(), internal::fold(a ^ k1, b ^ seed));
}

/// Spreads the bits of an integer.
constexpr uint64_t mix(uint64_t value) noexcept {
  value ^= value >> 30;
  value *= 0xbf58476d1ce4e5b9ull;
  value ^= value >> 27;
  value *= 0x94d049bb133111ebull;
  return value ^ value >> 31;
}

/// Lets unordered containers of std::string be asked with a string_view.
struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const noexcept { return hash_bytes(text); }
};
struct StringEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const noexcept { return a == b; }
};
template <typename T>
using StringMap = std::unordered_map<std::string, T, StringHash, StringEqual>;
using StringSet = std::unordered_set<std::string, StringHash, StringEqual>;

}  // namespace weir::base
