// What is counted of shared data and of shared queues, for each vm_id.
#pragma once

#include <string>
#include <string_view>

#include "stats/store.h"

namespace weir::wasm {

/// "wasm_shared_data.<vm_id>.<name>"; "unnamed" stands for no vm_id. The metrics live as long as the process.
struct SharedDataStats {
  SharedDataStats(stats::Store& store, std::string_view vm_id);
  Counter& reads;
  Counter& hits;
  Counter& misses;         // nothing there, or no longer
  Counter& writes;         // that took effect
  Counter& cas_conflicts;  // writes that did not, because another came first
  Counter& evicted;        // entries that gave their place to newer ones
  Counter& expired;        // entries that have become too old
  Counter& refused;        // entries that are larger than all of the quota
  Gauge& keys;
  Gauge& bytes;  // of keys and values
};

/// "wasm_queues.<vm_id>.<name>", likewise.
struct QueueStats {
  QueueStats(stats::Store& store, std::string_view vm_id);
  Counter& enqueued;
  Counter& dequeued;
  Counter& dropped;  // items that gave their place to newer ones
  Counter& refused;  // items for which emptying their own queue makes no room
  Gauge& length;     // items of all queues
  Gauge& bytes;
};

std::string shared_data_stat(std::string_view vm_id, std::string_view name);
std::string queue_stat(std::string_view vm_id, std::string_view name);

}  // namespace weir::wasm
