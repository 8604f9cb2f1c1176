// The JSON of GET /wasm.
#pragma once

#include <string>

#include "wasm/vm_group.h"

namespace weir::wasm {

std::string describe(const Services& services);

}  // namespace weir::wasm
