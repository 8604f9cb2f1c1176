// GrpcStream: a gRPC call that a filter makes on its own account.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string_view>
#include <weir/callout.h>
#include <weir/grpc.h>

namespace weir {

/// Called from the event loop alone, never inside a function of the stream. Order: head?, message*, trailers?, end, which
/// comes exactly once unless the stream is cancelled. An answer that is one block of trailers has an empty head, of status 0.
/// cancel() may be called inside any call; the stream is not destroyed there.
class GrpcHandler {
 public:
  virtual ~GrpcHandler() = default;
  virtual void on_grpc_head(ResponseHead& head) noexcept = 0;
  virtual void on_grpc_message(Buffer& message) noexcept = 0;
  virtual void on_grpc_trailers(HeaderMap& trailers) noexcept = 0;
  virtual void on_grpc_end(const GrpcStatus& status) noexcept = 0;
};

/// One call; the texts are looked at in start() alone.
struct GrpcRequest {
  std::string_view cluster;              // one that speaks HTTP/2
  std::string_view authority;            // empty: the cluster's name
  std::string_view path;                 // "/package.Service/Method"
  HeaderMap metadata;                    // headers besides gRPC's own, which are set over them
  std::chrono::milliseconds timeout{0};  // 0 = none; the service is told of it
};

/// Owner: its user. Thread: one, that of its Callouts. Order: start() once, send(), close(); cancel() or destruction at any time.
class GrpcStream final : private StreamedCalloutHandler {
 public:
  static constexpr size_t kMaxMessageBytes = 4 * 1024 * 1024;  // either way
  static constexpr size_t kMaxUnsentBytes = 4 * 1024 * 1024;   // prefixes not counted

  explicit GrpcStream(GrpcHandler& handler) noexcept : handler_(handler) {}
  GrpcStream(const GrpcStream&) = delete;
  GrpcStream& operator=(const GrpcStream&) = delete;

  /// An error: there is no call, and nothing comes of it. grpc_status_of(error) says it in terms of gRPC.
  Result<void> start(Callouts& callouts, GrpcRequest request);
  /// One message, uncompressed. False: it is too large, or too much waits; nothing of it is sent. A call that has ended takes
  /// it, and forgets it.
  bool send(std::string_view message, EndStream end);
  /// No more messages.
  void close();
  /// Resets the call; the handler is not called any more.
  void cancel() noexcept { callout_.reset(); }
  bool active() const noexcept { return callout_ != nullptr; }

 private:
  void on_callout_head(ResponseHead& head, EndStream end) noexcept override;
  void on_callout_data(Buffer& data, EndStream end) noexcept override;
  void on_callout_trailers(HeaderMap& trailers) noexcept override;
  void on_callout_failed(const Error& error) noexcept override;
  void finish(const GrpcStatus& status);

  GrpcHandler& handler_;
  std::unique_ptr<StreamedCallout> callout_;
  GrpcReader reader_{kMaxMessageBytes};
};

/// What a call that failed below gRPC has come to.
GrpcStatus grpc_status_of(const Error& error);

}  // namespace weir
