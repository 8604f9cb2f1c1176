// core.v3.Http2ProtocolOptions, the same for connection managers and clusters.
#pragma once

#include "config/view.h"
#include "http/h2/h2.h"

namespace weir::config {

/// The view is the message.
http::h2::Options read_http2_options(View& view);

}  // namespace weir::config
