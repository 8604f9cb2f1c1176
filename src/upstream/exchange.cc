#include "upstream/exchange.h"

#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "http/rules.h"

namespace weir::upstream {
namespace {

/// RFC 9110 section 9.2.2.
bool is_idempotent(std::string_view method) noexcept {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
         method == "OPTIONS" || method == "TRACE";
}

/// Whether requests for one host have connections of their own.
bool by_host(const ClusterOptions& cluster) noexcept {
  return (cluster.http.auto_sni || cluster.http.auto_san_validation) &&
         cluster.transport != nullptr;
}

/// auto_sni and auto_san_validation: the host that the request is for, without its port.
std::string server_name(const RequestHead& head, const UpstreamHttpOptions& options) {
  std::string_view host = head.authority();
  if (!options.override_auto_sni_header.empty()) {
    const auto other = head.headers.get(options.override_auto_sni_header);
    if (other && !other->empty()) host = *other;
  }
  if (host.starts_with('[')) return std::string(host.substr(1, host.find(']') - 1));
  return base::lower(host.substr(0, host.rfind(':')));
}

}  // namespace

std::optional<Failure> Exchange::start(Cluster& cluster, const RequestHead& head, EndStream end,
                                       Priority priority, Protocol downstream,
                                       const ConnectionInfo* client, const HostChoice& choice) {
  downstream_ = downstream;
  cluster_ = &cluster;
  head_ = &head;
  priority_ = priority;
  client_ = client;
  choice_ = choice;
  idempotent_ = is_idempotent(head.method());
  ended_ = end == EndStream::kYes ? Ended::kHead : Ended::kNo;
  if (end == EndStream::kNo && (head.method() == "CONNECT" || head.headers.has(HeaderId::kUpgrade)))
    tunnel_ = Tunnel::kAsked;
  return acquire(Pool::Wanted::kAny);
}

std::optional<Failure> Exchange::acquire(Pool::Wanted wanted) {
  pool_ = cluster_->pick({head_, original_destination(client_), downstream_, choice_});
  if (pool_ == nullptr) {
    cluster_->stats().cx_none_healthy.inc();
    end_phase();
    return Failure{FailureKind::kNoHealthyHost};
  }
  if (!choose_named_pool()) {
    cluster_->stats().rq_pending_overflow.inc();
    end_phase();
    return Failure{FailureKind::kOverflow};
  }
  Pool::Acquired acquired = pool_->acquire(*this, priority_, wanted);
  if (acquired.failed) {
    end_phase();
    return std::move(acquired.failure);
  }
  if (acquired.stream != nullptr) {
    attach(*acquired.stream);
  } else {
    phase_ = Phase::kWaiting;
  }
  return std::nullopt;
}

/// Connections for one host, or those that name one client, are for nobody else. False: there are too many such.
bool Exchange::choose_named_pool() {
  const ClusterOptions& options = cluster_->options();
  if (!by_host(options) && !options.proxy_header) [[likely]]
    return true;
  std::string host;
  if (by_host(options)) host = server_name(*head_, options.http);
  PoolUse use{host};
  net::ClientHeader header;
  if (options.proxy_header && client_ != nullptr) {
    header = net::client_header(*options.proxy_header, client_);
    if (header.names_client) {
      use.header = header.bytes;
      use.header_incomplete = header.incomplete;
      use.client = client_->presence();
    }
  }
  if (host.empty() && use.header.empty()) return true;
  pool_ = cluster_->pick_named(*pool_, use);
  return pool_ != nullptr;
}

void Exchange::attach(UpstreamStream& stream) {
  stream_ = &stream;
  phase_ = Phase::kRequest;
  kept_all_ = true;
  stream.start(*this);
  sink_.on_exchange_connected(stream);
  if (stream_ != nullptr) send_request();
}

/// What is known of the request so far: head, waiting body, end.
void Exchange::send_request() {
  stream_->send_head(*head_, ended_ == Ended::kHead ? EndStream::kYes : EndStream::kNo);
  if (stream_ == nullptr) return;  // a connection of HTTP/2 that takes no more says so at once
  if (tunnel_ != Tunnel::kNone) return waiting_.empty() ? unblock() : block();
  if (!waiting_.empty() || ended_ == Ended::kBody) {
    keep(waiting_);
    stream_->send_body(waiting_, ended_ == Ended::kBody ? EndStream::kYes : EndStream::kNo);
  }
  if (stream_ == nullptr) return;
  if (ended_ == Ended::kTrailers) stream_->send_trailers(*trailers_);
  if (stream_ != nullptr && !stream_->write_blocked()) unblock();
}

void Exchange::send_body(Buffer& data, EndStream end) {
  if (end == EndStream::kYes) ended_ = Ended::kBody;
  switch (phase_) {
    case Phase::kIdle:
      data.clear();
      break;
    case Phase::kWaiting:
      waiting_.append(std::move(data));
      if (waiting_.size() > cluster_->options().buffer_limit) block();
      break;
    case Phase::kRequest:
      if (tunnel_ == Tunnel::kAsked || refused_) return hold_back(data);
      keep(data);
      stream_->send_body(data, end);
      if (response_over_ && end == EndStream::kYes) response_done();
      break;
  }
}

/// Nothing goes into a tunnel before it stands.
void Exchange::hold_back(Buffer& data) {
  if (refused_) return data.clear();
  waiting_.append(std::move(data));
  if (!waiting_.empty()) block();
}

void Exchange::send_trailers(const HeaderMap& trailers) {
  ended_ = Ended::kTrailers;
  trailers_ = &trailers;
  if (phase_ == Phase::kRequest && tunnel_ == Tunnel::kNone && !refused_)
    stream_->send_trailers(trailers);
}

/// Keeps what goes out as long as it could be sent again.
void Exchange::keep(const Buffer& data) {
  if (!stream_->resendable() || retried_ || !kept_all_ || response_begun_ || data.empty()) return;
  const bool useful =
      idempotent_ || stream_->protocol() == Protocol::kHttp2 || stream_->untouched();
  if (!useful || kept_.size() + data.size() > kMaxKeptBody) {
    kept_all_ = false;
    kept_.clear();
    return;
  }
  data.share_to(kept_);
}

void Exchange::hold_response() {
  if (stream_ != nullptr) stream_->hold_response();
}

void Exchange::release_response() {
  if (stream_ != nullptr) stream_->release_response();
}

void Exchange::cancel() noexcept {
  if (phase_ == Phase::kIdle) return;
  if (phase_ == Phase::kWaiting) {
    cluster_->stats().rq_cancelled.inc();
    pool_->cancel(*this);
  } else {
    cluster_->stats().rq_tx_reset.inc();
    stream_->abandon();
  }
  end_phase();
}

void Exchange::time_out() noexcept {
  if (phase_ == Phase::kIdle) return;
  cluster_->stats().rq_timeout.inc();
  pool_->request_timed_out();
  cancel();
}

/// Afterwards neither pool nor connection is touched: they may be gone by the next turn.
void Exchange::end_phase() noexcept {
  phase_ = Phase::kIdle;
  stream_ = nullptr;
  pool_ = nullptr;
  waiting_.clear();
  kept_.clear();
}

void Exchange::on_connection_ready(UpstreamStream& stream) noexcept { attach(stream); }

void Exchange::on_connection_failed(Failure failure) noexcept { fail(failure); }

bool Exchange::may_retry(const LossFacts& facts) const noexcept {
  if (retried_ || facts.response_started || !kept_all_) return false;
  if (facts.unseen) return true;
  return facts.reused && (facts.untouched || idempotent_);
}

void Exchange::on_connection_lost(Failure failure, const LossFacts& facts) noexcept {
  stream_ = nullptr;
  const bool cut = failure.kind == FailureKind::kConnectionTermination;
  if (cut || facts.unseen || failure.kind == FailureKind::kRemoteReset) {
    if ((cut || facts.unseen) && may_retry(facts)) {
      retried_ = true;
      cluster_->stats().rq_retry.inc();
      WEIR_LOG(kUpstream, kDebug,
               facts.unseen ? "request is sent again: the upstream has not seen it"
                            : "request is sent again: a kept connection was lost under it",
               {{"cluster", cluster_->options().name},
                {"upstream", pool_->address_text()},
                {"sent_before", !facts.untouched}});
      if (tunnel_ == Tunnel::kNone) waiting_ = std::move(kept_);
      // On failure the first connection's end is as good a reason as any, but the second's says what is wrong now.
      if (auto second = acquire(Pool::Wanted::kFresh)) fail(*second);
      return;
    }
    cluster_->stats().rq_rx_reset.inc();
    // A response that was cut after an informational head is malformed, not absent.
    if (cut && informational_ > 0 && !response_begun_) failure.kind = FailureKind::kProtocolError;
  }
  fail(failure);
}

void Exchange::fail(const Failure& failure) {
  end_phase();
  unblock();
  sink_.on_exchange_failed(failure);
}

/// The response is not fit to be passed on although the codec took it.
void Exchange::reject_response() {
  cluster_->stats().cx_protocol_error.inc();
  stream_->abandon();
  fail({FailureKind::kProtocolError});
}

void Exchange::on_informational() {
  if (++informational_ > kMaxInformational) {
    reject_response();
    return;
  }
  sink_.on_exchange_informational();
}

void Exchange::on_response_head(size_t wire_bytes, EndStream end) {
  response_begun_ = true;
  kept_.clear();
  ResponseHead& head = sink_.exchange_head();
  const bool granted = grants(head, end);
  const bool switches = granted && head.status == 101;
  const auto upgrade = switches ? http::UpgradeField::kKeep : http::UpgradeField::kDrop;
  // A final status below 200 is a switch of protocols that nobody asked for.
  if ((head.status < 200 && !switches) || !http::strip_hop_by_hop(head.headers, upgrade)) {
    reject_response();
    return;
  }
  if (retried_) cluster_->stats().rq_retry_success.inc();
  pool_->request_outcome(head.status < 500);
  if (tunnel_ == Tunnel::kAsked) answer_tunnel(granted);
  if (end == EndStream::kYes) response_done();
  sink_.on_exchange_head(wire_bytes, end);
}

bool Exchange::grants(const ResponseHead& head, EndStream end) const noexcept {
  if (tunnel_ != Tunnel::kAsked || end == EndStream::kYes) return false;
  return head_->method() == "CONNECT" ? head.status / 100 == 2 : head.status == 101;
}

/// With a refusal the request was an ordinary one that ended with its head.
void Exchange::answer_tunnel(bool granted) {
  tunnel_ = granted ? Tunnel::kOpen : Tunnel::kNone;
  refused_ = !granted;
  if (refused_) waiting_.clear();
  if (!waiting_.empty() || (granted && ended_ != Ended::kNo))
    stream_->send_body(waiting_, ended_ != Ended::kNo ? EndStream::kYes : EndStream::kNo);
  if (!stream_->write_blocked()) unblock();
}

void Exchange::on_response_body(Buffer& data, EndStream end) {
  if (end == EndStream::kYes) {
    // The other direction of a tunnel goes on.
    response_over_ = tunnel_ == Tunnel::kOpen && ended_ == Ended::kNo;
    if (!response_over_) response_done();
  }
  sink_.on_exchange_body(data, end);
}

void Exchange::on_response_trailers() {
  response_done();
  sink_.on_exchange_trailers();
}

/// Before the sink learns of the end, because it may destroy or reuse what it likes then.
void Exchange::response_done() {
  stream_->response_ended();
  end_phase();
  unblock();
}

void Exchange::block() {
  if (std::exchange(blocked_, true)) return;
  sink_.on_exchange_blocked();
}

void Exchange::unblock() {
  if (!std::exchange(blocked_, false)) return;
  sink_.on_exchange_resumed();
}

}  // namespace weir::upstream
