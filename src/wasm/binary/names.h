// The names that a module gives its functions, made fit for stacks.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::wasm::binary {

/// In the name section; longer ones are cut. The engine puts the names of ten frames into one text in its heap.
inline constexpr size_t kMaxFunctionName = 512;

/// Whether a byte goes on with a character of UTF-8: no text is cut in front of one.
constexpr bool continues_character(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xc0) == 0x80;
}

/// What could pass for the end of a line, or move a terminal's cursor.
constexpr bool is_control(char byte) noexcept {
  return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f;
}

/// The content of a name section (WebAssembly core specification 1.0, appendix, custom sections) with the names of the module and
/// of functions alone, cut, and without control characters, which could pass for further lines of a stack. Names up to the first
/// mistake are kept.
std::string tidy_names(std::string_view content);

}  // namespace weir::wasm::binary
