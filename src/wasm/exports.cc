#include "wasm/exports.h"

#include <algorithm>

#include "base/strings.h"

namespace weir::wasm {
namespace {

/// `arities` are the numbers of i32 parameters that versions of the ABI gave the callback.
struct Known {
  std::string_view name;
  ExportFunction Exports::*member;
  uint8_t min_params, max_params;
  bool callback = true;  // an allow-list applies
};

constexpr Known kKnown[] = {
    {"_initialize", &Exports::initialize, 0, 0, false},
    {"_start", &Exports::start, 0, 0, false},
    {"main", &Exports::main, 2, 2, false},
    {"__main_void", &Exports::main_void, 0, 0, false},
    {"malloc", &Exports::allocate, 1, 1, false},
    {"proxy_on_memory_allocate", &Exports::allocate, 1, 1, false},  // preferred: it comes last
    {"proxy_on_context_create", &Exports::context_create, 2, 2},
    {"proxy_on_vm_start", &Exports::vm_start, 2, 2},
    {"proxy_on_configure", &Exports::configure, 2, 2},
    {"proxy_on_tick", &Exports::tick, 1, 1},
    {"proxy_on_queue_ready", &Exports::queue_ready, 2, 2},
    {"proxy_on_request_headers", &Exports::request_headers, 2, 3},
    {"proxy_on_request_body", &Exports::request_body, 3, 3},
    {"proxy_on_request_trailers", &Exports::request_trailers, 2, 2},
    {"proxy_on_response_headers", &Exports::response_headers, 2, 3},
    {"proxy_on_response_body", &Exports::response_body, 3, 3},
    {"proxy_on_response_trailers", &Exports::response_trailers, 2, 2},
    {"proxy_on_new_connection", &Exports::new_connection, 1, 1},
    {"proxy_on_downstream_data", &Exports::downstream_data, 3, 3},
    {"proxy_on_upstream_data", &Exports::upstream_data, 3, 3},
    {"proxy_on_downstream_connection_close", &Exports::downstream_close, 2, 2},
    {"proxy_on_upstream_connection_close", &Exports::upstream_close, 2, 2},
    {"proxy_on_http_call_response", &Exports::http_call_response, 5, 5},
    {"proxy_on_grpc_receive_initial_metadata", &Exports::grpc_initial_metadata, 3, 3},
    {"proxy_on_grpc_receive", &Exports::grpc_receive, 3, 3},
    {"proxy_on_grpc_trailing_metadata", &Exports::grpc_trailing_metadata, 3,
     3},  // AssemblyScript's name for the next
    {"proxy_on_grpc_receive_trailing_metadata", &Exports::grpc_trailing_metadata, 3, 3},
    {"proxy_on_grpc_close", &Exports::grpc_close, 3, 3},
    {"proxy_on_redis_call_response", &Exports::redis_call_response, 4, 4},
    {"proxy_on_foreign_function", &Exports::foreign_function, 3, 3},
    {"proxy_on_done", &Exports::done, 1, 1},
    {"proxy_on_log", &Exports::log, 1, 1},
    {"proxy_on_delete", &Exports::remove, 1, 1},
};

static_assert(std::size(kKnown) <= kMaxExports);

// Callbacks that are known but not called: an allow-list may name them.
constexpr std::string_view kOtherCallbacks[] = {
    "proxy_on_request_metadata",
    "proxy_on_response_metadata",
    "proxy_validate_configuration",
};

AbiVersion version_of(std::string_view name) {
  if (name == "proxy_abi_version_0_1_0") return AbiVersion::k010;
  if (name == "proxy_abi_version_0_2_0") return AbiVersion::k020;
  if (name == "proxy_abi_version_0_2_1") return AbiVersion::k021;
  if (name == "proxy_abi_version_0_2_100") return AbiVersion::kHigress;
  if (name == "proxy_abi_mosn_version_0_2_0") return AbiVersion::k020;
  return AbiVersion::kNone;
}

Result<ExportFunction> bind(const ExportInfo& info, const Known& known, const Instance& instance) {
  const auto& params = info.signature.params;
  const auto is_i32 = [](ValueType type) { return type == ValueType::kI32; };
  const bool fits =
      params.size() >= known.min_params && params.size() <= known.max_params &&
      std::all_of(params.begin(), params.end(), is_i32) && info.signature.results.size() <= 1 &&
      std::all_of(info.signature.results.begin(), info.signature.results.end(), is_i32);
  if (!fits) {
    return fail(Code::kConfig, Side::kLocal,
                base::concat("export \"", info.name, "\" has ", params.size(),
                             " parameters or a type that no version of the ABI has"));
  }
  ExportFunction out;
  out.handle = instance.find_function(info.name);
  out.params = static_cast<uint8_t>(params.size());
  out.returns = !info.signature.results.empty();
  out.index = static_cast<uint8_t>(&known - kKnown);
  out.name = known.name.data();  // a literal, so it ends with a NUL
  return out;
}

}  // namespace

std::string_view export_name(unsigned index) noexcept {
  return index < std::size(kKnown) ? kKnown[index].name : std::string_view();
}

bool is_callback_name(std::string_view name) {
  return std::any_of(std::begin(kKnown), std::end(kKnown),
                     [name](const Known& known) { return known.callback && known.name == name; }) ||
         std::find(std::begin(kOtherCallbacks), std::end(kOtherCallbacks), name) !=
             std::end(kOtherCallbacks);
}

Result<Exports> resolve_exports(const Module& module, const Instance& instance,
                                const std::vector<std::string>& capabilities,
                                MissingAbiVersion missing) {
  Exports out;
  for (const ExportInfo& info : module.exports()) {
    if (info.kind != ImportInfo::Kind::kFunction || out.version != AbiVersion::kNone) continue;
    out.version = version_of(info.name);
  }
  if (out.version == AbiVersion::kNone && missing == MissingAbiVersion::kFirst)
    out.version = AbiVersion::k010;  // of before there were markers
  if (out.version == AbiVersion::kNone) {
    return fail(
        Code::kConfig, Side::kLocal,
        "the module exports no proxy_abi_version_0_1_0, _0_2_0, _0_2_1 or _0_2_100: it is no "
        "Proxy-Wasm filter, or older than that (allow_missing_abi_version)");
  }
  for (const Known& known : kKnown) {
    if (known.callback && !capabilities.empty() &&
        !std::binary_search(capabilities.begin(), capabilities.end(), known.name))
      continue;
    const auto& exports = module.exports();
    const auto found =
        std::find_if(exports.begin(), exports.end(), [&known](const ExportInfo& info) {
          return info.kind == ImportInfo::Kind::kFunction && info.name == known.name;
        });
    if (found == exports.end()) continue;
    auto bound = bind(*found, known, instance);
    if (!bound && known.member == &Exports::main) continue;  // a "main" of another language's
    if (!bound) return fail(std::move(bound.error()));
    out.*known.member = *bound;
  }
  if (!out.allocate) {
    return fail(Code::kConfig, Side::kLocal,
                "the module exports neither proxy_on_memory_allocate nor malloc");
  }
  const auto& exports = module.exports();
  if (std::none_of(exports.begin(), exports.end(),
                   [](const ExportInfo& info) { return info.kind == ImportInfo::Kind::kMemory; }))
    return fail(Code::kConfig, Side::kLocal, "the module exports no memory");
  return out;
}

}  // namespace weir::wasm
