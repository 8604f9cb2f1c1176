// UpstreamConnection with HTTP/2: several exchanges at once.
#include <utility>

#include "upstream/cluster.h"
#include "upstream/connection.h"

namespace weir::upstream {

void UpstreamConnection::begin_keepalive() {
  const http::h2::Options& options = pool_.cluster().options().http.http2;
  if (!http::KeepAlive<http::ClientConnection>::wanted(options)) return;
  keepalive_ = std::make_unique<http::KeepAlive<http::ClientConnection>>(
      pool_.cluster().loop(), *codec_, options, &on_ping_sent, &on_ping_unanswered, this);
  keepalive_->start();
}

/// All that streams have written in this turn becomes frames at once.
void UpstreamConnection::on_frames_due(void* self) noexcept {
  auto& connection = *static_cast<UpstreamConnection*>(self);
  if (connection.state_ == State::kClosed) return;
  connection.decoding_ = true;
  connection.codec_->flush();
  connection.decoding_ = false;
  if (connection.transport_->unsent() > 0) connection.transport_->written();
  connection.finish_streams();
}

void UpstreamConnection::on_ping_sent(void* self) noexcept {
  static_cast<UpstreamConnection*>(self)->transport_->written();
}

void UpstreamConnection::on_ping_unanswered(void* self) noexcept {
  auto& connection = *static_cast<UpstreamConnection*>(self);
  if (connection.state_ == State::kClosed) return;
  connection.pool_.cluster().stats().http2.keepalive_timeout.inc();
  connection.lose_streams({FailureKind::kConnectionTermination}, Pool::ClosedBy::kLocal,
                          "a PING was not answered in time");
}

const char* UpstreamConnection::retirement() const noexcept {
  const uint32_t most = pool_.cluster().options().http.max_requests_per_connection;
  if (most > 0 && served_ + streams_.size() >= most) return "max_requests_per_connection";
  if (expired()) return "max_connection_duration";
  if (stale_) return "the transport socket is another now";
  return codec_->draining() ? "the upstream takes no further request" : nullptr;
}

bool UpstreamConnection::has_room() const noexcept {
  return state_ != State::kClosed && codec_->capacity() > 0 && retirement() == nullptr;
}

void UpstreamConnection::on_frames(Buffer& in, net::ReadEnd end) {
  if (state_ == State::kClosed) return in.clear();
  if (keepalive_) keepalive_->on_input();
  decoding_ = true;
  Result<void> decoded = in.empty() ? Result<void>() : codec_->decode(in);
  const bool ended = end == net::ReadEnd::kYes;
  if (decoded && ended) decoded = codec_->on_read_end();
  decoding_ = false;
  // Settings, acknowledgements and windows, and what the exchanges have written meanwhile.
  if (transport_->unsent() > 0) transport_->written();
  finish_streams();
  if (state_ == State::kClosed) return;
  if (!decoded) {
    if (!ended) transport_->flush();  // GOAWAY says why
    lose_streams(failure_of(decoded.error()),
                 ended ? Pool::ClosedBy::kRemote : Pool::ClosedBy::kLocal, decoded.error().detail);
  } else if (ended) {
    lose_streams({FailureKind::kConnectionTermination}, Pool::ClosedBy::kRemote,
                 "closed by the upstream");
  } else {
    pool_.settle(*this);
  }
}

/// A stream alone has failed; the connection lives.
void UpstreamConnection::stream_reset(UpstreamStream& stream, const Error& error, bool unseen) {
  if (stream.phase_ != UpstreamStream::Phase::kLent) return;
  stream.phase_ = UpstreamStream::Phase::kAbandoned;
  LossFacts facts = stream.facts();
  facts.unseen = unseen;
  Failure failure = failure_of(error);
  if (failure.kind == FailureKind::kConnectionTermination)
    failure.kind = unseen ? FailureKind::kRemoteRefused : FailureKind::kRemoteReset;
  if (failure.kind == FailureKind::kProtocolError) pool_.cluster().stats().cx_protocol_error.inc();
  ConnectionUser* user = std::exchange(stream.user_, nullptr);
  // Its loan goes first: what the user begins instead is counted like any other.
  over_.push_back(&stream);
  if (user != nullptr) user->on_connection_lost(std::move(failure), facts);
}

/// Gives back the loans of the streams that are over. Not from inside the codec: it may still be busy with them.
void UpstreamConnection::finish_streams() {
  if (over_.empty() || state_ == State::kClosed) return;
  bool reset = false;
  for (size_t i = 0; i < over_.size(); ++i) {
    UpstreamStream& stream = *over_[i];
    const bool whole = stream.request_ended_ && stream.response_complete_;
    if (!whole && stream.writer_ != nullptr) {
      stream.writer_->abort();
      reset = true;
    }
    stream.writer_ = nullptr;
    pool_.end_stream(*this, stream);
  }
  over_.clear();
  if (reset) frames_due_.schedule();
  if (!decoding_) pool_.settle(*this);
}

/// The connection is dead, and so are its exchanges.
void UpstreamConnection::lose_streams(const Failure& failure, Pool::ClosedBy by,
                                      std::string_view why) {
  if (failure.kind == FailureKind::kProtocolError) pool_.cluster().stats().cx_protocol_error.inc();
  pool_.remove(*this, by, why);
  // A user may abandon another one's stream when it is told; streams_ stays as it is.
  for (const auto& stream : streams_) {
    if (stream->phase_ != UpstreamStream::Phase::kLent) continue;
    const LossFacts facts = stream->facts();
    stream->phase_ = UpstreamStream::Phase::kAbandoned;
    stream->writer_ = nullptr;
    if (ConnectionUser* user = std::exchange(stream->user_, nullptr))
      user->on_connection_lost(failure, facts);
  }
}

}  // namespace weir::upstream
