// Access logs of a chain or a listener: opened when a generation is made, written by workers.
#pragma once

#include <span>
#include <vector>
#include <weir/result.h>

#include "proxy/access_log.h"
#include "proxy/options.h"
#include "proxy/session_deps.h"

namespace weir::proxy {

/// One configured access log with its destination. `options` belongs to the snapshot.
struct OpenLog {
  const AccessLogOptions* options;
  LogFile* file;  // null: a logger of its own
};

/// Thread: main. Error: a file that cannot be opened.
Result<std::vector<OpenLog>> open_logs(const std::vector<AccessLogOptions>& options,
                                       AccessLogWriter& writer);

/// A line to each of the logs whose filter lets it pass. A logger hears of ends alone.
void write_log_lines(std::span<const OpenLog> logs, const stream::FormatContext& context,
                     const SessionDeps& deps);

}  // namespace weir::proxy
