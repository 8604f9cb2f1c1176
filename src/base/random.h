// Random numbers: a fast generator per thread, and the kernel's for secrets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weir::base {

/// xoshiro256++, seeded from the kernel once per thread. Not for secrets.
uint64_t random_u64() noexcept;
/// 0 .. bound - 1, without bias worth speaking of. Requires: bound > 0.
uint64_t random_below(uint64_t bound) noexcept;

/// A version 4 UUID (RFC 9562 section 5.4) in lower case, for request ids: unguessable is not its promise.
inline constexpr size_t kUuidSize = 36;
void uuid4(std::span<char, kUuidSize> out) noexcept;
std::string uuid4();

/// Fills from getrandom(2); for secrets.
void fill_random(std::span<uint8_t> out) noexcept;

}  // namespace weir::base
