// AccessLogger: what is told of each finished request or connection, beside log files.
#pragma once

#include <memory>
#include <weir/message.h>
#include <weir/stream_info.h>

namespace weir {

/// One exchange, looked at and not changed. Heads and trailers are null where there are none: a connection has none at all.
struct Exchange {
  const StreamInfo& info;
  const RequestHead* request = nullptr;
  const ResponseHead* response = nullptr;
  const HeaderMap* request_trailers = nullptr;
  const HeaderMap* response_trailers = nullptr;
};

/// One configured access log that is no file. Owner: the snapshot. Immutable after its making, shared by all workers; log() is
/// called on workers concurrently, once for each exchange that the log's filter lets pass, when it has ended. It must not block,
/// nor keep references into the exchange.
class AccessLogger {
 public:
  virtual ~AccessLogger() = default;
  virtual void log(const Exchange& exchange, unsigned worker) const = 0;
};

}  // namespace weir
