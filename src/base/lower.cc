#include "base/lower.h"

#include <cstdint>
#include <cstring>

#include "base/strings.h"

namespace weir::base {
namespace {

constexpr uint64_t each(uint8_t byte) noexcept { return 0x0101010101010101u * byte; }

/// 0x20 in each byte that is a letter in upper case.
constexpr uint64_t upper_bits(uint64_t eight) noexcept {
  const uint64_t low = eight & each(0x7f);
  const uint64_t from_a = low + each(0x80 - 'A');
  const uint64_t above_z = low + each(0x7f - 'Z');
  return ((from_a ^ above_z) & ~eight & each(0x80)) >> 2;
}

}  // namespace

bool copy_lower(std::string_view from, char* to) noexcept {
  uint64_t changed = 0;
  const auto copy_eight = [&](size_t at) {
    uint64_t eight = 0;
    std::memcpy(&eight, from.data() + at, sizeof eight);
    const uint64_t bits = upper_bits(eight);
    changed |= bits;
    eight |= bits;
    std::memcpy(to + at, &eight, sizeof eight);
  };
  constexpr size_t kEight = sizeof(uint64_t);
  if (from.size() < kEight) {
    for (size_t at = 0; at < from.size(); ++at) {
      to[at] = to_lower(from[at]);
      changed |= static_cast<uint64_t>(to[at] != from[at]);
    }
    return changed != 0;
  }
  for (size_t at = 0; at + kEight < from.size(); at += kEight) copy_eight(at);
  copy_eight(from.size() - kEight);  // the last ones, some of them for the second time
  return changed != 0;
}

}  // namespace weir::base
