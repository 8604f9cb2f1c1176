// Reader of a listener's listener_filters.
#pragma once

#include "config/loading.h"
#include "proxy/listener_options.h"

namespace weir::config {

/// listener_filters with its timeout fields. Where a chain matches what only an inspector can see, and none is configured, one is
/// added. `out` has its chains already.
void read_listener_filters(View& listener, proxy::ListenerOptions& out);

}  // namespace weir::config
