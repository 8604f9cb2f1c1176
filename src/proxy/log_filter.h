// Filters of access logs and of local_reply_config, evaluated on a stream.
#pragma once

#include "proxy/options.h"
#include "stream/format.h"

namespace weir::proxy {

/// Null passes everything. `context.info.response_code` is the status to compare; at the end of a stream
/// `context.info.end` is set, before it `context.now` stands in.
bool passes(const LogFilter* filter, const stream::FormatContext& context);

}  // namespace weir::proxy
