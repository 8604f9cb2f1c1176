#include "router/replies.h"

#include <algorithm>

#include "base/strings.h"

namespace weir::router {

using upstream::Failure;
using upstream::FailureKind;

LocalReply no_route_reply(StreamInfo& info) {
  info.set_flag(ResponseFlag::kNoRouteFound);
  LocalReply reply;
  reply.status = 404;
  reply.details = "route_not_found";
  return reply;
}

LocalReply upgrade_refused_reply() {
  LocalReply reply;
  reply.status = 403;
  reply.details = "upgrade_failed";
  return reply;
}

LocalReply no_cluster_reply(StreamInfo& info, int status) {
  info.set_flag(ResponseFlag::kNoClusterFound);
  LocalReply reply;
  reply.status = status;
  reply.details = "cluster_not_found";
  return reply;
}

LocalReply timeout_reply(StreamInfo& info) {
  info.set_flag(ResponseFlag::kUpstreamRequestTimeout);
  LocalReply reply;
  reply.status = 504;
  reply.body = "upstream request timeout";
  reply.details = "response_timeout";
  return reply;
}

LocalReply duration_reply(StreamInfo& info, RequestEnd request) {
  info.set_flag(ResponseFlag::kUpstreamMaxStreamDurationReached);
  LocalReply reply;
  reply.status = request == RequestEnd::kSeen ? 504 : 408;
  reply.body = "upstream max stream duration reached";
  reply.details = "upstream_max_stream_duration_reached";
  return reply;
}

ResponseFlag failure_flag(FailureKind kind) noexcept {
  switch (kind) {
    case FailureKind::kNoHealthyHost:
      return ResponseFlag::kNoHealthyUpstream;
    case FailureKind::kOverflow:
      return ResponseFlag::kUpstreamOverflow;
    case FailureKind::kLocalConnectFailure:
    case FailureKind::kRemoteConnectFailure:
    case FailureKind::kConnectTimeout:
      return ResponseFlag::kUpstreamConnectionFailure;
    case FailureKind::kConnectionTermination:
      return ResponseFlag::kUpstreamConnectionTermination;
    case FailureKind::kRemoteReset:
    case FailureKind::kRemoteRefused:
      return ResponseFlag::kUpstreamRemoteReset;
    case FailureKind::kProtocolError:
      return ResponseFlag::kUpstreamProtocolError;
  }
  return ResponseFlag::kUpstreamConnectionTermination;
}

std::string transport_failure_reason(const Failure& failure) {
  // A connect timeout is its own reset reason and has no reason below it.
  if (failure.transport_reason.empty() || failure.kind == FailureKind::kConnectTimeout) return {};
  if (failure.kind == FailureKind::kRemoteConnectFailure)
    return failure.transport_reason.starts_with("TLS_error:")
               ? failure.transport_reason
               : base::concat("delayed connect error: ", failure.transport_reason);
  return failure.transport_reason;
}

std::string reset_details(std::string_view event, const Failure& failure) {
  std::string details = base::concat(event, "{", upstream::reset_reason(failure.kind));
  if (const std::string transport = transport_failure_reason(failure); !transport.empty())
    base::append_all(details, '|', transport);
  details += '}';
  std::replace(details.begin(), details.end(), ' ', '_');
  return details;
}

LocalReply failure_reply(StreamInfo& info, const Failure& failure, Attempt attempt,
                         EnvoyHeaders envoy_headers) {
  info.set_flag(failure_flag(failure.kind));
  LocalReply reply;
  reply.status = failure.kind == FailureKind::kProtocolError ? 502 : 503;
  if (failure.kind == FailureKind::kNoHealthyHost) {
    reply.body = "no healthy upstream";
    reply.details = "no_healthy_upstream";
    return reply;
  }
  reply.body = base::concat(
      "upstream connect error or disconnect/reset before headers. ",
      attempt == Attempt::kRetry ? std::string_view("retried and the latest ") : std::string_view(),
      "reset reason: ", upstream::reset_reason(failure.kind));
  const std::string transport = transport_failure_reason(failure);
  if (!transport.empty()) {
    base::append_all(reply.body, ", transport failure reason: ", transport);
    info.upstream_transport_failure_reason = transport;
  }
  reply.details_text = reset_details("upstream_reset_before_response_started", failure);
  if (failure.kind == FailureKind::kOverflow && envoy_headers == EnvoyHeaders::kAdd)
    reply.headers.emplace_back("x-envoy-overloaded", "true");
  return reply;
}

LocalReply redirect_reply(const RedirectOptions& redirect, std::string location) {
  LocalReply reply;
  reply.status = redirect.status;
  reply.details = "direct_response";
  reply.headers.emplace_back("location", std::move(location));
  return reply;
}

LocalReply direct_reply(const DirectResponseOptions& direct) {
  LocalReply reply;
  reply.status = direct.status;
  reply.body = direct.body;
  reply.details = "direct_response";
  return reply;
}

}  // namespace weir::router
