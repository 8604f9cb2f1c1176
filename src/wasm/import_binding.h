// ImportBinding: what the function behind an import of one VM gets as its data, where the VM alone does not do.
#pragma once

#include <string_view>
#include <vector>
#include <weir/host_functions.h>

#include "wasm/engine.h"

namespace weir::wasm {

class Vm;

struct ImportBinding {
  Vm* vm = nullptr;
  const HostFunctions::Import* import = nullptr;  // of the embedder's
  std::string_view refused{};  // the name of a function that the allow-list lacks; the module's
  bool told = false;           // for the log: it was called
};

/// In the place of functions that the allow-list lacks: `data` is an ImportBinding. They answer InternalFailure and ENOTCAPABLE,
/// and the log names each, once for a plugin and generation.
Value refuse_proxy(void* data, const Value* args, size_t count) noexcept;
Value refuse_wasi(void* data, const Value* args, size_t count) noexcept;

/// The VM's imports by slot. `made` is filled, and must live as long as the instance.
std::vector<Binding> bind_imports(Vm& vm, std::vector<ImportBinding>& made);

}  // namespace weir::wasm
