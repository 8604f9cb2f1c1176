// A header of the public SDK, for sources that name it: the numbers that host and guest share.
#pragma once

#include "proxy_wasm_enums.h"
