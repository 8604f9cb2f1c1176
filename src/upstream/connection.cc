#include "upstream/connection.h"

#include <utility>

#include "http/h1/h1.h"
#include "http/h2/h2.h"
#include "upstream/cluster.h"

namespace weir::upstream {
namespace {

constexpr std::string_view kAbandoned = "its request was given up";

http::CodecOptions codec_options(const UpstreamHttpOptions& options) {
  http::CodecOptions codec;
  codec.max_header_bytes = size_t{options.max_response_headers_kb} * 1024;
  codec.max_header_count = options.max_headers_count;
  codec.enable_trailers = options.enable_trailers;
  codec.proper_case_words = options.proper_case_words;
  return codec;
}

/// A socket's reset says nothing; an alert of TLS says why (TLS 1.3 servers look at certificates after the handshake).
Failure termination(const Error& error) {
  return {FailureKind::kConnectionTermination,
          error.code == Code::kTls ? error.detail : std::string()};
}

}  // namespace

UpstreamConnection::UpstreamConnection(Pool& pool, Priority priority)
    : pool_(pool),
      idle_timer_(pool.cluster().loop(), &UpstreamConnection::on_idle_timer, this),
      frames_due_(pool.cluster().loop(), &UpstreamConnection::on_frames_due, this),
      connecting_since_(pool.cluster().loop().now()),
      connection_priority_(priority) {}

UpstreamConnection::~UpstreamConnection() = default;

Result<std::unique_ptr<UpstreamConnection>> UpstreamConnection::connect(Pool& pool,
                                                                        Priority priority) {
  const ClusterOptions& options = pool.cluster().options();
  net::TransportHints hints;
  if (options.http.auto_sni) hints.server_name = pool.host();
  if (options.http.auto_san_validation) hints.verify_name = pool.host();
  if (pool.protocol() == PoolProtocol::kHttp2) hints.alpn = {"h2"};
  if (pool.protocol() == PoolProtocol::kAuto) hints.alpn = {"h2", "http/1.1"};
  WEIR_TRY(transport, pool.open_socket(std::move(hints)));
  auto connection = std::unique_ptr<UpstreamConnection>(new UpstreamConnection(pool, priority));
  connection->transport_ = std::move(transport);
  connection->transport_->set_sink(*connection);
  if (options.http.max_connection_duration.count() > 0)
    connection->expires_ = connection->connecting_since_ + options.http.max_connection_duration;
  return connection;
}

const std::string& UpstreamConnection::local_address_text() {
  if (local_text_.empty()) local_text_ = transport_->local().to_string();
  return local_text_;
}

/// Its protocol is known now.
void UpstreamConnection::make_codec() {
  const UpstreamHttpOptions& options = pool_.cluster().options().http;
  const TlsInfo* tls = transport_->tls();
  multiplexed_ = pool_.protocol() == PoolProtocol::kHttp2 ||
                 (pool_.protocol() == PoolProtocol::kAuto && tls != nullptr &&
                  tls->text(TlsText::kAlpn) == "h2");
  if (!multiplexed_) {
    codec_ = http::h1::make_client_connection(codec_options(options), transport_->out());
    return;
  }
  http::h2::Environment environment;
  environment.now = pool_.cluster().loop().clock();
  environment.stats = &pool_.cluster().stats().http2;
  environment.stream_buffer_limit = pool_.cluster().options().buffer_limit;
  environment.output = http::h2::Output::kWhenFlushed;
  codec_ = http::h2::make_client_connection(codec_options(options), options.http2, environment,
                                            transport_->out());
  transport_->written();
  begin_keepalive();
}

void UpstreamConnection::before_stream() {
  if (keepalive_) keepalive_->before_stream();
}

void UpstreamConnection::stream_over(UpstreamStream& stream) {
  if (multiplexed_) {
    over_.push_back(&stream);
    if (!decoding_) finish_streams();
    return;
  }
  if (stream.phase_ != UpstreamStream::Phase::kAbandoned) {
    // Within decode() after_decode() decides. Only a tunnel ends with its request.
    if (!decoding_) finish_tunnel();
    return;
  }
  codec_->detach();
  if (!decoding_) drop_abandoned();
}

/// The end of a tunnel that is given up must not look like the end of what its client had to say.
void UpstreamConnection::drop_abandoned() {
  if (codec_->tunnel()) transport_->close(net::Connection::How::kReset);
  pool_.remove(*this, Pool::ClosedBy::kLocal, kAbandoned);
}

void UpstreamConnection::hold(UpstreamStream& stream) {
  if (!multiplexed_)
    transport_->hold_reading();
  else if (stream.writer_ != nullptr)
    stream.writer_->hold_response();
}

void UpstreamConnection::release(UpstreamStream& stream) {
  if (!multiplexed_) {
    transport_->release_reading();
  } else if (stream.writer_ != nullptr && stream.phase_ == UpstreamStream::Phase::kLent) {
    stream.writer_->release_response();
    frames_due_.schedule();
  }
}

void UpstreamConnection::on_data(Buffer& in, net::ReadEnd end) {
  pool_.cluster().stats().cx_rx_bytes_total.add(in.size());
  if (multiplexed_) return on_frames(in, end);
  if (state_ != State::kLent) {
    // Nobody has asked for anything: the other side closes, or its framing is not to be trusted.
    if (state_ != State::kClosed)
      pool_.remove(*this, Pool::ClosedBy::kRemote,
                   in.empty() ? "closed while idle" : "it speaks unasked");
    return;
  }
  // Came before a byte of this request was sent: what the exchange before it has left over is nobody's answer.
  if (!in.empty() && own_.reused() && own_.user_ != nullptr && !codec_->response_started() &&
      own_.untouched()) {
    lose({FailureKind::kConnectionTermination}, Pool::ClosedBy::kLocal, "it speaks unasked");
    return;
  }
  decoding_ = true;
  Result<void> decoded = codec_->decode(in);
  if (decoded && end == net::ReadEnd::kYes && own_.phase_ == UpstreamStream::Phase::kLent)
    decoded = codec_->on_read_end();
  decoding_ = false;
  after_decode(decoded, in, end);
}

void UpstreamConnection::after_decode(const Result<void>& decoded, const Buffer& in,
                                      net::ReadEnd end) {
  if (own_.phase_ == UpstreamStream::Phase::kAbandoned) {
    drop_abandoned();
  } else if (own_.phase_ == UpstreamStream::Phase::kEnded) {
    if (codec_->tunnel()) return finish_tunnel();
    const bool clean =
        decoded && end == net::ReadEnd::kNo && in.empty() && transport_->unsent() == 0;
    pool_.give_back(*this, clean && codec_->reusable());
  } else if (!decoded) {
    const bool cut = end == net::ReadEnd::kYes && decoded.error().code == Code::kClosed;
    lose(failure_of(decoded.error()), cut ? Pool::ClosedBy::kRemote : Pool::ClosedBy::kLocal,
         decoded.error().detail);
  } else if (end == net::ReadEnd::kYes && !codec_->tunnel()) {
    lose({FailureKind::kConnectionTermination}, Pool::ClosedBy::kRemote,
         "closed before the response was complete");
  }
}

/// Both directions have ended; what was written is still sent.
void UpstreamConnection::finish_tunnel() {
  if (transport_->unsent() == 0) return pool_.give_back(*this, false);
  transport_->close_gracefully(std::chrono::milliseconds(0));  // on_error() says when
}

void UpstreamConnection::lose(Failure failure, Pool::ClosedBy by, std::string_view why) {
  const LossFacts facts = own_.facts();
  ConnectionUser* user = std::exchange(own_.user_, nullptr);
  if (failure.kind == FailureKind::kProtocolError) pool_.cluster().stats().cx_protocol_error.inc();
  pool_.remove(*this, by, why);
  if (user != nullptr) user->on_connection_lost(std::move(failure), facts);
}

void UpstreamConnection::on_connected() {
  make_codec();
  pool_.on_connected(*this);
}

void UpstreamConnection::on_write_blocked() {
  if (multiplexed_)
    codec_->on_write_blocked();
  else if (own_.user_ != nullptr)
    own_.user_->on_request_blocked();
}

void UpstreamConnection::on_write_resumed() {
  if (multiplexed_) {
    codec_->on_write_resumed();
    transport_->written();
  } else if (own_.user_ != nullptr) {
    own_.user_->on_request_resumed();
  }
}

void UpstreamConnection::on_error(const Error& error) {
  switch (state_) {
    case State::kConnecting:
      pool_.on_connect_failed(*this, error);
      break;
    case State::kIdle:
      pool_.remove(*this, Pool::ClosedBy::kRemote, error.detail);
      break;
    case State::kLent:
      if (multiplexed_)
        return lose_streams(termination(error), Pool::ClosedBy::kRemote, error.detail);
      if (own_.phase_ == UpstreamStream::Phase::kEnded)
        return pool_.remove(*this, Pool::ClosedBy::kLocal, "its tunnel has ended");
      lose(termination(error), Pool::ClosedBy::kRemote, error.detail);
      break;
    case State::kClosed:
      break;
  }
}

UpstreamConnection::Scratch& UpstreamConnection::scratch() {
  if (!scratch_) scratch_ = std::make_unique<Scratch>();
  return *scratch_;
}

void UpstreamConnection::arm_idle_timer() {
  auto delay = pool_.cluster().options().http.idle_timeout;
  if (expires_ != MonotonicTime{}) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        expires_ - pool_.cluster().loop().now());
    if (delay.count() == 0 || left < delay) delay = std::max(left, std::chrono::milliseconds(1));
  }
  // Not cancelled while lent: re-arming is one store, and a firing under a loan is ignored.
  if (delay.count() > 0) idle_timer_.arm(delay);
}

bool UpstreamConnection::expired() const noexcept {
  return expires_ != MonotonicTime{} && expires_ <= pool_.cluster().loop().now();
}

void UpstreamConnection::on_idle_timer(void* self) noexcept {
  auto& connection = *static_cast<UpstreamConnection*>(self);
  if (connection.state_ != State::kIdle) return;
  ClusterStats& stats = connection.pool_.cluster().stats();
  const bool expired = connection.expired();
  (expired ? stats.cx_max_duration_reached : stats.cx_idle_timeout).inc();
  connection.pool_.remove(connection, Pool::ClosedBy::kLocal,
                          expired ? "max_connection_duration" : "idle timeout");
}

}  // namespace weir::upstream
