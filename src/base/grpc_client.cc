#include <weir/grpc_client.h>

#include <string>
#include <utility>

namespace weir {

GrpcStatus grpc_status_of(const Error& error) {
  switch (error.code) {
    case Code::kTimeout:
      return {GrpcCode::kDeadlineExceeded, error.detail};
    case Code::kProtocol:
    case Code::kReset:
    case Code::kInternal:
      return {GrpcCode::kInternal, error.detail};
    default:
      return {GrpcCode::kUnavailable, error.detail};
  }
}

Result<void> GrpcStream::start(Callouts& callouts, GrpcRequest request) {
  StreamedCalloutRequest call;
  call.cluster = request.cluster;
  call.head.headers = std::move(request.metadata);
  call.head.set_stored_method("POST");
  call.head.set_stored_scheme("http");
  call.head.set_path(request.path);
  call.head.set_authority(request.authority.empty() ? request.cluster : request.authority);
  call.head.headers.set(HeaderId::kContentType, "application/grpc");
  call.head.headers.set(HeaderId::kTe, "trailers");
  if (request.timeout.count() > 0)
    call.head.headers.set(HeaderId::kGrpcTimeout, grpc_timeout(request.timeout.count()));
  call.timeout = request.timeout;
  call.http2 = true;
  auto callout = callouts.start_stream(std::move(call), *this);
  if (!callout) return tl::unexpected(std::move(callout.error()));
  callout_ = std::move(*callout);
  return {};
}

bool GrpcStream::send(std::string_view message, EndStream end) {
  if (message.size() > kMaxMessageBytes) return false;
  if (callout_ == nullptr) return true;
  const size_t unsent = callout_->unsent();
  if (unsent > 0 && unsent + message.size() > kMaxUnsentBytes) return false;
  const auto prefix = grpc_prefix(static_cast<uint32_t>(message.size()));
  Buffer data(std::string_view(prefix.data(), prefix.size()));
  data.append(message);
  callout_->send(data, end);
  return true;
}

void GrpcStream::close() {
  Buffer nothing;
  if (callout_ != nullptr) callout_->send(nothing, EndStream::kYes);
}

void GrpcStream::on_callout_head(ResponseHead& head, EndStream end) noexcept {
  // An answer of trailers alone, whatever its status is.
  if (end == EndStream::kYes && (head.status == 200 || head.headers.has(HeaderId::kGrpcStatus))) {
    ResponseHead none;
    handler_.on_grpc_head(none);
    return on_callout_trailers(head.headers);
  }
  handler_.on_grpc_head(head);
  if (!active()) return;
  if (head.status != 200) {
    finish({grpc_code_of_http(head.status), "HTTP status " + std::to_string(head.status)});
  } else if (!is_grpc_content_type(head.headers.get(HeaderId::kContentType).value_or(""))) {
    finish({GrpcCode::kUnknown, "the answer is not gRPC"});
  }
}

void GrpcStream::on_callout_data(Buffer& data, EndStream end) noexcept {
  reader_.add(data);
  for (;;) {
    Buffer message;
    const GrpcReader::Next next = reader_.next(message);
    if (next == GrpcReader::Next::kTooLarge)
      return finish({GrpcCode::kResourceExhausted, "a message is too large"});
    if (next == GrpcReader::Next::kCompressed)
      return finish({GrpcCode::kInternal, "a message is compressed, which was not asked for"});
    if (next == GrpcReader::Next::kMore) break;
    handler_.on_grpc_message(message);
    if (!active()) return;
  }
  if (end == EndStream::kYes) finish({GrpcCode::kUnknown, "the answer has no grpc-status"});
}

void GrpcStream::on_callout_trailers(HeaderMap& trailers) noexcept {
  if (!active()) return;
  const bool cut = !reader_.at_boundary();
  handler_.on_grpc_trailers(trailers);
  if (!active()) return;
  GrpcStatus status = grpc_status_of(trailers);
  if (cut && status.code == GrpcCode::kOk) status = {GrpcCode::kInternal, "a message is cut short"};
  finish(status);
}

void GrpcStream::on_callout_failed(const Error& error) noexcept { finish(grpc_status_of(error)); }

void GrpcStream::finish(const GrpcStatus& status) {
  callout_.reset();
  reader_.clear();
  handler_.on_grpc_end(status);
}

}  // namespace weir
