// What guests do to streams and to themselves. All of it takes effect after the guest has returned.
#include <algorithm>
#include <cctype>
#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "http/rules.h"
#include "wasm/abi/abi.h"
#include "wasm/pairs.h"
#include "wasm/privacy/private_field.h"

namespace weir::wasm::abi {
namespace {

constexpr uint32_t kStreamTypes = 4;
constexpr uint32_t kMaxGrpcStatus = 16;
constexpr size_t kMaxDetails = 1024;

/// Effects of the callback's own stream become its result; others wait for the end of the turn.
void note(Vm& vm, LeafContext& context) {
  if (!context.in_callback) vm.defer(context);
}

Status resume_bytes(Vm& vm, bool downstream) {
  ConnectionContext* connection = vm.connection();
  if (connection == nullptr || connection->logging) return Status::kOk;
  (downstream ? connection->downstream : connection->upstream).resume = true;
  note(vm, *connection);
  return Status::kOk;
}

/// A proxied connection whose one side is closed has nothing more to do: both numbers end it.
Status close_connection(Vm& vm) {
  ConnectionContext* connection = vm.connection();
  if (connection == nullptr || connection->logging) return Status::kOk;
  connection->close_wanted = true;
  note(vm, *connection);
  return Status::kOk;
}

Status resume(Vm& vm, bool request) {
  StreamContext* stream = vm.stream();
  if (stream == nullptr || stream->logging) return Status::kOk;
  (request ? stream->request : stream->response).resume = true;
  note(vm, *stream);
  return Status::kOk;
}

/// A guest cannot add what it cannot see: not to an answer of its own either.
void copy_header(Vm& vm, std::string_view name, std::string_view value, LocalReply& reply) {
  const Privacy* privacy = vm.privacy();
  if (privacy == nullptr) [[likely]] {
    reply.headers.emplace_back(name, value);
    return;
  }
  const std::string lower = base::lower(name);
  WrittenValues written = written_values(*privacy, {Direction::kResponse, lower}, {}, {value});
  if (written.refused) vm.count_limit(LimitKind::kPrivacy);
  for (std::string& each : written.values) reply.headers.emplace_back(lower, std::move(each));
}

/// What no message may carry is left out: SDKs trap on every status but Ok.
void copy_headers(Vm& vm, const PairViews& pairs, LocalReply& reply) {
  for (const auto& [name, value] : pairs) {
    if (http::valid_header_name(name) && http::valid_header_value(value)) {
      copy_header(vm, name, value, reply);
    } else if (name != ":status") {
      WEIR_LOG_EVERY_MS(1000, kWasm, kWarn, "a field of a guest's reply is left out",
                        {{"plugin", vm.root().plugin().label()}});
    }
  }
}

/// A number that no response can have is the guest's mistake, which must not look like a success.
int reply_status(uint32_t wanted) noexcept {
  return wanted >= 200 && wanted <= 999 ? static_cast<int>(wanted) : 500;
}

}  // namespace

Status continue_stream(Vm& vm, const Value* args) {
  const uint32_t type = u32(args[0]);
  if (type >= kStreamTypes) return Status::kBadArgument;
  // What is not paused is Ok too: a refusal would trap Rust guests.
  return type > 1 ? resume_bytes(vm, type == 2) : resume(vm, type == 0);
}

Status continue_request(Vm& vm, const Value*) { return resume(vm, true); }
Status continue_response(Vm& vm, const Value*) { return resume(vm, false); }

Status close_stream(Vm& vm, const Value* args) {
  if (u32(args[0]) >= kStreamTypes) return Status::kBadArgument;
  if (u32(args[0]) > 1) return close_connection(vm);
  StreamContext* stream = vm.stream();
  if (stream == nullptr || stream->logging) return Status::kOk;
  stream->reset_wanted = true;
  note(vm, *stream);
  return Status::kOk;
}

Status clear_route_cache(Vm& vm, const Value*) {
  StreamContext* stream = vm.stream();
  if (stream == nullptr || stream->logging) return Status::kOk;
  stream->clear_route = true;
  note(vm, *stream);
  return Status::kOk;
}

Status send_local_response(Vm& vm, const Value* args) {
  const GuestMemory memory = vm.memory();
  const auto details = memory.view(args[1], args[2]);
  const auto body = memory.view(args[3], args[4]);
  const auto headers = memory.view(args[5], args[6]);
  if (!details || !body || !headers) return Status::kInvalidMemoryAccess;
  const auto pairs = decode_pairs(*headers);
  if (!pairs) return Status::kBadArgument;
  if (body->size() > kMaxBodyWriteBytes) {
    vm.count_limit(LimitKind::kBody);
    return Status::kBadArgument;
  }
  StreamContext* stream = vm.stream();
  // Without a stream, after an answer or while it is logged there is nobody to answer; no host calls that an error.
  if (stream == nullptr || stream->logging || stream->reply) return Status::kOk;
  auto reply = std::make_unique<LocalReply>();
  reply->status = reply_status(u32(args[0]));
  copy_headers(vm, *pairs, *reply);
  reply->body = *body;
  reply->details_text = details->substr(0, kMaxDetails);
  std::replace_if(
      reply->details_text.begin(), reply->details_text.end(),
      [](unsigned char c) { return std::isspace(c) != 0; }, '_');
  if (const uint32_t grpc = u32(args[7]); grpc <= kMaxGrpcStatus)
    reply->grpc_status = static_cast<int>(grpc);
  stream->reply = std::move(reply);
  note(vm, *stream);
  return Status::kOk;
}

Status set_effective_context(Vm& vm, const Value* args) {
  return vm.set_effective(u32(args[0])) ? Status::kOk : Status::kBadArgument;
}

Status done(Vm& vm, const Value*) {
  RootContext& root = vm.root();
  root.finish_requested = true;
  if (root.ending) vm.defer_root();
  return Status::kOk;
}

Status set_tick_period(Vm& vm, const Value* args) {
  vm.root().set_tick(std::chrono::milliseconds(u32(args[0])));
  return Status::kOk;
}

}  // namespace weir::wasm::abi
