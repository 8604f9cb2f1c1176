// UpstreamConnection: one connection of a pool with its codec.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "event/loop.h"
#include "http/connection.h"
#include "net/connection.h"
#include "upstream/pool.h"

namespace weir::upstream {

/// What is known when a connection is lost under an exchange; decides whether the request may be sent again.
struct LossFacts {
  bool reused = false;            // it had served an exchange before this one
  bool response_started = false;  // a byte of the response has arrived
  bool untouched = false;         // not a byte of the request has been handed to the kernel
};

/// The exchange that a connection is lent to. Receives the response; on_connection_lost is last.
class ConnectionUser : public http::ResponseReceiver {
 public:
  virtual void on_connection_lost(Failure failure, const LossFacts& facts) noexcept = 0;
  virtual void on_request_blocked() noexcept = 0;
  virtual void on_request_resumed() noexcept = 0;
};

/// Owner: its Pool. Thread: the worker's.
/// connecting -> idle <-> lent -> closed. A loan ends by response_ended() (the pool decides after the codec has unwound) or
/// abandon() (the connection closes). It stays readable while idle: a byte or the end of the stream then closes it, so a
/// pooled connection needs no probe before use.
class UpstreamConnection final : public event::Deferrable,
                                 private net::ConnectionSink,
                                 private http::ResponseReceiver {
 public:
  static Result<std::unique_ptr<UpstreamConnection>> connect(Pool& pool, Priority priority);
  ~UpstreamConnection() override;

  /// Begins an exchange. Requires: lent by the pool, idle.
  void start(ConnectionUser& user);
  void send_head(const RequestHead& head, EndStream end);
  void send_body(Buffer& data, EndStream end);  // empties `data`
  void send_trailers(const HeaderMap& trailers);
  /// The user has seen the end of the response; it is not called any more.
  void response_ended();
  /// The user goes away with the response incomplete: the connection closes.
  void abandon();
  void hold_response();
  void release_response();

  bool reused() const noexcept { return served_ > 0; }
  bool untouched() const noexcept { return transport_->unsent() >= queued_; }
  bool write_blocked() const noexcept { return transport_->write_blocked(); }
  Pool& pool() noexcept { return pool_; }
  uint64_t id() const noexcept { return transport_->id(); }
  const std::string& local_address_text();

 private:
  friend class Pool;
  enum class State : uint8_t { kConnecting, kIdle, kLent, kClosed };
  struct Scratch {  // receives what a codec still tells after its user has gone
    ResponseHead head;
    HeaderMap trailers;
  };
  UpstreamConnection(Pool& pool, Priority priority);

  void on_data(Buffer& in, net::ReadEnd end) override;
  void on_connected() override;
  void on_write_blocked() override;
  void on_write_resumed() override;
  void on_error(const Error& error) override;

  ResponseHead& response_head() noexcept override;
  HeaderMap& response_trailers() noexcept override;
  void on_informational() override;
  void on_response_head(size_t wire_bytes, EndStream end) override;
  void on_response_body(Buffer& data, EndStream end) override;
  void on_response_trailers() override;

  void after_decode(const Result<void>& decoded, const Buffer& in, net::ReadEnd end);
  void lose(Failure failure, Pool::ClosedBy by, std::string_view why);
  void written(size_t before);
  void arm_idle_timer();
  static void on_idle_timer(void* self) noexcept;
  Scratch& scratch();

  Pool& pool_;
  std::unique_ptr<net::Connection> transport_;
  std::unique_ptr<http::ClientConnection> codec_;
  http::RequestWriter* writer_ = nullptr;
  ConnectionUser* user_ = nullptr;
  std::unique_ptr<Scratch> scratch_;
  std::string local_text_;
  event::Timer idle_timer_;
  MonotonicTime connecting_since_;
  MonotonicTime expires_{};  // max_connection_duration; zero: never
  uint64_t queued_ = 0;      // bytes written by this exchange
  uint32_t served_ = 0;
  State state_ = State::kConnecting;
  bool decoding_ = false;
  bool response_ended_ = false;
  bool abandoned_ = false;
  bool response_held_ = false;
  bool stale_ = false;            // made with a transport socket that is no longer configured
  Priority connection_priority_;  // whose breaker counts the connection
  Priority loan_priority_ = Priority::kDefault;  // whose breaker counts the request
  // The pool's links.
  size_t index_ = 0;
  UpstreamConnection* idle_below_ = nullptr;
  UpstreamConnection* idle_above_ = nullptr;
};

}  // namespace weir::upstream
