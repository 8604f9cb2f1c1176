// The guest's stack where it is stopped without a trap.
#pragma once

#include <string>

#include "wasm/v8/compat.h"

namespace weir::wasm::v8engine {

/// Lines as those of a trap, each with a line break before it: "\n    at function (wasm://wasm/hash:0xoffset)". Empty: no guest runs.
std::string current_stack(v8::Isolate* isolate);

/// A trap's text or a stack, without the lines that make it longer than 4 KiB; a first line that is longer is cut.
std::string clipped(std::string text);

}  // namespace weir::wasm::v8engine
