// A header of the public SDK, for sources that name it.
#pragma once

#include "proxy_wasm_intrinsics.h"
