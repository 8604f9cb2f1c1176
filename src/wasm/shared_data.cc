#include "wasm/shared_data.h"

#include <algorithm>
#include <atomic>
#include <utility>

namespace weir::wasm {
namespace {

/// Every write of the process draws a new number; 0 means "unconditional" to guests and is left out.
uint32_t next_cas() noexcept {
  static std::atomic<uint32_t> last{0};
  uint32_t cas = last.fetch_add(1, std::memory_order_relaxed) + 1;
  if (cas == 0) cas = last.fetch_add(1, std::memory_order_relaxed) + 1;
  return cas;
}

// What an entry costs besides its bytes is bounded by their number.
constexpr size_t kMinEntries = 1024;
constexpr size_t kBytesPerEntry = 128;

// More than one, so that entries go faster than they come.
constexpr size_t kOldPerWrite = 4;
constexpr size_t kOldPerRound = 64;  // with the lock held
constexpr unsigned kRoundsPerSweep = 128;

}  // namespace

SharedStore::Nodes::iterator SharedStore::find(std::string_view key, Time now) {
  const auto found = index_.find(key);
  if (found == index_.end()) return by_age_.end();
  const auto node = found->second;
  if (!is_old(*node, now)) return node;
  forget(node);
  if (stats_ != nullptr) stats_->expired.inc();
  return by_age_.end();
}

std::optional<SharedStore::Item> SharedStore::get(std::string_view key, Time now) {
  const std::lock_guard lock(mutex_);
  const auto node = find(key, now);
  if (stats_ != nullptr) {
    stats_->reads.inc();
    (node == by_age_.end() ? stats_->misses : stats_->hits).inc();
  }
  if (node == by_age_.end()) return std::nullopt;
  return node->item;
}

Status SharedStore::set(std::string_view key, std::string_view value, uint32_t cas, Time now,
                        bool& evicted) {
  const std::lock_guard lock(mutex_);
  drop_old(now, kOldPerWrite);
  const auto node = find(key, now);
  if (node != by_age_.end() && cas != 0 && cas != node->item.cas) {
    if (stats_ != nullptr) stats_->cas_conflicts.inc();
    return Status::kCasMismatch;
  }
  if (node != by_age_.end()) forget(node);
  const size_t bytes = key.size() + value.size();
  if (bytes > limits_.max_bytes) {
    evicted = true;
    if (stats_ != nullptr) stats_->refused.inc();
    return Status::kOk;
  }
  make_room(bytes, evicted);
  by_age_.push_back(Node{std::string(key), Item{std::string(value), next_cas()}, now});
  index_.emplace(by_age_.back().key, std::prev(by_age_.end()));
  bytes_ += bytes;
  if (stats_ != nullptr) stats_->writes.inc();
  return Status::kOk;
}

void SharedStore::make_room(size_t bytes, bool& evicted) {
  const size_t max_keys = limits_.max_keys != 0
                              ? limits_.max_keys
                              : std::max<size_t>(kMinEntries, limits_.max_bytes / kBytesPerEntry);
  while ((bytes_ + bytes > limits_.max_bytes || by_age_.size() >= max_keys) && !by_age_.empty()) {
    evicted = true;
    if (stats_ != nullptr) stats_->evicted.inc();
    forget(by_age_.begin());
  }
}

size_t SharedStore::drop_old(Time now, size_t most) {
  size_t dropped = 0;
  for (; dropped < most && !by_age_.empty() && is_old(by_age_.front(), now); ++dropped)
    forget(by_age_.begin());
  if (dropped != 0 && stats_ != nullptr) stats_->expired.add(dropped);
  return dropped;
}

void SharedStore::sweep(Time now) {
  for (unsigned round = 0; round < kRoundsPerSweep; ++round) {
    const std::lock_guard lock(mutex_);
    if (drop_old(now, kOldPerRound) < kOldPerRound) return;
  }
}

void SharedStore::forget(Nodes::iterator node) {
  bytes_ -= node->key.size() + node->item.value.size();
  index_.erase(index_.find(std::string_view(node->key)));
  by_age_.erase(node);
}

void SharedStore::limit(SharedDataLimits limits) {
  const std::lock_guard lock(mutex_);
  limits_ = limits;
}

SharedDataLimits SharedStore::limits() const {
  const std::lock_guard lock(mutex_);
  return limits_;
}

SharedStore::Size SharedStore::size() const {
  const std::lock_guard lock(mutex_);
  return {by_age_.size(), bytes_};
}

SharedStores::Use& SharedStores::Use::operator=(Use&& other) noexcept {
  if (this != &other) {
    reset();
    stores_ = std::exchange(other.stores_, nullptr);
    entry_ = other.entry_;
  }
  return *this;
}

void SharedStores::Use::reset() noexcept {
  if (stores_ == nullptr) return;
  const std::lock_guard lock(stores_->mutex_);
  Entry& entry = entry_->second;
  if (--entry.users == 0) {
    entry.stats.keys.set(0);
    entry.stats.bytes.set(0);
    stores_->stores_.erase(stores_->stores_.find(entry_->first));
  }
  stores_ = nullptr;
}

SharedStores::Use SharedStores::use(const std::string& vm_id, SharedDataLimits limits) {
  const std::lock_guard lock(mutex_);
  auto& entry = *stores_.try_emplace(vm_id, stats_, vm_id, limits).first;
  ++entry.second.users;
  Use use;
  use.stores_ = this;
  use.entry_ = &entry;
  return use;
}

size_t SharedStores::size() const {
  const std::lock_guard lock(mutex_);
  return stores_.size();
}

void SharedStores::publish(SharedStore::Time now) {
  const std::lock_guard lock(mutex_);
  for (auto& [vm_id, entry] : stores_) {
    entry.store.sweep(now);
    const SharedStore::Size size = entry.store.size();
    entry.stats.keys.set(static_cast<int64_t>(size.keys));
    entry.stats.bytes.set(static_cast<int64_t>(size.bytes));
  }
}

}  // namespace weir::wasm
