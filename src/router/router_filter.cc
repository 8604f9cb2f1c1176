#include "router/router_filter.h"

#include <array>
#include <charconv>
#include <utility>

#include "base/block_pool.h"
#include "base/check.h"
#include "base/log.h"
#include "http/rules.h"
#include "router/redirect.h"
#include "router/replies.h"
#include "router/tcp_tunnel.h"
#include "router/upstream_filters.h"

namespace weir::router {
namespace {

// One per request: the memory of dead ones serves the next.
constinit thread_local base::FreeList free_list{sizeof(RouterFilter), 256};

int64_t milliseconds_between(MonotonicTime from, MonotonicTime to) noexcept {
  return std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count();
}

}  // namespace

RouterStats::RouterStats(StatsScope& scope)
    : rq_total(scope.counter("rq_total")),
      no_route(scope.counter("no_route")),
      no_cluster(scope.counter("no_cluster")),
      rq_redirect(scope.counter("rq_redirect")),
      rq_direct_response(scope.counter("rq_direct_response")),
      rq_reset_after_downstream_response_started(
          scope.counter("rq_reset_after_downstream_response_started")) {}

void* RouterFilter::operator new(size_t size) {
  WEIR_DCHECK(size == sizeof(RouterFilter));
  return free_list.take();
}

void RouterFilter::operator delete(void* memory) noexcept {
  if (memory != nullptr) free_list.give(memory);
}

RouterFilter::RouterFilter(const RouterSettings& settings, upstream::WorkerClusters& clusters)
    : settings_(settings),
      clusters_(clusters),
      exchange_(*this),
      timeout_(clusters.loop(), &RouterFilter::on_timeout, this) {}

RouterFilter::~RouterFilter() = default;

Flow RouterFilter::answer(LocalReply reply) {
  callbacks_->reply(std::move(reply));
  return Flow::kReplied;
}

Flow RouterFilter::on_request_head(RequestHead& head, EndStream end) {
  settings_.stats.rq_total.inc();
  route_ = static_cast<const Route*>(terminal_->route());
  if (route_ == nullptr) {
    settings_.stats.no_route.inc();
    WEIR_LOG(kRouter, kDebug, "no route matches",
             {{"connection", callbacks_->stream_info().connection_id},
              {"stream", callbacks_->stream_info().stream_id}});
    return answer(no_route_reply(callbacks_->stream_info()));
  }
  if (const RedirectOptions* redirect = route_->redirect()) {
    settings_.stats.rq_redirect.inc();
    return answer(redirect_reply(*redirect, redirect_location(*redirect, route_->matcher(), head)));
  }
  if (const DirectResponseOptions* direct = route_->direct()) {
    settings_.stats.rq_direct_response.inc();
    return answer(direct_reply(*direct));
  }
  return forward(*route_, head, end);
}

bool RouterFilter::refuses_tunnel(const Route& route, const RequestHead& head) {
  const auto protocol = head.headers.get(HeaderId::kUpgrade);
  const RouteUpgrade* upgrade = route.upgrade(protocol ? *protocol : head.method());
  return upgrade != nullptr && !upgrade->enabled;
}

upstream::Cluster* RouterFilter::choose_cluster(const Route& route, const RequestHead& head) {
  StreamInfo& info = callbacks_->stream_info();
  const std::string& named = route.cluster();
  if (!named.empty()) {
    info.upstream_cluster = named;
    // The configuration that this stream began with knew the cluster, whatever has been edited since.
    return clusters_.find_retired(named);
  }
  const auto asked = head.headers.get(route.action()->cluster_header);
  if (!asked || asked->empty()) return nullptr;
  info.upstream_cluster = *asked;
  return clusters_.find(*asked);
}

Flow RouterFilter::forward(const Route& route, RequestHead& head, EndStream end) {
  StreamInfo& info = callbacks_->stream_info();
  const RouteActionOptions& action = *route.action();
  info.upstream_begin = clusters_.loop().now();
  // A filter may have led it to another route than the one that let it in.
  if (info.tunnel != Tunnel::kNone && refuses_tunnel(route, head)) [[unlikely]]
    return answer(upgrade_refused_reply());
  upstream::Cluster* cluster = choose_cluster(route, head);
  if (cluster == nullptr) {
    settings_.stats.no_cluster.inc();
    WEIR_LOG(kRouter, kDebug, "no such cluster",
             {{"connection", info.connection_id},
              {"stream", info.stream_id},
              {"cluster", info.upstream_cluster}});
    return answer(no_cluster_reply(info, action.cluster_not_found_status));
  }
  cluster_state_ = &cluster->state();
  duration_after_ = cluster->options().http.max_stream_duration;
  const EnvoyHeaders envoy_headers = settings_.options.envoy_headers;
  timeout_after_ = request_timeout(action, head, envoy_headers, settings_.options.expected_timeout);
  route.apply_request_ops(head.headers, {info, &head, nullptr, nullptr, clusters_.loop().now()});
  rewrite_request(route, head, envoy_headers);
  if (route.include_attempt_count()) head.headers.set("x-envoy-attempt-count", "1");

  if (const ConnectOptions* options = route.terminates(head)) [[unlikely]]
    return start_tcp(*cluster, *options, end) ? Flow::kContinue : Flow::kReplied;
  const auto priority =
      action.high_priority ? upstream::Priority::kHigh : upstream::Priority::kDefault;
  if (!settings_.upstream_filters.empty() || !cluster->options().http_filters.empty())
      [[unlikely]] {
    start_filtered(*cluster, priority, end);
    if (end == EndStream::kYes) request_done();
    return Flow::kContinue;
  }
  if (auto failure = exchange_.start(*cluster, head, end, priority, info.protocol, info.connection,
                                     wanted_host_.choice(info))) {
    fail_before_head(*failure);
    return Flow::kReplied;
  }
  if (upstream::Pool* pool = exchange_.pool()) set_upstream_host(*pool);
  if (end == EndStream::kYes) request_done();
  return Flow::kContinue;
}

bool RouterFilter::start_tcp(upstream::Cluster& cluster, const ConnectOptions& options,
                             EndStream end) {
  timeout_after_ = std::chrono::milliseconds(0);  // it is for responses
  upstream::ExchangeSink& sink = *this;
  auto tunnel = std::make_unique<TcpTunnel>(sink, callbacks_->stream_info(), options);
  if (auto failure = tunnel->start(cluster, end)) {
    fail_before_head(*failure);
    return false;
  }
  callbacks_->stream_info().upstream_host =
      callbacks_->request_head()->headers.store(tunnel->host_text());
  carrier_ = std::move(tunnel);
  if (duration_after_.count() > 0) start_duration();
  return true;
}

/// A cluster's own filters take the place of the router's.
void RouterFilter::start_filtered(upstream::Cluster& cluster, upstream::Priority priority,
                                  EndStream end) {
  const upstream::HttpFilters& own = cluster.options().http_filters;
  auto chain =
      std::make_unique<UpstreamChain>(UpstreamChainDeps{*this, *terminal_, *callbacks_, clusters_});
  UpstreamChain& started = *chain;
  carrier_ = std::move(chain);
  // The router's filters live as long as the stream's configuration, a cluster may be edited under it.
  started.start(own.empty() ? settings_.upstream_filters : own, cluster.shared_options(), priority,
                end);
}

Flow RouterFilter::on_request_body(Buffer& data, EndStream end) {
  carrier_ != nullptr ? carrier_->send_body(data, end) : exchange_.send_body(data, end);
  if (end == EndStream::kYes) request_done();
  return Flow::kContinue;
}

Flow RouterFilter::on_request_trailers(HeaderMap& trailers) {
  carrier_ != nullptr ? carrier_->send_trailers(trailers) : exchange_.send_trailers(trailers);
  request_done();
  return Flow::kContinue;
}

void RouterFilter::start_duration() {
  if (!duration_)
    duration_ =
        std::make_unique<event::Timer>(clusters_.loop(), &RouterFilter::on_duration_reached, this);
  duration_->arm(duration_after_);
}

/// The time for the response runs from here. What goes through a tunnel is no response.
void RouterFilter::request_done() {
  if (callbacks_->stream_info().tunnel != Tunnel::kNone) return;
  request_done_ = clusters_.loop().now();
  if (timeout_after_.count() > 0 && active()) timeout_.arm(timeout_after_);
}

void RouterFilter::response_done() {
  timeout_.cancel();
  const MonotonicTime now = clusters_.loop().now();
  callbacks_->stream_info().upstream_last_rx = now;
  if (request_done_ != MonotonicTime{})
    cluster_state_->stats().rq_time.record(
        static_cast<uint64_t>(milliseconds_between(request_done_, now)));
}

void RouterFilter::on_stream_end(const StreamInfo&) noexcept { abandon(); }

void RouterFilter::abandon() noexcept {
  carrier_ != nullptr ? carrier_->cancel() : exchange_.cancel();
  timeout_.cancel();
  if (duration_) duration_->cancel();
}

void RouterFilter::set_upstream_host(upstream::Pool& pool) {
  if (host_named_ == &pool) return;
  host_named_ = &pool;
  // The pool may die before the stream has written its access log; the request's arena does not.
  callbacks_->stream_info().upstream_host =
      callbacks_->request_head()->headers.store(pool.address_text());
}

void RouterFilter::on_exchange_connected(upstream::UpstreamStream& stream) {
  StreamInfo& info = callbacks_->stream_info();
  set_upstream_host(stream.pool());
  info.upstream_local_address = stream.local_address_text();
  info.upstream_tls = stream.tls();
  info.upstream_protocol = protocol_name(stream.protocol());
  info.upstream_first_tx = clusters_.loop().now();
  ++info.upstream_attempt_count;
  if (duration_after_.count() > 0) [[unlikely]]
    start_duration();
  WEIR_LOG(kRouter, kDebug, "request sent upstream",
           {{"connection", info.connection_id},
            {"stream", info.stream_id},
            {"cluster", info.upstream_cluster},
            {"upstream", info.upstream_host},
            {"upstream_connection", stream.connection_id()},
            {"attempt", info.upstream_attempt_count}});
}

void RouterFilter::on_exchange_informational() {
  ResponseHead& head = terminal_->response_head_storage();
  if (callbacks_->stream_info().protocol == Protocol::kHttp10) return;
  // 100 is for the client only if it has asked and nobody before has answered: then the request still says so.
  if (head.status == 100 && !callbacks_->request_head()->headers.has(HeaderId::kExpect)) return;
  if (http::strip_hop_by_hop(head.headers)) terminal_->send_informational(head);
}

void RouterFilter::prepare_head(ResponseHead& head) {
  StreamInfo& info = callbacks_->stream_info();
  const MonotonicTime now = clusters_.loop().now();
  info.upstream_first_rx = now;
  info.response_code = head.status;  // header operations may tell it
  info.response_code_details_static = "via_upstream";
  cluster_state_->charge_response(head.status, settings_.options.dynamic_stats);
  if (request_done_ != MonotonicTime{} && settings_.options.envoy_headers == EnvoyHeaders::kAdd) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(),
                                   milliseconds_between(request_done_, now));
    head.headers.set(HeaderId::kXEnvoyUpstreamServiceTime,
                     std::string_view(digits.data(), static_cast<size_t>(end.ptr - digits.data())));
  }
  route_->finalize_response(head.headers, {info, callbacks_->request_head(), &head, nullptr, now});
}

void RouterFilter::on_exchange_head(size_t, EndStream end) {
  prepare_head(terminal_->response_head_storage());
  head_passed_ = true;
  if (end == EndStream::kYes) response_done();
  terminal_->send_response_head(end);
}

void RouterFilter::on_exchange_body(Buffer& data, EndStream end) {
  if (end == EndStream::kYes) response_done();
  terminal_->send_response_body(data, end);
}

void RouterFilter::on_exchange_trailers() {
  response_done();
  terminal_->send_response_trailers();
}

void RouterFilter::on_exchange_failed(const upstream::Failure& failure) {
  timeout_.cancel();
  if (upstream::failed_to_connect(failure.kind)) ++callbacks_->stream_info().upstream_attempt_count;
  if (!head_passed_) {
    fail_before_head(failure);
    return;
  }
  log_failure("upstream failed under the response", reset_reason(failure.kind),
              failure.transport_reason);
  settings_.stats.rq_reset_after_downstream_response_started.inc();
  callbacks_->stream_info().set_flag(failure_flag(failure.kind));
  terminal_->abort_response(reset_details("upstream_reset_after_response_started", failure));
}

void RouterFilter::log_failure(std::string_view what, std::string_view why,
                               std::string_view transport) const {
  const StreamInfo& info = callbacks_->stream_info();
  WEIR_LOG(kRouter, kDebug, what,
           {{"connection", info.connection_id},
            {"stream", info.stream_id},
            {"cluster", info.upstream_cluster},
            {"upstream", info.upstream_host},
            {"why", why},
            {"transport", transport},
            {"retried", retried()}});
}

void RouterFilter::fail_before_head(const upstream::Failure& failure) {
  log_failure("upstream failed", reset_reason(failure.kind), failure.transport_reason);
  LocalReply reply =
      failure_reply(callbacks_->stream_info(), failure,
                    retried() ? Attempt::kRetry : Attempt::kFirst, settings_.options.envoy_headers);
  cluster_state_->charge_response(reply.status, settings_.options.dynamic_stats);
  callbacks_->reply(std::move(reply));
}

void RouterFilter::on_timeout(void* self) noexcept {
  auto& router = *static_cast<RouterFilter*>(self);
  if (!router.active()) return;
  router.carrier_ != nullptr ? router.carrier_->time_out() : router.exchange_.time_out();
  router.log_failure("upstream failed", "no complete response in time", {});
  StreamInfo& info = router.callbacks_->stream_info();
  LocalReply reply = timeout_reply(info);
  if (!router.head_passed_)
    router.cluster_state_->charge_response(reply.status, router.settings_.options.dynamic_stats);
  router.answer_late(std::move(reply));
}

void RouterFilter::answer_late(LocalReply reply) {
  if (!head_passed_) return callbacks_->reply(std::move(reply));
  settings_.stats.rq_reset_after_downstream_response_started.inc();
  terminal_->abort_response(reply.details);
}

void RouterFilter::on_duration_reached(void* self) noexcept {
  auto& router = *static_cast<RouterFilter*>(self);
  if (!router.active()) return;
  router.abandon();
  router.cluster_state_->stats().rq_max_duration_reached.inc();
  router.log_failure("upstream failed", "max_stream_duration", {});
  // Not charged as a response of the cluster: its own counter tells, as in Envoy.
  router.answer_late(duration_reply(
      router.callbacks_->stream_info(),
      router.request_done_ != MonotonicTime{} ? RequestEnd::kSeen : RequestEnd::kOwed));
}

}  // namespace weir::router
