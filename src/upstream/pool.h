// Pool: the connections of one worker to one endpoint of one cluster, and the requests that wait for one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>
#include <weir/result.h>

#include "event/loop.h"
#include "net/address.h"
#include "net/connection.h"
#include "upstream/failure.h"
#include "upstream/shared_state.h"

namespace weir::upstream {

class Cluster;
class Pool;
class UpstreamConnection;
class UpstreamStream;

/// What the connections of a pool speak. kAuto: what each agrees on by ALPN.
enum class PoolProtocol : uint8_t { kHttp1, kHttp2, kAuto };
class TcpConnection;

/// Who wants a connection. At most one of the two calls comes, from the loop; after cancel (Pool::cancel or destruction) none.
class PoolWaiter {
 public:
  PoolWaiter() = default;
  PoolWaiter(const PoolWaiter&) = delete;
  PoolWaiter& operator=(const PoolWaiter&) = delete;
  /// The stream is the waiter's; it starts its exchange now.
  virtual void on_connection_ready(UpstreamStream& stream) noexcept = 0;
  virtual void on_connection_failed(Failure failure) noexcept = 0;
  bool waiting() const noexcept { return pool_ != nullptr; }

 protected:
  ~PoolWaiter();

 private:
  friend class Pool;
  Pool* pool_ = nullptr;  // while in its queue
  PoolWaiter* next_ = nullptr;
  PoolWaiter* prev_ = nullptr;
  Priority priority_ = Priority::kDefault;
};

/// Whom alone the connections of a pool are for; nothing set: they are for everybody.
struct PoolUse {
  std::string_view host{};             // requests for this one (auto_sni)
  std::string_view header{};           // the PROXY protocol header that names one client
  std::weak_ptr<const void> client{};  // ConnectionInfo::presence of whose header it is
  bool header_incomplete = false;
};

/// What makes endpoints of two sets the same one: the address, or the name that it goes by.
std::string endpoint_key(const EndpointOptions& endpoint);

/// Owner: its Cluster. Thread: the worker's. Dies when it is draining and nothing is left in it.
/// An HTTP/1 connection carries one exchange at a time, an HTTP/2 connection as many as both sides allow: usually one is enough.
/// The one that was used last is used next, so that surplus ones reach their idle timeout.
class Pool {
 public:
  Pool(Cluster& cluster, const EndpointOptions& endpoint, PoolProtocol protocol);
  /// The connections to the endpoint of `base` that are not for everybody.
  Pool(Pool& base, const PoolUse& use);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  enum class Wanted : uint8_t { kAny, kFresh };  // kFresh: not one that has been used
  struct Acquired {
    UpstreamStream* stream = nullptr;  // the caller's; null: waits, or failed
    bool failed = false;
    Failure failure{};
  };
  /// A connection now, or the waiter is queued (FIFO), or a failure. Never calls the waiter.
  Acquired acquire(PoolWaiter& waiter, Priority priority, Wanted wanted);
  void cancel(PoolWaiter& waiter) noexcept;  // no-op if it does not wait

  /// Requests on connections and waiting for one: what LEAST_REQUEST compares.
  size_t load() const noexcept { return active_requests_ + waiters_ + named_load_; }
  uint32_t active_requests() const noexcept { return active_requests_; }
  /// How the answer counts in /clusters.
  void request_outcome(bool success) noexcept { ++(success ? succeeded_ : errored_); }
  void request_timed_out() noexcept { ++timed_out_; }

  /// Takes no new requests; idle connections close now, others with their exchange.
  void start_draining();
  void stop_draining() noexcept { draining_ = false; }
  bool draining() const noexcept { return draining_; }
  void close_idle();
  /// The connections that there are serve what they are lent for and no more.
  void retire_connections();
  bool unused() const noexcept {
    return connections_.empty() && first_waiter_ == nullptr && active_requests_ == 0;  // TCP's too
  }

  PoolProtocol protocol() const noexcept { return protocol_; }
  /// Whether its connections are not for everybody; false for a base.
  bool named() const noexcept { return !host_.empty() || !header_.empty(); }
  /// Of a named pool; null otherwise, and when the base has gone.
  const Pool* base() const noexcept { return base_; }
  const std::string& host() const noexcept { return host_; }
  bool for_client() const noexcept { return !header_.empty(); }
  /// Of a pool for a client: the connection that used it last.
  void set_client(std::weak_ptr<const void> client) noexcept { client_ = std::move(client); }
  bool client_gone() const noexcept { return client_.expired(); }
  /// Of a named pool: where the base goes now.
  void follow_base();
  const net::Address& address() const noexcept { return address_; }
  /// For TLS: the endpoint's host name, or its IP address.
  std::string tls_name() const;
  /// Begins to connect to the endpoint by the cluster's options, or to whichever of its addresses answers first; through its
  /// transport socket, for which `hints` say what the user of the connection knows.
  Result<std::unique_ptr<net::Connection>> open_socket(net::TransportHints hints) const;
  /// The endpoint_key() of its endpoint.
  std::string key() const;
  /// New connections go where the endpoint is now. Requires: it has the same key.
  void follow(const EndpointOptions& endpoint);
  const std::string& address_text() const noexcept { return address_text_; }
  Cluster& cluster() noexcept { return cluster_; }
  size_t size() const noexcept { return connections_.size() + tcp_; }
  struct Totals {
    uint64_t connections = 0, connect_failures = 0, requests = 0, succeeded = 0, errored = 0,
             timed_out = 0;
  };
  Totals totals() const noexcept {
    return {total_connections_, connect_failures_, total_requests_,
            succeeded_,         errored_,          timed_out_};
  }

  // For UpstreamConnection alone.
  void on_connected(UpstreamConnection& connection);
  void on_connect_failed(UpstreamConnection& connection, const Error& error);
  /// The exchange on it is over. It is pooled, or closed when it has not earned that.
  void give_back(UpstreamConnection& connection, bool reusable);
  /// HTTP/2: the loan of one stream is over / what has become of the connection is to be looked at.
  void end_stream(UpstreamConnection& connection, UpstreamStream& stream);
  void settle(UpstreamConnection& connection);
  /// Forgets it; it is destroyed at the end of the turn. `why` is for the log.
  enum class ClosedBy : uint8_t { kLocal, kRemote };
  void remove(UpstreamConnection& connection, ClosedBy by, std::string_view why);

  // For TcpConnection alone: connections that are never pooled. Each counts as a request too.
  void tcp_begins() noexcept;
  void tcp_connect_failed() noexcept { ++connect_failures_; }
  void tcp_ends() noexcept;
  /// Keeps it until what was written is sent; then it says tcp_flushed().
  void flush_tcp(std::unique_ptr<TcpConnection> connection);
  void tcp_flushed(TcpConnection& connection);

 private:
  static constexpr size_t kKeptStreams = 256;
  Result<void> connect(Priority priority);
  bool take_connection_slot(Priority priority);
  UpstreamConnection* available();
  UpstreamStream* lend(UpstreamConnection& connection, Priority priority);
  UpstreamStream& add_stream(UpstreamConnection& connection);
  void end_loan(UpstreamConnection& connection, UpstreamStream& stream) noexcept;
  size_t wanted_connections() const noexcept;
  void offer(UpstreamConnection& connection);
  void enqueue(PoolWaiter& waiter, Priority priority);
  PoolWaiter* dequeue() noexcept;
  void unlink(PoolWaiter& waiter) noexcept;
  void push_idle(UpstreamConnection& connection) noexcept;
  void unlink_idle(UpstreamConnection& connection) noexcept;
  void connect_for_waiters();
  void log_overflow(std::string_view limit, Priority priority, uint32_t max) const;
  void fail_waiters(const Failure& failure);
  static void on_end_of_turn(void* self) noexcept;
  void begin_with_header(net::Connection& connection, std::unique_ptr<net::Transport>& transport,
                         const ConnectionInfo* downstream) const;
  void leave_base() noexcept;

  Cluster& cluster_;
  const PoolProtocol protocol_;
  net::Address address_;
  std::string address_text_;
  Pool* base_ = nullptr;
  std::string host_;
  std::string header_;
  bool header_incomplete_ = false;
  std::weak_ptr<const void> client_;
  std::vector<Pool*> named_;  // whose base this is; each knows its index
  size_t named_index_ = 0;
  size_t named_load_ = 0;  // of all of them
  std::string hostname_;
  std::string name_;  // of a host that moves from address to address; empty: it does not
  uint16_t port_ = 0;
  std::vector<net::Address> order_;  // in which addresses are tried, if there are several
  std::vector<std::unique_ptr<UpstreamConnection>> connections_;  // a connection knows its index
  UpstreamConnection* last_idle_ = nullptr;  // a stack of those with room, linked both ways
  std::vector<std::unique_ptr<UpstreamStream>> free_streams_;  // to be used again
  size_t tcp_ = 0;
  std::vector<std::unique_ptr<TcpConnection>> flushing_;
  size_t connecting_ = 0;
  PoolWaiter* first_waiter_ = nullptr;
  PoolWaiter* last_waiter_ = nullptr;
  size_t waiters_ = 0;
  bool draining_ = false;
  bool one_each_ =
      false;  // kAuto: the last connection was of HTTP/1, where each request needs its own
  event::EndOfTurn
      end_of_turn_;  // connects for waiters and tells the cluster that nothing is left, outside of callbacks
  uint32_t active_requests_ = 0;
  uint64_t total_requests_ = 0, total_connections_ = 0, connect_failures_ = 0;
  uint64_t succeeded_ = 0, errored_ = 0, timed_out_ = 0;
};

}  // namespace weir::upstream
