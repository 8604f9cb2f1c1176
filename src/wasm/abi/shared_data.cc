// Shared data and shared queues.
#include <algorithm>

#include "wasm/abi/abi.h"

namespace weir::wasm::abi {

Status get_shared_data(Vm& vm, const Value* args) {
  const auto key = vm.memory().view(args[0], args[1]);
  if (!key || !vm.memory().contains(u32(args[4]), 4)) return Status::kInvalidMemoryAccess;
  const auto now = std::chrono::steady_clock::now();
  std::optional<SharedStore::Item> item;
  if (vm.canary()) item = vm.canary_data()->get(*key, now);
  if (!item) item = vm.shared_data().get(*key, now);
  if (!item) return Status::kNotFound;
  const Status status = vm.give(item->value, args[2], args[3]);
  if (status != Status::kOk) return status;
  return vm.memory().store<uint32_t>(args[4], item->cas) ? Status::kOk
                                                         : Status::kInvalidMemoryAccess;
}

Status set_shared_data(Vm& vm, const Value* args) {
  const auto key = vm.memory().view(args[0], args[1]);
  const auto value = vm.memory().view(args[2], args[3]);
  if (!key || !value) return Status::kInvalidMemoryAccess;
  const auto cas = u32(args[4]);
  const auto now = std::chrono::steady_clock::now();
  bool evicted = false;
  if (vm.canary()) {
    // What a canary writes is seen by it alone.
    const auto real = vm.shared_data().get(*key, now);
    if (cas != 0 && real && !vm.canary_data()->get(*key, now) && real->cas != cas)
      return Status::kCasMismatch;
    return vm.canary_data()->set(*key, *value, real && real->cas == cas ? 0 : cas, now, evicted);
  }
  const Status status = vm.shared_data().set(*key, *value, cas, now, evicted);
  if (evicted) vm.count_limit(LimitKind::kSharedData);
  return status;
}

namespace {

/// As the guest sees it: a canary's own queues are there for it too.
std::optional<uint32_t> find_queue(Vm& vm, std::string_view vm_id, std::string_view name) {
  if (const auto id = vm.services().queues.resolve(vm_id, name)) return id;
  return vm.canary() && vm_id == vm.vm_config().vm_id ? vm.canary_queues().resolve(name)
                                                      : std::nullopt;
}

uint32_t add_queue(Vm& vm, std::string_view name) {
  const std::string& vm_id = vm.vm_config().vm_id;
  if (vm.canary()) {
    const auto known = vm.services().queues.resolve(vm_id, name);
    return known ? *known : vm.canary_queues().add(name);
  }
  // A starting guest hears of items when a worker has adopted it.
  QueueListener* listener = vm.owner() != nullptr ? &vm.owner()->queue_listener() : nullptr;
  const uint32_t id = vm.services().queues.add(vm_id, name, listener, vm.record().serial,
                                               vm.root().id, vm.vm_config().limits.of_queues());
  if (id == 0 || listener != nullptr) return id;
  auto& pending = vm.pending_queues();
  std::pair<std::string, uint32_t> asked(name, vm.root().id);
  if (std::find(pending.begin(), pending.end(), asked) == pending.end())
    pending.push_back(std::move(asked));
  return id;
}

}  // namespace

Status register_queue(Vm& vm, const Value* args) {
  const auto name = vm.memory().view(args[0], args[1]);
  if (!name || !vm.memory().contains(u32(args[2]), 4)) return Status::kInvalidMemoryAccess;
  const uint32_t id = add_queue(vm, *name);
  if (id == 0) {
    vm.count_limit(LimitKind::kQueue);
    return Status::kInternalFailure;
  }
  return vm.memory().store<uint32_t>(args[2], id) ? Status::kOk : Status::kInvalidMemoryAccess;
}

Status resolve_queue(Vm& vm, const Value* args) {
  const auto vm_id = vm.memory().view(args[0], args[1]);
  const auto name = vm.memory().view(args[2], args[3]);
  if (!vm_id || !name || !vm.memory().contains(u32(args[4]), 4))
    return Status::kInvalidMemoryAccess;
  const std::string_view scope = vm_id->empty() ? std::string_view(vm.vm_config().vm_id) : *vm_id;
  const auto id = find_queue(vm, scope, *name);
  if (!id) return Status::kNotFound;
  return vm.memory().store<uint32_t>(args[4], *id) ? Status::kOk : Status::kInvalidMemoryAccess;
}

Status enqueue(Vm& vm, const Value* args) {
  const auto value = vm.memory().view(args[1], args[2]);
  if (!value) return Status::kInvalidMemoryAccess;
  if (vm.canary()) return Status::kOk;
  bool dropped = false;
  const Status status = vm.services().queues.enqueue(u32(args[0]), *value, dropped);
  if (dropped) vm.count_limit(LimitKind::kQueue);
  return status;
}

Status dequeue(Vm& vm, const Value* args) {
  const GuestMemory memory = vm.memory();
  if (!memory.contains(u32(args[1]), 4) || !memory.contains(u32(args[2]), 4))
    return Status::kInvalidMemoryAccess;
  if (vm.canary()) return Status::kEmpty;
  std::string value;
  const Status status = vm.services().queues.dequeue(u32(args[0]), value);
  return status == Status::kOk ? vm.give(value, args[1], args[2]) : status;
}

}  // namespace weir::wasm::abi
