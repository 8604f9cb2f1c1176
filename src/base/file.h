// Files: whole, and only at configuration time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <weir/result.h>

namespace weir::base {

/// The bytes of a regular file (or pipe). Errors: kNotFound, kPayloadTooLarge beyond `max` bytes, kSystem.
Result<std::string> read_file(const std::string& path, size_t max = 256 * 1024 * 1024);

}  // namespace weir::base
