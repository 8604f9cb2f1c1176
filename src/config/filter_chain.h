// Reader of a listener's filter chains.
#pragma once

#include "config/loading.h"
#include "proxy/listener_options.h"

namespace weir::config {

/// Fields filter_chains and default_filter_chain of config.listener.v3.Listener. `out` has address and direction already.
void read_filter_chains(View& listener, proxy::ListenerOptions& out, Loading& loading);

}  // namespace weir::config
