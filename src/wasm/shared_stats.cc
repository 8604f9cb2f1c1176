#include "wasm/shared_stats.h"

#include "base/strings.h"

namespace weir::wasm {
namespace {

std::string stat_name(std::string_view group, std::string_view vm_id, std::string_view name) {
  return base::concat(group, vm_id.empty() ? std::string_view("unnamed") : vm_id, ".", name);
}

}  // namespace

std::string shared_data_stat(std::string_view vm_id, std::string_view name) {
  return stat_name("wasm_shared_data.", vm_id, name);
}

std::string queue_stat(std::string_view vm_id, std::string_view name) {
  return stat_name("wasm_queues.", vm_id, name);
}

SharedDataStats::SharedDataStats(stats::Store& store, std::string_view vm_id)
    : reads(store.counter(shared_data_stat(vm_id, "reads"))),
      hits(store.counter(shared_data_stat(vm_id, "hits"))),
      misses(store.counter(shared_data_stat(vm_id, "misses"))),
      writes(store.counter(shared_data_stat(vm_id, "writes"))),
      cas_conflicts(store.counter(shared_data_stat(vm_id, "cas_conflicts"))),
      evicted(store.counter(shared_data_stat(vm_id, "evicted"))),
      expired(store.counter(shared_data_stat(vm_id, "expired"))),
      refused(store.counter(shared_data_stat(vm_id, "refused"))),
      keys(store.gauge(shared_data_stat(vm_id, "keys"))),
      bytes(store.gauge(shared_data_stat(vm_id, "bytes"))) {}

QueueStats::QueueStats(stats::Store& store, std::string_view vm_id)
    : enqueued(store.counter(queue_stat(vm_id, "enqueued"))),
      dequeued(store.counter(queue_stat(vm_id, "dequeued"))),
      dropped(store.counter(queue_stat(vm_id, "dropped"))),
      refused(store.counter(queue_stat(vm_id, "refused"))),
      length(store.gauge(queue_stat(vm_id, "length"))),
      bytes(store.gauge(queue_stat(vm_id, "bytes"))) {}

}  // namespace weir::wasm
