// Rewriting of path and host on the way to the upstream.
#pragma once

#include <string>
#include <string_view>
#include <weir/message.h>

#include "router/route.h"

namespace weir::router {

enum class EnvoyHeaders : bool { kSuppress, kAdd };

/// The request's path after prefix_rewrite or regex_rewrite of a route matched by `matcher`; the query stays.
/// `prefix_rewrite` replaces what the matcher matched: the prefix, or the whole path of an exact or regex route.
std::string rewritten_path(const RouteMatchOptions& matcher, std::string_view prefix_rewrite,
                           const std::optional<RegexRewrite>& regex_rewrite, std::string_view path);

/// Applies the route's host and path rewrites. Keeps the originals in x-envoy-original-path, x-envoy-original-host (kAdd) and
/// x-forwarded-host (append_x_forwarded_host).
void rewrite_request(const Route& route, RequestHead& head, EnvoyHeaders envoy_headers);

}  // namespace weir::router
