// gRPC calls and streams on the guest's own account.
#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "http/rules.h"
#include "wasm/abi/abi.h"
#include "wasm/grpc_service.h"
#include "wasm/pairs.h"

namespace weir::wasm::abi {
namespace {

/// The parts of grpc_call and grpc_stream, which both came in 2020 without metadata.
struct Asked {
  std::string_view upstream, service, method, metadata, message;
  uint32_t timeout_ms = 0;
};

bool is_path_part(std::string_view text) {
  return !text.empty() && text.size() <= kMaxPathBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return c > ' ' && c < '\x7f' && c != '/' && c != '?' && c != '#';
         });
}

/// What gRPC and the codec say themselves.
bool is_reserved(std::string_view lower) {
  constexpr std::string_view kReserved[] = {
      "content-type", "content-length", "te",      "grpc-timeout",  "transfer-encoding", "host",
      "connection",   "keep-alive",     "upgrade", "grpc-encoding", "proxy-connection"};
  return std::find(std::begin(kReserved), std::end(kReserved), lower) != std::end(kReserved);
}

bool add_metadata(std::string_view name, std::string_view value, GrpcOrder& order) {
  std::string lower = base::lower(name);
  if (!http::valid_header_name(lower) || !http::valid_header_value(value)) return false;
  if (!is_reserved(lower)) order.metadata.emplace_back(std::move(lower), value);
  return true;
}

/// The bytes are the name of a cluster, or a message that holds one. A guest that starts knows no clusters yet; names do not
/// begin with the control characters that such messages do.
void resolve(Vm& vm, std::string_view upstream, GrpcTarget& target) {
  VmOwner* owner = vm.owner();
  const bool named = owner != nullptr
                         ? owner->callouts().knows_cluster(upstream)
                         : upstream.empty() || static_cast<unsigned char>(upstream[0]) >= ' ';
  auto service = named ? std::nullopt : parse_grpc_service(upstream);
  if (service) {
    target = std::move(*service);
  } else {
    target.cluster = upstream;
  }
}

/// InternalFailure and ParseFailure are the two answers that every SDK survives.
Status begin(Vm& vm, const Asked& asked, bool unary, Value id_at) {
  const auto pairs = decode_pairs(asked.metadata);
  if (!pairs || !is_path_part(asked.service) || !is_path_part(asked.method))
    return Status::kInternalFailure;
  if (asked.upstream.size() > kMaxPairsBytes) return Status::kParseFailure;
  GrpcTarget target;
  resolve(vm, asked.upstream, target);
  GrpcOrder order;
  for (const auto& [name, value] : target.metadata)
    if (!add_metadata(name, value, order)) return Status::kInternalFailure;
  for (const auto& [name, value] : *pairs)
    if (!add_metadata(name, value, order)) return Status::kInternalFailure;
  if (!target.authority.empty() && !http::valid_authority(target.authority))
    return Status::kInternalFailure;
  if (!vm.root().plugin().may_call(target.cluster)) {
    vm.count_limit(LimitKind::kClusters);
    return Status::kParseFailure;
  }
  if (vm.owner() != nullptr && !vm.owner()->callouts().knows_cluster(target.cluster))
    return Status::kParseFailure;
  if (asked.message.size() > GrpcStream::kMaxMessageBytes) {
    vm.count_limit(LimitKind::kGrpcBuffer);
    return Status::kInternalFailure;
  }
  if (!vm.may_start_callout()) return Status::kInternalFailure;
  order.id = vm.next_callout_id(unary ? CalloutKind::kGrpcCall : CalloutKind::kGrpcStream);
  order.unary = unary;
  order.cluster = std::move(target.cluster);
  order.authority = std::move(target.authority);
  order.path = base::concat("/", asked.service, "/", asked.method);
  order.timeout =
      asked.timeout_ms != 0 ? std::chrono::milliseconds(asked.timeout_ms) : target.timeout;
  if (unary) {
    order.messages.emplace_back(asked.message);
    order.message_bytes = asked.message.size();
    order.ended = true;
  }
  const uint32_t id = order.id;
  // A canary's calls are kept for ever: it is never adopted.
  vm.root().grpc().start(std::move(order));
  vm.memory().store<uint32_t>(id_at, id);
  return Status::kOk;
}

enum class Metadata : bool { kNone, kGiven };

/// `parts` of address and size stand first, in the order of Asked.
Status ask(Vm& vm, const Value* args, bool unary, Metadata metadata) {
  const GuestMemory memory = vm.memory();
  Asked asked;
  std::string_view* const all[] = {&asked.upstream, &asked.service, &asked.method, &asked.metadata,
                                   &asked.message};
  size_t at = 0;
  for (std::string_view* part : all) {
    if (part == &asked.metadata && metadata == Metadata::kNone) continue;
    if (part == &asked.message && !unary) continue;
    const auto view = memory.view(args[at], args[at + 1]);
    if (!view) return Status::kInvalidMemoryAccess;
    *part = *view;
    at += 2;
  }
  if (unary) asked.timeout_ms = u32(args[at++]);
  if (!memory.contains(u32(args[at]), 4)) return Status::kInvalidMemoryAccess;
  return begin(vm, asked, unary, args[at]);
}

}  // namespace

Status grpc_call(Vm& vm, const Value* args) { return ask(vm, args, true, Metadata::kGiven); }
Status grpc_call_short(Vm& vm, const Value* args) { return ask(vm, args, true, Metadata::kNone); }
Status grpc_stream(Vm& vm, const Value* args) { return ask(vm, args, false, Metadata::kGiven); }
Status grpc_stream_short(Vm& vm, const Value* args) {
  return ask(vm, args, false, Metadata::kNone);
}

Status grpc_send(Vm& vm, const Value* args) {
  const auto message = vm.memory().view(args[1], args[2]);
  if (!message) return Status::kInvalidMemoryAccess;
  return vm.root().grpc().send(u32(args[0]), *message,
                               u32(args[3]) != 0 ? EndStream::kYes : EndStream::kNo);
}

Status grpc_close(Vm& vm, const Value* args) { return vm.root().grpc().close(u32(args[0])); }
Status grpc_cancel(Vm& vm, const Value* args) { return vm.root().grpc().cancel(u32(args[0])); }

}  // namespace weir::wasm::abi
