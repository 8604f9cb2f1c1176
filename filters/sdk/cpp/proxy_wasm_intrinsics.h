// The one header that a filter includes. It has the name of the public SDK's header so that a filter's source fits both.
#pragma once

#include "proxy_wasm_calls.h"
#include "proxy_wasm_context.h"
#include "proxy_wasm_data.h"
#include "proxy_wasm_enums.h"
#include "proxy_wasm_externs.h"
#include "proxy_wasm_headers.h"
