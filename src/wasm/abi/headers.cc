// Header maps.
#include "wasm/abi/abi.h"
#include "wasm/header_access.h"

namespace weir::wasm::abi {
namespace {

/// kOk with an empty access: the map is one of this stream's, and not there yet.
Status stream_map(StreamContext& stream, MapType type, bool to_write, HeaderAccess& out) {
  FilterCallbacks* callbacks = stream.callbacks;
  if (callbacks == nullptr) return Status::kOk;
  const bool request = type == MapType::kRequestHeaders || type == MapType::kRequestTrailers;
  DirectionState& direction = request ? stream.request : stream.response;
  if (type == MapType::kRequestHeaders) {
    if (RequestHead* head = callbacks->request_head())
      out.show(head->headers, head, nullptr, &direction, direction.head_open);
    return Status::kOk;
  }
  if (type == MapType::kResponseHeaders) {
    if (ResponseHead* head = callbacks->response_head())
      out.show(head->headers, nullptr, head, &direction, direction.head_open);
    return Status::kOk;
  }
  HeaderMap* trailers = request ? callbacks->request_trailers() : callbacks->response_trailers();
  bool writable = direction.trailers_open;
  // In the callback that carries the end of a body trailers may be made.
  if (to_write && direction.body_end) {
    if (trailers == nullptr)
      trailers = request ? &callbacks->add_request_trailers() : &callbacks->add_response_trailers();
    writable = true;
  }
  if (trailers != nullptr) out.show(*trailers, nullptr, nullptr, nullptr, writable);
  return Status::kOk;
}

/// Of what is being logged; nothing of it can be changed. What is not there reads as a map without the field.
Status logged_map(const Exchange& logged, MapType type, HeaderAccess& out) {
  if (type == MapType::kRequestHeaders && logged.request != nullptr)
    out = HeaderAccess::to_read(logged.request->headers, logged.request, nullptr);
  if (type == MapType::kResponseHeaders && logged.response != nullptr)
    out = HeaderAccess::to_read(logged.response->headers, nullptr, logged.response);
  if (type == MapType::kRequestTrailers && logged.request_trailers != nullptr)
    out = HeaderAccess::to_read(*logged.request_trailers, nullptr, nullptr);
  if (type == MapType::kResponseTrailers && logged.response_trailers != nullptr)
    out = HeaderAccess::to_read(*logged.response_trailers, nullptr, nullptr);
  return Status::kOk;
}

Status find_map(Vm& vm, MapType type, bool to_write, HeaderAccess& out) {
  if (type == MapType::kCalloutHeaders || type == MapType::kCalloutTrailers) {
    CalloutResponse* response = vm.root().callout_response;
    if (response == nullptr) return Status::kBadArgument;
    if (type == MapType::kCalloutHeaders) {
      out.show(response->head.headers, nullptr, &response->head, nullptr, false);
    } else {
      out.show(response->trailers, nullptr, nullptr, nullptr, false);
    }
    return Status::kOk;
  }
  if (type == MapType::kGrpcInitialMetadata) {
    ResponseHead* head = vm.root().grpc().head;
    if (head == nullptr) return Status::kBadArgument;
    out.show(head->headers, nullptr, head->status != 0 ? head : nullptr, nullptr, false);
    return Status::kOk;
  }
  if (type == MapType::kGrpcTrailingMetadata) {
    HeaderMap* trailers = vm.root().grpc().trailers;
    if (trailers == nullptr) return Status::kBadArgument;
    out.show(*trailers, nullptr, nullptr, nullptr, false);
    return Status::kOk;
  }
  StreamContext* stream = vm.stream();
  if (stream == nullptr && vm.root().logged != nullptr)
    return logged_map(*vm.root().logged, type, out);
  if (stream == nullptr) return Status::kBadArgument;
  return stream_map(*stream, type, to_write, out);
}

/// What comes from others, answers to callouts too, is under the rules for responses.
Status resolve(Vm& vm, Value number, bool to_write, HeaderAccess& out) {
  if (u32(number) >= kMapTypes) return Status::kBadArgument;
  const auto type = static_cast<MapType>(u32(number));
  const Status status = find_map(vm, type, to_write, out);
  const bool request = type == MapType::kRequestHeaders || type == MapType::kRequestTrailers;
  out.restrict(vm.privacy(), request ? Direction::kRequest : Direction::kResponse);
  return status;
}

/// Limits that a change has reached.
void count_limits(Vm& vm, const HeaderAccess& map) {
  if (map.full()) vm.count_limit(LimitKind::kHeaders);
  if (map.refused()) vm.count_limit(LimitKind::kPrivacy);
}

/// For changes: there must be a map that may be changed.
Status resolve_writable(Vm& vm, Value number, HeaderAccess& out) {
  const Status status = resolve(vm, number, true, out);
  if (status != Status::kOk) return status;
  out.limit_to(vm.vm_config().limits.max_header_map_bytes);
  return out && out.writable() ? Status::kOk : Status::kBadArgument;
}

/// Routes are matched by the request's head: whoever asks for the route next gets a fresh match, once for all changes till then.
void note_change(Vm& vm, Value map) {
  if (static_cast<MapType>(u32(map)) != MapType::kRequestHeaders) return;
  const StreamContext* stream = vm.stream();
  if (stream != nullptr && !stream->keep_route) clear_route_cache(vm, nullptr);
}

Status change(Vm& vm, const Value* args, HeaderAccess::Change how) {
  const GuestMemory memory = vm.memory();
  const auto name = memory.view(args[1], args[2]);
  const auto value = memory.view(args[3], args[4]);
  if (u32(args[0]) >= kMapTypes) return Status::kBadArgument;
  if (!name || !value) return Status::kInvalidMemoryAccess;
  HeaderAccess map;
  Status status = resolve_writable(vm, args[0], map);
  if (status == Status::kOk) status = map.change(how, *name, *value);
  if (status == Status::kOk) note_change(vm, args[0]);
  count_limits(vm, map);
  return status;
}

}  // namespace

Status get_header(Vm& vm, const Value* args) {
  const auto name = vm.memory().view(args[1], args[2]);
  if (!name) return Status::kInvalidMemoryAccess;
  HeaderAccess map;
  const Status status = resolve(vm, args[0], false, map);
  if (status != Status::kOk) return status;
  if (vm.root().plugin().join_header_values) [[unlikely]] {
    const auto values = map ? map.get_joined(*name) : std::nullopt;
    if (values) return vm.give(*values, args[3], args[4]);
  } else {
    const auto value = map ? map.get(*name) : std::nullopt;
    if (value) return vm.give(*value, args[3], args[4]);
  }
  // 0.1.0 cannot tell a missing field from an empty one.
  if (vm.exports().version == AbiVersion::k010) return vm.give({}, args[3], args[4]);
  return Status::kNotFound;
}

Status add_header(Vm& vm, const Value* args) {
  return change(vm, args, HeaderAccess::Change::kAdd);
}

Status replace_header(Vm& vm, const Value* args) {
  return change(vm, args, HeaderAccess::Change::kReplace);
}

Status remove_header(Vm& vm, const Value* args) {
  const auto name = vm.memory().view(args[1], args[2]);
  if (u32(args[0]) >= kMapTypes) return Status::kBadArgument;
  if (!name) return Status::kInvalidMemoryAccess;
  HeaderAccess map;
  Status status = resolve_writable(vm, args[0], map);
  if (status == Status::kOk) status = map.remove(*name);
  if (status == Status::kOk) note_change(vm, args[0]);
  count_limits(vm, map);
  return status;
}

Status get_header_pairs(Vm& vm, const Value* args) {
  if (u32(args[0]) >= kMapTypes) return Status::kBadArgument;
  HeaderAccess map;
  resolve(vm, args[0], false, map);
  size_t pairs = 0;
  size_t bytes = 0;
  if (map) map.measure(pairs, bytes);
  // An empty map is address 0, size 0: what guests have always seen.
  if (pairs == 0) return vm.give({}, args[1], args[2]);
  Status status = Status::kOk;
  char* to = vm.give_room(pairs_size(pairs, bytes), args[1], args[2], status);
  if (to == nullptr) return status;
  PairsWriter writer(to, pairs);
  map.write_pairs(writer);
  return status;
}

Status set_header_pairs(Vm& vm, const Value* args) {
  const auto bytes = vm.memory().view(args[1], args[2]);
  if (u32(args[0]) >= kMapTypes) return Status::kBadArgument;
  if (!bytes) return Status::kInvalidMemoryAccess;
  const auto pairs = decode_pairs(*bytes);
  if (!pairs) return Status::kBadArgument;
  HeaderAccess map;
  Status status = resolve_writable(vm, args[0], map);
  if (status == Status::kOk) status = map.set_all(*pairs);
  if (status == Status::kOk) note_change(vm, args[0]);
  count_limits(vm, map);
  return status;
}

Status get_header_map_size(Vm& vm, const Value* args) {
  HeaderAccess map;
  const Status status = resolve(vm, args[0], false, map);
  if (status != Status::kOk) return status;
  if (!map) return Status::kBadArgument;
  size_t count = 0;
  size_t bytes = 0;
  map.measure(count, bytes);
  const auto size = static_cast<uint32_t>(pairs_size(count, bytes));
  return vm.memory().store<uint32_t>(args[1], size) ? Status::kOk : Status::kInvalidMemoryAccess;
}

}  // namespace weir::wasm::abi
