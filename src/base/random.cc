#include "base/random.h"

#include <sys/random.h>

#include <array>
#include <cerrno>

#include "base/check.h"
#include "base/hash.h"

namespace weir::base {

namespace {

struct Generator {
  uint64_t state[4];
  bool seeded;
};
constinit thread_local Generator generator{};

constexpr uint64_t rotate(uint64_t value, int by) noexcept {
  return value << by | value >> (64 - by);
}

void seed(Generator& g) noexcept {
  fill_random({reinterpret_cast<uint8_t*>(g.state), sizeof g.state});
  g.state[0] |= 1;  // the all-zero state never leaves itself
  g.seeded = true;
}

}  // namespace

uint64_t random_u64() noexcept {
  Generator& g = generator;
  if (!g.seeded) seed(g);
  uint64_t* s = g.state;
  const uint64_t result = rotate(s[0] + s[3], 23) + s[0];
  const uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate(s[3], 45);
  return result;
}

uint64_t random_below(uint64_t bound) noexcept {
  WEIR_DCHECK(bound > 0);
  return static_cast<uint64_t>(static_cast<internal::Wide>(random_u64()) * bound >> 64);
}

void uuid4(std::span<char, kUuidSize> out) noexcept {
  static constexpr std::array<std::array<char, 2>, 256> kHex = [] {
    std::array<std::array<char, 2>, 256> pairs{};
    for (size_t i = 0; i < pairs.size(); ++i)
      pairs[i] = {"0123456789abcdef"[i >> 4], "0123456789abcdef"[i & 15]};
    return pairs;
  }();
  const uint64_t high = (random_u64() & 0xffffffffffff0fffull) | 0x4000;
  const uint64_t low = (random_u64() & 0x3fffffffffffffffull) | 0x8000000000000000ull;
  char* at = out.data();
  const auto write = [&at](uint64_t word, int first, int last) {
    for (int byte = first; byte < last; ++byte) {
      const std::array<char, 2>& pair = kHex[word >> (56 - byte * 8) & 255];
      *at++ = pair[0];
      *at++ = pair[1];
    }
  };
  write(high, 0, 4);
  *at++ = '-';
  write(high, 4, 6);
  *at++ = '-';
  write(high, 6, 8);
  *at++ = '-';
  write(low, 0, 2);
  *at++ = '-';
  write(low, 2, 8);
}

std::string uuid4() {
  std::string text(kUuidSize, '\0');
  uuid4(std::span<char, kUuidSize>(text.data(), kUuidSize));
  return text;
}

void fill_random(std::span<uint8_t> out) noexcept {
  while (!out.empty()) {
    const ssize_t n = ::getrandom(out.data(), out.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    WEIR_CHECK(n > 0);
    out = out.subspan(static_cast<size_t>(n));
  }
}

}  // namespace weir::base
