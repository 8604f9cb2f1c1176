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

}  // namespace

std::optional<SharedStore::Item> SharedStore::get(std::string_view key) const {
  const std::lock_guard lock(mutex_);
  auto found = index_.find(key);
  if (found == index_.end()) return std::nullopt;
  return found->second->item;
}

Status SharedStore::set(std::string_view key, std::string_view value, uint32_t cas,
                        uint64_t max_bytes, bool& evicted) {
  const std::lock_guard lock(mutex_);
  auto found = index_.find(key);
  if (found != index_.end() && cas != 0 && cas != found->second->item.cas)
    return Status::kCasMismatch;
  if (found != index_.end()) forget(found->second);
  const size_t bytes = key.size() + value.size();
  if (bytes > max_bytes) {
    evicted = true;
    return Status::kOk;
  }
  const size_t max_entries = std::max<size_t>(kMinEntries, max_bytes / kBytesPerEntry);
  while ((bytes_ + bytes > max_bytes || by_age_.size() >= max_entries) && !by_age_.empty()) {
    evicted = true;
    forget(by_age_.begin());
  }
  by_age_.push_back(Node{std::string(key), Item{std::string(value), next_cas()}});
  index_.emplace(by_age_.back().key, std::prev(by_age_.end()));
  bytes_ += bytes;
  return Status::kOk;
}

void SharedStore::forget(std::list<Node>::iterator node) {
  bytes_ -= node->key.size() + node->item.value.size();
  index_.erase(index_.find(std::string_view(node->key)));
  by_age_.erase(node);
}

size_t SharedStore::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

size_t SharedStore::size() const {
  const std::lock_guard lock(mutex_);
  return by_age_.size();
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
  if (--entry_->second.users == 0) stores_->stores_.erase(stores_->stores_.find(entry_->first));
  stores_ = nullptr;
}

SharedStores::Use SharedStores::use(const std::string& vm_id) {
  const std::lock_guard lock(mutex_);
  auto& entry = *stores_.try_emplace(vm_id).first;
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

}  // namespace weir::wasm
