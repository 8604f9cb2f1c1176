// Exchange: one request to a cluster and its response.
#pragma once

#include <cstdint>
#include <optional>
#include <weir/buffer.h>
#include <weir/message.h>
#include <weir/stream_info.h>

#include "upstream/cluster.h"
#include "upstream/failure.h"
#include "upstream/pool.h"
#include "upstream/upstream_stream.h"

namespace weir::upstream {

/// What an exchange tells the one who started it. Calls come from the loop, never from inside start(). Order:
/// informational*, head, body*, trailers?; kYes or trailers are last. Or on_exchange_failed at any point, last.
/// The sink may cancel() the exchange inside any call.
class ExchangeSink {
 public:
  virtual ~ExchangeSink() = default;
  virtual ResponseHead& exchange_head() noexcept = 0;
  virtual HeaderMap& exchange_trailers() noexcept = 0;
  /// The request goes out on this stream; again when it is sent a second time. May come from inside start().
  virtual void on_exchange_connected(UpstreamStream& stream) = 0;
  virtual void on_exchange_informational() = 0;
  /// Hop-by-hop fields are gone already.
  virtual void on_exchange_head(size_t wire_bytes, EndStream end) = 0;
  virtual void on_exchange_body(Buffer& data, EndStream end) = 0;
  virtual void on_exchange_trailers() = 0;
  virtual void on_exchange_failed(const Failure& failure) = 0;
  /// No more request body, please / go on. Alternating; may come from inside send_body().
  virtual void on_exchange_blocked() = 0;
  virtual void on_exchange_resumed() = 0;
};

/// Holds the lease of a pooled connection, or of a stream on one, from start to the end of the response. Reuse is earned: an
/// HTTP/1 connection goes back to its pool only when the codec says that request and response are whole and well framed.
///
/// A reused connection that dies before the first byte of the response may have died before the request reached anybody:
/// the request is sent once more on a fresh connection if its method is idempotent and what was sent is still there, or if
/// nothing had been written. A stream that the upstream says it has not acted on (RFC 9113 8.7) is sent once more too.
///
/// An upgrade or CONNECT (see http/connection.h) sends nothing but its head before it is granted; what the user gives earlier waits, and
/// is forgotten if it is refused. Granted, the exchange ends when both directions have.
///
/// Owner: by value in the router filter or callout. Thread: the worker's. One start() per object; cancel() or
/// destruction ends it at any time.
class Exchange final : private PoolWaiter, private ConnectionUser {
 public:
  static constexpr size_t kMaxKeptBody = 64 * 1024;
  static constexpr int kMaxInformational = 10;

  explicit Exchange(ExchangeSink& sink) noexcept : sink_(sink) {}
  ~Exchange() { cancel(); }

  /// `head` stays where it is and as it is until the response begins or the exchange ends. A failure is returned, not
  /// told to the sink. `downstream`: the client's protocol, for clusters that follow it. `client`: its connection, which
  /// outlives the exchange; null: the request is weir's own. The hosts that `choice`
  /// avoids outlive it too.
  std::optional<Failure> start(Cluster& cluster, const RequestHead& head, EndStream end,
                               Priority priority, Protocol downstream = Protocol::kHttp11,
                               const ConnectionInfo* client = nullptr,
                               const HostChoice& choice = {});
  /// Empties `data`. After the end of the exchange the data is forgotten.
  void send_body(Buffer& data, EndStream end);
  /// `trailers` stays as `head` does.
  void send_trailers(const HeaderMap& trailers);
  /// Stop and resume reading the response.
  void hold_response();
  void release_response();
  void cancel() noexcept;
  /// As cancel(), for want of an answer in time.
  void time_out() noexcept;

  bool active() const noexcept { return phase_ != Phase::kIdle; }
  bool retried() const noexcept { return retried_; }
  /// The pool while a connection is held or waited for; null otherwise.
  Pool* pool() noexcept { return pool_; }

 private:
  enum class Phase : uint8_t { kIdle, kWaiting, kRequest };     // kRequest: on a connection
  enum class Ended : uint8_t { kNo, kHead, kBody, kTrailers };  // what carried the request's end

  void on_connection_ready(UpstreamStream& stream) noexcept override;
  void on_connection_failed(Failure failure) noexcept override;
  void on_connection_lost(Failure failure, const LossFacts& facts) noexcept override;
  void on_request_blocked() noexcept override { block(); }
  void on_request_resumed() noexcept override { unblock(); }
  ResponseHead& response_head() noexcept override { return sink_.exchange_head(); }
  HeaderMap& response_trailers() noexcept override { return sink_.exchange_trailers(); }
  void on_informational() override;
  void on_response_head(size_t wire_bytes, EndStream end) override;
  void on_response_body(Buffer& data, EndStream end) override;
  void on_response_trailers() override;

  std::optional<Failure> acquire(Pool::Wanted wanted);
  bool choose_named_pool();
  void attach(UpstreamStream& stream);
  void send_request();
  void keep(const Buffer& data);
  bool may_retry(const LossFacts& facts) const noexcept;
  void hold_back(Buffer& data);
  bool grants(const ResponseHead& head, EndStream end) const noexcept;
  void answer_tunnel(bool granted);
  void response_done();
  void fail(const Failure& failure);
  void reject_response();
  void block();
  void unblock();
  void end_phase() noexcept;

  ExchangeSink& sink_;
  Cluster* cluster_ = nullptr;
  Pool* pool_ = nullptr;
  UpstreamStream* stream_ = nullptr;
  const RequestHead* head_ = nullptr;
  const HeaderMap* trailers_ = nullptr;
  Buffer waiting_;  // body that waits for a connection
  Buffer kept_;     // copy of what was sent on a reused connection
  Phase phase_ = Phase::kIdle;
  Ended ended_ = Ended::kNo;
  const ConnectionInfo* client_ = nullptr;
  HostChoice choice_;
  Priority priority_ = Priority::kDefault;
  Protocol downstream_ = Protocol::kHttp11;
  uint8_t informational_ = 0;
  bool idempotent_ = false;
  bool kept_all_ = true;
  bool retried_ = false;
  bool blocked_ = false;
  bool response_begun_ = false;
  bool response_over_ = false;  // of a tunnel whose request goes on
  bool refused_ = false;        // what is still given of the request is for nobody
  Tunnel tunnel_ = Tunnel::kNone;
};

}  // namespace weir::upstream
