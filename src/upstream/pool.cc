#include "upstream/pool.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "upstream/cluster.h"
#include "upstream/connection.h"
#include "upstream/tcp_connection.h"

namespace weir::upstream {

PoolWaiter::~PoolWaiter() {
  if (pool_ != nullptr) pool_->cancel(*this);
}

Pool::Pool(Cluster& cluster, const EndpointOptions& endpoint, PoolProtocol protocol)
    : cluster_(cluster),
      protocol_(protocol),
      address_(endpoint.address),
      address_text_(endpoint.address.to_string()),
      hostname_(endpoint.hostname),
      name_(endpoint.name),
      port_(endpoint.port),
      end_of_turn_(cluster.loop(), &Pool::on_end_of_turn, this) {}

Pool::~Pool() {
  while (dequeue() != nullptr) {
  }
  flushing_.clear();
  while (!connections_.empty()) remove(*connections_.back(), ClosedBy::kLocal, "the pool ends");
  leave_base();
}

std::string endpoint_key(const EndpointOptions& endpoint) {
  return endpoint.name.empty() ? endpoint.address.to_string()
                               : endpoint.name + "/" + std::to_string(endpoint.port);
}

std::string Pool::key() const {
  return name_.empty() ? address_text_ : name_ + "/" + std::to_string(port_);
}

std::string Pool::tls_name() const {
  if (!hostname_.empty()) return hostname_;
  if (!name_.empty()) return name_;
  return address_.is_unix() ? std::string() : address_.ip_text();
}

void Pool::follow(const EndpointOptions& endpoint) {
  hostname_ = endpoint.hostname;
  order_.clear();
  if (!endpoint.additional_addresses.empty())
    order_ = connect_order(endpoint, cluster_.options().happy_eyeballs);
  if (address_ == endpoint.address) return;
  address_ = endpoint.address;
  address_text_ = address_.to_string();
}

Result<std::unique_ptr<net::Connection>> Pool::open_socket(net::TransportHints hints) const {
  const ClusterOptions& options = cluster_.options();
  net::ConnectionOptions socket;
  socket.buffer_limit = options.buffer_limit;
  socket.keepalive_time_s = options.keepalive_time_s;
  socket.keepalive_interval_s = options.keepalive_interval_s;
  socket.keepalive_probes = options.keepalive_probes;
  net::ConnectPlan plan;
  if (options.source.raw_size() != 0) plan.source = &options.source;
  plan.freebind = options.source_freebind;
  if (!order_.empty()) plan.more = std::span(order_).subspan(1);
  WEIR_TRY(connection,
           net::Connection::connect(cluster_.loop(), order_.empty() ? address_ : order_.front(),
                                    options.connect_timeout, socket, plan));
  std::unique_ptr<net::Transport> transport;
  if (options.transport != nullptr) {
    hints.peer_name = tls_name();
    hints.tls_stats = cluster_.tls_stats();
    transport = options.transport->make(hints);
  }
  if (options.proxy_header) [[unlikely]]
    begin_with_header(*connection, transport, hints.downstream);
  if (transport != nullptr) connection->set_transport(std::move(transport));
  return std::move(connection);
}

Pool::Acquired Pool::acquire(PoolWaiter& waiter, Priority priority, Wanted wanted) {
  ClusterStats& stats = cluster_.stats();
  if (UpstreamConnection* connection = wanted == Wanted::kAny ? available() : nullptr) {
    UpstreamStream* stream = lend(*connection, priority);
    if (stream == nullptr) return {nullptr, true, {FailureKind::kOverflow}};
    return {stream};
  }
  const Thresholds& limits = cluster_.thresholds(priority);
  if (!cluster_.state().breakers(priority).pending.try_take(limits.max_pending_requests,
                                                            limits.track_remaining)) {
    stats.rq_pending_overflow.inc();
    log_overflow("max_pending_requests", priority, limits.max_pending_requests);
    return {nullptr, true, {FailureKind::kOverflow}};
  }
  stats.rq_pending_total.inc();
  enqueue(waiter, priority);
  WEIR_LOG(kPool, kTrace, "request waits for a connection",
           {{"cluster", cluster_.options().name},
            {"upstream", address_text_},
            {"waiting", waiters_},
            {"connections", connections_.size()},
            {"connecting", connecting_}});
  if (connecting_ >= wanted_connections() || !take_connection_slot(priority)) return {};
  if (auto connected = connect(priority); !connected && connections_.empty()) {
    // Nothing is under way that the waiter could wait for. With other connections it waits for one of them: a
    // process that is out of file descriptors still serves.
    unlink(waiter);
    return {
        nullptr, true, {FailureKind::kLocalConnectFailure, std::move(connected.error().detail)}};
  }
  return {};
}

/// The connection that the next request goes to; null: none has room.
UpstreamConnection* Pool::available() {
  while (last_idle_ != nullptr && last_idle_->multiplexed() && !last_idle_->has_room())
    settle(*last_idle_);
  return last_idle_;
}

/// How many must be on their way for those that wait. The first says how many requests it really takes.
size_t Pool::wanted_connections() const noexcept {
  if (protocol_ == PoolProtocol::kHttp1 || one_each_) return waiters_;
  const size_t streams = std::max<size_t>(cluster_.options().http.http2.max_concurrent_streams, 1);
  return (waiters_ + streams - 1) / streams;
}

void Pool::cancel(PoolWaiter& waiter) noexcept {
  if (waiter.pool_ != this) return;
  unlink(waiter);
  if (draining_) end_of_turn_.schedule();
}

bool Pool::take_connection_slot(Priority priority) {
  const Thresholds& limits = cluster_.thresholds(priority);
  Breaker& breaker = cluster_.state().breakers(priority).connections;
  if (breaker.try_take(limits.max_connections, limits.track_remaining)) return true;
  cluster_.stats().cx_overflow.inc();
  log_overflow("max_connections", priority, limits.max_connections);
  if (!connections_.empty()) return false;
  // The other hosts have used the limit up. A pool without any connection could never serve its waiters.
  breaker.take(limits.max_connections, limits.track_remaining);
  return true;
}

/// Requires: a slot was taken; gives it back on failure.
Result<void> Pool::connect(Priority priority) {
  ClusterStats& stats = cluster_.stats();
  auto connection = UpstreamConnection::connect(*this, priority);
  if (!connection) {
    ++connect_failures_;
    stats.cx_connect_fail.inc();
    WEIR_LOG(kUpstream, kDebug, "no connection can be opened",
             {{"cluster", cluster_.options().name},
              {"upstream", address_text_},
              {"why", connection.error().detail}});
    const Thresholds& limits = cluster_.thresholds(priority);
    cluster_.state().breakers(priority).connections.give_back(limits.max_connections,
                                                              limits.track_remaining);
    return fail(std::move(connection.error()));
  }
  stats.cx_total.inc();
  if (protocol_ != PoolProtocol::kAuto)
    (protocol_ == PoolProtocol::kHttp1 ? stats.cx_http1_total : stats.cx_http2_total).inc();
  stats.cx_active.inc();
  ++total_connections_;
  ++connecting_;
  (*connection)->index_ = connections_.size();
  WEIR_LOG(kUpstream, kDebug, "connecting",
           {{"upstream_connection", (*connection)->id()},
            {"cluster", cluster_.options().name},
            {"upstream", address_text_}});
  connections_.push_back(std::move(*connection));
  return {};
}

/// Null: a circuit breaker is open.
UpstreamStream* Pool::lend(UpstreamConnection& connection, Priority priority) {
  const Thresholds& limits = cluster_.thresholds(priority);
  ClusterStats& stats = cluster_.stats();
  if (!cluster_.state().breakers(priority).requests.try_take(limits.max_requests,
                                                             limits.track_remaining)) {
    stats.rq_pending_overflow.inc();
    log_overflow("max_requests", priority, limits.max_requests);
    return nullptr;
  }
  UpstreamStream* stream = &connection.own_;
  if (connection.multiplexed_)
    stream = &add_stream(connection);
  else
    unlink_idle(connection);
  stream->attach(connection, priority);
  connection.state_ = UpstreamConnection::State::kLent;
  stats.rq_total.inc();
  stats.rq_active.inc();
  ++active_requests_;
  if (base_ != nullptr) ++base_->named_load_;
  ++total_requests_;
  WEIR_LOG(kPool, kTrace, "connection lent",
           {{"upstream_connection", connection.id()},
            {"cluster", cluster_.options().name},
            {"upstream", address_text_},
            {"served", connection.served_}});
  return stream;
}

UpstreamStream& Pool::add_stream(UpstreamConnection& connection) {
  auto& streams = connection.streams_;
  if (free_streams_.empty()) {
    streams.push_back(std::make_unique<UpstreamStream>());
  } else {
    streams.push_back(std::move(free_streams_.back()));
    free_streams_.pop_back();
  }
  streams.back()->index_ = streams.size() - 1;
  return *streams.back();
}

void Pool::end_stream(UpstreamConnection& connection, UpstreamStream& stream) {
  end_loan(connection, stream);
  auto& streams = connection.streams_;
  const size_t index = stream.index_;
  std::unique_ptr<UpstreamStream> gone = std::move(streams[index]);
  if (index + 1 != streams.size()) {
    streams[index] = std::move(streams.back());
    streams[index]->index_ = index;
  }
  streams.pop_back();
  if (free_streams_.size() < kKeptStreams) free_streams_.push_back(std::move(gone));
}

void Pool::settle(UpstreamConnection& connection) {
  using State = UpstreamConnection::State;
  if (connection.state_ == State::kClosed) return;
  if (first_waiter_ != nullptr && connection.has_room()) return offer(connection);
  const bool idle = connection.streams_.empty();
  if (const char* why = connection.retirement()) {
    if (idle) {
      ClusterStats& stats = cluster_.stats();
      if (connection.expired())
        stats.cx_max_duration_reached.inc();
      else if (!connection.codec_->draining())
        stats.cx_max_requests.inc();
      return remove(connection, ClosedBy::kLocal, why);
    }
    return unlink_idle(connection);
  }
  if (idle && (draining_ || cluster_.closes_idle()))
    return remove(connection, ClosedBy::kLocal, "the endpoint is no longer configured");
  if (idle && (connection.state_ == State::kLent || !connection.listed_)) {
    connection.state_ = State::kIdle;
    connection.arm_idle_timer();
  }
  if (!connection.has_room())
    unlink_idle(connection);
  else if (!connection.listed_)
    push_idle(connection);
}

void Pool::end_loan(UpstreamConnection& connection, UpstreamStream& stream) noexcept {
  const Thresholds& limits = cluster_.thresholds(stream.priority_);
  cluster_.state()
      .breakers(stream.priority_)
      .requests.give_back(limits.max_requests, limits.track_remaining);
  cluster_.stats().rq_active.dec();
  --active_requests_;
  if (base_ != nullptr) --base_->named_load_;
  ++connection.served_;
}

void Pool::on_connected(UpstreamConnection& connection) {
  --connecting_;
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
                        cluster_.loop().now() - connection.connecting_since_)
                        .count();
  cluster_.stats().cx_connect_ms.record(static_cast<uint64_t>(took));
  WEIR_LOG(kUpstream, kDebug, "connected",
           {{"upstream_connection", connection.id()},
            {"cluster", cluster_.options().name},
            {"upstream", address_text_},
            {"took_ms", took}});
  if (protocol_ == PoolProtocol::kAuto) {
    ClusterStats& stats = cluster_.stats();
    one_each_ = !connection.multiplexed_;
    (one_each_ ? stats.cx_http1_total : stats.cx_http2_total).inc();
    if (first_waiter_ != nullptr) end_of_turn_.schedule();
  }
  connection.state_ = UpstreamConnection::State::kIdle;
  offer(connection);
}

void Pool::on_connect_failed(UpstreamConnection& connection, const Error& error) {
  ClusterStats& stats = cluster_.stats();
  ++connect_failures_;
  stats.cx_connect_fail.inc();
  const bool timeout = error.code == Code::kConnectTimeout;
  if (timeout) stats.cx_connect_timeout.inc();
  Failure failure{timeout ? FailureKind::kConnectTimeout : FailureKind::kRemoteConnectFailure,
                  shown_reason(error.detail)};
  remove(connection, timeout ? ClosedBy::kLocal : ClosedBy::kRemote,
         timeout ? std::string_view("connect timeout") : std::string_view(error.detail));
  fail_waiters(failure);
}

/// The connection has no loan: the first waiter gets it, or it becomes idle.
void Pool::offer(UpstreamConnection& connection) {
  while (first_waiter_ != nullptr && (!connection.multiplexed_ || connection.has_room())) {
    PoolWaiter* waiter = dequeue();
    if (UpstreamStream* stream = lend(connection, waiter->priority_)) {
      waiter->on_connection_ready(*stream);
      if (!connection.multiplexed_) return;
    } else {
      waiter->on_connection_failed({FailureKind::kOverflow});
    }
  }
  if (connection.multiplexed_) return settle(connection);
  if (draining_ || cluster_.closes_idle()) {
    remove(connection, ClosedBy::kLocal, "the endpoint is no longer configured");
    return;
  }
  push_idle(connection);
  connection.arm_idle_timer();
}

void Pool::give_back(UpstreamConnection& connection, bool reusable) {
  std::string_view why = "the exchange leaves it unfit for another";
  end_loan(connection, connection.own_);
  connection.state_ = UpstreamConnection::State::kIdle;
  const UpstreamHttpOptions& limits = cluster_.options().http;
  if (reusable && limits.max_requests_per_connection > 0 &&
      connection.served_ >= limits.max_requests_per_connection) {
    cluster_.stats().cx_max_requests.inc();
    reusable = false;
    why = "max_requests_per_connection";
  }
  if (reusable && connection.expires_ != MonotonicTime{} &&
      connection.expires_ <= cluster_.loop().now()) {
    cluster_.stats().cx_max_duration_reached.inc();
    reusable = false;
    why = "max_connection_duration";
  }
  if (reusable && connection.stale_) {
    reusable = false;
    why = "the transport socket is another now";
  }
  if (reusable) {
    offer(connection);
  } else {
    remove(connection, ClosedBy::kLocal, why);
  }
}

void Pool::remove(UpstreamConnection& connection, ClosedBy by, std::string_view why) {
  using State = UpstreamConnection::State;
  ClusterStats& stats = cluster_.stats();
  const auto lived = std::chrono::duration_cast<std::chrono::milliseconds>(
                         cluster_.loop().now() - connection.connecting_since_)
                         .count();
  WEIR_LOG(
      kUpstream, kDebug,
      connection.state_ == State::kConnecting ? "connect failed" : "upstream connection closed",
      {{"upstream_connection", connection.id()},
       {"cluster", cluster_.options().name},
       {"upstream", address_text_},
       {"by", by == ClosedBy::kLocal ? "weir" : "upstream"},
       {"why", why},
       {"requests", connection.served_},
       {"under_way", connection.state_ == State::kLent},
       {"duration_ms", lived}});
  if (connection.state_ == State::kConnecting) --connecting_;
  unlink_idle(connection);
  if (connection.state_ == State::kLent) {
    if (!connection.multiplexed_) end_loan(connection, connection.own_);
    for (const auto& stream : connection.streams_) end_loan(connection, *stream);
    stats.cx_destroy_with_active_rq.inc();
    (by == ClosedBy::kLocal ? stats.cx_destroy_local_with_active_rq
                            : stats.cx_destroy_remote_with_active_rq)
        .inc();
  }
  connection.state_ = State::kClosed;
  connection.idle_timer_.cancel();
  if (connection.keepalive_) connection.keepalive_->stop();
  connection.transport_->close();
  stats.cx_destroy.inc();
  (by == ClosedBy::kLocal ? stats.cx_destroy_local : stats.cx_destroy_remote).inc();
  stats.cx_active.dec();
  stats.cx_length_ms.record(static_cast<uint64_t>(lived));
  const Thresholds& limits = cluster_.thresholds(connection.connection_priority_);
  cluster_.state()
      .breakers(connection.connection_priority_)
      .connections.give_back(limits.max_connections, limits.track_remaining);
  const size_t index = connection.index_;
  std::unique_ptr<UpstreamConnection> dying = std::move(connections_[index]);
  if (index + 1 < connections_.size()) {
    connections_[index] = std::move(connections_.back());
    connections_[index]->index_ = index;
  }
  connections_.pop_back();
  cluster_.loop().defer_delete(std::move(dying));
  if (first_waiter_ != nullptr || draining_) end_of_turn_.schedule();
}

void Pool::on_end_of_turn(void* self) noexcept {
  auto& pool = *static_cast<Pool*>(self);
  pool.connect_for_waiters();
  if (pool.draining_ && pool.unused()) pool.cluster_.pool_unused();
}

void Pool::connect_for_waiters() {
  while (connecting_ < wanted_connections()) {
    const Priority priority = first_waiter_->priority_;
    if (!take_connection_slot(priority)) return;
    auto connected = connect(priority);
    if (connected) continue;
    if (connections_.empty())
      fail_waiters({FailureKind::kLocalConnectFailure, connected.error().detail});
    return;
  }
}

void Pool::fail_waiters(const Failure& failure) {
  // Who queues up anew from inside a callback is not failed with these.
  for (size_t left = waiters_; left > 0 && first_waiter_ != nullptr; --left) {
    cluster_.stats().rq_pending_failure_eject.inc();
    dequeue()->on_connection_failed(failure);
  }
}

void Pool::start_draining() {
  draining_ = true;
  for (Pool* each : named_) each->start_draining();
  close_idle();
  end_of_turn_.schedule();
}

void Pool::retire_connections() {
  for (const auto& connection : connections_) connection->stale_ = true;
  close_idle();
}

void Pool::close_idle() {
  for (UpstreamConnection* next = last_idle_; next != nullptr;) {
    UpstreamConnection& connection = *next;
    next = connection.idle_below_;
    if (connection.state_ == UpstreamConnection::State::kIdle)
      remove(connection, ClosedBy::kLocal, "the endpoint is no longer configured");
  }
}

void Pool::log_overflow(std::string_view limit, Priority priority, uint32_t max) const {
  WEIR_LOG(kPool, kDebug, "circuit breaker is open",
           {{"cluster", cluster_.options().name},
            {"upstream", address_text_},
            {"limit", limit},
            {"max", max},
            {"priority", priority == Priority::kHigh ? "high" : "default"}});
}

void Pool::enqueue(PoolWaiter& waiter, Priority priority) {
  waiter.pool_ = this;
  waiter.priority_ = priority;
  waiter.next_ = nullptr;
  waiter.prev_ = last_waiter_;
  (last_waiter_ != nullptr ? last_waiter_->next_ : first_waiter_) = &waiter;
  last_waiter_ = &waiter;
  ++waiters_;
  if (base_ != nullptr) ++base_->named_load_;
  cluster_.stats().rq_pending_active.inc();
}

PoolWaiter* Pool::dequeue() noexcept {
  PoolWaiter* waiter = first_waiter_;
  if (waiter != nullptr) unlink(*waiter);
  return waiter;
}

void Pool::unlink(PoolWaiter& waiter) noexcept {
  (waiter.prev_ != nullptr ? waiter.prev_->next_ : first_waiter_) = waiter.next_;
  (waiter.next_ != nullptr ? waiter.next_->prev_ : last_waiter_) = waiter.prev_;
  waiter.next_ = waiter.prev_ = nullptr;
  waiter.pool_ = nullptr;
  --waiters_;
  if (base_ != nullptr) --base_->named_load_;
  cluster_.stats().rq_pending_active.dec();
  const Thresholds& limits = cluster_.thresholds(waiter.priority_);
  cluster_.state()
      .breakers(waiter.priority_)
      .pending.give_back(limits.max_pending_requests, limits.track_remaining);
}

void Pool::push_idle(UpstreamConnection& connection) noexcept {
  connection.listed_ = true;
  connection.idle_below_ = last_idle_;
  connection.idle_above_ = nullptr;
  if (last_idle_ != nullptr) last_idle_->idle_above_ = &connection;
  last_idle_ = &connection;
}

void Pool::unlink_idle(UpstreamConnection& connection) noexcept {
  if (!std::exchange(connection.listed_, false)) return;
  if (connection.idle_above_ != nullptr)
    connection.idle_above_->idle_below_ = connection.idle_below_;
  if (connection.idle_below_ != nullptr)
    connection.idle_below_->idle_above_ = connection.idle_above_;
  if (last_idle_ == &connection) last_idle_ = connection.idle_below_;
  connection.idle_above_ = connection.idle_below_ = nullptr;
}

}  // namespace weir::upstream
