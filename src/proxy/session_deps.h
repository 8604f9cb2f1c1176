// SessionDeps: what the sessions and streams of one worker use; everything outlives every session.
#pragma once

#include <atomic>
#include <weir/callout.h>

#include "event/loop.h"
#include "proxy/access_log.h"
#include "proxy/connection_budget.h"

namespace weir::proxy {

class StreamPool;

/// Owner: the worker, one for all of its listeners.
struct SessionDeps {
  event::Loop& loop;
  unsigned worker;
  Callouts& callouts;  // router::CalloutClient of this worker
  WorkerLog& access_log;
  StreamPool& streams;                           // stream objects to reuse
  const std::atomic<bool>& health_check_failed;  // POST /healthcheck/fail, drain
  ConnectionBudget* connections = nullptr;  // of the process; null: connections are not counted
};

}  // namespace weir::proxy
