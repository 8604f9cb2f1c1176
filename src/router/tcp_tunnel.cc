#include "router/tcp_tunnel.h"

#include <utility>

namespace weir::router {

using upstream::TcpConnection;

std::optional<upstream::Failure> TcpTunnel::start(upstream::Cluster& cluster, EndStream end) {
  request_over_ = end == EndStream::kYes;
  static const ConnectionInfo kUnknown;
  const ConnectionInfo& downstream = info_.connection != nullptr ? *info_.connection : kUnknown;
  TcpConnection::Started started = TcpConnection::connect(cluster, *this, {}, downstream);
  connection_ = std::move(started.connection);
  return std::move(started.failure);
}

void TcpTunnel::on_tcp_connected() {
  info_.upstream_local_address = connection_->local_text();
  info_.upstream_first_tx = connection_->cluster().loop().now();
  ++info_.upstream_attempt_count;
  if (options_.proxy_header) {
    net::ClientHeader header = net::client_header(*options_.proxy_header, info_.connection);
    connection_->write(Buffer(header.bytes));
  }
  if (!waiting_.empty()) connection_->write(std::move(waiting_));
  if (request_over_) connection_->half_close();
  if (!connection_->write_blocked()) unblock();
  ResponseHead& head = sink_.exchange_head();
  head.clear();
  head.status = 200;
  sink_.on_exchange_head(0, EndStream::kNo);
}

void TcpTunnel::send_body(Buffer& data, EndStream end) {
  if (connection_ == nullptr || request_over_) return data.clear();
  request_over_ = end == EndStream::kYes;
  if (!connection_->established()) {
    waiting_.append(std::move(data));
    if (waiting_.size() > connection_->cluster().options().buffer_limit) block();
    return;
  }
  if (!data.empty()) connection_->write(std::move(data));
  data.clear();
  if (!request_over_) return;
  connection_->half_close();
  if (response_over_) finish();
}

void TcpTunnel::send_trailers(HeaderMap&) {
  Buffer nothing;
  send_body(nothing, EndStream::kYes);
}

void TcpTunnel::on_tcp_data(Buffer& data, net::ReadEnd end) {
  response_over_ = end == net::ReadEnd::kYes;
  sink_.on_exchange_body(data, response_over_ ? EndStream::kYes : EndStream::kNo);
  data.clear();
  if (response_over_ && request_over_ && connection_ != nullptr) finish();
}

/// What was written is still sent.
void TcpTunnel::finish() {
  TcpConnection::release(std::move(connection_), TcpConnection::How::kFlush);
  unblock();
}

void TcpTunnel::on_tcp_failed(upstream::Failure failure) {
  TcpConnection::release(std::move(connection_), TcpConnection::How::kNow);
  waiting_.clear();
  unblock();
  sink_.on_exchange_failed(failure);
}

void TcpTunnel::on_tcp_closed(const Error&) {
  TcpConnection::release(std::move(connection_), TcpConnection::How::kNow);
  unblock();
  sink_.on_exchange_failed({upstream::FailureKind::kConnectionTermination});
}

/// The upstream must not take what it has for all there is; of what it sends nobody hears.
void TcpTunnel::cancel() noexcept {
  if (connection_ == nullptr) return;
  const bool whole = request_over_ && response_over_;
  const auto how = whole ? TcpConnection::How::kFlush : TcpConnection::How::kReset;
  TcpConnection::release(std::move(connection_), how);
  waiting_.clear();
}

void TcpTunnel::hold_response() {
  if (connection_ != nullptr) connection_->hold_reading();
}

void TcpTunnel::release_response() {
  if (connection_ != nullptr) connection_->release_reading();
}

void TcpTunnel::block() {
  if (!std::exchange(blocked_, true)) sink_.on_exchange_blocked();
}

void TcpTunnel::unblock() {
  if (std::exchange(blocked_, false)) sink_.on_exchange_resumed();
}

}  // namespace weir::router
