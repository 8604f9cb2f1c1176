// Reads the messages of vm_config that are weir's own.
#pragma once

#include <weir/config_view.h>

#include "wasm/plugin.h"

namespace weir::wasm {

/// `limits`, `recycle` and `quarantine`. Errors are reported on the view.
void read_vm_bounds(ConfigView& vm, VmConfig& out);

}  // namespace weir::wasm
