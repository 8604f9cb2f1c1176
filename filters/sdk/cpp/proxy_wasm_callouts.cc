// RootContext's callouts: which call belongs to which callback or handler.
#include <utility>

#include "proxy_wasm_intrinsics.h"

WasmResult RootContext::httpCall(std::string_view upstream, const HeaderStringPairs& headers,
                                 std::string_view body, const HeaderStringPairs& trailers,
                                 uint32_t timeout_milliseconds, HttpCallCallback callback) {
  uint32_t call_id = 0;
  const auto result =
      makeHttpCall(upstream, headers, body, trailers, timeout_milliseconds, &call_id);
  if (result == WasmResult::Ok) http_calls_[call_id] = std::move(callback);
  return result;
}

WasmResult RootContext::grpcSimpleCall(std::string_view service, std::string_view service_name,
                                       std::string_view method_name,
                                       const HeaderStringPairs& initial_metadata,
                                       std::string_view message, uint32_t timeout_milliseconds,
                                       GrpcSimpleCallCallback callback) {
  uint32_t call_id = 0;
  const auto result = grpcCall(service, service_name, method_name, initial_metadata, message,
                               timeout_milliseconds, &call_id);
  if (result == WasmResult::Ok) simple_grpc_calls_[call_id] = std::move(callback);
  return result;
}

WasmResult RootContext::grpcSimpleCall(std::string_view service, std::string_view service_name,
                                       std::string_view method_name,
                                       const HeaderStringPairs& initial_metadata,
                                       std::string_view message, uint32_t timeout_milliseconds,
                                       std::function<void(size_t)> on_success,
                                       std::function<void(GrpcStatus)> on_failure) {
  return grpcSimpleCall(service, service_name, method_name, initial_metadata, message,
                        timeout_milliseconds,
                        [on_success = std::move(on_success), on_failure = std::move(on_failure)](
                            GrpcStatus status, size_t body_size) {
                          if (status == GrpcStatus::Ok) {
                            on_success(body_size);
                          } else {
                            on_failure(status);
                          }
                        });
}

WasmResult RootContext::grpcCallHandler(std::string_view service, std::string_view service_name,
                                        std::string_view method_name,
                                        const HeaderStringPairs& initial_metadata,
                                        std::string_view message, uint32_t timeout_milliseconds,
                                        std::unique_ptr<GrpcCallHandlerBase> handler) {
  uint32_t call_id = 0;
  const auto result = grpcCall(service, service_name, method_name, initial_metadata, message,
                               timeout_milliseconds, &call_id);
  if (result != WasmResult::Ok) return result;
  handler->context_ = this;
  handler->token_ = call_id;
  grpc_calls_[call_id] = std::move(handler);
  return result;
}

WasmResult RootContext::grpcStreamHandler(std::string_view service, std::string_view service_name,
                                          std::string_view method_name,
                                          const HeaderStringPairs& initial_metadata,
                                          std::unique_ptr<GrpcStreamHandlerBase> handler) {
  uint32_t stream_id = 0;
  const auto result = grpcStream(service, service_name, method_name, initial_metadata, &stream_id);
  if (result != WasmResult::Ok) return result;
  handler->context_ = this;
  handler->token_ = stream_id;
  grpc_streams_[stream_id] = std::move(handler);
  return result;
}

// The callback leaves the table before it runs: it may start a call of its own.
void RootContext::onHttpCallResponse(uint32_t call_id, uint32_t headers, size_t body_size,
                                     uint32_t trailers) {
  auto node = http_calls_.extract(call_id);
  if (!node.empty()) node.mapped()(headers, body_size, trailers);
}

// True if it was a call rather than a stream. Without a size there is no answer.
bool RootContext::finish_grpc_call(uint32_t call_id, GrpcStatus status,
                                   std::optional<size_t> body_size) {
  ended_streams_.clear();
  ended_calls_.clear();
  if (auto simple = simple_grpc_calls_.extract(call_id); !simple.empty()) {
    simple.mapped()(status, body_size.value_or(0));
    return true;
  }
  auto node = grpc_calls_.extract(call_id);
  if (node.empty()) return false;
  if (body_size.has_value()) {
    node.mapped()->onSuccess(*body_size);
  } else {
    node.mapped()->onFailure(status);
  }
  return true;
}

void RootContext::onGrpcReceive(uint32_t call_id, size_t body_size) {
  if (finish_grpc_call(call_id, GrpcStatus::Ok, body_size)) return;
  if (const auto found = grpc_streams_.find(call_id); found != grpc_streams_.end())
    found->second->onReceive(body_size);
}
void RootContext::onGrpcClose(uint32_t call_id, GrpcStatus status) {
  if (finish_grpc_call(call_id, status, std::nullopt)) return;
  if (const auto found = grpc_streams_.find(call_id); found != grpc_streams_.end())
    found->second->doRemoteClose(status);
}
void RootContext::onGrpcReceiveInitialMetadata(uint32_t call_id, uint32_t headers) {
  if (const auto found = grpc_streams_.find(call_id); found != grpc_streams_.end())
    found->second->onReceiveInitialMetadata(headers);
}
void RootContext::onGrpcReceiveTrailingMetadata(uint32_t call_id, uint32_t trailers) {
  if (const auto found = grpc_streams_.find(call_id); found != grpc_streams_.end())
    found->second->onReceiveTrailingMetadata(trailers);
}

void RootContext::forget_stream(uint32_t stream_id) {
  if (auto node = grpc_streams_.extract(stream_id); !node.empty())
    ended_streams_.push_back(std::move(node.mapped()));
}

void GrpcCallHandlerBase::cancel() {
  if (context_ == nullptr) return;
  grpcCancel(token_);
  if (auto node = context_->grpc_calls_.extract(token_); !node.empty())
    context_->ended_calls_.push_back(std::move(node.mapped()));
}

WasmResult GrpcStreamHandlerBase::send(std::string_view message, bool end_of_stream) {
  const auto result = grpcSend(token_, message, end_of_stream);
  if (result == WasmResult::Ok && end_of_stream) closeLocal();
  return result;
}
void GrpcStreamHandlerBase::close() {
  grpcClose(token_);
  closeLocal();
}
void GrpcStreamHandlerBase::closeLocal() {
  local_close_ = true;
  if (remote_close_ && context_ != nullptr) context_->forget_stream(token_);
}
void GrpcStreamHandlerBase::reset() {
  grpcCancel(token_);
  if (context_ != nullptr) context_->forget_stream(token_);
}
void GrpcStreamHandlerBase::doRemoteClose(GrpcStatus status) {
  remote_close_ = true;
  onRemoteClose(status);
  if (local_close_) context_->forget_stream(token_);
}
