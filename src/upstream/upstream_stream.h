// UpstreamStream: one request and its response on a connection of a pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <weir/buffer.h>
#include <weir/message.h>

#include "http/connection.h"
#include "upstream/failure.h"
#include "upstream/shared_state.h"

namespace weir::upstream {

class Pool;
class UpstreamConnection;

/// What is known when an exchange is lost; decides whether the request may be sent again.
struct LossFacts {
  bool reused = false;            // the connection had served an exchange before this one
  bool response_started = false;  // a byte of the response has arrived
  bool untouched = false;         // not a byte of the request has been handed to the kernel
  bool unseen = false;            // the upstream says that it has not acted on the request
};

/// The exchange that a stream is lent to. Receives the response; on_connection_lost is last.
class ConnectionUser : public http::ResponseReceiver {
 public:
  virtual void on_connection_lost(Failure failure, const LossFacts& facts) noexcept = 0;
  void on_exchange_reset(const Error&, bool) final {}  // a stream says it by on_connection_lost
};

/// Lent by a Pool to one exchange. With HTTP/1 it is a part of its connection, with HTTP/2 one of several, taken from the pool's
/// store. Thread: the worker's. Order: start(), send_*; then response_ended() or abandon(), or the user's on_connection_lost();
/// after each of these it is no longer the user's.
class UpstreamStream final : private http::ResponseReceiver {
 public:
  UpstreamStream() = default;
  UpstreamStream(const UpstreamStream&) = delete;
  UpstreamStream& operator=(const UpstreamStream&) = delete;

  void start(ConnectionUser& user);
  void send_head(const RequestHead& head, EndStream end);
  void send_body(Buffer& data, EndStream end);  // empties `data`
  void send_trailers(const HeaderMap& trailers);
  /// The user has seen the end of the response; it is not called any more.
  void response_ended();
  /// The user goes away with the response incomplete: the stream is reset, or its connection closes.
  void abandon();
  void hold_response();
  void release_response();

  bool reused() const noexcept;
  bool untouched() const noexcept;
  /// Whether a body may be needed once more: it is a connection whose loss would not be the request's fault.
  bool resendable() const noexcept;
  bool write_blocked() const noexcept;
  Pool& pool() noexcept;
  Protocol protocol() const noexcept;
  uint64_t connection_id() const noexcept;
  const std::string& local_address_text();
  /// Of its connection; null without TLS.
  std::shared_ptr<const TlsInfo> tls() const;

 private:
  friend class Pool;
  friend class UpstreamConnection;
  enum class Phase : uint8_t { kLent, kEnded, kAbandoned };

  ResponseHead& response_head() noexcept override;
  HeaderMap& response_trailers() noexcept override;
  void on_informational() override;
  void on_response_head(size_t wire_bytes, EndStream end) override;
  void on_response_body(Buffer& data, EndStream end) override;
  void on_response_trailers() override;
  void on_exchange_reset(const Error& error, bool unseen) override;
  void on_request_blocked() override;
  void on_request_resumed() override;

  void attach(UpstreamConnection& connection, Priority priority) noexcept;
  void written(size_t before);
  LossFacts facts() const noexcept;

  UpstreamConnection* connection_ = nullptr;
  http::RequestWriter* writer_ = nullptr;  // null: not started, or dead
  ConnectionUser* user_ = nullptr;
  uint64_t queued_ = 0;                     // bytes written by this exchange
  size_t index_ = 0;                        // in its connection's streams
  Priority priority_ = Priority::kDefault;  // whose breaker counts the request
  Phase phase_ = Phase::kLent;
  bool request_ended_ = false;
  bool response_started_ = false;
  bool response_complete_ = false;
  bool response_held_ = false;
  bool request_blocked_ = false;
};

}  // namespace weir::upstream
