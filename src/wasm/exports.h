// Exports: the functions of a guest that the host calls, resolved once per instance.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>
#include <weir/result.h>

#include "wasm/engine.h"

namespace weir::wasm {

/// A callback as this module has it: its own number of parameters decides what it is given.
struct ExportFunction {
  FunctionHandle handle = kNoFunction;
  uint8_t params = 0;
  bool returns = false;
  uint8_t index = 0;  // among all that weir knows, for accounting
  const char* name = "";
  explicit operator bool() const noexcept { return handle != kNoFunction; }
};

/// Callbacks that one entry into the guest runs in order (see Instance::join()).
struct JointFunction {
  ExportFunction call;
  std::array<const ExportFunction*, 3> steps{};
  uint8_t count = 0;
  uint8_t timed = 0;  // the step that the time of all is counted for
  explicit operator bool() const noexcept { return static_cast<bool>(call); }
};

enum class AbiVersion : uint8_t { kNone, k010, k020, k021, kHigress };

struct Exports {
  AbiVersion version = AbiVersion::kNone;
  ExportFunction initialize, start, main, main_void, allocate;
  ExportFunction context_create, vm_start, configure, tick, queue_ready;
  ExportFunction request_headers, request_body, request_trailers;
  ExportFunction response_headers, response_body, response_trailers;
  ExportFunction new_connection, downstream_data, upstream_data;
  ExportFunction downstream_close, upstream_close;
  ExportFunction http_call_response;
  ExportFunction grpc_initial_metadata, grpc_receive, grpc_trailing_metadata, grpc_close;
  ExportFunction redis_call_response;
  ExportFunction foreign_function;
  ExportFunction done, log, remove;
};

/// What is done with a module that does not say which ABI it has.
enum class MissingAbiVersion : bool { kRefused, kFirst };

/// Error: no ABI marker, no memory, no allocator, or a callback whose type is none that the ABI ever had.
Result<Exports> resolve_exports(const Module& module, const Instance& instance,
                                const std::vector<std::string>& capabilities,
                                MissingAbiVersion missing = MissingAbiVersion::kRefused);
/// ExportFunction::index is below this.
inline constexpr unsigned kMaxExports = 48;
/// By ExportFunction::index; empty: there is none.
std::string_view export_name(unsigned index) noexcept;
/// Whether the name is that of a callback.
bool is_callback_name(std::string_view name);

}  // namespace weir::wasm
