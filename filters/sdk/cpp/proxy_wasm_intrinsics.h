// The one header that a filter includes. It has the name of the public SDK's header so that a filter's source fits both.
#pragma once

#include <optional>
#include <string_view>

// The names that sources of all ages of the public SDK use.
using StringView = std::string_view;
template <typename T>
using Optional = std::optional<T>;

// A filter may be compiled into its host too; here it never is.
#define START_WASM_PLUGIN(name)
#define END_WASM_PLUGIN

#include "proxy_wasm_callouts.h"
#include "proxy_wasm_calls.h"
#include "proxy_wasm_context.h"
#include "proxy_wasm_data.h"
#include "proxy_wasm_enums.h"
#include "proxy_wasm_externs.h"
#include "proxy_wasm_headers.h"
#include "proxy_wasm_log.h"
#include "proxy_wasm_metrics.h"
#include "proxy_wasm_properties.h"

// An export of the filter's own.
#define PROXY_WASM_KEEPALIVE __attribute__((used)) __attribute__((visibility("default")))
#define WASM_EXPORT(return_type, name, arguments) \
  extern "C" PROXY_WASM_KEEPALIVE __attribute__((export_name(#name))) return_type name arguments
