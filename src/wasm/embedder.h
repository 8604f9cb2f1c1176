// The embedder's host functions (weir/host_functions.h) as imports and foreign functions of a VM.
#pragma once

#include <string>
#include <string_view>
#include <vector>
#include <weir/host_functions.h>

#include "wasm/engine.h"
#include "wasm/enums.h"

namespace weir::wasm {

class Vm;

/// What an import of the embedder's gets as its data.
struct EmbedderBinding {
  Vm* vm = nullptr;
  const HostFunctions::Import* import = nullptr;
};

/// The one engine function behind all imports of the embedder's: `data` is an EmbedderBinding.
Value call_embedder(void* data, const Value* args, size_t count) noexcept;

/// The VM's imports by slot. `embedded` is filled, and must live as long as the instance.
std::vector<Binding> bind_imports(Vm& vm, std::vector<EmbedderBinding>& embedded);

Status call_embedder_foreign(Vm& vm, const HostFunctions::Foreign& foreign,
                             std::string_view argument, std::string& result);

}  // namespace weir::wasm
