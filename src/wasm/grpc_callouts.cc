#include "wasm/grpc_callouts.h"

#include <algorithm>

#include "wasm/header_access.h"
#include "wasm/vm.h"

namespace weir::wasm {

namespace {

constexpr size_t kGrpcPrefix = 5;  // of each message on the wire

}  // namespace

// ---- one call ---------------------------------------------------------------------------------------

Result<void> PendingGrpc::start(Callouts& callouts, const GrpcOrder& order) {
  GrpcRequest request;
  request.cluster = order.cluster;
  request.authority = order.authority;
  request.path = order.path;
  for (const auto& [name, value] : order.metadata) request.metadata.add(name, value);
  request.timeout = order.timeout;
  WEIR_CHECKED(stream_.start(callouts, std::move(request)));
  for (size_t i = 0; i < order.messages.size(); ++i) {
    const bool last = order.ended && i + 1 == order.messages.size();
    stream_.send(order.messages[i], last ? EndStream::kYes : EndStream::kNo);
  }
  if (order.ended && order.messages.empty()) stream_.close();
  return {};
}

void PendingGrpc::on_grpc_head(ResponseHead& head) noexcept {
  if (!unary_) calls_.tell_head(*this, head);
}

void PendingGrpc::on_grpc_message(Buffer& message) noexcept {
  if (!unary_) return calls_.tell_message(id_, message);
  ++answers_;
  answer_ = std::move(message);
}

void PendingGrpc::on_grpc_trailers(HeaderMap& trailers) noexcept {
  if (!unary_) calls_.tell_trailers(*this, trailers);
}

void PendingGrpc::on_grpc_end(const GrpcStatus& status) noexcept {
  GrpcCallouts& calls = calls_;
  calls.retire(*this);  // it lives until the end of the turn
  if (!unary_ || status.code != GrpcCode::kOk) return calls.tell_end(id_, status);
  if (answers_ != 1)
    return calls.tell_end(id_, {GrpcCode::kInternal, answers_ == 0 ? "the answer has no message"
                                                                   : "more than one answer"});
  calls.tell_message(id_, answer_);
}

// ---- all of a root ----------------------------------------------------------------------------------

void GrpcCallouts::start(GrpcOrder order) {
  PluginStats& stats = root_.stats();
  if (!root_.vm().canary()) (order.unary ? stats.grpc_calls : stats.grpc_streams).inc();
  if (loop_ != nullptr) return launch(std::move(order));
  orders_.push_back(std::move(order));
}

void GrpcCallouts::launch(GrpcOrder order) {
  auto call = std::make_unique<PendingGrpc>(*this, order);
  if (auto started = call->start(root_.vm().owner()->callouts(), order); !started) {
    failed_.emplace_back(order.id, grpc_status_of(started.error()));
    return failures_due_.arm(*loop_, &GrpcCallouts::on_failures, this, {});
  }
  pending_.push_back(std::move(call));
}

void GrpcCallouts::adopt(event::Loop& loop) {
  loop_ = &loop;
  std::vector<GrpcOrder> orders;
  orders.swap(orders_);
  for (GrpcOrder& order : orders) launch(std::move(order));
}

void GrpcCallouts::detach() noexcept {
  failures_due_.release();
  pending_.clear();  // cancels
  orders_.clear();
  failed_.clear();
}

Status GrpcCallouts::send(uint32_t id, std::string_view text, EndStream end) {
  bool sent = false;
  if (PendingGrpc* call = find(id)) {
    if (call->unary()) return Status::kBadArgument;
    if (call->ended()) return Status::kNotFound;
    sent = call->stream().send(text, end);
    if (sent && end == EndStream::kYes) call->end();
  } else if (GrpcOrder* order = find_order(id)) {
    if (order->unary) return Status::kBadArgument;
    if (order->ended) return Status::kNotFound;
    // As on the wire: messages without bytes cost something too.
    const size_t size = text.size() + kGrpcPrefix;
    sent = order->message_bytes + size <= GrpcStream::kMaxUnsentBytes;
    if (sent) {
      order->messages.emplace_back(text);
      order->message_bytes += size;
      order->ended = end == EndStream::kYes;
    }
  } else {
    return missing(id);
  }
  if (!sent) root_.vm().count_limit(LimitKind::kGrpcBuffer);
  return sent ? Status::kOk : Status::kBadArgument;  // which every SDK survives
}

Status GrpcCallouts::close(uint32_t id) {
  PendingGrpc* call = find(id);
  if (call != nullptr && !call->unary()) {
    if (!call->ended()) call->stream().close();
    call->end();
    return Status::kOk;
  }
  GrpcOrder* order = find_order(id);
  if (order == nullptr || order->unary) return cancel(id);
  order->ended = true;
  return Status::kOk;
}

Status GrpcCallouts::cancel(uint32_t id) {
  if (PendingGrpc* call = find(id)) {
    call->stream().cancel();
    retire(*call);
    return Status::kOk;
  }
  return forget_order(id) ? Status::kOk : missing(id);
}

/// An id that is none of this root's: of another kind of callout, or of none.
Status GrpcCallouts::missing(uint32_t id) const noexcept {
  const CalloutKind kind = callout_kind(id);
  return kind == CalloutKind::kGrpcCall || kind == CalloutKind::kGrpcStream ? Status::kNotFound
                                                                            : Status::kBadArgument;
}

PendingGrpc* GrpcCallouts::find(uint32_t id) noexcept {
  for (const auto& call : pending_)
    if (call->id() == id) return call.get();
  return nullptr;
}

GrpcOrder* GrpcCallouts::find_order(uint32_t id) noexcept {
  for (GrpcOrder& order : orders_)
    if (order.id == id) return &order;
  return nullptr;
}

bool GrpcCallouts::forget_order(uint32_t id) {
  const size_t known =
      std::erase_if(orders_, [id](const GrpcOrder& each) { return each.id == id; });
  return known + std::erase_if(failed_, [id](const auto& each) { return each.first == id; }) > 0;
}

void GrpcCallouts::retire(PendingGrpc& call) {
  const auto found = std::find_if(pending_.begin(), pending_.end(),
                                  [&call](const auto& each) { return each.get() == &call; });
  if (found == pending_.end()) return;
  loop_->defer_delete(std::move(*found));
  pending_.erase(found);
}

// ---- callbacks --------------------------------------------------------------------------------------

void GrpcCallouts::tell_head(PendingGrpc& call, ResponseHead& received) {
  Vm& vm = root_.vm();
  if (vm.dead() || !vm.exports().grpc_initial_metadata) return;
  head = &received;
  ResponseHead* with_status = received.status != 0 ? &received : nullptr;
  const Value args[] = {
      root_.id, call.id(),
      shown_count(vm.privacy(), Direction::kResponse, received.headers, nullptr, with_status)};
  vm.call(root_, vm.exports().grpc_initial_metadata, args);
  head = nullptr;
}

void GrpcCallouts::tell_message(uint32_t id, Buffer& received) {
  Vm& vm = root_.vm();
  if (vm.dead() || !vm.exports().grpc_receive) return;
  message = &received;
  const Value args[] = {root_.id, id, received.size()};
  vm.call(root_, vm.exports().grpc_receive, args);
  message = nullptr;
}

void GrpcCallouts::tell_trailers(PendingGrpc& call, HeaderMap& received) {
  Vm& vm = root_.vm();
  if (vm.dead() || !vm.exports().grpc_trailing_metadata) return;
  trailers = &received;
  const Value args[] = {
      root_.id, call.id(),
      shown_count(vm.privacy(), Direction::kResponse, received, nullptr, nullptr)};
  vm.call(root_, vm.exports().grpc_trailing_metadata, args);
  trailers = nullptr;
}

void GrpcCallouts::tell_end(uint32_t id, const GrpcStatus& status) {
  Vm& vm = root_.vm();
  if (status.code != GrpcCode::kOk) root_.stats().grpc_failures.inc();
  if (vm.dead() || !vm.exports().grpc_close) return;
  const auto code = static_cast<uint32_t>(status.code);
  root_.status_code = code;
  root_.status_text = status.message;
  const Value args[] = {root_.id, id, code};
  vm.call(root_, vm.exports().grpc_close, args);
  root_.status_code = 0;
  root_.status_text = {};
}

void GrpcCallouts::on_failures(void* self) {
  auto& calls = *static_cast<GrpcCallouts*>(self);
  // What the guest starts meanwhile has a turn of its own; what it cancels is not told.
  for (size_t left = calls.failed_.size(); left > 0 && !calls.failed_.empty(); --left) {
    const auto [id, status] = std::move(calls.failed_.front());
    calls.failed_.erase(calls.failed_.begin());
    calls.tell_end(id, status);
  }
}

}  // namespace weir::wasm
