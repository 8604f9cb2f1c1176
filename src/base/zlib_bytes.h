// Whole texts in zlib's format (RFC 1950).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weir::base {

std::string zlib_compress(std::string_view bytes);
/// Null: not one whole stream, or more than `most` bytes are in it.
std::optional<std::string> zlib_uncompress(std::string_view bytes, size_t most);

}  // namespace weir::base
