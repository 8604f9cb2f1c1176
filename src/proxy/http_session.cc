#include "proxy/http_session.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "http/h1/h1.h"
#include "http/h2/h2.h"
#include "proxy/http_stream.h"
#include "proxy/stream_pool.h"

namespace weir::proxy {

namespace {
/// Pipelined requests that are answered at once, in one turn; the rest waits for the next.
constexpr int kRequestsPerTurn = 32;
/// RFC 9113 section 3.4. No request of HTTP/1 begins like that.
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
}  // namespace

HttpSession::HttpSession(SessionDeps& deps, ListenerHost& host, ChainSlot& chain,
                         AcceptedConnection&& accepted)
    : Session(deps, host, chain, std::move(accepted)),
      scope_(current()->connection_scope()),
      idle_timer_(deps.loop, &on_idle_timer, this) {
  const DownstreamStats& all = *scope_->stats;
  all.http.cx_total.inc();
  all.http.cx_active.inc();
}

HttpSession::~HttpSession() = default;

void HttpSession::start() {
  connection_->set_sink(*this);
  if (scope_->codec_type == HttpCodec::kHttp1) make_codec(Protocol::kHttp11);
  if (scope_->codec_type == HttpCodec::kHttp2) make_codec(Protocol::kHttp2);
  if (born_draining()) start_drain();
  arm_idle();
  if (scope_->max_duration.count() > 0) arm_duration(scope_->max_duration);
  put_filters();
  connection_->start();
  WEIR_LOG(kConnection, kDebug, "connection accepted",
           {{"connection", connection_->id()},
            {"remote", info_.remote_address},
            {"local", info_.local_address},
            {"listener", current()->listener().name}});
}

bool HttpSession::choose_codec(Buffer& in, net::ReadEnd end) {
  if (resting_) {
    make_codec(Protocol::kHttp11);
    return true;
  }
  const TlsInfo* tls = connection_->tls();
  const std::string_view alpn = tls != nullptr ? tls->text(TlsText::kAlpn) : std::string_view();
  if (alpn == "h2") {
    make_codec(Protocol::kHttp2);
    return true;
  }
  const std::string_view seen = in.linearize(kPreface.size());
  if (alpn.empty() && kPreface.starts_with(seen)) {
    if (seen.size() < kPreface.size() && end == net::ReadEnd::kNo) return false;
    if (seen.size() == kPreface.size()) {
      make_codec(Protocol::kHttp2);
      return true;
    }
  }
  make_codec(Protocol::kHttp11);
  return true;
}

void HttpSession::make_codec(Protocol protocol) {
  const HcmStats& stats = this->stats();
  multiplexed_ = protocol == Protocol::kHttp2;
  if (multiplexed_) {
    http::h2::Environment environment;
    environment.now = deps_.loop.clock();
    environment.stats = &stats.http2;
    environment.stream_buffer_limit = current()->listener().connection.buffer_limit;
    environment.output = http::h2::Output::kWhenFlushed;
    frames_due_ = std::make_unique<event::EndOfTurn>(deps_.loop, &on_frames_due, this);
    codec_ = http::h2::make_server_connection(scope_->codec, scope_->http2, environment, *this,
                                              connection_->out());
    connection_->written();
    begin_keepalive();
  } else {
    codec_ = http::h1::make_server_connection(scope_->codec, *this, connection_->out());
  }
  if (!std::exchange(resting_, false)) {
    (multiplexed_ ? stats.cx_http2_total : stats.cx_http1_total).inc();
    (multiplexed_ ? stats.cx_http2_active : stats.cx_http1_active).inc();
  }
  if (std::exchange(draining_, false)) start_drain();
}

// ---- bytes in -----------------------------------------------------------------------------------------------------------

void HttpSession::on_data(Buffer& in, net::ReadEnd end) {
  if (state_ != State::kOpen) return in.clear();
  if (in.size() > kept_bytes_) {
    stats().cx_rx_bytes_total.add(in.size() - kept_bytes_);
    info_.bytes_received += in.size() - kept_bytes_;
  }
  if (codec_ == nullptr && !in.empty() && !choose_codec(in, end)) {
    kept_bytes_ = static_cast<uint32_t>(in.size());
    return update_head_timer();
  }
  if (multiplexed_) return on_frames(in, end);
  backlogged_ = false;
  if (!in.empty()) decode(in);
  update_reading();
  kept_bytes_ = static_cast<uint32_t>(in.size());
  if (state_ != State::kOpen) return;
  if (end == net::ReadEnd::kYes) remote_closed_ = true;
  // Each direction of a tunnel ends by itself.
  if (remote_closed_ && stream_ != nullptr && codec_->tunnel())
    return static_cast<void>(codec_->on_read_end());
  // A client that closes its sending side has gone, as Envoy and nginx see it: nobody waits for an upstream in vain.
  if (remote_closed_ && stream_ != nullptr)
    return on_client_gone("downstream closed before the response");
  maybe_close();
}

void HttpSession::decode(Buffer& in) {
  // Whoever pipelines requests and does not read the answers must not make them pile up here.
  if (stream_ == nullptr && connection_->write_blocked()) {
    output_held_ = true;
    return;
  }
  decoding_ = true;
  bool progress = true;
  for (int i = 0;
       i < kRequestsPerTurn && progress && state_ == State::kOpen && !codec_->must_close(); ++i) {
    const size_t before = in.size();
    if (auto decoded = codec_->decode(in); !decoded) {
      on_codec_error(decoded.error());
      progress = false;
      break;
    }
    progress = stream_ == nullptr && !in.empty() && in.size() < before;
    if (progress && output_over_limit()) break;  // the next turn sends, and sees what is left
  }
  decoding_ = false;
  if (state_ != State::kOpen) return;
  // The codec answers "Expect: 100-continue" by itself: nobody else sends that.
  if (connection_->unsent() > 0) connection_->written();
  backlogged_ = progress;
  if (progress) connection_->offer_again();
  update_head_timer();
}

/// What arrived is no HTTP: answer it if that is still possible, then close.
void HttpSession::on_codec_error(const Error& error) {
  if (error.code == Code::kClosed) return on_client_gone(error.detail);
  stats().cx_protocol_error.inc();
  WEIR_LOG(
      kHttp, kDebug, "malformed request",
      {{"connection", connection_->id()}, {"remote", info_.remote_address}, {"why", error.detail}});
  if (stream_ != nullptr) stream_->on_bad_request(error);
  if (state_ == State::kOpen && stream_ == nullptr) close_gracefully("malformed request");
}

http::RequestReceiver& HttpSession::on_new_request(http::ResponseWriter& writer) {
  ++requests_;
  auto stream = deps_.streams.take();
  if (stream_ != nullptr) stream->link_before(std::move(stream_));
  stream_ = std::move(stream);
  stream_->begin(*this, writer, current(), deps_.streams.next_id());
  // Requests that are on their way meanwhile are still served.
  if (multiplexed_ && requests_ == scope_->max_requests) {
    stats().cx_max_requests_reached.inc();
    start_drain();
  }
  return *stream_;
}

void HttpSession::on_exchange_done(http::RequestReceiver& receiver) {
  if (multiplexed_) return end_stream(static_cast<HttpStream&>(receiver));
  stream_->on_writer_gone();
  deps_.streams.give_back(std::move(stream_));
  if (head_timer_.armed()) head_timer_.cancel();
  arm_idle();
  if (decoding_) return;
  if (!connection_->in().empty() && !codec_->must_close()) {
    connection_->offer_again();  // pipelined requests
    return;
  }
  maybe_close();
}

/// request_headers_timeout runs from the first byte of a request to the end of its head; with HTTP/2 a connection without
/// streams must not stop in the middle of its preface or of a head either.
void HttpSession::update_head_timer() {
  const bool due = codec_ == nullptr ? !connection_->in().empty()
                   : multiplexed_
                       ? stream_ == nullptr && !codec_->idle()
                       : stream_ != nullptr && !stream_->head_received() && !stream_->finished();
  if (!due) {
    if (head_timer_.armed()) head_timer_.cancel();
    return;
  }
  const Milliseconds timeout = current()->hcm().request_headers_timeout;
  if (timeout.count() > 0 && !head_timer_.armed())
    head_timer_.arm(deps_.loop, &on_head_timer, this, timeout);
}

// ---- back-pressure --------------------------------------------------------------------------------------------------------

void HttpSession::on_write_blocked() {
  if (multiplexed_) return codec_->on_write_blocked();
  if (stream_ != nullptr) stream_->on_response_blocked();
}

bool HttpSession::output_over_limit() const noexcept {
  const size_t limit = current()->listener().connection.buffer_limit;
  return limit > 0 && connection_->unsent() > limit;
}

void HttpSession::on_hold_reading() {
  codec_holds_ = true;
  update_reading();
}

void HttpSession::on_response_half_closed() { connection_->half_close(); }

/// Between two pipelined requests nothing is read: each exchange would add a read to what waits already.
void HttpSession::on_release_reading() {
  codec_holds_ = false;
  if (!connection_->in().empty()) {
    backlogged_ = true;
    connection_->offer_again();
  }
  update_reading();
}

/// While input is decoded the last word is not said yet.
void HttpSession::update_reading() {
  const bool held = codec_holds_ || backlogged_ || output_held_;
  if (decoding_ || held == reading_held_ || state_ == State::kFinished) return;
  reading_held_ = held;
  if (held) {
    connection_->hold_reading();
  } else {
    connection_->release_reading();
  }
}

void HttpSession::on_write_resumed() {
  if (multiplexed_) {
    const size_t before = connection_->unsent();
    codec_->on_write_resumed();
    return frames_made(before);
  }
  if (std::exchange(output_held_, false)) {
    backlogged_ = true;
    connection_->offer_again();
  }
  if (stream_ != nullptr) {
    note_activity();
    stream_->on_response_resumed();
  }
}

// ---- timers ---------------------------------------------------------------------------------------------------------------

void HttpSession::arm_idle() {
  const Milliseconds timeout = scope_->idle_timeout;
  const bool shorter = timeout.count() > 0 && timeout <= kRestAfter;
  idle_timer_.arm(shorter ? timeout : kRestAfter);
  idle_for_rest_ = !shorter;
}

void HttpSession::arm_duration(Milliseconds delay) {
  duration_timer_.arm(deps_.loop, &on_duration_timer, this, delay);
}

void HttpSession::rest() {
  if (multiplexed_ || codec_ == nullptr || !codec_->untouched() || codec_->must_close() ||
      codec_holds_ || backlogged_ || output_held_ || !connection_->in().empty() ||
      connection_->unsent() > 0)
    return;
  codec_.reset();
  stream_idle_timer_.release();
  head_timer_.release();
  resting_ = true;
}

void HttpSession::set_stream_idle_timeout(Milliseconds timeout) {
  // A month is as good as for ever.
  constexpr Milliseconds kLongest(INT32_MAX);
  stream_idle_timeout_ = std::chrono::duration<int32_t, std::milli>(
      static_cast<int32_t>(std::min(timeout, kLongest).count()));
  if (timeout.count() > 0)
    note_activity();
  else
    stream_idle_timer_.cancel();
}

void HttpSession::on_idle_timer(void* self) {
  auto& session = *static_cast<HttpSession*>(self);
  if (session.state_ != State::kOpen || session.stream_ != nullptr)
    return;  // armed again when the stream ends
  if (std::exchange(session.idle_for_rest_, false)) {
    session.rest();
    if (session.scope_->idle_timeout.count() > 0)
      session.idle_timer_.arm(session.scope_->idle_timeout - kRestAfter);
    return;
  }
  session.stats().cx_idle_timeout.inc();
  // A request that is on its way is still answered (RFC 9113 section 6.8).
  if (session.multiplexed_ && session.scope_->drain_timeout.count() > 0) {
    session.why_closed_ = "idle timeout";
    return session.start_drain();
  }
  session.close_gracefully("idle timeout");
}

void HttpSession::on_duration_timer(void* self) {
  auto& session = *static_cast<HttpSession*>(self);
  if (session.state_ != State::kOpen) return;
  if (session.multiplexed_ && session.draining_) {
    session.finish_drain();
    return session.close_if_idle();
  }
  if (!std::exchange(session.expired_, true)) {
    session.stats().cx_max_duration_reached.inc();
    session.start_drain();
    // A request that is on its way to an idle connection is still answered, with "connection: close".
    if (session.scope_->drain_timeout.count() > 0)
      return session.arm_duration(session.scope_->drain_timeout);
  }
  session.close_if_idle();
}

void HttpSession::on_head_timer(void* self) {
  auto& session = *static_cast<HttpSession*>(self);
  if (session.state_ != State::kOpen) return;
  if (session.stream_ != nullptr) {
    if (!session.multiplexed_) session.stream_->on_header_timeout();
    return;
  }
  session.stats().rq_header_timeout.inc();
  if (session.multiplexed_) session.finish_drain();
  session.close_gracefully("request_headers_timeout");
}

void HttpSession::on_stream_idle_timer(void* self) {
  auto& session = *static_cast<HttpSession*>(self);
  if (session.stream_ != nullptr) {
    if (!session.multiplexed_) session.stream_->on_idle_timeout();
    return;
  }
  // The response is complete, but the client has not taken it for so long: it never will.
  if (session.state_ == State::kFinished || session.connection_->unsent() == 0) return;
  session.connection_->close(net::Connection::How::kReset);
  session.finish(Ended::kLocal, "the client does not take the response");
}

bool HttpSession::last_request() noexcept {
  if (multiplexed_ || scope_->max_requests == 0 || requests_ < scope_->max_requests) return false;
  stats().cx_max_requests_reached.inc();
  return true;
}

// ---- ends -------------------------------------------------------------------------------------------------------------------

void HttpSession::start_drain() {
  if (state_ != State::kOpen || (std::exchange(draining_, true) && multiplexed_)) return;
  if (codec_ == nullptr) return;
  codec_->start_drain();
  if (!multiplexed_) return;
  if (!decoding_) frames_due();
  arm_duration(std::max(scope_->drain_timeout, Milliseconds(1)));
}

void HttpSession::close_if_idle() {
  if (multiplexed_ && state_ == State::kOpen) finish_drain();
  if (state_ != State::kOpen || stream_ != nullptr) return;
  if (!multiplexed_ && !connection_->in().empty()) return;
  if (draining_) stats().cx_drain_close.inc();
  close_gracefully(ending_reason());
}

void HttpSession::abort() {
  if (state_ == State::kFinished) return;
  for (HttpStream* stream = stream_.get(); stream != nullptr; stream = stream->next())
    stream->abort("local_connection_close");
  connection_->close(net::Connection::How::kReset);
  finish(Ended::kLocal, "cut at the end of a drain");
}

/// Why the connection is closed between two requests, or after the last.
const char* HttpSession::ending_reason() const noexcept {
  if (why_closed_ != nullptr) return why_closed_;
  if (expired_) return "max_connection_duration";
  if (draining_) return "drain";
  if (scope_->max_requests > 0 && requests_ >= scope_->max_requests)
    return "max_requests_per_connection";
  return "connection: close";
}

void HttpSession::maybe_close() {
  if (state_ != State::kOpen || stream_ != nullptr) return;
  if (codec_ != nullptr && (drain_finished_ || codec_->must_close())) {
    if (draining_) stats().cx_drain_close.inc();
    close_gracefully(ending_reason());
  } else if (remote_closed_ && (multiplexed_ || connection_->in().empty())) {
    close_gracefully("the client closed");
  }
}

/// What is written is sent, then FIN; the client may still be sending for a while (RFC 9112 section 9.6).
void HttpSession::close_gracefully(const char* why) {
  if (state_ != State::kOpen) return;
  state_ = State::kClosing;
  why_closed_ = why;
  if (frames_due_ != nullptr) make_frames();  // a reset of the last stream, say
  idle_timer_.cancel();
  head_timer_.cancel();
  duration_timer_.cancel();
  if (reset_due_) {
    connection_->flush();
    connection_->close(net::Connection::How::kReset);
    finish(Ended::kLocal, why);
    return;
  }
  if (connection_->unsent() > 0 && !stream_idle_timer_.armed()) note_activity();
  connection_->close_gracefully(scope_->delayed_close);
}

void HttpSession::on_error(const Error& error) {
  if (state_ == State::kFinished) return;
  const bool local = state_ == State::kClosing && !remote_closed_;
  if (local && scope_->delayed_close.count() > 0 && !connection_->read_ended())
    stats().cx_delayed_close_timeout.inc();
  for (HttpStream* stream = stream_.get(); stream != nullptr; stream = stream->next())
    stream->on_client_gone(error.detail);
  connection_->close();
  finish(local ? Ended::kLocal : Ended::kRemote, error.detail);
}

void HttpSession::on_client_gone(std::string_view details) {
  for (HttpStream* stream = stream_.get(); stream != nullptr; stream = stream->next())
    stream->on_client_gone(details);
  connection_->close();
  finish(Ended::kRemote, details);
}

void HttpSession::drop_streams() {
  while (stream_ != nullptr) {
    stream_->on_writer_gone();
    deps_.streams.give_back(take_stream(*stream_));
  }
}

void HttpSession::finish(Ended ended, std::string_view why) {
  if (state_ == State::kFinished) return;
  state_ = State::kFinished;
  const DownstreamStats& all = *scope_->stats;
  const bool local = ended == Ended::kLocal;
  (local ? all.http.cx_destroy_local : all.http.cx_destroy_remote).inc();
  if (stream_ != nullptr) {
    all.http.cx_destroy_active_rq.inc();
    (local ? all.http.cx_destroy_local_active_rq : all.http.cx_destroy_remote_active_rq).inc();
  }
  drop_streams();
  if (keepalive_) keepalive_->stop();
  idle_timer_.cancel();
  for (event::RareTimer* timer : {&stream_idle_timer_, &head_timer_, &duration_timer_})
    timer->cancel();
  const uint64_t length = age_ms();
  all.http.cx_destroy.inc();
  all.http.cx_active.dec();
  if (codec_ != nullptr || resting_)
    (multiplexed_ ? all.http.cx_http2_active : all.http.cx_http1_active).dec();
  all.http.cx_length_ms.record(length);
  WEIR_LOG(kConnection, kDebug, "connection closed",
           {{"connection", connection_->id()},
            {"remote", info_.remote_address},
            {"by", local ? "weir" : "client"},
            {"why", why_closed_ != nullptr ? std::string_view(why_closed_) : why},
            {"requests", requests_},
            {"duration_ms", length}});
  end(local ? CloseEvent::kLocal : CloseEvent::kRemote);
}

}  // namespace weir::proxy
