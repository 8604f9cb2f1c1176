// ImportTable: which host function serves which import of a module, by name and signature.
#pragma once

#include <string>
#include <string_view>
#include <vector>
#include <weir/host_functions.h>
#include <weir/result.h>

#include "wasm/engine.h"

namespace weir::wasm {

/// What becomes of an imported function that nobody here serves: the module is refused, or it answers Unimplemented (0 where the
/// result is no integer).
enum class UnknownImports : bool { kRefused, kUnimplemented };

/// One function per import slot of the module, in its order. Names and arities of every ABI version are offered to every
/// module, whatever its marker. Error: all imports that cannot be served, in one text. With an allow-list, what
/// is not on it answers InternalFailure (proxy_*) or ENOTCAPABLE (WASI). Each function gets the Vm as its data, but
/// call_embedder() and those that refuse an ImportBinding.
Result<std::vector<HostFunction>> link_imports(const Module& module,
                                               const std::vector<std::string>& capabilities,
                                               UnknownImports unknown = UnknownImports::kRefused,
                                               const HostFunctions* own = nullptr);

/// Whether an allow-list may name it: a host function, a WASI function or a callback.
bool is_known_capability(std::string_view name);

}  // namespace weir::wasm
