// Timeouts of a request: what the route and the request's own control headers say.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <weir/message.h>

#include "router/options.h"
#include "router/rewrite.h"

namespace weir::router {

enum class ExpectedTimeout : bool { kIgnore, kRespect };

/// The time for the whole response, from the end of the request on; 0 = none. x-envoy-upstream-rq-timeout-ms, or with
/// kRespect x-envoy-expected-rq-timeout-ms, overrides the route. Removes the control headers that are meant for this hop and
/// tells the next one by x-envoy-expected-rq-timeout-ms (kAdd).
std::chrono::milliseconds request_timeout(const RouteActionOptions& action, RequestHead& head,
                                          EnvoyHeaders envoy_headers, ExpectedTimeout expected);

/// The time that a stream of this route has in all, from its begin on; nullopt = no limit. A grpc-timeout that counts is
/// replaced by what the limit makes of it.
std::optional<std::chrono::milliseconds> stream_duration(const StreamDurationOptions& options,
                                                         std::chrono::milliseconds manager,
                                                         RequestHead& head);
/// The value of grpc-timeout: up to eight digits and one of H, M, S, m, u, n. Rounded up to milliseconds; nullopt: it is none.
std::optional<std::chrono::milliseconds> parse_grpc_timeout(std::string_view text) noexcept;

}  // namespace weir::router
