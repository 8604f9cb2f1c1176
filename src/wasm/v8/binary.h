// The parts of a WebAssembly binary that the host reads without the engine: imports, exports, signatures, and the
// declared limits of memories and tables, which are lowered before compiling.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>
#include <weir/result.h>

#include "wasm/engine.h"

namespace weir::wasm::v8engine {

struct Binary {
  std::vector<ImportInfo> imports;
  std::vector<ExportInfo> exports;
  std::string bytes;  // the module with lowered maxima
};

/// Reads and rewrites; every length is checked. Errors (kConfig) name the section.
/// WebAssembly core specification 1.0, section 5.5.
Result<Binary> read_binary(std::string_view wasm, const EngineLimits& limits);

}  // namespace weir::wasm::v8engine
