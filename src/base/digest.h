// Digests: SHA-256 over libcrypto.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::base {

using Sha256 = std::array<uint8_t, 32>;

Sha256 sha256(std::string_view bytes);
/// 64 lower-case hex digits.
std::string sha256_hex(std::string_view bytes);
/// HMAC-SHA-256 (RFC 2104).
Sha256 hmac_sha256(std::string_view key, std::string_view bytes);
/// Equality in time that depends on the sizes alone.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

}  // namespace weir::base
