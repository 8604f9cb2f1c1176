// The host functions as C++ calls: views in, WasmData out. Header getters never return a null pointer: a missing header is
// an empty WasmData whose data() is null, a present but empty one as well (the ABI hands over no bytes for both); where
// the difference matters ask getHeaderMapValue with a status.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "proxy_wasm_data.h"
#include "proxy_wasm_externs.h"
#include "proxy_wasm_log.h"

inline uint64_t getCurrentTimeNanoseconds() {
  uint64_t nanoseconds = 0;
  proxy_get_current_time_nanoseconds(&nanoseconds);
  return nanoseconds;
}

// Code and text of the callout event that is being delivered.
inline std::pair<uint32_t, WasmDataPtr> getStatus() {
  uint32_t code = 0;
  const char* message = nullptr;
  size_t size = 0;
  proxy_get_status(&code, &message, &size);
  return {code, std::make_unique<WasmData>(message, size)};
}

// A tick reaches RootContext::onTick of the plugin each period; 0 stops it.
inline WasmResult setTickPeriod(uint32_t milliseconds) {
  return proxy_set_tick_period_milliseconds(milliseconds);
}

// Resuming, closing, answering.
inline WasmResult continueRequest() { return proxy_continue_stream(WasmStreamType::Request); }
inline WasmResult continueResponse() { return proxy_continue_stream(WasmStreamType::Response); }
inline WasmResult continueDownstream() { return proxy_continue_stream(WasmStreamType::Downstream); }
inline WasmResult continueUpstream() { return proxy_continue_stream(WasmStreamType::Upstream); }
inline WasmResult closeRequest() { return proxy_close_stream(WasmStreamType::Request); }
inline WasmResult closeResponse() { return proxy_close_stream(WasmStreamType::Response); }
inline WasmResult closeDownstream() { return proxy_close_stream(WasmStreamType::Downstream); }
inline WasmResult closeUpstream() { return proxy_close_stream(WasmStreamType::Upstream); }
// Takes effect when the running callback has returned; what that returns is then ignored.
inline WasmResult sendLocalResponse(uint32_t response_code, std::string_view response_code_details,
                                    std::string_view body,
                                    const HeaderStringPairs& additional_response_headers,
                                    GrpcStatus grpc_status = GrpcStatus::InvalidCode) {
  const std::string pairs = weir_sdk::serialize_pairs(additional_response_headers);
  return proxy_send_local_response(response_code, response_code_details.data(),
                                   response_code_details.size(), body.data(), body.size(),
                                   pairs.data(), pairs.size(), static_cast<uint32_t>(grpc_status));
}

// Shared data: visible to every VM of the same vm_id on every thread. A write with the cas of an earlier read fails with
// CasMismatch if somebody wrote in between; cas 0 writes unconditionally.
inline WasmResult getSharedData(std::string_view key, WasmDataPtr* value, uint32_t* cas = nullptr) {
  const char* data = nullptr;
  size_t size = 0;
  uint32_t unused = 0;
  const auto result =
      proxy_get_shared_data(key.data(), key.size(), &data, &size, cas != nullptr ? cas : &unused);
  if (result == WasmResult::Ok) *value = std::make_unique<WasmData>(data, size);
  return result;
}
// For what is known to be there: ends the VM otherwise.
inline WasmDataPtr getSharedDataValue(std::string_view key, uint32_t* cas = nullptr) {
  WasmDataPtr value;
  if (const auto result = getSharedData(key, &value, cas); result != WasmResult::Ok)
    logAbort("shared data " + std::string(key) + ": " + toString(result));
  return value;
}
inline WasmResult setSharedData(std::string_view key, std::string_view value, uint32_t cas = 0) {
  return proxy_set_shared_data(key.data(), key.size(), value.data(), value.size(), cas);
}
inline WasmResult registerSharedQueue(std::string_view name, uint32_t* token) {
  return proxy_register_shared_queue(name.data(), name.size(), token);
}
inline WasmResult resolveSharedQueue(std::string_view vm_id, std::string_view name,
                                     uint32_t* token) {
  return proxy_resolve_shared_queue(vm_id.data(), vm_id.size(), name.data(), name.size(), token);
}
inline WasmResult enqueueSharedQueue(uint32_t token, std::string_view data) {
  return proxy_enqueue_shared_queue(token, data.data(), data.size());
}
inline WasmResult dequeueSharedQueue(uint32_t token, WasmDataPtr* data) {
  const char* bytes = nullptr;
  size_t size = 0;
  const auto result = proxy_dequeue_shared_queue(token, &bytes, &size);
  *data = std::make_unique<WasmData>(bytes, size);
  return result;
}

// Buffers. A length beyond the end is clamped by the host.
inline WasmDataPtr getBufferBytes(WasmBufferType type, size_t start, size_t length) {
  const char* data = nullptr;
  size_t size = 0;
  proxy_get_buffer_bytes(type, start, length, &data, &size);
  return std::make_unique<WasmData>(data, size);
}
inline WasmResult getBufferStatus(WasmBufferType type, size_t* size, uint32_t* flags) {
  return proxy_get_buffer_status(type, size, flags);
}
// Replaces [start, start + length) by `data`: (0, 0) prepends, (size, 0) appends, (0, size) replaces all.
inline WasmResult setBuffer(WasmBufferType type, size_t start, size_t length, std::string_view data,
                            size_t* new_size = nullptr) {
  const auto result = proxy_set_buffer_bytes(type, start, length, data.data(), data.size());
  if (result == WasmResult::Ok && new_size != nullptr) {
    uint32_t flags = 0;
    return proxy_get_buffer_status(type, new_size, &flags);
  }
  return result;
}

inline WasmResult callForeignFunction(std::string_view name, std::string_view arguments,
                                      WasmDataPtr* result_data) {
  char* data = nullptr;
  size_t size = 0;
  const auto result = proxy_call_foreign_function(name.data(), name.size(), arguments.data(),
                                                  arguments.size(), &data, &size);
  *result_data = std::make_unique<WasmData>(data, size);
  return result;
}
