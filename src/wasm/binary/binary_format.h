// What reading and writing WebAssembly binaries share (WebAssembly core specification 1.0, chapter 5).
#pragma once

#include <cstdint>
#include <string>

namespace weir::wasm::binary {

enum Section : uint8_t {
  kCustom = 0,
  kTypes = 1,
  kImports = 2,
  kFunctions = 3,
  kTables = 4,
  kMemories = 5,
  kGlobals = 6,
  kExports = 7,
  kCodes = 10
};

/// Appends an unsigned integer in LEB128.
inline void write_leb(std::string& out, uint64_t value) {
  do {
    const auto low = static_cast<uint8_t>(value & 0x7f);
    value >>= 7;
    out.push_back(static_cast<char>(value != 0 ? low | 0x80 : low));
  } while (value != 0);
}

}  // namespace weir::wasm::binary
