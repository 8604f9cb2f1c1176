// Redirect: where a redirect route sends the client.
#pragma once

#include <string>
#include <weir/message.h>

#include "router/options.h"

namespace weir::router {

/// The value of "location". `matcher` is the redirect route's own.
std::string redirect_location(const RedirectOptions& redirect, const RouteMatchOptions& matcher,
                              const RequestHead& head);

}  // namespace weir::router
