// Local replies of the router, with Envoy's status, body, details and flag.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <weir/http_filter.h>

#include "router/options.h"
#include "router/rewrite.h"
#include "upstream/failure.h"

namespace weir::router {

/// Each sets the stream's flag and returns the answer.
LocalReply no_route_reply(StreamInfo& info);
/// An upgrade or CONNECT that is not allowed here.
LocalReply upgrade_refused_reply();
LocalReply no_cluster_reply(StreamInfo& info, int status);
LocalReply timeout_reply(StreamInfo& info);
/// The cluster's max_stream_duration is over.
enum class RequestEnd : uint8_t { kSeen, kOwed };
LocalReply duration_reply(StreamInfo& info, RequestEnd request);
enum class Attempt : uint8_t { kFirst, kRetry };
LocalReply failure_reply(StreamInfo& info, const upstream::Failure& failure, Attempt attempt,
                         EnvoyHeaders envoy_headers);
LocalReply redirect_reply(const RedirectOptions& redirect, std::string location);
LocalReply direct_reply(const DirectResponseOptions& direct);

/// The flag of a failure, before or after the response's head.
ResponseFlag failure_flag(upstream::FailureKind kind) noexcept;
/// "upstream_reset_before_response_started{connection_termination}".
std::string reset_details(std::string_view event, const upstream::Failure& failure);
/// "delayed connect error: Connection refused" for failed connects, else empty.
std::string transport_failure_reason(const upstream::Failure& failure);

}  // namespace weir::router
