#include "filters/network/tcp_proxy/tcp_proxy_filter.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "filters/network/tcp_proxy/settings.h"
#include "filters/network/tcp_proxy/upstream_link.h"
#include "router/filter_host.h"
#include "stream/network_terminal.h"
#include "upstream/tcp_connection.h"

namespace weir::filters {

namespace {

using stream::ConnectionLog;
using tcp_proxy::ConnectMode;
using tcp_proxy::Milliseconds;
using tcp_proxy::Settings;
using tcp_proxy::UpstreamLink;
using upstream::Failure;
using upstream::FailureKind;
using upstream::TcpConnection;

// So many hosts that have failed are avoided; then all get their chance again.
constexpr size_t kMaxFailedHosts = 16;

/// Owner: a network chain. Waiting (for data, for a connection, for the next attempt) -> connected -> closed. Each direction ends by
/// itself; the chain closes the client's connection when both have.
class TcpProxy final : public stream::NetworkTerminalFilter, private upstream::TcpUser {
 public:
  TcpProxy(const Settings& settings, upstream::WorkerClusters& clusters)
      : settings_(settings),
        clusters_(clusters),
        idle_timer_(clusters.loop(), &TcpProxy::on_idle, this),
        downstream_idle_timer_(clusters.loop(), &TcpProxy::on_idle, this),
        upstream_idle_timer_(clusters.loop(), &TcpProxy::on_idle, this),
        duration_timer_(clusters.loop(), &TcpProxy::on_max_duration, this),
        retry_timer_(clusters.loop(), &TcpProxy::on_retry, this),
        log_timer_(clusters.loop(), &TcpProxy::on_log_timer, this) {}
  // NetworkFilter
  void attach_terminal(stream::NetworkTerminalCallbacks& callbacks) override {
    driver_ = &callbacks;
  }
  NetworkFlow on_new_connection() override;
  NetworkFlow on_data(Buffer& data, EndStream end) override;
  void on_write_blocked() override;
  void on_write_resumed() override;
  void on_close(CloseEvent by) noexcept override;
  void on_drain() override;

 private:
  // upstream::TcpUser
  void on_tcp_connected() override;
  void on_tcp_data(Buffer& data, net::ReadEnd end) override;
  void on_tcp_blocked() override;
  void on_tcp_resumed() override;
  void on_tcp_failed(Failure failure) override;
  void on_tcp_closed(const Error& error) override;

  static void on_idle(void* self);
  static void on_max_duration(void* self);
  static void on_retry(void* self);
  static void on_log_timer(void* self);
  void connect();
  void on_attempt_failed(const Failure& failure);
  std::optional<uint64_t> hash() const;
  upstream::HostChoice choice() const { return {hash(), failed_hosts_}; }
  void hold_client();
  void release_client();
  void note_downstream();
  void note_upstream();
  void end_with(ResponseFlag flag, std::string_view details);
  void note_host();

  const Settings& settings_;
  upstream::WorkerClusters& clusters_;
  stream::NetworkTerminalCallbacks* driver_ = nullptr;
  UpstreamLink upstream_;
  std::string cluster_name_;
  std::string host_;
  std::vector<std::string> failed_hosts_;
  Buffer early_;  // from the client, before the upstream is connected
  event::Timer idle_timer_, downstream_idle_timer_, upstream_idle_timer_, duration_timer_,
      retry_timer_, log_timer_;
  uint32_t attempts_ = 0;
  bool client_held_ = false;
  bool upstream_blocked_ = false;
  bool client_ended_ = false;
  bool upstream_ended_ = false;
  bool begun_ = false;  // the first attempt has been made
  bool over_ = false;
};

// ---- beginning ------------------------------------------------------------------------------------------------------------

NetworkFlow TcpProxy::on_new_connection() {
  settings_.stats.cx_total.inc();
  const auto& chosen = callbacks_->connection_info().extras().filter_state;
  const auto found = chosen.find(kTcpProxyClusterKey);
  cluster_name_ = found != chosen.end() ? found->second : settings_.choose_cluster();
  driver_->stream_info().upstream_cluster = cluster_name_;
  note_downstream();
  if (settings_.max_duration.count() > 0) {
    const auto most = static_cast<uint64_t>(static_cast<double>(settings_.max_duration.count()) *
                                            settings_.max_duration_jitter);
    const auto jitter = static_cast<int64_t>(most > 0 ? base::random_below(most + 1) : 0);
    duration_timer_.arm(settings_.max_duration + Milliseconds(jitter));
  }
  if (settings_.log_interval.count() > 0) log_timer_.arm(settings_.log_interval);
  if (settings_.log_on_start) driver_->log_now(ConnectionLog::kStart);
  if (settings_.connect_mode == ConnectMode::kOnData) return NetworkFlow::kContinue;
  if (settings_.max_early_data == 0) hold_client();
  connect();
  return NetworkFlow::kContinue;
}

std::optional<uint64_t> TcpProxy::hash() const {
  if (settings_.hash_policy.empty()) return std::nullopt;
  const ConnectionInfo& info = callbacks_->connection_info();
  const std::string& key = settings_.hash_policy.front().filter_state_key;
  if (key.empty())
    return std::hash<std::string_view>{}(info.remote_ip().empty() ? info.remote_address
                                                                  : info.remote_ip());
  const auto found = info.extras().filter_state.find(key);
  if (found == info.extras().filter_state.end()) return std::nullopt;
  return std::hash<std::string_view>{}(found->second);
}

void TcpProxy::connect() {
  begun_ = true;
  // An edit may have removed the cluster while the connection waited.
  upstream::Cluster* cluster = clusters_.find_retired(cluster_name_);
  if (cluster == nullptr) {
    settings_.stats.cx_no_route.inc();
    return end_with(ResponseFlag::kNoClusterFound, "no_cluster");
  }
  ++attempts_;
  driver_->stream_info().upstream_attempt_count = attempts_;
  ConnectionInfo& client = callbacks_->connection_info();
  const auto failure = settings_.tunnel
                           ? upstream_.tunnel(*cluster, *this, choice(), *settings_.tunnel, client,
                                              driver_->stream_info())
                           : upstream_.connect(*cluster, *this, choice(), client);
  if (failure) return on_attempt_failed(*failure);
  note_host();
}

/// A tunnel may come to another host than the first that was tried.
void TcpProxy::note_host() {
  if (upstream_.empty()) return;
  host_ = upstream_.host_text();
  driver_->stream_info().upstream_host = host_;
}

void TcpProxy::on_tcp_failed(Failure failure) {
  note_host();
  upstream_.release(TcpConnection::How::kNow);
  if (failed_hosts_.size() == kMaxFailedHosts) failed_hosts_.clear();
  failed_hosts_.push_back(host_);
  on_attempt_failed(failure);
}

void TcpProxy::on_attempt_failed(const Failure& failure) {
  if (settings_.tunnel) settings_.stats.tunnel_failed.inc();
  StreamInfo& info = driver_->stream_info();
  WEIR_LOG(kUpstream, kDebug, "tcp_proxy has no upstream",
           {{"connection", callbacks_->connection_info().id},
            {"cluster", cluster_name_},
            {"why", reset_reason(failure.kind)},
            {"detail", failure.transport_reason},
            {"attempt", attempts_}});
  if (failure.kind == FailureKind::kNoHealthyHost)
    return end_with(ResponseFlag::kNoHealthyUpstream, "no_healthy_upstream");
  if (failure.kind == FailureKind::kOverflow)
    return end_with(ResponseFlag::kUpstreamOverflow, "upstream_overflow");
  info.upstream_transport_failure_reason = failure.transport_reason;
  if (attempts_ >= settings_.max_connect_attempts) {
    info.set_flag(ResponseFlag::kUpstreamConnectionFailure);
    if (auto* cluster = clusters_.find_retired(cluster_name_))
      cluster->stats().cx_connect_attempts_exceeded.inc();
    return end_with(ResponseFlag::kUpstreamRetryLimitExceeded, "upstream_connect_failure");
  }
  Milliseconds delay{0};
  if (settings_.backoff_base.count() > 0) {
    const unsigned doublings = std::min(attempts_ - 1, 20U);
    const Milliseconds most =
        std::min(settings_.backoff_max, settings_.backoff_base * (int64_t{1} << doublings));
    delay = Milliseconds(
        static_cast<int64_t>(base::random_below(static_cast<uint64_t>(most.count()) + 1)));
  }
  // Also without a delay: the failure may have been told from inside connect().
  retry_timer_.arm(delay);
}

void TcpProxy::on_retry(void* self) {
  auto& proxy = *static_cast<TcpProxy*>(self);
  if (!proxy.over_) proxy.connect();
}

void TcpProxy::on_tcp_connected() {
  StreamInfo& info = driver_->stream_info();
  if (TcpConnection* tcp = upstream_.tcp()) info.upstream_local_address = tcp->local_text();
  note_host();
  if (settings_.log_on_connected) driver_->log_now(ConnectionLog::kConnected);
  note_upstream();
  note_downstream();
  if (!early_.empty()) upstream_.write(std::move(early_));
  if (client_ended_) upstream_.half_close();
  if (!upstream_blocked_) release_client();
}

// ---- bytes ------------------------------------------------------------------------------------------------------------------

NetworkFlow TcpProxy::on_data(Buffer& data, EndStream end) {
  settings_.stats.cx_rx_bytes_total.add(data.size());
  note_downstream();
  client_ended_ |= end == EndStream::kYes;
  if (upstream_.established()) {
    if (!data.empty()) upstream_.write(std::move(data));
    if (client_ended_) upstream_.half_close();
    return NetworkFlow::kContinue;
  }
  if (!data.empty()) settings_.stats.early_data.inc();
  early_.append(std::move(data));
  if (!begun_) {
    // It has gone without a word: nobody needs an upstream.
    if (early_.empty()) {
      callbacks_->close(CloseHow::kFlush, "downstream_closed_before_data");
      return NetworkFlow::kStop;
    }
    connect();
  }
  if (early_.size() >= std::max<size_t>(settings_.max_early_data, 1)) hold_client();
  return NetworkFlow::kContinue;
}

void TcpProxy::on_tcp_data(Buffer& data, net::ReadEnd end) {
  settings_.stats.cx_tx_bytes_total.add(data.size());
  note_upstream();
  upstream_ended_ |= end == net::ReadEnd::kYes;
  callbacks_->write(std::move(data), upstream_ended_ ? EndStream::kYes : EndStream::kNo);
}

void TcpProxy::hold_client() {
  if (std::exchange(client_held_, true)) return;
  settings_.stats.paused_reading.inc();
  callbacks_->hold_reading();
}

void TcpProxy::release_client() {
  if (!std::exchange(client_held_, false)) return;
  settings_.stats.resumed_reading.inc();
  callbacks_->release_reading();
}

void TcpProxy::on_tcp_blocked() {
  upstream_blocked_ = true;
  hold_client();
}

void TcpProxy::on_tcp_resumed() {
  upstream_blocked_ = false;
  release_client();
}

void TcpProxy::on_write_blocked() {
  if (!upstream_.empty()) upstream_.hold_reading();
}

void TcpProxy::on_write_resumed() {
  if (!upstream_.empty()) upstream_.release_reading();
}

// ---- time -------------------------------------------------------------------------------------------------------------------

void TcpProxy::note_downstream() {
  if (settings_.idle_timeout.count() > 0) idle_timer_.arm(settings_.idle_timeout);
  if (settings_.downstream_idle_timeout.count() > 0)
    downstream_idle_timer_.arm(settings_.downstream_idle_timeout);
}

void TcpProxy::note_upstream() {
  if (settings_.idle_timeout.count() > 0) idle_timer_.arm(settings_.idle_timeout);
  if (settings_.upstream_idle_timeout.count() > 0)
    upstream_idle_timer_.arm(settings_.upstream_idle_timeout);
}

void TcpProxy::on_idle(void* self) {
  auto& proxy = *static_cast<TcpProxy*>(self);
  if (proxy.over_) return;
  proxy.settings_.stats.idle_timeout.inc();
  proxy.callbacks_->close(CloseHow::kNow, "idle_timeout");
}

void TcpProxy::on_max_duration(void* self) {
  auto& proxy = *static_cast<TcpProxy*>(self);
  if (proxy.over_) return;
  proxy.settings_.stats.max_duration.inc();
  proxy.driver_->stream_info().set_flag(ResponseFlag::kDurationTimeout);
  proxy.callbacks_->close(CloseHow::kFlush, "max_downstream_connection_duration");
}

void TcpProxy::on_log_timer(void* self) {
  auto& proxy = *static_cast<TcpProxy*>(self);
  if (proxy.over_) return;
  proxy.log_timer_.arm(proxy.settings_.log_interval);
  proxy.driver_->log_now(ConnectionLog::kPeriodic);
}

// ---- ending -----------------------------------------------------------------------------------------------------------------

void TcpProxy::on_drain() {
  if (settings_.check_drain_close) callbacks_->close(CloseHow::kFlush, "drain");
}

void TcpProxy::end_with(ResponseFlag flag, std::string_view details) {
  driver_->stream_info().set_flag(flag);
  callbacks_->close(CloseHow::kFlush, details);
}

/// The upstream is lost: what it sent is the client's still; a reset stays one.
void TcpProxy::on_tcp_closed(const Error& error) {
  const bool reset = error.code == Code::kReset;
  upstream_.release(TcpConnection::How::kNow);
  if (reset) driver_->stream_info().set_flag(ResponseFlag::kUpstreamConnectionTermination);
  callbacks_->close(reset ? CloseHow::kReset : CloseHow::kFlush,
                    reset ? "upstream_reset" : "upstream_closed");
}

void TcpProxy::on_close(CloseEvent) noexcept {
  over_ = true;
  for (event::Timer* timer : {&idle_timer_, &downstream_idle_timer_, &upstream_idle_timer_,
                              &duration_timer_, &retry_timer_, &log_timer_})
    timer->cancel();
  if (upstream_.empty()) return;
  constexpr uint32_t kReset = 1U << static_cast<unsigned>(ResponseFlag::kDownstreamRemoteReset);
  if ((callbacks_->connection_info().flags & kReset) != 0)
    return upstream_.release(TcpConnection::How::kReset);
  settings_.stats.upstream_flush_total.inc();
  upstream_.release(TcpConnection::How::kFlush);
}

class Factory final : public NetworkFilterFactory {
 public:
  Factory(std::shared_ptr<const Settings> settings, router::FilterHost* host)
      : settings_(std::move(settings)), host_(host) {}
  std::unique_ptr<NetworkFilter> create(unsigned worker) const override {
    return std::make_unique<TcpProxy>(*settings_, host_->clusters(worker));
  }
  bool terminal() const noexcept override { return true; }

 private:
  std::shared_ptr<const Settings> settings_;
  router::FilterHost* host_;
};

}  // namespace

std::shared_ptr<const NetworkFilterFactory> make_tcp_proxy(ConfigView& config,
                                                           FactoryContext& context) {
  auto settings = Settings::read(config, context);
  if (settings == nullptr) return nullptr;
  return std::make_shared<const Factory>(std::move(settings),
                                         static_cast<router::FilterHost*>(context.host));
}

}  // namespace weir::filters
