// HttpTunnel: the bytes of a connection as the payload of a CONNECT, or of a POST, to an HTTP upstream.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <weir/connection_info.h>
#include <weir/stream_info.h>

#include "event/loop.h"
#include "filters/network/tcp_proxy/tunnel_settings.h"
#include "upstream/exchange.h"
#include "upstream/tcp_connection.h"

namespace weir::filters::tcp_proxy {

/// Tells its user what a TcpConnection would: "connected" is an answer with 2xx, any other one "failed". Nothing is to be
/// written before that. A CONNECT's directions end each by itself; a POST ends with its answer, and what the user
/// writes after that would reach nobody: it is told that the connection is closed.
///
/// Owner: its UpstreamLink, until release(). Thread: the connection's.
class HttpTunnel final : public event::Deferrable, private upstream::ExchangeSink {
 public:
  /// All outlives it, until release(). `connection` and `info`: of the client; what is known of the upstream goes there.
  HttpTunnel(const TunnelSettings& settings, upstream::TcpUser& user, ConnectionInfo& connection,
             StreamInfo& info, event::Loop& loop)
      : settings_(settings),
        user_(&user),
        connection_(connection),
        info_(info),
        loop_(loop),
        exchange_(*this) {}

  /// Sends the request. A failure is returned, not told to the user.
  std::optional<upstream::Failure> start(upstream::Cluster& cluster,
                                         const upstream::HostChoice& choice);
  void write(Buffer&& data) { exchange_.send_body(data, EndStream::kNo); }
  void half_close();
  void hold_reading() { exchange_.hold_response(); }
  void release_reading() { exchange_.release_response(); }
  bool established() const noexcept { return established_; }
  /// Of the endpoint; once started.
  const std::string& host_text() const noexcept { return host_; }
  /// A tunnel that has not ended is reset.
  static void release(std::unique_ptr<HttpTunnel> tunnel);

 private:
  ResponseHead& exchange_head() noexcept override { return answer_; }
  HeaderMap& exchange_trailers() noexcept override { return trailers_; }
  void on_exchange_connected(upstream::UpstreamStream& stream) override;
  void on_exchange_informational() override {}
  void on_exchange_head(size_t wire_bytes, EndStream end) override;
  void on_exchange_body(Buffer& data, EndStream end) override;
  void on_exchange_trailers() override;
  void on_exchange_failed(const upstream::Failure& failure) override;
  void on_exchange_blocked() override;
  void on_exchange_resumed() override;
  bool make_request(const upstream::Cluster& cluster);
  void keep(std::string_view key, const HeaderMap& fields);

  const TunnelSettings& settings_;
  upstream::TcpUser* user_;  // null after release()
  ConnectionInfo& connection_;
  StreamInfo& info_;
  event::Loop& loop_;
  std::string host_;
  RequestHead request_;
  ResponseHead answer_;
  HeaderMap trailers_;
  upstream::Exchange exchange_;
  bool established_ = false;
  bool blocked_ = false;
  bool request_over_ = false;
};

}  // namespace weir::filters::tcp_proxy
