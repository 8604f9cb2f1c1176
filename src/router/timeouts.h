// Timeouts of a request: what the route and the request's own control headers say.
#pragma once

#include <chrono>
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

}  // namespace weir::router
