#include "router/streamed_call.h"

#include <utility>

#include "base/strings.h"
#include "router/callout_client.h"

namespace weir::router {

using upstream::Failure;

namespace {

Error wrong_version(std::string_view cluster) {
  return {Code::kBadVersion, Side::kUpstream,
          base::concat("cluster ", cluster, " does not speak HTTP/2")};
}

}  // namespace

class StreamedCall::Handle final : public StreamedCallout {
 public:
  explicit Handle(StreamedCall& call) noexcept : call_(&call) {}
  ~Handle() override {
    if (call_ != nullptr) call_->abandon();
  }
  void forget() noexcept { call_ = nullptr; }
  void send(Buffer& data, EndStream end) override {
    if (call_ == nullptr) return data.clear();
    call_->send(data, end);
  }
  size_t unsent() const noexcept override { return call_ != nullptr ? call_->unsent_.size() : 0; }

 private:
  StreamedCall* call_;
};

StreamedCall::StreamedCall(CalloutClient& client, upstream::Cluster& cluster,
                           StreamedCalloutRequest request, StreamedCalloutHandler& handler)
    : client_(client),
      state_(cluster.state()),
      options_(cluster.shared_options()),
      loop_(cluster.loop()),
      request_(std::move(request)),
      handler_(&handler),
      exchange_(*this),
      timer_(cluster.loop(), &StreamedCall::on_timeout, this),
      due_(cluster.loop(), &StreamedCall::on_due, this) {}

Result<std::unique_ptr<StreamedCallout>> StreamedCall::begin(upstream::Cluster& cluster) {
  if (request_.http2 && options_->http.protocol == upstream::UpstreamProtocol::kHttp1)
    return weir::fail(wrong_version(options_->name));
  if (request_.timeout.count() > 0) deadline_ = loop_.now() + request_.timeout;
  end_ = request_.end;
  end_sent_ = end_ == EndStream::kYes;
  auto failure = exchange_.start(cluster, request_.head, end_, upstream::Priority::kDefault,
                                 request_.http2 ? Protocol::kHttp2 : Protocol::kHttp11);
  if (failure) {
    Error error = error_of(*failure);
    if (!upstream::failed_to_connect(failure->kind)) return weir::fail(std::move(error));
    fail_later(std::move(error));
  } else if (deadline_ && !limited_) {
    timer_.arm(request_.timeout);
  }
  auto handle = std::make_unique<Handle>(*this);
  handle_ = handle.get();
  return handle;
}

void StreamedCall::detach() noexcept {
  exchange_.cancel();
  timer_.cancel();
  handler_ = nullptr;
  unsent_.clear();
  if (handle_ != nullptr) std::exchange(handle_, nullptr)->forget();
}

void StreamedCall::abandon() noexcept {
  handle_ = nullptr;
  detach();
  client_.finished(*this);
}

void StreamedCall::send(Buffer& data, EndStream end) {
  if (end_ == EndStream::kYes) return data.clear();
  end_ = end;
  unsent_.append(std::move(data));
  flush();
}

void StreamedCall::flush() {
  if (end_sent_ || failure_ || handler_ == nullptr) return;
  if (blocked_ && !unsent_.empty()) return;
  if (unsent_.empty() && end_ == EndStream::kNo) return;
  end_sent_ = end_ == EndStream::kYes;
  exchange_.send_body(unsent_, end_);
}

/// It may come from inside a call of the exchange: the rest goes out when that is over.
void StreamedCall::on_exchange_resumed() {
  blocked_ = false;
  if (!unsent_.empty()) due_.schedule();
}

/// The cluster's limit for a stream may end it before its own time.
void StreamedCall::on_exchange_connected(upstream::UpstreamStream& stream) {
  if (request_.http2 && stream.protocol() != Protocol::kHttp2) {
    exchange_.cancel();
    return fail_later(wrong_version(options_->name));
  }
  const auto limit = options_->http.max_stream_duration;
  if (limit.count() == 0 || (deadline_ && *deadline_ <= loop_.now() + limit)) return;
  limited_ = true;
  timer_.arm(limit);
}

void StreamedCall::on_exchange_head(size_t, EndStream end) {
  state_.charge_response(head_.status, true);
  StreamedCalloutHandler* handler = end == EndStream::kYes ? finish() : handler_;
  if (handler != nullptr) handler->on_callout_head(head_, end);
}

void StreamedCall::on_exchange_body(Buffer& data, EndStream end) {
  StreamedCalloutHandler* handler = end == EndStream::kYes ? finish() : handler_;
  if (handler != nullptr) handler->on_callout_data(data, end);
}

void StreamedCall::on_exchange_trailers() {
  if (StreamedCalloutHandler* handler = finish()) handler->on_callout_trailers(trailers_);
}

void StreamedCall::on_exchange_failed(const Failure& failure) {
  if (upstream::failed_to_connect(failure.kind)) state_.charge_response(503, true);
  fail_later(error_of(failure));
}

/// Never inside a call of its user, nor inside one of another's that makes room in the pool.
void StreamedCall::fail_later(Error error) {
  failure_ = std::move(error);
  // A tick later: who tries again at once must not keep the worker busy.
  failing_.arm(loop_, &StreamedCall::on_due, this, std::chrono::milliseconds(0));
}

void StreamedCall::fail(const Error& error) {
  if (StreamedCalloutHandler* handler = finish()) handler->on_callout_failed(error);
}

/// It lives until the end of the turn.
StreamedCalloutHandler* StreamedCall::finish() noexcept {
  StreamedCalloutHandler* handler = handler_;
  if (handler == nullptr) return nullptr;
  detach();
  client_.finished(*this);
  return handler;
}

void StreamedCall::on_timeout(void* self) noexcept {
  auto& call = *static_cast<StreamedCall*>(self);
  if (call.limited_) {
    call.exchange_.cancel();
    call.state_.stats().rq_max_duration_reached.inc();
    return call.fail({Code::kTimeout, Side::kUpstream, "upstream max stream duration reached"});
  }
  call.exchange_.time_out();
  call.state_.charge_response(504, true);
  call.fail({Code::kTimeout, Side::kUpstream, "upstream request timeout"});
}

void StreamedCall::on_due(void* self) noexcept {
  auto& call = *static_cast<StreamedCall*>(self);
  if (!call.failure_) return call.flush();
  const Error error = std::move(*call.failure_);
  call.fail(error);
}

}  // namespace weir::router
