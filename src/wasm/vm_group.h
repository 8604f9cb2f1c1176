// VmGroup: what all VMs of one key are made from; one group = one VM per worker.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "wasm/engine.h"
#include "wasm/host.h"
#include "wasm/metrics.h"
#include "wasm/plugin.h"
#include "wasm/plugin_uses.h"
#include "wasm/property.h"
#include "wasm/shared_data.h"
#include "wasm/shared_queue.h"
#include "wasm/stats.h"
#include "wasm/watchdog.h"

namespace weir::wasm {

/// What is one per process. Owner: the Host; outlives every VM.
struct Services {
  stats::Store& store;
  HostStats stats;
  VmRecords records;
  SharedStores shared_data;
  SharedQueues queues;
  CustomMetrics metrics;
  PluginUses uses;
  Watchdog watchdog;
  Services(stats::Store& to, unsigned watch_cells)
      : store(to),
        stats(to, watch_cells),
        shared_data(to),
        queues(to),
        metrics(to),
        watchdog(watch_cells) {}
};

/// The plugins of one VM key in one generation. Immutable once prepared; shared by the workers' slots and their VMs.
struct VmGroup {
  Key key;  // digest of the VM key and of all plugin keys: when one plugin changes, all get a fresh VM
  std::vector<std::shared_ptr<const Plugin>> plugins;  // not empty, by key
  std::shared_ptr<const NodeProperty> node;
  uint64_t generation = 0;  // the one that built it

  // Filled on the engine thread.
  Engine* engine = nullptr;
  EngineLimits engine_limits;
  std::shared_ptr<const Module> module;
  std::vector<HostFunction> imports;  // by slot

  RunsOn runs_on() const noexcept { return plugins.front()->runs_on; }
  const VmConfig& vm() const noexcept { return plugins.front()->vm; }
};

}  // namespace weir::wasm
