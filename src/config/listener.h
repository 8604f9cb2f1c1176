// Reader of one listener.
#pragma once

#include <memory>

#include "config/loading.h"
#include "proxy/listener_options.h"

namespace weir::config {

/// config.listener.v3.Listener; the view is the message. Never null; worthless if an error was reported.
std::shared_ptr<const proxy::ListenerOptions> read_listener(View& listener, Loading& loading);

}  // namespace weir::config
