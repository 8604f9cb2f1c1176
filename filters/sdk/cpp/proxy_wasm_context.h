// The classes a filter derives from. One RootContext per plugin and VM (created before onStart and onConfigure, told of
// ticks, queues and callouts), one Context per HTTP stream or TCP connection below it. The SDK creates both with the
// factories that RegisterContextFactory names and destroys them after onDelete. Everything runs on one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "proxy_wasm_callouts.h"
#include "proxy_wasm_calls.h"
#include "proxy_wasm_headers.h"

class Context;
class RootContext;

// Common part of both. `id` is the host's number of the context.
class ContextBase {
 public:
  explicit ContextBase(uint32_t id) : id_(id) {}
  virtual ~ContextBase() = default;
  ContextBase(const ContextBase&) = delete;
  ContextBase& operator=(const ContextBase&) = delete;

  uint32_t id() const { return id_; }
  virtual Context* asContext() { return nullptr; }
  virtual RootContext* asRoot() { return nullptr; }
  // Directs the host calls that follow, until the running callback returns, at this context.
  WasmResult setEffectiveContext() const { return proxy_set_effective_context(id_); }

  virtual void onCreate() {}
  // The SDK's own: RootContext and Context have an onDone() each.
  virtual bool onDoneBase() = 0;
  // Of a stream after its end; of a root for each entry where the plugin is an access logger.
  virtual void onLog() {}
  virtual void onDelete() {}
  virtual void onForeignFunction(uint32_t /*foreign_function_id*/, uint32_t /*arguments_size*/) {}
  WasmResult getLogLevel(LogLevel* level) { return proxy_get_log_level(level); }

  // Counts of entries and bytes. All 0 means that the call failed; getStatus() then has the cause.
  using HttpCallCallback =
      std::function<void(uint32_t headers, size_t body_size, uint32_t trailers)>;
  using GrpcSimpleCallCallback = std::function<void(GrpcStatus status, size_t body_size)>;

 private:
  const uint32_t id_;
};

class RootContext : public ContextBase {
 public:
  RootContext(uint32_t id, std::string_view root_id) : ContextBase(id), root_id_(root_id) {}
  RootContext* asRoot() override { return this; }
  std::string_view root_id() const { return root_id_; }

  // Answer false from either and the configuration is rejected.
  virtual bool onStart(size_t /*vm_configuration_size*/) { return true; }
  virtual bool onConfigure(size_t /*plugin_configuration_size*/) { return true; }
  virtual bool validateConfiguration(size_t /*plugin_configuration_size*/) { return true; }
  virtual void onTick() {}
  virtual void onQueueReady(uint32_t /*token*/) {}
  // False keeps the plugin alive until done() is called.
  virtual bool onDone() { return true; }
  void done() { proxy_done(); }

  // Sends a request to a cluster; `callback` runs once, with the response readable in the buffer HttpCallResponseBody and
  // the maps HttpCallResponseHeaders and -Trailers. It runs even if the stream that asked has gone: capture its id and
  // look it up with getContext(), never a pointer. Not Ok means that nothing was sent and the callback is dropped.
  WasmResult httpCall(std::string_view upstream, const HeaderStringPairs& headers,
                      std::string_view body, const HeaderStringPairs& trailers,
                      uint32_t timeout_milliseconds, HttpCallCallback callback);
  // One gRPC request and response; the answer is in the buffer GrpcReceiveBuffer.
  WasmResult grpcSimpleCall(std::string_view service, std::string_view service_name,
                            std::string_view method_name, const HeaderStringPairs& initial_metadata,
                            std::string_view message, uint32_t timeout_milliseconds,
                            GrpcSimpleCallCallback callback);
  WasmResult grpcSimpleCall(std::string_view service, std::string_view service_name,
                            std::string_view method_name, const HeaderStringPairs& initial_metadata,
                            std::string_view message, uint32_t timeout_milliseconds,
                            std::function<void(size_t body_size)> on_success,
                            std::function<void(GrpcStatus status)> on_failure);
  WasmResult grpcCallHandler(std::string_view service, std::string_view service_name,
                             std::string_view method_name,
                             const HeaderStringPairs& initial_metadata, std::string_view message,
                             uint32_t timeout_milliseconds,
                             std::unique_ptr<GrpcCallHandlerBase> handler);
  WasmResult grpcStreamHandler(std::string_view service, std::string_view service_name,
                               std::string_view method_name,
                               const HeaderStringPairs& initial_metadata,
                               std::unique_ptr<GrpcStreamHandlerBase> handler);
  // The same with a message of a protobuf library.
  template <typename Message, typename... Rest>
    requires requires(const Message& message, std::string* out) { message.SerializeToString(out); }
  WasmResult grpcSimpleCall(std::string_view service, std::string_view service_name,
                            std::string_view method_name, const HeaderStringPairs& initial_metadata,
                            const Message& message, uint32_t timeout_milliseconds, Rest... rest) {
    std::string bytes;
    if (!message.SerializeToString(&bytes)) return WasmResult::SerializationFailure;
    return grpcSimpleCall(service, service_name, method_name, initial_metadata,
                          std::string_view(bytes), timeout_milliseconds, std::move(rest)...);
  }
  template <typename Message>
    requires requires(const Message& message, std::string* out) { message.SerializeToString(out); }
  WasmResult grpcCallHandler(std::string_view service, std::string_view service_name,
                             std::string_view method_name,
                             const HeaderStringPairs& initial_metadata, const Message& message,
                             uint32_t timeout_milliseconds,
                             std::unique_ptr<GrpcCallHandlerBase> handler) {
    std::string bytes;
    if (!message.SerializeToString(&bytes)) return WasmResult::SerializationFailure;
    return grpcCallHandler(service, service_name, method_name, initial_metadata,
                           std::string_view(bytes), timeout_milliseconds, std::move(handler));
  }

  // Called by the SDK. A filter that overrides one of them does without the callbacks and handlers above.
  virtual void onHttpCallResponse(uint32_t call_id, uint32_t headers, size_t body_size,
                                  uint32_t trailers);
  virtual void onGrpcReceiveInitialMetadata(uint32_t call_id, uint32_t headers);
  virtual void onGrpcReceiveTrailingMetadata(uint32_t call_id, uint32_t trailers);
  virtual void onGrpcReceive(uint32_t call_id, size_t body_size);
  virtual void onGrpcClose(uint32_t call_id, GrpcStatus status);

 private:
  friend class GrpcCallHandlerBase;
  friend class GrpcStreamHandlerBase;

  bool onDoneBase() override { return onDone(); }
  bool finish_grpc_call(uint32_t call_id, GrpcStatus status, std::optional<size_t> body_size);
  void forget_stream(uint32_t stream_id);

  const std::string root_id_;
  std::unordered_map<uint32_t, HttpCallCallback> http_calls_;
  std::unordered_map<uint32_t, GrpcSimpleCallCallback> simple_grpc_calls_;
  std::unordered_map<uint32_t, std::unique_ptr<GrpcCallHandlerBase>> grpc_calls_;
  std::unordered_map<uint32_t, std::unique_ptr<GrpcStreamHandlerBase>> grpc_streams_;
  // Handlers that have ended, perhaps in a callback of their own: destroyed with the next event.
  std::vector<std::unique_ptr<GrpcStreamHandlerBase>> ended_streams_;
  std::vector<std::unique_ptr<GrpcCallHandlerBase>> ended_calls_;
};

class Context : public ContextBase {
 public:
  Context(uint32_t id, RootContext* root) : ContextBase(id), root_(root) {}
  Context* asContext() override { return this; }
  RootContext* root() const { return root_; }

  // HTTP. `end_of_stream` in a head callback means that no body follows.
  virtual FilterHeadersStatus onRequestHeaders(uint32_t /*headers*/, bool /*end_of_stream*/) {
    return FilterHeadersStatus::Continue;
  }
  virtual FilterMetadataStatus onRequestMetadata(uint32_t /*elements*/) {
    return FilterMetadataStatus::Continue;
  }
  virtual FilterDataStatus onRequestBody(size_t /*body_size*/, bool /*end_of_stream*/) {
    return FilterDataStatus::Continue;
  }
  virtual FilterTrailersStatus onRequestTrailers(uint32_t /*trailers*/) {
    return FilterTrailersStatus::Continue;
  }
  virtual FilterHeadersStatus onResponseHeaders(uint32_t /*headers*/, bool /*end_of_stream*/) {
    return FilterHeadersStatus::Continue;
  }
  virtual FilterMetadataStatus onResponseMetadata(uint32_t /*elements*/) {
    return FilterMetadataStatus::Continue;
  }
  virtual FilterDataStatus onResponseBody(size_t /*body_size*/, bool /*end_of_stream*/) {
    return FilterDataStatus::Continue;
  }
  virtual FilterTrailersStatus onResponseTrailers(uint32_t /*trailers*/) {
    return FilterTrailersStatus::Continue;
  }

  // TCP. Downstream is the client's side.
  virtual FilterStatus onNewConnection() { return FilterStatus::Continue; }
  virtual FilterStatus onDownstreamData(size_t /*size*/, bool /*end_of_stream*/) {
    return FilterStatus::Continue;
  }
  virtual FilterStatus onUpstreamData(size_t /*size*/, bool /*end_of_stream*/) {
    return FilterStatus::Continue;
  }
  virtual void onDownstreamConnectionClose(CloseType /*close_type*/) {}
  virtual void onUpstreamConnectionClose(CloseType /*close_type*/) {}

  virtual void onDone() {}

 private:
  bool onDoneBase() override {
    onDone();
    return true;
  }

  RootContext* const root_;
};

// The live context of this number, or null: a stream may have gone while a callout was under way.
Context* getContext(uint32_t context_id);
RootContext* getRootContext(uint32_t context_id);
ContextBase* getContextBase(uint32_t context_id);
RootContext* getRoot(std::string_view root_id);

using RootFactory =
    std::function<std::unique_ptr<RootContext>(uint32_t id, std::string_view root_id)>;
using ContextFactory = std::function<std::unique_ptr<Context>(uint32_t id, RootContext* root)>;

// At namespace scope: `static RegisterContextFactory register_mine(CONTEXT_FACTORY(Mine), ROOT_FACTORY(MineRoot), "my_root");`
// One module may register several root ids. The registration for "" also serves every root id that has none of its own.
struct RegisterContextFactory {
  RegisterContextFactory(ContextFactory context_factory, RootFactory root_factory,
                         std::string_view root_id = "");
  explicit RegisterContextFactory(RootFactory root_factory, std::string_view root_id = "");
  explicit RegisterContextFactory(ContextFactory context_factory, std::string_view root_id = "");
};

#define CONTEXT_FACTORY(type)                                      \
  [](uint32_t id, RootContext* root) -> std::unique_ptr<Context> { \
    return std::make_unique<type>(id, root);                       \
  }
#define ROOT_FACTORY(type)                                                    \
  [](uint32_t id, std::string_view root_id) -> std::unique_ptr<RootContext> { \
    return std::make_unique<type>(id, root_id);                               \
  }
