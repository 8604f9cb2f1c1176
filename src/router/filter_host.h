// FilterHost: what weir's own filters (router, wasm) get from the composition root through FactoryContext::host.
#pragma once

#include <weir/callout.h>
#include <weir/shared_objects.h>

#include "event/loop.h"

namespace weir::upstream {
class WorkerClusters;
}
namespace weir::wasm {
class Host;
}

namespace weir::router {

/// Owner: the server; outlives every filter. The per-worker parts are used on that worker's thread only.
class FilterHost {
 public:
  virtual ~FilterHost() = default;
  virtual upstream::WorkerClusters& clusters(unsigned worker) = 0;
  virtual event::Loop& loop(unsigned worker) = 0;
  virtual unsigned workers() const noexcept = 0;
  /// The main thread's number among clusters() and loop(), for services that run there.
  unsigned main_index() const noexcept { return workers(); }
  /// The Wasm host; null when no engine is to be had.
  virtual wasm::Host* wasm() = 0;
  /// True while the process fails health checks on purpose.
  virtual bool health_check_failed() const noexcept = 0;
  /// Of all filters, through all generations. Thread: main.
  SharedObjects& shared_objects() noexcept { return shared_objects_; }

 private:
  SharedObjects shared_objects_;
};

}  // namespace weir::router
