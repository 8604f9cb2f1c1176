#include "upstream/tcp_connection.h"

#include <utility>

#include "base/log.h"

namespace weir::upstream {
namespace {

Thresholds limits_of(Cluster& cluster) { return cluster.thresholds(Priority::kDefault); }
Breaker& breaker_of(Cluster& cluster) {
  return cluster.state().breakers(Priority::kDefault).connections;
}

uint64_t since(MonotonicTime then, event::Loop& loop) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(loop.now() - then).count());
}

}  // namespace

TcpConnection::TcpConnection(Pool& pool, TcpUser& user, std::unique_ptr<net::Connection> connection)
    : pool_(pool),
      host_text_(pool.address_text()),
      user_(&user),
      connection_(std::move(connection)),
      since_(pool.cluster().loop().now()) {
  connection_->set_sink(*this);
}

TcpConnection::Started TcpConnection::connect(Cluster& cluster, TcpUser& user,
                                              const HostChoice& choice,
                                              const ConnectionInfo& downstream) {
  PickContext context;
  if (downstream.local_address_restored) context.original_destination = downstream.local_address;
  context.choice = choice;
  Pool* pool = cluster.pick(context);
  if (pool != nullptr) return connect_to(*pool, user, &downstream);
  cluster.stats().cx_none_healthy.inc();
  return {nullptr, Failure{FailureKind::kNoHealthyHost}};
}

TcpConnection::Started TcpConnection::connect_to(Pool& pool, TcpUser& user,
                                                 const ConnectionInfo* downstream) {
  Started out;
  Cluster& cluster = pool.cluster();
  ClusterStats& stats = cluster.stats();
  const Thresholds& limits = limits_of(cluster);
  if (!breaker_of(cluster).try_take(limits.max_connections, limits.track_remaining)) {
    stats.cx_overflow.inc();
    out.failure = Failure{FailureKind::kOverflow};
    return out;
  }
  net::TransportHints hints;
  hints.downstream = downstream;
  auto connected = pool.open_socket(std::move(hints));
  if (!connected) {
    breaker_of(cluster).give_back(limits.max_connections, limits.track_remaining);
    stats.cx_connect_fail.inc();
    out.failure = Failure{FailureKind::kLocalConnectFailure, std::move(connected.error().detail)};
    return out;
  }
  pool.tcp_begins();
  stats.cx_total.inc();
  stats.cx_active.inc();
  stats.rq_total.inc();
  stats.rq_active.inc();
  out.connection.reset(new TcpConnection(pool, user, std::move(*connected)));
  WEIR_LOG(kUpstream, kDebug, "connecting",
           {{"upstream_connection", out.connection->connection_->id()},
            {"cluster", cluster.options().name},
            {"upstream", pool.address_text()}});
  return out;
}

TcpConnection::~TcpConnection() { closed(ClosedBy::kLocal); }

void TcpConnection::on_connected() {
  state_ = State::kOpen;
  Cluster& cluster = pool_.cluster();
  cluster.stats().cx_connect_ms.record(since(since_, cluster.loop()));
  if (user_ != nullptr) user_->on_tcp_connected();
}

void TcpConnection::on_data(Buffer& in, net::ReadEnd end) {
  pool_.cluster().stats().cx_rx_bytes_total.add(in.size());
  if (user_ == nullptr) return in.clear();
  user_->on_tcp_data(in, end);
}

void TcpConnection::write(Buffer&& data) {
  pool_.cluster().stats().cx_tx_bytes_total.add(data.size());
  connection_->write(std::move(data));
}

void TcpConnection::on_write_blocked() {
  if (user_ != nullptr) user_->on_tcp_blocked();
}

void TcpConnection::on_write_resumed() {
  if (user_ != nullptr) user_->on_tcp_resumed();
}

void TcpConnection::hold_reading() {
  if (std::exchange(held_, true)) return;
  pool_.cluster().stats().flow_control_paused_reading.inc();
  connection_->hold_reading();
}

void TcpConnection::release_reading() {
  if (!std::exchange(held_, false)) return;
  pool_.cluster().stats().flow_control_resumed_reading.inc();
  connection_->release_reading();
}

void TcpConnection::on_error(const Error& error) {
  const bool established = state_ == State::kOpen;
  if (!established) {
    ClusterStats& stats = pool_.cluster().stats();
    stats.cx_connect_fail.inc();
    pool_.tcp_connect_failed();
    if (error.code == Code::kConnectTimeout) stats.cx_connect_timeout.inc();
  }
  TcpUser* user = std::exchange(user_, nullptr);
  closed(user == nullptr ? ClosedBy::kLocal : ClosedBy::kRemote);
  if (user == nullptr) return pool_.tcp_flushed(*this);
  if (established) return user->on_tcp_closed(error);
  user->on_tcp_failed({error.code == Code::kConnectTimeout ? FailureKind::kConnectTimeout
                                                           : FailureKind::kRemoteConnectFailure,
                       shown_reason(error.detail)});
}

void TcpConnection::closed(ClosedBy by) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  connection_->close();
  Cluster& cluster = pool_.cluster();
  ClusterStats& stats = cluster.stats();
  stats.cx_destroy.inc();
  (by == ClosedBy::kLocal ? stats.cx_destroy_local : stats.cx_destroy_remote).inc();
  stats.cx_active.dec();
  stats.rq_active.dec();
  stats.cx_length_ms.record(since(since_, cluster.loop()));
  const Thresholds& limits = limits_of(cluster);
  breaker_of(cluster).give_back(limits.max_connections, limits.track_remaining);
  WEIR_LOG(kUpstream, kDebug, "upstream connection closed",
           {{"upstream_connection", connection_->id()},
            {"cluster", cluster.options().name},
            {"upstream", host_text_},
            {"by", by == ClosedBy::kLocal ? "weir" : "upstream"}});
  pool_.tcp_ends();
}

void TcpConnection::release(std::unique_ptr<TcpConnection> connection, How how) {
  if (connection == nullptr) return;
  connection->user_ = nullptr;
  event::Loop& loop = connection->pool_.cluster().loop();
  if (connection->state_ == State::kOpen && how == How::kFlush) {
    TcpConnection& flushing = *connection;
    flushing.connection_->close_gracefully(std::chrono::milliseconds(0));
    return flushing.pool_.flush_tcp(std::move(connection));
  }
  if (connection->state_ != State::kClosed && how == How::kReset)
    connection->connection_->close(net::Connection::How::kReset);
  connection->closed(ClosedBy::kLocal);
  loop.defer_delete(std::move(connection));
}

}  // namespace weir::upstream
