// ASCII letters to lower case, many at a time.
#pragma once

#include <string_view>

namespace weir::base {

/// Writes `from` with its ASCII letters in lower case to `to`, which has as much room; they do not overlap. True: something was
/// in upper case.
bool copy_lower(std::string_view from, char* to) noexcept;

}  // namespace weir::base
