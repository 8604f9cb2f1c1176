// GrpcCallouts: the gRPC calls and streams of one plugin in one VM.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <weir/grpc_client.h>

#include "event/loop.h"
#include "wasm/enums.h"

namespace weir::wasm {

class GrpcCallouts;
class RootContext;
class Vm;

/// A call that a guest asked for, in a form that may change threads: what a starting guest asks for waits until its worker
/// adopts the VM.
struct GrpcOrder {
  uint32_t id = 0;
  bool unary = false;
  std::string cluster, authority, path;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::chrono::milliseconds timeout{0};
  std::vector<std::string> messages;
  size_t message_bytes = 0;
  bool ended = false;  // no more messages
};

/// A call in flight. Owner: GrpcCallouts; dies through defer_delete.
class PendingGrpc final : public GrpcHandler, public event::Deferrable {
 public:
  PendingGrpc(GrpcCallouts& calls, const GrpcOrder& order) noexcept
      : calls_(calls), id_(order.id), unary_(order.unary), ended_(order.ended), stream_(*this) {}
  uint32_t id() const noexcept { return id_; }
  bool unary() const noexcept { return unary_; }
  Result<void> start(Callouts& callouts, const GrpcOrder& order);
  GrpcStream& stream() noexcept { return stream_; }
  bool ended() const noexcept { return ended_; }
  void end() noexcept { ended_ = true; }

 private:
  void on_grpc_head(ResponseHead& head) noexcept override;
  void on_grpc_message(Buffer& message) noexcept override;
  void on_grpc_trailers(HeaderMap& trailers) noexcept override;
  void on_grpc_end(const GrpcStatus& status) noexcept override;

  GrpcCallouts& calls_;
  const uint32_t id_;
  const bool unary_;
  bool ended_;  // the guest sends no more
  GrpcStream stream_;
  Buffer answer_;  // of a unary call
  unsigned answers_ = 0;
};

/// Owner: its RootContext. Thread: the VM's. The guest is called from the loop alone, so never inside a host function.
class GrpcCallouts {
 public:
  explicit GrpcCallouts(RootContext& root) noexcept : root_(root) {}

  /// The call begins now, or is kept until adopt(). That it cannot begin is told a tick later: a guest that tries again in
  /// its callback must not keep the worker busy.
  void start(GrpcOrder order);
  Status send(uint32_t id, std::string_view message, EndStream end);
  /// No more messages; a unary call is cancelled by it, as in other hosts.
  Status close(uint32_t id);
  Status cancel(uint32_t id);
  void adopt(event::Loop& loop);
  /// Cancels all; no callback comes after it.
  void detach() noexcept;
  size_t size() const noexcept { return pending_.size() + orders_.size() + failed_.size(); }

  // Readable inside the callback that is about them.
  Buffer* message = nullptr;
  ResponseHead* head = nullptr;
  HeaderMap* trailers = nullptr;

 private:
  friend class PendingGrpc;
  static void on_failures(void* self);
  void launch(GrpcOrder order);
  void tell_head(PendingGrpc& call, ResponseHead& received);
  void tell_message(uint32_t id, Buffer& received);
  void tell_trailers(PendingGrpc& call, HeaderMap& received);
  void tell_end(uint32_t id, const GrpcStatus& status);
  void retire(PendingGrpc& call);
  PendingGrpc* find(uint32_t id) noexcept;
  GrpcOrder* find_order(uint32_t id) noexcept;
  bool forget_order(uint32_t id);
  Status missing(uint32_t id) const noexcept;

  RootContext& root_;
  event::Loop* loop_ = nullptr;  // null until adopted
  std::vector<std::unique_ptr<PendingGrpc>> pending_;
  std::vector<GrpcOrder> orders_;
  std::vector<std::pair<uint32_t, GrpcStatus>> failed_;
  event::RareTimer failures_due_;
};

}  // namespace weir::wasm
