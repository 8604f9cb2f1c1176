#include "filters/network/tcp_proxy/http_tunnel.h"

#include <utility>

#include "base/json.h"
#include "base/strings.h"
#include "http/rules.h"

namespace weir::filters::tcp_proxy {

using upstream::Failure;
using upstream::FailureKind;

/// False: what the operators of the hostname gave is no host. A client may have sent it.
bool HttpTunnel::make_request(const upstream::Cluster& cluster) {
  stream::FormatContext context{info_};
  context.now = loop_.now();
  std::string authority;
  settings_.hostname.append(context, authority, stream::Format::Escape::kNo, true);
  if (!http::valid_authority(authority)) return false;
  request_.set_authority(authority);
  if (settings_.use_post()) {
    request_.set_stored_method("POST");
    request_.set_path(settings_.post_path);
    request_.set_stored_scheme(cluster.options().transport != nullptr ? "https" : "http");
  } else {
    request_.set_stored_method("CONNECT");
  }
  settings_.headers.apply(request_.headers, context);
  return true;
}

std::optional<Failure> HttpTunnel::start(upstream::Cluster& cluster,
                                         const upstream::HostChoice& choice) {
  if (!make_request(cluster))
    return Failure{FailureKind::kLocalConnectFailure, "the tunnel has no host to go to"};
  auto failure = exchange_.start(cluster, request_, EndStream::kNo, upstream::Priority::kDefault,
                                 Protocol::kHttp11, &connection_, choice);
  if (upstream::Pool* pool = exchange_.pool()) host_ = pool->address_text();
  return failure;
}

void HttpTunnel::on_exchange_connected(upstream::UpstreamStream& stream) {
  host_ = stream.pool().address_text();
  info_.upstream_local_address = stream.local_address_text();
  info_.upstream_tls = stream.tls();
  info_.upstream_protocol = protocol_name(stream.protocol());
}

void HttpTunnel::on_exchange_head(size_t, EndStream end) {
  if (settings_.propagate_headers) keep(kResponseHeadersKey, answer_.headers);
  if (answer_.status / 100 == 2 && end == EndStream::kNo) {
    established_ = true;
    if (blocked_) user_->on_tcp_blocked();  // by others of its connection
    return user_->on_tcp_connected();
  }
  exchange_.cancel();
  Failure refused{FailureKind::kRemoteConnectFailure, "the tunnel was answered with "};
  base::append_number(refused.transport_reason, answer_.status);
  user_->on_tcp_failed(std::move(refused));
}

void HttpTunnel::on_exchange_body(Buffer& data, EndStream end) {
  const bool over = end == EndStream::kYes;
  user_->on_tcp_data(data, over ? net::ReadEnd::kYes : net::ReadEnd::kNo);
  if (over && settings_.use_post() && !request_over_ && user_ != nullptr)
    user_->on_tcp_closed({Code::kClosed, Side::kUpstream, "its answer is complete"});
}

void HttpTunnel::on_exchange_trailers() {
  if (settings_.propagate_trailers) keep(kResponseTrailersKey, trailers_);
  Buffer nothing;
  on_exchange_body(nothing, EndStream::kYes);
}

/// Whatever has happened to it, what came so far is not all there was.
void HttpTunnel::on_exchange_failed(const Failure& failure) {
  if (!established_) return user_->on_tcp_failed(failure);
  user_->on_tcp_closed(
      {Code::kReset, Side::kUpstream, std::string(upstream::reset_reason(failure.kind))});
}

void HttpTunnel::on_exchange_blocked() {
  blocked_ = true;
  if (user_ != nullptr && established_) user_->on_tcp_blocked();
}

void HttpTunnel::on_exchange_resumed() {
  blocked_ = false;
  if (user_ != nullptr && established_) user_->on_tcp_resumed();
}

void HttpTunnel::half_close() {
  if (std::exchange(request_over_, true)) return;
  Buffer nothing;
  exchange_.send_body(nothing, EndStream::kYes);
}

void HttpTunnel::release(std::unique_ptr<HttpTunnel> tunnel) {
  if (tunnel == nullptr) return;
  tunnel->user_ = nullptr;
  tunnel->exchange_.cancel();
  event::Loop& loop = tunnel->loop_;
  loop.defer_delete(std::move(tunnel));
}

/// Fields of one name become one, as they may anywhere on their way (RFC 9110 section 5.3).
void HttpTunnel::keep(std::string_view key, const HeaderMap& fields) {
  std::string text;
  base::JsonWriter json(text);
  json.begin_object();
  for (const HeaderMap::Entry& entry : fields) {
    const HeaderMap::Entry* first = &entry;
    for (const HeaderMap::Entry& each : fields)
      if (each.name == entry.name) {
        first = &each;
        break;
      }
    if (first == &entry) json.key(entry.name).text(fields.joined(entry.name));
  }
  json.end_object();
  connection_.own_extras().filter_state.insert_or_assign(std::string(key), std::move(text));
}

}  // namespace weir::filters::tcp_proxy
