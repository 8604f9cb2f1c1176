// TcpTunnel: the payload of a CONNECT, or of a POST in its place, as plain bytes to a host of the cluster.
#pragma once

#include <memory>
#include <optional>
#include <weir/stream_info.h>

#include "router/carrier.h"
#include "router/options.h"
#include "upstream/exchange.h"
#include "upstream/tcp_connection.h"

namespace weir::router {

/// Order: start(), then as an Exchange: the head (200) once the connection stands, the upstream's bytes as the body of the response.
/// Each direction ends by itself, and the tunnel with the second. Nothing is ever sent twice.
class TcpTunnel final : public Carrier, private upstream::TcpUser {
 public:
  /// `sink`: the router; all outlive the tunnel.
  TcpTunnel(upstream::ExchangeSink& sink, StreamInfo& info, const ConnectOptions& options)
      : sink_(sink), info_(info), options_(options) {}
  ~TcpTunnel() override { cancel(); }

  /// A failure is returned, not told to the sink.
  std::optional<upstream::Failure> start(upstream::Cluster& cluster, EndStream end);

  /// Of the upstream; once started.
  const std::string& host_text() const noexcept { return connection_->host_text(); }

  void send_body(Buffer& data, EndStream end) override;
  void send_trailers(HeaderMap&) override;
  void hold_response() override;
  void release_response() override;
  void cancel() noexcept override;
  void time_out() noexcept override { cancel(); }
  bool active() const noexcept override { return connection_ != nullptr; }

 private:
  void on_tcp_connected() override;
  void on_tcp_data(Buffer& data, net::ReadEnd end) override;
  void on_tcp_blocked() override { block(); }
  void on_tcp_resumed() override { unblock(); }
  void on_tcp_failed(upstream::Failure failure) override;
  void on_tcp_closed(const Error& error) override;
  void block();
  void unblock();
  void finish();

  upstream::ExchangeSink& sink_;
  StreamInfo& info_;
  const ConnectOptions& options_;
  std::unique_ptr<upstream::TcpConnection> connection_;
  Buffer waiting_;  // what came before the connection stood
  bool request_over_ = false;
  bool response_over_ = false;
  bool blocked_ = false;
};

}  // namespace weir::router
