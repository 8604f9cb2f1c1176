#include "router/callout_client.h"

#include <optional>
#include <utility>

#include "base/strings.h"
#include "upstream/exchange.h"

namespace weir::router {

using upstream::Failure;

namespace {

CalloutResponse own_answer(int status, std::string_view text) {
  CalloutResponse response;
  response.own = true;
  response.head.status = status;
  response.head.headers.add(HeaderId::kContentType, "text/plain");
  std::string length;
  base::append_number(length, text.size());
  response.head.headers.add(HeaderId::kContentLength, length);
  response.body.append(text);
  return response;
}

}  // namespace

class CalloutClient::Handle final : public Callout {
 public:
  explicit Handle(Call& call) : call_(&call) {}
  ~Handle() override;
  void forget() noexcept { call_ = nullptr; }

 private:
  Call* call_;
};

/// One callout. Owner: the client, then the loop's list of deferred deletions.
class CalloutClient::Call final : public event::Deferrable, private upstream::ExchangeSink {
 public:
  Call(CalloutClient& client, upstream::Cluster& cluster, CalloutRequest request,
       CalloutHandler& handler)
      : client_(client),
        state_(cluster.state()),
        request_(std::move(request)),
        handler_(&handler),
        exchange_(*this),
        loop_(cluster.loop()),
        limit_(cluster.options().http.max_stream_duration),
        timeout_(cluster.loop(), &Call::on_timeout, this),
        failed_late_(cluster.loop(), &Call::on_failed_late, this) {}

  Result<std::unique_ptr<Callout>> begin(upstream::Cluster& cluster);
  /// Nobody is told any more.
  void detach() noexcept {
    exchange_.cancel();
    timeout_.cancel();
    handler_ = nullptr;
    if (handle_ != nullptr) std::exchange(handle_, nullptr)->forget();
  }
  void abandon() noexcept {
    handle_ = nullptr;
    detach();
    client_.finished(client_.calls_, *this);
  }
  size_t index = 0;

 private:
  ResponseHead& exchange_head() noexcept override { return response_.head; }
  HeaderMap& exchange_trailers() noexcept override { return response_.trailers; }
  /// The cluster's limit for a stream may end it before its own time.
  void on_exchange_connected(upstream::UpstreamStream&) override {
    if (limit_.count() == 0 || (deadline_ && *deadline_ <= loop_.now() + limit_)) return;
    limited_ = true;
    timeout_.arm(limit_);
  }
  void on_exchange_informational() override {}
  void on_exchange_head(size_t, EndStream end) override {
    state_.charge_response(response_.head.status, true);
    if (end == EndStream::kYes) done(std::move(response_));
  }
  void on_exchange_body(Buffer& data, EndStream end) override {
    if (response_.body.size() + data.size() > request_.max_response_bytes) {
      done(weir::fail(Code::kPayloadTooLarge, Side::kUpstream,
                      "the answer to a callout is too large"));
      return;
    }
    response_.body.append(std::move(data));
    if (end == EndStream::kYes) done(std::move(response_));
  }
  void on_exchange_trailers() override { done(std::move(response_)); }
  /// Told later: it may come inside a call of a guest, whose cancelled callout makes room in the pool.
  void on_exchange_failed(const Failure& failure) override {
    failure_ = failure;
    failed_late_.arm(std::chrono::milliseconds(0));
  }
  void tell_failure(const Failure& failure) {
    if (upstream::failed_to_connect(failure.kind)) {
      state_.charge_response(503, true);
      done(own_answer(
          503,
          base::concat("upstream connect error or disconnect/reset before headers. reset reason: ",
                       upstream::reset_reason(failure.kind))));
    } else {
      done(weir::fail(error_of(failure)));
    }
  }
  void on_exchange_blocked() override {}
  void on_exchange_resumed() override {}

  void done(Result<CalloutResponse> result) {
    CalloutHandler* handler = handler_;
    detach();
    client_.finished(client_.calls_, *this);  // lives until the end of the turn
    if (handler != nullptr) handler->on_callout_done(std::move(result));
  }
  static void on_timeout(void* self) noexcept {
    auto& call = *static_cast<Call*>(self);
    if (call.limited_) {
      call.exchange_.cancel();
      call.state_.stats().rq_max_duration_reached.inc();
      return call.done(own_answer(504, "upstream max stream duration reached"));
    }
    call.exchange_.time_out();
    call.state_.charge_response(504, true);
    call.done(own_answer(504, "upstream request timeout"));
  }
  static void on_failed_late(void* self) noexcept {
    auto& call = *static_cast<Call*>(self);
    if (call.handler_ != nullptr) call.tell_failure(call.failure_);
  }

  CalloutClient& client_;
  upstream::ClusterSharedState& state_;
  CalloutRequest request_;
  CalloutHandler* handler_;
  Handle* handle_ = nullptr;
  CalloutResponse response_;
  upstream::Exchange exchange_;
  event::Loop& loop_;
  const std::chrono::milliseconds limit_;  // the cluster's max_stream_duration; 0: none
  std::optional<MonotonicTime> deadline_;  // by its own timeout
  bool limited_ = false;                   // timeout_ is for limit_
  Failure failure_;                        // until it is told
  event::Timer timeout_;
  event::Timer failed_late_;  // a tick later: who tries again at once must not keep the worker busy
};

CalloutClient::Handle::~Handle() {
  if (call_ != nullptr) call_->abandon();
}

Result<std::unique_ptr<Callout>> CalloutClient::Call::begin(upstream::Cluster& cluster) {
  const bool has_body = !request_.body.empty();
  const bool has_trailers = !request_.trailers.empty();
  // The whole body is known: it need not be chunked, which some services refuse.
  if (has_body && !has_trailers && !request_.head.headers.get(HeaderId::kContentLength))
    request_.head.headers.set(HeaderId::kContentLength, std::to_string(request_.body.size()));
  if (request_.timeout.count() > 0) deadline_ = loop_.now() + request_.timeout;
  const EndStream head_end = has_body || has_trailers ? EndStream::kNo : EndStream::kYes;
  if (auto failure =
          exchange_.start(cluster, request_.head, head_end, upstream::Priority::kDefault)) {
    if (!upstream::failed_to_connect(failure->kind)) return weir::fail(error_of(*failure));
    failure_ = std::move(*failure);
    failed_late_.arm(std::chrono::milliseconds(0));
  } else {
    if (has_body)
      exchange_.send_body(request_.body, has_trailers ? EndStream::kNo : EndStream::kYes);
    if (has_trailers) exchange_.send_trailers(request_.trailers);
    if (deadline_ && !limited_) timeout_.arm(request_.timeout);
  }
  auto handle = std::make_unique<Handle>(*this);
  handle_ = handle.get();
  return handle;
}

CalloutClient::CalloutClient(upstream::WorkerClusters& clusters)
    : clusters_(clusters), redis_(clusters) {}

CalloutClient::~CalloutClient() {
  for (const auto& call : calls_) call->detach();
  for (const auto& call : streams_) call->detach();
}

bool CalloutClient::knows_cluster(std::string_view cluster) const {
  return clusters_.find_retired(cluster) != nullptr;
}

std::optional<ClusterHosts> CalloutClient::cluster_hosts(std::string_view cluster) const {
  const upstream::Cluster* found = clusters_.find_retired(cluster);
  if (found == nullptr) return std::nullopt;
  ClusterHosts hosts;
  for (const upstream::LocalityOptions& locality : found->options().localities)
    hosts.total += locality.endpoints.size();
  hosts.healthy = hosts.total;  // nothing checks them
  return hosts;
}

std::vector<std::string> CalloutClient::host_addresses(std::string_view cluster) const {
  const upstream::Cluster* found = clusters_.find_retired(cluster);
  return found != nullptr ? found->host_addresses() : std::vector<std::string>();
}

std::optional<ClusterFacts> CalloutClient::cluster_facts(std::string_view cluster,
                                                         std::string_view host) const {
  const upstream::Cluster* found = clusters_.find_retired(cluster);
  return found != nullptr ? std::optional(found->facts(host)) : std::nullopt;
}

Result<std::unique_ptr<Callout>> CalloutClient::start(CalloutRequest request,
                                                      CalloutHandler& handler) {
  upstream::Cluster* cluster = clusters_.find_retired(request.cluster);
  if (cluster == nullptr)
    return weir::fail(Code::kNoCluster, Side::kLocal,
                      base::concat("unknown cluster ", request.cluster));
  auto call = std::make_unique<Call>(*this, *cluster, std::move(request), handler);
  auto handle = call->begin(*cluster);
  if (!handle) return handle;
  call->index = calls_.size();
  calls_.push_back(std::move(call));
  return handle;
}

Result<std::unique_ptr<StreamedCallout>> CalloutClient::start_stream(
    StreamedCalloutRequest request, StreamedCalloutHandler& handler) {
  upstream::Cluster* cluster = clusters_.find_retired(request.cluster);
  if (cluster == nullptr)
    return weir::fail(Code::kNoCluster, Side::kLocal,
                      base::concat("unknown cluster ", request.cluster));
  auto call = std::make_unique<StreamedCall>(*this, *cluster, std::move(request), handler);
  auto handle = call->begin(*cluster);
  if (!handle) return handle;
  call->index = streams_.size();
  streams_.push_back(std::move(call));
  return handle;
}

void CalloutClient::finished(StreamedCall& call) { finished(streams_, call); }

template <typename Each>
void CalloutClient::finished(Calls<Each>& calls, Each& call) {
  const size_t index = call.index;
  std::unique_ptr<Each> dying = std::move(calls[index]);
  if (index + 1 < calls.size()) {
    calls[index] = std::move(calls.back());
    calls[index]->index = index;
  }
  calls.pop_back();
  clusters_.loop().defer_delete(std::move(dying));
}

}  // namespace weir::router
