// The parts of a WebAssembly binary that the host reads without the engine: imports, exports, signatures, the declared limits of
// memories and tables, which are lowered before compiling, and the names of functions, which are tidied (names.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>
#include <weir/result.h>

#include "wasm/engine.h"

namespace weir::wasm::binary {

/// A stretch of Binary::bytes.
struct Part {
  size_t at = 0;
  size_t size = 0;
  std::string_view of(std::string_view bytes) const { return bytes.substr(at, size); }
};

/// What LineTable reads. Each may be empty; of sections that come twice, the last.
struct DebugParts {
  Part code;      // the code section's content: what addresses in debug information count from
  Part line;      // .debug_line
  Part line_str;  // .debug_line_str
  Part str;       // .debug_str
};

struct Binary {
  std::vector<ImportInfo> imports;
  std::vector<ExportInfo> exports;
  DebugParts debug;
  std::string bytes;  // the module with lowered maxima and tidied names
};

/// Reads and rewrites; every length is checked. Errors (kConfig) name the section.
/// WebAssembly core specification 1.0, section 5.5.
Result<Binary> read_binary(std::string_view wasm, const EngineLimits& limits);

}  // namespace weir::wasm::binary
