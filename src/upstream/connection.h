// UpstreamConnection: one connection of a pool with its codec.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "event/loop.h"
#include "http/connection.h"
#include "http/keepalive.h"
#include "net/connection.h"
#include "upstream/pool.h"
#include "upstream/upstream_stream.h"

namespace weir::upstream {

/// Owner: its Pool. Thread: the worker's.
/// connecting -> idle <-> lent -> closed. HTTP/1: one loan at a time, which ends by response_ended() of the stream (the pool
/// decides after the codec has unwound) or abandon() (the connection closes); while idle it stays readable: a byte or the
/// end of the stream then closes it, so a pooled connection needs no probe before use. HTTP/2: as many loans as the peer and
/// the options allow; one that does not end well ends alone. A connection that has to go (GOAWAY, its age, its number of requests)
/// takes no new ones and closes with its last.
class UpstreamConnection final : public event::Deferrable, private net::ConnectionSink {
 public:
  static Result<std::unique_ptr<UpstreamConnection>> connect(Pool& pool, Priority priority);
  ~UpstreamConnection() override;

  Pool& pool() noexcept { return pool_; }
  uint64_t id() const noexcept { return transport_->id(); }
  std::shared_ptr<const TlsInfo> tls() const { return transport_->share_tls(); }
  const std::string& local_address_text();
  bool multiplexed() const noexcept { return multiplexed_; }

 private:
  friend class Pool;
  friend class UpstreamStream;
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

  void make_codec();
  void after_decode(const Result<void>& decoded, const Buffer& in, net::ReadEnd end);
  void drop_abandoned();
  void finish_tunnel();
  void lose(Failure failure, Pool::ClosedBy by, std::string_view why);
  void arm_idle_timer();
  static void on_idle_timer(void* self) noexcept;
  Scratch& scratch();

  // For the streams.
  void before_stream();
  void stream_over(UpstreamStream& stream);
  void stream_reset(UpstreamStream& stream, const Error& error, bool unseen);
  void hold(UpstreamStream& stream);
  void release(UpstreamStream& stream);

  // HTTP/2 (multiplexed.cc).
  void on_frames(Buffer& in, net::ReadEnd end);
  void lose_streams(const Failure& failure, Pool::ClosedBy by, std::string_view why);
  void finish_streams();
  /// Whether one more exchange may begin.
  bool has_room() const noexcept;
  /// Why no further exchange ever begins; null: it may take more.
  const char* retirement() const noexcept;
  bool expired() const noexcept;
  void begin_keepalive();
  static void on_frames_due(void* self) noexcept;
  static void on_ping_sent(void* self) noexcept;
  static void on_ping_unanswered(void* self) noexcept;

  Pool& pool_;
  std::unique_ptr<net::Connection> transport_;
  std::unique_ptr<http::ClientConnection> codec_;  // once connected
  UpstreamStream own_;                             // HTTP/1's
  std::unique_ptr<Scratch> scratch_;
  std::string local_text_;
  event::Timer idle_timer_;
  event::EndOfTurn frames_due_;  // HTTP/2: its streams have written
  MonotonicTime connecting_since_;
  MonotonicTime expires_{};  // max_connection_duration; zero: never
  uint32_t served_ = 0;
  State state_ = State::kConnecting;
  bool multiplexed_ = false;
  bool decoding_ = false;
  bool listed_ = false;           // in the pool's stack
  bool stale_ = false;            // made with a transport socket that is no longer configured
  Priority connection_priority_;  // whose breaker counts the connection
  std::vector<std::unique_ptr<UpstreamStream>> streams_;  // HTTP/2's
  std::vector<UpstreamStream*> over_;                     // of these, the ones that have ended
  std::unique_ptr<http::KeepAlive<http::ClientConnection>>
      keepalive_;  // null: HTTP/1, or not wanted
  // The pool's links.
  size_t index_ = 0;
  UpstreamConnection* idle_below_ = nullptr;
  UpstreamConnection* idle_above_ = nullptr;
};

}  // namespace weir::upstream
