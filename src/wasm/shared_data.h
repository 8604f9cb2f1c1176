// SharedData: key/value stores of guests, one per vm_id, shared by all threads.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "wasm/enums.h"

namespace weir::wasm {

/// One vm_id's data. Thread-safe. Keeps below a number of bytes by forgetting what was written longest ago.
class SharedStore {
 public:
  struct Item {
    std::string value;
    uint32_t cas = 0;
  };
  std::optional<Item> get(std::string_view key) const;
  /// `cas` 0 or an absent key: unconditional. `evicted` is set when something had to go (or the item itself is too big to keep).
  Status set(std::string_view key, std::string_view value, uint32_t cas, uint64_t max_bytes,
             bool& evicted);
  size_t bytes() const;
  size_t size() const;

 private:
  struct Node {
    std::string key;
    Item item;
  };
  void forget(std::list<Node>::iterator node);

  mutable std::mutex mutex_;
  std::list<Node> by_age_;  // oldest write first
  base::StringMap<std::list<Node>::iterator> index_;
  size_t bytes_ = 0;
};

/// Makes and counts the stores. Owner: the Host. Thread-safe. A store goes with its last user.
class SharedStores {
 public:
  class Use {
   public:
    Use() = default;
    Use(Use&& other) noexcept : stores_(other.stores_), entry_(other.entry_) {
      other.stores_ = nullptr;
    }
    Use& operator=(Use&& other) noexcept;
    ~Use() { reset(); }
    void reset() noexcept;
    SharedStore* operator->() const noexcept { return &entry_->second.store; }
    explicit operator bool() const noexcept { return stores_ != nullptr; }

   private:
    friend class SharedStores;
    struct Entry {
      SharedStore store;
      size_t users = 0;
    };
    SharedStores* stores_ = nullptr;
    std::pair<const std::string, Entry>* entry_ = nullptr;
  };
  Use use(const std::string& vm_id);
  size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Use::Entry, std::less<>> stores_;
};

}  // namespace weir::wasm
