// UpstreamLink: how tcp_proxy reaches its upstream, by a connection or by a tunnel.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "filters/network/tcp_proxy/http_tunnel.h"
#include "upstream/tcp_connection.h"

namespace weir::filters::tcp_proxy {

/// Empty, or one of the two, which tells the TcpUser that it was begun for. Owner: the filter, by value.
class UpstreamLink {
 public:
  ~UpstreamLink() { release(upstream::TcpConnection::How::kNow); }

  // Failures that are known at once are returned; then it is empty.
  std::optional<upstream::Failure> connect(upstream::Cluster& cluster, upstream::TcpUser& user,
                                           const upstream::HostChoice& choice,
                                           const ConnectionInfo& connection) {
    auto started = upstream::TcpConnection::connect(cluster, user, choice, connection);
    tcp_ = std::move(started.connection);
    return std::move(started.failure);
  }
  std::optional<upstream::Failure> tunnel(upstream::Cluster& cluster, upstream::TcpUser& user,
                                          const upstream::HostChoice& choice,
                                          const TunnelSettings& settings,
                                          ConnectionInfo& connection, StreamInfo& info) {
    // It may fail, and be released, while it starts.
    tunnel_ = std::make_unique<HttpTunnel>(settings, user, connection, info, cluster.loop());
    auto failure = tunnel_->start(cluster, choice);
    if (failure) HttpTunnel::release(std::move(tunnel_));
    return failure;
  }
  bool empty() const noexcept { return tcp_ == nullptr && tunnel_ == nullptr; }
  bool established() const noexcept {
    return tcp_ != nullptr ? tcp_->established() : tunnel_ != nullptr && tunnel_->established();
  }
  // Require !empty().
  const std::string& host_text() const noexcept {
    return tcp_ != nullptr ? tcp_->host_text() : tunnel_->host_text();
  }
  /// Null for a tunnel, which says itself what its connection is.
  upstream::TcpConnection* tcp() noexcept { return tcp_.get(); }
  void write(Buffer&& data) {
    tcp_ != nullptr ? tcp_->write(std::move(data)) : tunnel_->write(std::move(data));
  }
  void half_close() { tcp_ != nullptr ? tcp_->half_close() : tunnel_->half_close(); }
  void hold_reading() { tcp_ != nullptr ? tcp_->hold_reading() : tunnel_->hold_reading(); }
  void release_reading() { tcp_ != nullptr ? tcp_->release_reading() : tunnel_->release_reading(); }
  /// Empties it. `how` is a connection's; a tunnel that has not ended is reset.
  void release(upstream::TcpConnection::How how) {
    upstream::TcpConnection::release(std::move(tcp_), how);
    HttpTunnel::release(std::move(tunnel_));
  }

 private:
  std::unique_ptr<upstream::TcpConnection> tcp_;
  std::unique_ptr<HttpTunnel> tunnel_;
};

}  // namespace weir::filters::tcp_proxy
