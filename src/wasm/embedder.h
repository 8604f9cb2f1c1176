// The embedder's host functions (weir/host_functions.h) as imports and foreign functions of a VM.
#pragma once

#include <string>
#include <string_view>
#include <weir/host_functions.h>

#include "wasm/engine.h"
#include "wasm/enums.h"
#include "wasm/import_binding.h"

namespace weir::wasm {

class Vm;

/// The one engine function behind all imports of the embedder's: `data` is an ImportBinding.
Value call_embedder(void* data, const Value* args, size_t count) noexcept;

Status call_embedder_foreign(Vm& vm, const HostFunctions::Foreign& foreign,
                             std::string_view argument, std::string& result);

}  // namespace weir::wasm
