// HttpSession with HTTP/2: several streams at once.
#include <utility>

#include "base/log.h"
#include "proxy/http_session.h"
#include "proxy/http_stream.h"
#include "proxy/stream_pool.h"

namespace weir::proxy {

void HttpSession::on_frames(Buffer& in, net::ReadEnd end) {
  if (keepalive_ && !in.empty()) keepalive_->on_input();
  // Responses that were ready before must not be lost with what the client does next.
  if (frames_due_->scheduled()) make_frames();
  if (state_ != State::kOpen) return in.clear();
  const size_t before = connection_->unsent();
  decoding_ = true;
  const bool nothing = in.empty() && !codec_->must_close() && !codec_->undelivered();
  const Result<void> decoded = nothing ? Result<void>() : codec_->decode(in);
  decoding_ = false;
  kept_bytes_ = static_cast<uint32_t>(in.size());
  frames_made(before);
  if (state_ != State::kOpen) return;
  if (!decoded) return on_connection_error(decoded.error());
  update_reading();
  if (end == net::ReadEnd::kYes) {
    remote_closed_ = true;
    if (stream_ != nullptr) return on_client_gone("downstream closed before the response");
  }
  update_head_timer();
  maybe_close();
}

/// The codec has said why by GOAWAY.
void HttpSession::on_connection_error(const Error& error) {
  if (error.code == Code::kClosed) return on_client_gone(error.detail);
  stats().cx_protocol_error.inc();
  WEIR_LOG(
      kHttp, kDebug, "the client breaks HTTP/2",
      {{"connection", connection_->id()}, {"remote", info_.remote_address}, {"why", error.detail}});
  for (HttpStream* stream = stream_.get(); stream != nullptr; stream = stream->next())
    stream->on_connection_error(error.detail);
  drop_streams();
  close_gracefully("protocol error");
}

std::unique_ptr<HttpStream> HttpSession::take_stream(HttpStream& stream) noexcept {
  if (&stream != stream_.get()) return stream.unlink();
  std::unique_ptr<HttpStream> rest = stream.take_next();
  return std::exchange(stream_, std::move(rest));
}

void HttpSession::end_stream(HttpStream& stream) {
  stream.on_writer_gone();
  deps_.streams.give_back(take_stream(stream));
  if (stream_ != nullptr) return;
  arm_idle();
  // A client that does not take what is left is cut in time.
  if (connection_->unsent() > 0) set_stream_idle_timeout(current()->hcm().stream_idle_timeout);
  if (!decoding_) maybe_close();
}

void HttpSession::finish_drain() {
  if (state_ != State::kOpen || std::exchange(drain_finished_, true)) return;
  const size_t before = connection_->unsent();
  codec_->finish_drain();
  if (!decoding_) frames_made(before);
}

/// `before`: what was unsent before the call that may have made some.
void HttpSession::frames_made(size_t before) {
  const size_t unsent = connection_->unsent();
  if (unsent > before) count_sent(unsent - before);
  if (unsent > 0) connection_->written();
}

void HttpSession::frames_due() { frames_due_->schedule(); }

/// What streams have written since the turn began: all their frames at once.
void HttpSession::make_frames() {
  const size_t before = connection_->unsent();
  codec_->flush();
  frames_made(before);
  // What fails while frames are made ends the connection.
  if (codec_->must_close() || codec_->undelivered()) connection_->offer_again();
}

void HttpSession::on_frames_due(void* self) {
  auto& session = *static_cast<HttpSession*>(self);
  if (session.state_ != State::kFinished) session.make_frames();
}

void HttpSession::begin_keepalive() {
  if (!http::KeepAlive<http::ServerConnection>::wanted(scope_->http2)) return;
  keepalive_ = std::make_unique<http::KeepAlive<http::ServerConnection>>(
      deps_.loop, *codec_, scope_->http2, &on_ping_sent, &on_ping_unanswered, this);
  keepalive_->start();
}

void HttpSession::on_ping_sent(void* self) {
  static_cast<HttpSession*>(self)->connection_->written();
}

void HttpSession::on_ping_unanswered(void* self) {
  auto& session = *static_cast<HttpSession*>(self);
  if (session.state_ == State::kFinished) return;
  session.stats().http2.keepalive_timeout.inc();
  for (HttpStream* stream = session.stream_.get(); stream != nullptr; stream = stream->next())
    stream->on_client_gone("keepalive timeout");
  session.connection_->close(net::Connection::How::kReset);
  session.finish(Ended::kLocal, "a PING was not answered in time");
}

}  // namespace weir::proxy
