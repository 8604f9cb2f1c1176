// The host functions of the Proxy-Wasm ABI 0.2.1, module `env`, as a guest imports them. Signatures are the ABI's, types those
// of the public SDK (pointers to header pairs take any pointer): do not reorder parameters. Filters use the wrappers of proxy_wasm_calls.h; these names are public for the rare raw call.
// Where a host function returns bytes (`const char** ptr, size_t* size`) it takes them from this guest's malloc and the
// guest owns them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proxy_wasm_enums.h"

#define PROXY_WASM_IMPORT(name) extern "C" __attribute__((import_module("env"), import_name(#name)))
#define PROXY_WASM_EXPORT(name) extern "C" __attribute__((export_name(#name), used))

// Logging, time, status, configuration of the VM's timer.
PROXY_WASM_IMPORT(proxy_log)
WasmResult proxy_log(LogLevel level, const char* message, size_t message_size);
PROXY_WASM_IMPORT(proxy_get_log_level) WasmResult proxy_get_log_level(LogLevel* level);
PROXY_WASM_IMPORT(proxy_get_status)
WasmResult proxy_get_status(uint32_t* code, const char** message, size_t* message_size);
PROXY_WASM_IMPORT(proxy_get_current_time_nanoseconds)
WasmResult proxy_get_current_time_nanoseconds(uint64_t* nanoseconds);
PROXY_WASM_IMPORT(proxy_set_tick_period_milliseconds)
WasmResult proxy_set_tick_period_milliseconds(uint32_t milliseconds);

// Properties.
PROXY_WASM_IMPORT(proxy_get_property)
WasmResult proxy_get_property(const char* path, size_t path_size, const char** value,
                              size_t* value_size);
PROXY_WASM_IMPORT(proxy_set_property)
WasmResult proxy_set_property(const char* path, size_t path_size, const char* value,
                              size_t value_size);

// Streams and contexts.
PROXY_WASM_IMPORT(proxy_continue_stream) WasmResult proxy_continue_stream(WasmStreamType type);
PROXY_WASM_IMPORT(proxy_close_stream) WasmResult proxy_close_stream(WasmStreamType type);
PROXY_WASM_IMPORT(proxy_send_local_response)
WasmResult proxy_send_local_response(uint32_t response_code, const char* details,
                                     size_t details_size, const char* body, size_t body_size,
                                     const char* header_pairs, size_t header_pairs_size,
                                     uint32_t grpc_status);
PROXY_WASM_IMPORT(proxy_set_effective_context)
WasmResult proxy_set_effective_context(uint32_t context_id);
PROXY_WASM_IMPORT(proxy_done) WasmResult proxy_done();

// Shared data and queues.
PROXY_WASM_IMPORT(proxy_get_shared_data)
WasmResult proxy_get_shared_data(const char* key, size_t key_size, const char** value,
                                 size_t* value_size, uint32_t* cas);
PROXY_WASM_IMPORT(proxy_set_shared_data)
WasmResult proxy_set_shared_data(const char* key, size_t key_size, const char* value,
                                 size_t value_size, uint32_t cas);
PROXY_WASM_IMPORT(proxy_register_shared_queue)
WasmResult proxy_register_shared_queue(const char* name, size_t name_size, uint32_t* token);
PROXY_WASM_IMPORT(proxy_resolve_shared_queue)
WasmResult proxy_resolve_shared_queue(const char* vm_id, size_t vm_id_size, const char* name,
                                      size_t name_size, uint32_t* token);
PROXY_WASM_IMPORT(proxy_enqueue_shared_queue)
WasmResult proxy_enqueue_shared_queue(uint32_t token, const char* data, size_t data_size);
PROXY_WASM_IMPORT(proxy_dequeue_shared_queue)
WasmResult proxy_dequeue_shared_queue(uint32_t token, const char** data, size_t* data_size);

// Header maps.
PROXY_WASM_IMPORT(proxy_get_header_map_value)
WasmResult proxy_get_header_map_value(WasmHeaderMapType type, const char* key, size_t key_size,
                                      const char** value, size_t* value_size);
PROXY_WASM_IMPORT(proxy_add_header_map_value)
WasmResult proxy_add_header_map_value(WasmHeaderMapType type, const char* key, size_t key_size,
                                      const char* value, size_t value_size);
PROXY_WASM_IMPORT(proxy_replace_header_map_value)
WasmResult proxy_replace_header_map_value(WasmHeaderMapType type, const char* key, size_t key_size,
                                          const char* value, size_t value_size);
PROXY_WASM_IMPORT(proxy_remove_header_map_value)
WasmResult proxy_remove_header_map_value(WasmHeaderMapType type, const char* key, size_t key_size);
PROXY_WASM_IMPORT(proxy_get_header_map_pairs)
WasmResult proxy_get_header_map_pairs(WasmHeaderMapType type, const char** pairs,
                                      size_t* pairs_size);
PROXY_WASM_IMPORT(proxy_set_header_map_pairs)
WasmResult proxy_set_header_map_pairs(WasmHeaderMapType type, const char* pairs, size_t pairs_size);
PROXY_WASM_IMPORT(proxy_get_header_map_size)
WasmResult proxy_get_header_map_size(WasmHeaderMapType type, size_t* size);

// Buffers.
PROXY_WASM_IMPORT(proxy_get_buffer_bytes)
WasmResult proxy_get_buffer_bytes(WasmBufferType type, uint32_t start, uint32_t length,
                                  const char** data, size_t* data_size);
PROXY_WASM_IMPORT(proxy_get_buffer_status)
WasmResult proxy_get_buffer_status(WasmBufferType type, size_t* length, uint32_t* flags);
PROXY_WASM_IMPORT(proxy_set_buffer_bytes)
WasmResult proxy_set_buffer_bytes(WasmBufferType type, uint32_t start, uint32_t length,
                                  const char* data, size_t data_size);

// Callouts.
PROXY_WASM_IMPORT(proxy_http_call)
WasmResult proxy_http_call(const char* upstream, size_t upstream_size, const void* header_pairs,
                           size_t header_pairs_size, const char* body, size_t body_size,
                           const void* trailer_pairs, size_t trailer_pairs_size,
                           uint32_t timeout_milliseconds, uint32_t* call_id);
PROXY_WASM_IMPORT(proxy_grpc_call)
WasmResult proxy_grpc_call(const char* service, size_t service_size, const char* service_name,
                           size_t service_name_size, const char* method_name,
                           size_t method_name_size, const void* metadata_pairs,
                           size_t metadata_size, const char* message, size_t message_size,
                           uint32_t timeout_milliseconds, uint32_t* call_id);
PROXY_WASM_IMPORT(proxy_grpc_stream)
WasmResult proxy_grpc_stream(const char* service, size_t service_size, const char* service_name,
                             size_t service_name_size, const char* method_name,
                             size_t method_name_size, const void* metadata_pairs,
                             size_t metadata_size, uint32_t* stream_id);
PROXY_WASM_IMPORT(proxy_grpc_send)
WasmResult proxy_grpc_send(uint32_t stream_id, const char* message, size_t message_size,
                           uint32_t end_stream);
PROXY_WASM_IMPORT(proxy_grpc_close) WasmResult proxy_grpc_close(uint32_t stream_id);
PROXY_WASM_IMPORT(proxy_grpc_cancel) WasmResult proxy_grpc_cancel(uint32_t call_id);

// Metrics.
PROXY_WASM_IMPORT(proxy_define_metric)
WasmResult proxy_define_metric(MetricType type, const char* name, size_t name_size,
                               uint32_t* metric_id);
PROXY_WASM_IMPORT(proxy_increment_metric)
WasmResult proxy_increment_metric(uint32_t metric_id, int64_t delta);
PROXY_WASM_IMPORT(proxy_record_metric)
WasmResult proxy_record_metric(uint32_t metric_id, uint64_t value);
PROXY_WASM_IMPORT(proxy_get_metric)
WasmResult proxy_get_metric(uint32_t metric_id, uint64_t* value);

// Functions of the particular host.
PROXY_WASM_IMPORT(proxy_call_foreign_function)
WasmResult proxy_call_foreign_function(const char* name, size_t name_size, const char* arguments,
                                       size_t arguments_size, char** result,
                                       size_t* result_size);

// Of ABI 0.1.0. The public SDK declares them; hosts that go by the marker do not link them for modules of 0.2.
PROXY_WASM_IMPORT(proxy_get_configuration)
WasmResult proxy_get_configuration(const char** configuration, size_t* configuration_size);
PROXY_WASM_IMPORT(proxy_clear_route_cache) WasmResult proxy_clear_route_cache();
