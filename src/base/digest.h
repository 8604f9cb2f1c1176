// Digests over libcrypto.
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

using Sha1 = std::array<uint8_t, 20>;

/// For protocols that demand it (RFC 6455); promises nothing.
Sha1 sha1(std::string_view bytes);

}  // namespace weir::base
