// Buffers: bodies, configurations, callout answers.
#include <algorithm>

#include "wasm/abi/abi.h"

namespace weir::wasm::abi {
namespace {

/// What a buffer number means now: bytes that may be changed, or that are only read.
struct Source {
  Status status = Status::kOk;
  Buffer* body = nullptr;
  std::string_view text;
  DirectionState* direction = nullptr;  // of a stream's body
  bool writable = false;
  size_t size() const noexcept { return body != nullptr ? body->size() : text.size(); }
};

Source stream_body(Vm& vm, bool request) {
  StreamContext* stream = vm.stream();
  if (stream == nullptr || stream->callbacks == nullptr)
    return Source{Status::kNotFound, nullptr, {}, nullptr};
  DirectionState& direction = request ? stream->request : stream->response;
  Buffer* body = direction.body;
  if (body == nullptr)
    body =
        request ? stream->callbacks->held_request_body() : stream->callbacks->held_response_body();
  // Without a body: empty, as other hosts have it.
  return Source{Status::kOk, body, {}, &direction, body != nullptr && !stream->logging};
}

/// In the data callback alone: outside it the bytes are the chain's.
Source connection_data(Vm& vm, bool downstream) {
  ConnectionContext* connection = vm.connection();
  Buffer* data = connection == nullptr ? nullptr
                 : downstream          ? connection->downstream.data
                                       : connection->upstream.data;
  if (data == nullptr) return Source{Status::kNotFound, nullptr, {}, nullptr};
  return Source{Status::kOk, data, {}, nullptr, true};
}

Source resolve(Vm& vm, Value number) {
  if (u32(number) >= kBufferTypes) return Source{Status::kBadArgument, nullptr, {}, nullptr};
  RootContext& root = vm.root();
  switch (static_cast<BufferType>(u32(number))) {
    case BufferType::kRequestBody:
      return stream_body(vm, true);
    case BufferType::kResponseBody:
      return stream_body(vm, false);
    case BufferType::kDownstreamData:
      return connection_data(vm, true);
    case BufferType::kUpstreamData:
      return connection_data(vm, false);
    case BufferType::kCalloutBody:
      if (root.callout_response != nullptr)
        return Source{Status::kOk, &root.callout_response->body, {}, nullptr};
      break;
    case BufferType::kGrpcMessage:
      if (root.grpc().message != nullptr)
        return Source{Status::kOk, root.grpc().message, {}, nullptr};
      break;
    case BufferType::kVmConfiguration:
      return Source{Status::kOk, nullptr, vm.vm_config().configuration, nullptr};
    case BufferType::kPluginConfiguration:
      return Source{Status::kOk, nullptr, root.plugin().configuration, nullptr};
    case BufferType::kCallData:
      if (root.call_data != nullptr) return Source{Status::kOk, nullptr, *root.call_data, nullptr};
      break;
    case BufferType::kRedisReply:
      if (root.redis.reply != nullptr)
        return Source{Status::kOk, nullptr, *root.redis.reply, nullptr};
      break;
    default:
      break;
  }
  return Source{Status::kNotFound, nullptr, {}, nullptr};
}

HeaderMap* headers_of(StreamContext& stream, const DirectionState& direction) {
  if (&direction == &stream.request) {
    RequestHead* head = stream.callbacks->request_head();
    return head != nullptr ? &head->headers : nullptr;
  }
  ResponseHead* head = stream.callbacks->response_head();
  return head != nullptr ? &head->headers : nullptr;
}

void note_body_change(StreamContext& stream, DirectionState& direction) {
  direction.body_changed = true;
  // The head still stands here: the length that it announces is no longer the body's.
  if (!direction.head_open) return;
  HeaderMap* headers = headers_of(stream, direction);
  if (headers != nullptr && headers->remove(HeaderId::kContentLength) > 0)
    direction.length_dropped = true;
}

}  // namespace

Status get_buffer_status(Vm& vm, const Value* args) {
  const Source source = resolve(vm, args[0]);
  if (source.status != Status::kOk) return source.status;
  const GuestMemory memory = vm.memory();
  const bool stored = memory.store<uint32_t>(args[1], static_cast<uint32_t>(source.size())) &&
                      memory.store<uint32_t>(args[2], 0);
  return stored ? Status::kOk : Status::kInvalidMemoryAccess;
}

Status get_buffer(Vm& vm, const Value* args) {
  const Source source = resolve(vm, args[0]);
  if (source.status != Status::kOk) return source.status;
  if (uint64_t{u32(args[1])} + u32(args[2]) > UINT32_MAX) return Status::kBadArgument;
  const size_t offset = std::min<size_t>(u32(args[1]), source.size());
  const size_t size = std::min<size_t>(u32(args[2]), source.size() - offset);
  if (source.body == nullptr) return vm.give(source.text.substr(offset, size), args[3], args[4]);
  Status status = Status::kOk;
  char* to = vm.give_room(size, args[3], args[4], status);
  if (to != nullptr) source.body->copy_out(offset, size, to);
  return status;
}

Status set_buffer(Vm& vm, const Value* args) {
  const auto data = vm.memory().view(args[3], args[4]);
  if (!data) return Status::kInvalidMemoryAccess;
  const Source source = resolve(vm, args[0]);
  if (source.status != Status::kOk) return source.status;
  if (!source.writable) return Status::kBadArgument;
  const size_t offset = std::min<size_t>(u32(args[1]), source.size());
  const size_t length = std::min<size_t>(u32(args[2]), source.size() - offset);
  if (source.size() - length + data->size() > std::max(kMaxBodyWriteBytes, source.size()))
    return Status::kBadArgument;
  if (length == source.size() && length != data->size()) {  // as many are written in place
    source.body->clear();
    source.body->append(*data);
  } else if (length == 0 && offset == 0) {
    source.body->prepend(*data);
  } else if (length == 0 && offset == source.size()) {
    source.body->append(*data);
  } else {
    source.body->replace(offset, length, *data);
  }
  if (source.direction != nullptr) note_body_change(*vm.stream(), *source.direction);
  return Status::kOk;
}

Status get_configuration(Vm& vm, const Value* args) {
  // Of the plugin that is being configured; else there is but the VM's.
  const RootContext& root = vm.root();
  return vm.give(vm.configuring(root) ? root.plugin().configuration : vm.vm_config().configuration,
                 args[0], args[1]);
}

}  // namespace weir::wasm::abi
