#include "proxy/http_stream.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "proxy/http_session.h"
#include "proxy/log_filter.h"
#include "proxy/log_lines.h"
#include "router/route.h"
#include "router/route_table.h"
#include "router/timeouts.h"
#include "stream/local_reply.h"

namespace weir::proxy {

/// Counts what the writer adds to the connection's unsent bytes, and has it sent.
class HttpStream::SentBytes {
 public:
  explicit SentBytes(HttpStream& stream)
      : session_(*stream.session_), before_(session_.connection().unsent()) {}
  ~SentBytes() {
    if (session_.reading_frames()) return;
    session_.count_sent(session_.connection().unsent() - before_);
    session_.response_written();
  }
  SentBytes(const SentBytes&) = delete;
  SentBytes& operator=(const SentBytes&) = delete;

 private:
  HttpSession& session_;
  size_t before_;
};

namespace {
stream::RequestState state_of(const HttpStream& stream) noexcept {
  return stream.request_complete() ? stream::RequestState::kComplete
                                   : stream::RequestState::kIncomplete;
}
}  // namespace

HttpStream::~HttpStream() = default;

void HttpStream::begin(HttpSession& session, http::ResponseWriter& writer,
                       const RuntimeRef& runtime, uint64_t id) {
  session_ = &session;
  writer_ = &writer;
  runtime_ = runtime;
  finished_ = false;
  event::Loop& loop = session.deps().loop;
  StreamInfo& info = exchange_.info;
  info.connection_id = session.connection().id();
  info.stream_id = id;
  info.start_time = loop.system_now();
  info.start = loop.now();
  info.connection = &session.info();
  info.downstream_remote_address = info.connection->remote_address;
  info.downstream_direct_remote_address = info.connection->direct_remote_address();
  info.downstream_local_address = info.connection->local_address;
  info.listener_name = runtime_->listener().name;
  info.filter_chain_name = runtime_->chain().name;
  const HcmStats& stats = runtime_->stats();
  stats.rq_total.inc();
  (session.multiplexed() ? stats.rq_http2_total : stats.rq_http1_total).inc();
  stats.rq_active.inc();
  if (session.multiplexed() && !idle_timer_) idle_timer_.emplace(loop, &on_idle_timer, this);
  set_idle_timeout(hcm().stream_idle_timeout);
  if (hcm().request_timeout.count() > 0)
    request_timer_.emplace(loop, &on_request_timer, this).arm(hcm().request_timeout);
  if (hcm().max_stream_duration.count() > 0)
    duration_timer_.emplace(loop, &on_duration_timer, this).arm(hcm().max_stream_duration);
}

void HttpStream::recycle() noexcept {
  WEIR_DCHECK(finished_);
  chain_.clear();
  exchange_.request.clear();
  exchange_.request_trailers.clear();
  exchange_.response.clear();
  exchange_.response_trailers.clear();
  exchange_.info = StreamInfo();
  request_timer_.reset();
  duration_timer_.reset();
  runtime_ = RuntimeRef();
  session_ = nullptr;
  writer_ = nullptr;
  route_ = timed_by_ = nullptr;
  idle_by_route_ = random_drawn_ = head_received_ = request_complete_ = request_held_ =
      own_answer_ = false;
  upgrade_counted_ = false;
}

std::unique_ptr<HttpStream> HttpStream::unlink() noexcept {
  std::unique_ptr<HttpStream> self = std::move(prev_->next_);
  prev_->next_ = std::move(next_);
  if (prev_->next_ != nullptr) prev_->next_->prev_ = prev_;
  prev_ = nullptr;
  return self;
}

void HttpStream::note_activity() noexcept {
  if (!session_->multiplexed()) return session_->note_activity();
  if (idle_timeout_.count() > 0) idle_timer_->arm(idle_timeout_);
}

void HttpStream::set_idle_timeout(Milliseconds timeout) noexcept {
  if (!session_->multiplexed()) return session_->set_stream_idle_timeout(timeout);
  idle_timeout_ = timeout;
  if (timeout.count() > 0)
    idle_timer_->arm(timeout);
  else
    idle_timer_->cancel();
}

// ---- the request ------------------------------------------------------------------------------------------------------

void HttpStream::on_request_head(Protocol protocol, size_t wire_bytes, EndStream end) {
  head_received_ = true;
  StreamInfo& info = exchange_.info;
  info.protocol = protocol;
  info.request_headers_bytes = wire_bytes;
  if (end == EndStream::kYes) request_ended();
  if (base::log_enabled(base::Component::kHttp, base::Level::kDebug)) [[unlikely]]
    log_begin();
  const PeerFacts peer{session_->info().remote_ip(), session_->info().remote_address,
                       session_->info().tls};
  if (auto refusal = prepare_request(exchange_.request, info, *runtime_, peer, scratch_)) {
    begin_chain(0);
    if (refusal->close && !session_->multiplexed()) writer_->close_after();
    chain_.reply(std::move(refusal->reply));
    return;
  }
  note_activity();
  if (info.tunnel != Tunnel::kNone) [[unlikely]]
    return begin_tunnel(end);
  build_chain(hcm().filters);
  chain_.request_head(end);
}

void HttpStream::on_request_body(Buffer& data, EndStream end) {
  exchange_.info.bytes_received += data.size();
  if (end == EndStream::kYes) request_ended();
  note_activity();
  if (!finished_) chain_.request_body(data, end);
}

void HttpStream::on_request_trailers() {
  request_ended();
  note_activity();
  if (!finished_) chain_.request_trailers_received();
}

/// HTTP/2: the client has reset the stream, or the codec has, because of what came on it.
void HttpStream::on_request_aborted(const Error& error) {
  if (error.code == Code::kClosed) return on_client_gone(error.detail);
  if (error.code == Code::kReset)
    return end_early(ResponseFlag::kDownstreamRemoteReset, "http2.remote_reset", error.detail);
  end_early(ResponseFlag::kDownstreamProtocolError, "http2.violation.of.messaging.rule",
            error.detail);
}

void HttpStream::on_request_refused(const Error& error) {
  exchange_.info.protocol = Protocol::kHttp2;
  head_received_ = true;
  request_ended();  // nothing of it is waited for
  on_bad_request(error);
}

void HttpStream::on_response_resumed() {
  note_activity();
  chain_.on_response_resumed();
}

void HttpStream::request_ended() {
  request_complete_ = true;
  exchange_.info.request_end = session_->deps().loop.now();
  if (request_timer_) request_timer_->cancel();
}

void HttpStream::begin_chain(size_t filters) {
  SessionDeps& deps = session_->deps();
  const stream::ChainEnvironment environment{&deps.loop, deps.worker, &deps.callouts,
                                             runtime_->listener().connection.buffer_limit,
                                             &deps.health_check_failed};
  chain_.begin(*this, exchange_, environment, filters);
}

void HttpStream::build_chain(const std::vector<ConfiguredFilter>& filters) {
  begin_chain(filters.size());
  const unsigned worker = session_->deps().worker;
  // Matched before the first filter: filters may be disabled on a route. The router alone matches when it is asked.
  const stream::RouteRef* route = filters.size() > 1 ? chain_.route() : nullptr;
  if (route != nullptr && route->include_filter_times()) chain_.measure_filters();
  for (const ConfiguredFilter& configured : filters) {
    const HttpFilterFactory& factory = *configured.factory;
    if (factory.terminal()) {
      chain_.add_terminal(factory.create(worker), configured.name);
      break;
    }
    const int said = route == nullptr ? -1 : route->filter_disabled(configured.name);
    if (said == 1 || (said < 0 && configured.disabled)) continue;
    if (auto filter = factory.create(worker)) chain_.add(std::move(filter), configured.name);
  }
}

const stream::RouteRef* HttpStream::match_route() {
  if (!random_drawn_) {
    random_ = base::random_u64();
    random_drawn_ = true;
  }
  StreamInfo& info = exchange_.info;
  const router::Route* found =
      hcm().routes == nullptr ? nullptr : hcm().routes->match(exchange_.request, random_);
  // Most changes of a head lead to the same route again.
  if (found != nullptr && found == route_) return route_;
  route_ = found;
  apply_route_idle_timeout();
  if (route_ == nullptr) {
    info.route_name = info.virtual_host_name = {};
    info.route_metadata = info.virtual_host_metadata = nullptr;
    return nullptr;
  }
  info.route_name = route_->name();
  info.virtual_host_name = route_->virtual_host();
  info.route_metadata = route_->metadata();
  info.virtual_host_metadata = route_->virtual_host_metadata();
  if (timed_by_ != nullptr || (route_->action() != nullptr && route_->action()->stream_duration))
    apply_route_duration();
  return route_;
}

/// What a route before it has set does not outlive it.
void HttpStream::apply_route_idle_timeout() {
  const auto idle = route_ != nullptr ? route_->idle_timeout() : std::nullopt;
  if (idle || idle_by_route_) set_idle_timeout(idle.value_or(hcm().stream_idle_timeout));
  idle_by_route_ = idle.has_value();
}

/// Once per route: it changes the request's grpc-timeout.
void HttpStream::apply_route_duration() {
  if (std::exchange(timed_by_, route_) == route_) return;
  event::Loop& loop = session_->deps().loop;
  router::StreamDurationOptions options;
  if (const auto* action = route_->action()) options = action->stream_duration.value_or(options);
  const auto limit = router::stream_duration(options, hcm().max_stream_duration, exchange_.request);
  if (!limit) {
    if (duration_timer_) duration_timer_->cancel();
    return;
  }
  if (!duration_timer_) duration_timer_.emplace(loop, &on_duration_timer, this);
  const auto used = std::chrono::duration_cast<Milliseconds>(loop.now() - exchange_.info.start);
  duration_timer_->arm(std::max(*limit - used, Milliseconds(1)));
}

void HttpStream::hold_request() {
  if (request_held_ || writer_ == nullptr) return;
  request_held_ = true;
  runtime_->stats().flow_control_paused_reading.inc();
  writer_->hold_request();
}

void HttpStream::release_request() {
  if (!std::exchange(request_held_, false) || writer_ == nullptr) return;
  runtime_->stats().flow_control_resumed_reading.inc();
  writer_->release_request();
  if (session_->multiplexed()) session_->response_written();  // windows
}

// ---- the response -------------------------------------------------------------------------------------------------------

void HttpStream::send_informational(const ResponseHead& head) {
  if (writer_ == nullptr || (head.status == 100 && !hcm().proxy_100_continue)) return;
  SentBytes sent(*this);
  writer_->send_informational(head);
}

void HttpStream::send_response_head(EndStream end) {
  if (writer_ == nullptr) return;
  event::Loop& loop = session_->deps().loop;
  StreamInfo& info = exchange_.info;
  ResponseHead& head = exchange_.response;
  prepare_response(head, exchange_.request, hcm(), loop.system_now(), scratch_.text);
  info.response_code = head.status;
  info.response_headers_bytes = head.headers.byte_size();
  info.first_tx = loop.now();
  count_response();
  if (info.tunnel == Tunnel::kAsked) [[unlikely]]
    answer_tunnel(end);
  const bool tunnel = info.tunnel == Tunnel::kOpen;
  if (!request_complete_ && !tunnel) {
    if (end == EndStream::kYes) runtime_->stats().rq_response_before_rq_complete.inc();
    // The connection ends with a response that does not wait for the request, and the client is told. A response of
    // open length may well be one half of a conversation.
    if (!session_->multiplexed() &&
        (end == EndStream::kYes || own_answer_ || head.headers.has(HeaderId::kContentLength)))
      writer_->close_after();
  }
  if (!tunnel && session_->last_request()) writer_->close_after();
  note_activity();
  SentBytes sent(*this);
  writer_->send_head(head, end);
}

void HttpStream::send_response_body(Buffer& data, EndStream end) {
  if (writer_ == nullptr) return data.clear();
  exchange_.info.bytes_sent += data.size();
  if (!request_complete_ && end == EndStream::kYes && exchange_.info.tunnel == Tunnel::kNone)
    runtime_->stats().rq_response_before_rq_complete.inc();
  note_activity();
  SentBytes sent(*this);
  writer_->send_body(data, end);
}

void HttpStream::send_response_trailers() {
  if (writer_ == nullptr) return;
  SentBytes sent(*this);
  writer_->send_trailers(exchange_.response_trailers);
}

void HttpStream::prepare_reply(LocalReply& reply, Buffer& body) {
  own_answer_ = true;
  StreamInfo& info = exchange_.info;
  const HcmStats& stats = runtime_->stats();
  if (reply.details == stream::kRequestTooLarge) stats.rq_too_large.inc();
  if (reply.details == stream::kResponseTooLarge) stats.rs_too_large.inc();
  ResponseHead& head = exchange_.response;
  info.response_code = head.status = reply.status;
  const stream::FormatContext context = format_context();
  const LocalReplyMapper* mapper = nullptr;
  for (const LocalReplyMapper& candidate : hcm().local_reply.mappers) {
    if (!passes(candidate.filter.get(), context)) continue;
    mapper = &candidate;
    break;
  }
  const auto form = stream::is_grpc_request(exchange_.request.headers) ? stream::ReplyForm::kGrpc
                                                                       : stream::ReplyForm::kText;
  const LocalReplyOptions& options = hcm().local_reply;
  const stream::Format* text = options.text_format ? &*options.text_format : nullptr;
  const stream::JsonFormat* json = options.json_format ? &*options.json_format : nullptr;
  std::string_view content_type = options.content_type;
  if (mapper != nullptr) {
    if (mapper->status) info.response_code = head.status = reply.status = *mapper->status;
    if (mapper->text_format || mapper->json_format) {
      text = mapper->text_format ? &*mapper->text_format : nullptr;
      json = mapper->json_format ? &*mapper->json_format : nullptr;
      content_type = mapper->content_type;
    }
  }
  // In this order mappers have the last word, and formats of the body see all fields but those that describe it.
  stream::write_reply_fields(reply, form, head.headers);
  if (route_ != nullptr) route_->finalize_response(head.headers, context);
  const std::string own_type(head.headers.get(HeaderId::kContentType).value_or(""));
  if (mapper != nullptr) mapper->headers.apply(head.headers, context);
  const bool mapped_type = head.headers.get(HeaderId::kContentType).value_or("") != own_type;
  const bool rewritten = json != nullptr || text != nullptr || (mapper != nullptr && mapper->body);
  if (mapper != nullptr && mapper->body) reply.body = *mapper->body;
  info.local_reply_body = reply.body;
  if (json != nullptr) {
    reply.body.clear();
    json->append(context, reply.body, false);
    reply.body += '\n';
    if (content_type.empty()) content_type = "application/json";
  } else if (text != nullptr) {
    reply.body.clear();
    text->append(context, reply.body, stream::Format::Escape::kNo);
  }
  // The type that came with a body does not describe the one in its place.
  if (rewritten && !mapped_type && form == stream::ReplyForm::kText)
    head.headers.remove(HeaderId::kContentType);
  stream::write_reply_body(reply, form, content_type, head, body);
}

void HttpStream::abort_response(std::string_view details) {
  exchange_.info.connection_termination_details = details;
  runtime_->stats().rq_tx_reset.inc();
  if (writer_ == nullptr) return;
  // What ends with the connection must not seem to have ended.
  const bool unframed =
      exchange_.info.protocol == Protocol::kHttp10 || exchange_.info.tunnel == Tunnel::kOpen;
  if (unframed && chain_.response_started()) session_->reset_on_close();
  SentBytes sent(*this);
  writer_->abort();
}

// ---- ends -------------------------------------------------------------------------------------------------------------------

void HttpStream::on_bad_request(const Error& error) {
  if (finished_) return;
  if (!chain_.active()) begin_chain(0);
  chain_.reply(stream::codec_error_reply(error, exchange_.info));
}

void HttpStream::on_client_gone(std::string_view details) {
  end_early(ResponseFlag::kDownstreamConnectionTermination, "downstream_remote_disconnect",
            details);
}

void HttpStream::on_connection_error(std::string_view details) {
  end_early(ResponseFlag::kDownstreamProtocolError, "http2.codec_error", details);
}

/// The client is not there any more for this request.
void HttpStream::end_early(ResponseFlag flag, std::string_view code_details,
                           std::string_view details) {
  if (finished_) return;
  StreamInfo& info = exchange_.info;
  info.set_flag(flag);
  info.response_code_details_text.clear();
  info.response_code_details_static = code_details;
  info.connection_termination_details = details;
  runtime_->stats().rq_rx_reset.inc();
  finish();
}

void HttpStream::abort(std::string_view details) {
  if (finished_) return;
  StreamInfo& info = exchange_.info;
  info.set_flag(ResponseFlag::kLocalReset);
  info.response_code_details_text = details;
  finish();
}

void HttpStream::on_header_timeout() {
  if (finished_ || head_received_) return;
  runtime_->stats().rq_header_timeout.inc();
  if (!chain_.active()) begin_chain(0);
  chain_.reply(stream::header_timeout_reply());
}

void HttpStream::on_idle_timeout() {
  if (finished_) return;
  runtime_->stats().rq_idle_timeout.inc();
  exchange_.info.set_flag(ResponseFlag::kStreamIdleTimeout);
  if (!chain_.active()) begin_chain(0);
  note_activity();  // a filter may hold this answer too: until it lets go or the next time-out
  chain_.reply(stream::stream_idle_reply(state_of(*this)));
}

void HttpStream::on_idle_timer(void* self) {
  auto& stream = *static_cast<HttpStream*>(self);
  if (!stream.finished_) return stream.on_idle_timeout();
  if (stream.writer_ == nullptr) return;
  // The response is complete, but the client opens no window for the rest of it.
  stream.runtime_->stats().http2.tx_flush_timeout.inc();
  SentBytes sent(stream);
  stream.writer_->abort();
}

void HttpStream::on_request_timer(void* self) {
  auto& stream = *static_cast<HttpStream*>(self);
  if (stream.finished_ || stream.request_complete_) return;
  stream.runtime_->stats().rq_timeout.inc();
  if (!stream.chain_.active()) stream.begin_chain(0);
  stream.chain_.reply(stream::request_timeout_reply());
}

void HttpStream::on_duration_timer(void* self) {
  auto& stream = *static_cast<HttpStream*>(self);
  if (stream.finished_) return;
  stream.runtime_->stats().rq_max_duration_reached.inc();
  stream.exchange_.info.set_flag(ResponseFlag::kDurationTimeout);
  if (!stream.chain_.active()) stream.begin_chain(0);
  stream.chain_.reply(stream::max_duration_reply(state_of(stream)));
}

void HttpStream::count_response() {
  if (exchange_.info.health_check) return;
  const HcmStats& stats = runtime_->stats();
  const ListenerHttpStats& listener = runtime_->listener_stats();
  const int status = exchange_.response.status;
  stats.rq_completed.inc();
  stats.rq_classes.count(status);
  listener.rq_completed.inc();
  listener.rq_classes.count(status);
}

stream::FormatContext HttpStream::format_context() const {
  stream::FormatContext context{exchange_.info};
  if (head_received_) context.request = &exchange_.request;
  if (exchange_.response.status > 0) context.response = &exchange_.response;
  if (!exchange_.response_trailers.empty())
    context.response_trailers = &exchange_.response_trailers;
  if (!exchange_.request_trailers.empty()) context.request_trailers = &exchange_.request_trailers;
  context.now = session_->deps().loop.now();
  return context;
}

/// The last of a stream, whatever its end: filters, stats, access log.
void HttpStream::finish() {
  if (finished_) return;
  finished_ = true;
  StreamInfo& info = exchange_.info;
  info.end = session_->deps().loop.now();
  if (request_timer_) request_timer_->cancel();
  if (duration_timer_) duration_timer_->cancel();
  chain_.end();
  const HcmStats& stats = runtime_->stats();
  stats.rq_active.dec();
  if (upgrade_counted_) [[unlikely]]
    stats.cx_upgrades_active.dec();
  if (!info.health_check)
    stats.rq_time.record(static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(info.end - info.start).count()));
  if (!runtime_->logs().empty()) write_logs();
  if (base::log_enabled(base::Component::kHttp, base::Level::kDebug)) [[unlikely]]
    log_end();
}

void HttpStream::write_logs() {
  write_log_lines(runtime_->logs(), format_context(), session_->deps());
}

/// For the log: what stands behind '?' may be a secret.
std::string_view HttpStream::path_without_query() const noexcept {
  const std::string_view path = exchange_.request.path();
  return path.substr(0, path.find('?'));
}

void HttpStream::log_begin() const {
  WEIR_LOG(kHttp, kDebug, "request",
           {{"connection", exchange_.info.connection_id},
            {"stream", exchange_.info.stream_id},
            {"method", exchange_.request.method()},
            {"host", exchange_.request.authority()},
            {"path", path_without_query()}});
}

void HttpStream::log_end() const {
  const StreamInfo& info = exchange_.info;
  WEIR_LOG(
      kHttp, kDebug, "request ended",
      {{"connection", info.connection_id},
       {"stream", info.stream_id},
       {"remote", info.downstream_remote_address},
       {"status", info.response_code},
       {"flags", info.flags == 0 ? "-" : response_flags_text(info.flags)},
       {"details", info.response_code_details()},
       {"route", info.route_name},
       {"cluster", info.upstream_cluster},
       {"upstream", info.upstream_host},
       {"attempts", info.upstream_attempt_count},
       {"received", info.bytes_received},
       {"sent", info.bytes_sent},
       {"duration_ms",
        std::chrono::duration_cast<std::chrono::milliseconds>(info.end - info.start).count()}});
}

}  // namespace weir::proxy
