#include "upstream/upstream_stream.h"

#include <utility>

#include "upstream/cluster.h"
#include "upstream/connection.h"

namespace weir::upstream {

void UpstreamStream::attach(UpstreamConnection& connection, Priority priority) noexcept {
  connection_ = &connection;
  writer_ = nullptr;
  user_ = nullptr;
  queued_ = 0;
  priority_ = priority;
  phase_ = Phase::kLent;
  request_ended_ = response_started_ = response_complete_ = false;
  response_held_ = request_blocked_ = false;
}

void UpstreamStream::start(ConnectionUser& user) {
  user_ = &user;
  if (connection_->multiplexed_) connection_->before_stream();
  writer_ = &connection_->codec_->start(*this);
}

void UpstreamStream::written(size_t before) {
  if (connection_->multiplexed_) return connection_->frames_due_.schedule();
  queued_ += connection_->transport_->out().size() - before;
  connection_->transport_->written();
}

// A stream that has been reset takes what its user still sends, until the user is told.

void UpstreamStream::send_head(const RequestHead& head, EndStream end) {
  if (writer_ == nullptr) return;
  const size_t before = connection_->transport_->out().size();
  request_ended_ = end == EndStream::kYes;
  writer_->send_head(head, end);
  written(before);
}

void UpstreamStream::send_body(Buffer& data, EndStream end) {
  if (writer_ == nullptr) return data.clear();
  const size_t before = connection_->transport_->out().size();
  request_ended_ = end == EndStream::kYes;
  writer_->send_body(data, end);
  written(before);
  if (end == EndStream::kYes && !connection_->multiplexed_ && connection_->codec_->tunnel())
    connection_->transport_->half_close();
}

void UpstreamStream::send_trailers(const HeaderMap& trailers) {
  if (writer_ == nullptr) return;
  const size_t before = connection_->transport_->out().size();
  request_ended_ = true;
  writer_->send_trailers(trailers);
  written(before);
}

void UpstreamStream::response_ended() {
  user_ = nullptr;
  phase_ = Phase::kEnded;
  release_response();
  connection_->stream_over(*this);
}

void UpstreamStream::abandon() {
  user_ = nullptr;
  if (connection_->state_ != UpstreamConnection::State::kLent) return;
  phase_ = Phase::kAbandoned;
  connection_->stream_over(*this);
}

void UpstreamStream::hold_response() {
  if (std::exchange(response_held_, true)) return;
  connection_->pool_.cluster().stats().flow_control_paused_reading.inc();
  connection_->hold(*this);
}

void UpstreamStream::release_response() {
  if (!std::exchange(response_held_, false)) return;
  connection_->pool_.cluster().stats().flow_control_resumed_reading.inc();
  connection_->release(*this);
}

bool UpstreamStream::reused() const noexcept { return connection_->served_ > 0; }

/// Streams of one connection share its output: which of them a sent byte belonged to is not known.
bool UpstreamStream::untouched() const noexcept {
  return !connection_->multiplexed_ && connection_->transport_->unsent() >= queued_;
}

bool UpstreamStream::resendable() const noexcept { return reused() || connection_->multiplexed_; }

bool UpstreamStream::write_blocked() const noexcept {
  return connection_->multiplexed_ ? request_blocked_ : connection_->transport_->write_blocked();
}

Pool& UpstreamStream::pool() noexcept { return connection_->pool_; }

Protocol UpstreamStream::protocol() const noexcept {
  return connection_->multiplexed_ ? Protocol::kHttp2 : Protocol::kHttp11;
}

uint64_t UpstreamStream::connection_id() const noexcept { return connection_->id(); }

std::shared_ptr<const TlsInfo> UpstreamStream::tls() const { return connection_->tls(); }

const std::string& UpstreamStream::local_address_text() {
  return connection_->local_address_text();
}

LossFacts UpstreamStream::facts() const noexcept {
  const bool started =
      connection_->multiplexed_ ? response_started_ : connection_->codec_->response_started();
  return {reused(), started, untouched(), false};
}

ResponseHead& UpstreamStream::response_head() noexcept {
  return user_ != nullptr ? user_->response_head() : connection_->scratch().head;
}

HeaderMap& UpstreamStream::response_trailers() noexcept {
  return user_ != nullptr ? user_->response_trailers() : connection_->scratch().trailers;
}

void UpstreamStream::on_informational() {
  response_started_ = true;
  if (user_ != nullptr) user_->on_informational();
}

void UpstreamStream::on_response_head(size_t wire_bytes, EndStream end) {
  response_started_ = true;
  response_complete_ = end == EndStream::kYes;
  if (user_ != nullptr) user_->on_response_head(wire_bytes, end);
}

void UpstreamStream::on_response_body(Buffer& data, EndStream end) {
  response_complete_ = end == EndStream::kYes;
  if (user_ != nullptr) user_->on_response_body(data, end);
}

void UpstreamStream::on_response_trailers() {
  response_complete_ = true;
  if (user_ != nullptr) user_->on_response_trailers();
}

void UpstreamStream::on_exchange_reset(const Error& error, bool unseen) {
  writer_ = nullptr;
  connection_->stream_reset(*this, error, unseen);
}

void UpstreamStream::on_request_blocked() {
  request_blocked_ = true;
  if (user_ != nullptr) user_->on_request_blocked();
}

void UpstreamStream::on_request_resumed() {
  request_blocked_ = false;
  if (user_ != nullptr) user_->on_request_resumed();
}

}  // namespace weir::upstream
