#include "wasm/shared_queue.h"

#include <algorithm>

namespace weir::wasm {

uint32_t SharedQueues::add(std::string_view vm_id, std::string_view name, QueueListener* listener,
                           uint64_t vm_serial, uint32_t root_id, QueueLimits limits) {
  if (name.size() > kMaxNameBytes) return 0;
  const std::lock_guard lock(mutex_);
  Share& share = shares_.try_emplace(std::string(vm_id), stats_, vm_id).first->second;
  share.limits = limits;
  auto found = ids_.find({std::string(vm_id), std::string(name)});
  if (found == ids_.end()) {
    if (ids_.size() >= kMaxQueues || share.use.queues >= limits.max_queues) return 0;
    ++share.use.queues;
    const auto id = static_cast<uint32_t>(ids_.size() + 1);
    found = ids_.emplace(std::pair(std::string(vm_id), std::string(name)), id).first;
  }
  Queue& queue = queues_[found->second];
  queue.share = &share;
  if (listener == nullptr) return found->second;
  if (queue.registrant.listener == listener && queue.registrant.is(vm_serial, root_id))
    return found->second;
  queue.registrant = {listener, vm_serial, root_id};
  queue.due = queue.items.size();
  announce(queue, found->second);
  return found->second;
}

void SharedQueues::announce(Queue& queue, uint32_t id) {
  const Registrant& to = queue.registrant;
  if (to.listener == nullptr || queue.due == 0) return;
  for (const Registrant& each : queue.told)
    if (each.is(to.vm_serial, to.root_id)) return;
  queue.told.push_back(to);
  to.listener->on_queue_item(to.vm_serial, to.root_id, id);
}

size_t SharedQueues::hear(uint32_t id, uint64_t vm_serial, uint32_t root_id) {
  const std::lock_guard lock(mutex_);
  const auto found = queues_.find(id);
  if (found == queues_.end()) return 0;
  Queue& queue = found->second;
  std::erase_if(queue.told, [vm_serial, root_id](const Registrant& each) {
    return each.is(vm_serial, root_id);
  });
  if (queue.registrant.listener == nullptr || !queue.registrant.is(vm_serial, root_id)) return 0;
  // Others may have taken items meanwhile.
  queue.due = std::min(queue.due, queue.items.size());
  const size_t now = std::min(queue.due, kMaxHeard);
  queue.due -= now;
  if (queue.due > 0) announce(queue, id);
  return now;
}

std::optional<uint32_t> SharedQueues::resolve(std::string_view vm_id, std::string_view name) const {
  if (std::max(vm_id.size(), name.size()) > kMaxNameBytes) return std::nullopt;
  const std::lock_guard lock(mutex_);
  auto found = ids_.find({std::string(vm_id), std::string(name)});
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

Status SharedQueues::enqueue(uint32_t id, std::string_view value, bool& dropped) {
  const std::lock_guard lock(mutex_);
  auto found = queues_.find(id);
  if (found == queues_.end()) return Status::kNotFound;
  Queue& queue = found->second;
  Share& share = *queue.share;
  const auto refuse = [&share, &dropped] {
    dropped = true;
    share.stats.refused.inc();
    return Status::kOk;
  };
  // What would not fit if the queue were empty does not empty it; what other queues hold stays.
  if (value.size() > kMaxBytes ||
      share.use.bytes - queue.bytes + value.size() > share.limits.max_bytes)
    return refuse();
  const auto full = [&queue, &share, &value] {
    return queue.items.size() >= kMaxItems || queue.bytes + value.size() > kMaxBytes ||
           share.use.bytes + value.size() > share.limits.max_bytes;
  };
  while (full()) {
    if (queue.items.empty()) return refuse();
    dropped = true;
    share.stats.dropped.inc();
    queue.take_front();
  }
  queue.items.emplace_back(value);
  queue.bytes += value.size();
  share.use.bytes += value.size();
  ++share.use.items;
  share.stats.enqueued.inc();
  queue.due = std::min(queue.due + 1, queue.items.size());
  announce(queue, id);
  return Status::kOk;
}

Status SharedQueues::dequeue(uint32_t id, std::string& value) {
  const std::lock_guard lock(mutex_);
  auto found = queues_.find(id);
  if (found == queues_.end()) return Status::kNotFound;
  Queue& queue = found->second;
  if (queue.items.empty()) return Status::kEmpty;
  value = queue.take_front();
  queue.share->stats.dequeued.inc();
  return Status::kOk;
}

void SharedQueues::forget(uint64_t vm_serial) {
  const std::lock_guard lock(mutex_);
  for (auto& [id, queue] : queues_)
    if (queue.registrant.vm_serial == vm_serial) queue.registrant.listener = nullptr;
}

void SharedQueues::publish() {
  const std::lock_guard lock(mutex_);
  for (auto& [vm_id, share] : shares_) {
    share.stats.length.set(static_cast<int64_t>(share.use.items));
    share.stats.bytes.set(static_cast<int64_t>(share.use.bytes));
  }
}

uint32_t CanaryQueues::add(std::string_view name) {
  if (const auto known = resolve(name)) return *known;
  if (names_.size() >= kMaxQueues || name.size() > SharedQueues::kMaxNameBytes) return 0;
  names_.emplace_back(name);
  return *resolve(name);
}

std::optional<uint32_t> CanaryQueues::resolve(std::string_view name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) return std::nullopt;
  return kFirstId + static_cast<uint32_t>(found - names_.begin());
}

}  // namespace weir::wasm
