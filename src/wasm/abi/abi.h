// The host functions of the Proxy-Wasm ABI, one file per group. Signatures and statuses: the ABI's tables; every function answers
// bad addresses, sizes, numbers and states with a status and touches nothing outside the guest's memory.
#pragma once

#include <string>
#include <string_view>

#include "wasm/enums.h"
#include "wasm/vm.h"

namespace weir::wasm::abi {

/// A host function: `args` has one slot per parameter. Called while a guest call runs.
using Function = Status (*)(Vm& vm, const Value* args);
/// A WASI function.
using WasiFunction = Errno (*)(Vm& vm, const Value* args);

constexpr uint32_t u32(Value value) noexcept { return static_cast<uint32_t>(value); }

// log.cc: logs and clocks
Status log(Vm& vm, const Value* args);
Status get_log_level(Vm& vm, const Value* args);
Status get_current_time(Vm& vm, const Value* args);
Status get_status(Vm& vm, const Value* args);

// properties.cc
Status get_property(Vm& vm, const Value* args);
Status set_property(Vm& vm, const Value* args);

// headers.cc
Status get_header(Vm& vm, const Value* args);
Status add_header(Vm& vm, const Value* args);
Status replace_header(Vm& vm, const Value* args);
Status remove_header(Vm& vm, const Value* args);
Status get_header_pairs(Vm& vm, const Value* args);
Status set_header_pairs(Vm& vm, const Value* args);
Status get_header_map_size(Vm& vm, const Value* args);

// buffers.cc
Status get_buffer_status(Vm& vm, const Value* args);
Status get_buffer(Vm& vm, const Value* args);
Status set_buffer(Vm& vm, const Value* args);
Status get_configuration(Vm& vm, const Value* args);  // 0.1.0

// shared_data.cc: shared data and queues
Status get_shared_data(Vm& vm, const Value* args);
Status set_shared_data(Vm& vm, const Value* args);
Status register_queue(Vm& vm, const Value* args);
Status resolve_queue(Vm& vm, const Value* args);
Status enqueue(Vm& vm, const Value* args);
Status dequeue(Vm& vm, const Value* args);

// metrics.cc
Status define_metric(Vm& vm, const Value* args);
Status increment_metric(Vm& vm, const Value* args);
Status record_metric(Vm& vm, const Value* args);
Status get_metric(Vm& vm, const Value* args);

// callouts.cc
Status http_call(Vm& vm, const Value* args);

// grpc.cc
Status grpc_call(Vm& vm, const Value* args);          // 12 parameters
Status grpc_call_short(Vm& vm, const Value* args);    // 10: without metadata
Status grpc_stream(Vm& vm, const Value* args);        // 9
Status grpc_stream_short(Vm& vm, const Value* args);  // 7
Status grpc_send(Vm& vm, const Value* args);
Status grpc_close(Vm& vm, const Value* args);
Status grpc_cancel(Vm& vm, const Value* args);

// redis.cc: Higress
Status redis_init(Vm& vm, const Value* args);
Status redis_call(Vm& vm, const Value* args);

// higress.cc: Higress
Status inject_response_data(Vm& vm, const Value* args);
Status get_upstream_hosts(Vm& vm, const Value* args);
Status set_upstream_override_host(Vm& vm, const Value* args);
/// Properties whose setting means something else than to keep them; false: it is none of those.
bool set_special_property(Vm& vm, std::string_view path, std::string_view value, Status& status);
Status foreign_get_log_level(Vm& vm, std::string_view argument, std::string& result);
Status foreign_inject(Vm& vm, std::string_view argument, std::string& result);
Status foreign_max_requests_per_cycle(Vm& vm, std::string_view argument, std::string& result);

// stream_control.cc
Status continue_stream(Vm& vm, const Value* args);
Status close_stream(Vm& vm, const Value* args);
Status continue_request(Vm& vm, const Value* args);   // 0.1.0
Status continue_response(Vm& vm, const Value* args);  // 0.1.0
Status clear_route_cache(Vm& vm, const Value* args);  // 0.1.0
Status send_local_response(Vm& vm, const Value* args);
Status set_effective_context(Vm& vm, const Value* args);
Status done(Vm& vm, const Value* args);
Status set_tick_period(Vm& vm, const Value* args);

// foreign.cc
Status call_foreign_function(Vm& vm, const Value* args);

}  // namespace weir::wasm::abi
