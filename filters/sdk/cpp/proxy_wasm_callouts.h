// Callouts: the calls themselves, and the handlers that a filter derives from to be told of a gRPC call's or stream's events.
// A handler belongs to the root context that has started it (RootContext::grpcCallHandler, grpcStreamHandler).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy_wasm_data.h"
#include "proxy_wasm_externs.h"

class RootContext;

inline WasmResult makeHttpCall(std::string_view cluster, const HeaderStringPairs& headers,
                               std::string_view body, const HeaderStringPairs& trailers,
                               uint32_t timeout_milliseconds, uint32_t* call_id) {
  const std::string head = weir_sdk::serialize_pairs(headers);
  const std::string tail = weir_sdk::serialize_pairs(trailers);
  return proxy_http_call(cluster.data(), cluster.size(), head.data(), head.size(), body.data(),
                         body.size(), tail.data(), tail.size(), timeout_milliseconds, call_id);
}
// `service` is a cluster's name, or a serialised GrpcService where the host takes that.
inline WasmResult grpcCall(std::string_view service, std::string_view service_name,
                           std::string_view method_name, const HeaderStringPairs& initial_metadata,
                           std::string_view message, uint32_t timeout_milliseconds,
                           uint32_t* call_id) {
  const std::string metadata = weir_sdk::serialize_pairs(initial_metadata);
  return proxy_grpc_call(service.data(), service.size(), service_name.data(), service_name.size(),
                         method_name.data(), method_name.size(), metadata.data(), metadata.size(),
                         message.data(), message.size(), timeout_milliseconds, call_id);
}
inline WasmResult grpcStream(std::string_view service, std::string_view service_name,
                             std::string_view method_name,
                             const HeaderStringPairs& initial_metadata, uint32_t* stream_id) {
  const std::string metadata = weir_sdk::serialize_pairs(initial_metadata);
  return proxy_grpc_stream(service.data(), service.size(), service_name.data(), service_name.size(),
                           method_name.data(), method_name.size(), metadata.data(), metadata.size(),
                           stream_id);
}
inline WasmResult grpcSend(uint32_t stream_id, std::string_view message, bool end_stream) {
  return proxy_grpc_send(stream_id, message.data(), message.size(), end_stream ? 1 : 0);
}
inline WasmResult grpcClose(uint32_t stream_id) { return proxy_grpc_close(stream_id); }
inline WasmResult grpcCancel(uint32_t id) { return proxy_grpc_cancel(id); }

// One request and one answer: one of onSuccess() and onFailure() is called, once, and the handler destroyed.
class GrpcCallHandlerBase {
 public:
  GrpcCallHandlerBase() = default;
  virtual ~GrpcCallHandlerBase() = default;

  RootContext* context() { return context_; }
  uint32_t token() { return token_; }
  // Nothing is called any more.
  void cancel();

  // The message is in the buffer GrpcReceiveBuffer.
  virtual void onSuccess(size_t body_size) = 0;
  // getStatus() has the text.
  virtual void onFailure(GrpcStatus status) = 0;

 private:
  friend class RootContext;
  RootContext* context_ = nullptr;
  uint32_t token_ = 0;
};

template <typename Message>
class GrpcCallHandler : public GrpcCallHandlerBase {};

// A stream lives until both sides have closed it, or reset(). Its handler is destroyed some time after that.
class GrpcStreamHandlerBase {
 public:
  GrpcStreamHandlerBase() = default;
  virtual ~GrpcStreamHandlerBase() = default;

  RootContext* context() { return context_; }
  uint32_t token() { return token_; }
  WasmResult send(std::string_view message, bool end_of_stream);
  // Ends this side; the other one may go on.
  void close();
  // Ends both; nothing is called any more.
  void reset();

  virtual void onReceiveInitialMetadata(uint32_t /*headers*/) {}
  virtual void onReceiveTrailingMetadata(uint32_t /*trailers*/) {}
  virtual void onReceive(size_t body_size) = 0;
  virtual void onRemoteClose(GrpcStatus status) = 0;

 protected:
  friend class RootContext;
  void doRemoteClose(GrpcStatus status);
  void closeLocal();

  bool local_close_ = false;
  bool remote_close_ = false;
  RootContext* context_ = nullptr;
  uint32_t token_ = 0;
};

// With messages of a protobuf library.
template <typename Request, typename Response>
class GrpcStreamHandler : public GrpcStreamHandlerBase {
 public:
  WasmResult send(const Request& message, bool end_of_stream) {
    std::string bytes;
    if (!message.SerializeToString(&bytes)) return WasmResult::SerializationFailure;
    return GrpcStreamHandlerBase::send(bytes, end_of_stream);
  }
};
