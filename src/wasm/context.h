// Context: what a guest knows by a number: one plugin in a VM (root), one stream or one connection of a
// plugin.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir::wasm {

class Vm;
class RootContext;

struct Context {
  enum class Kind : uint8_t { kRoot, kStream, kConnection };
  explicit Context(Kind kind_of) noexcept : kind(kind_of) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const Kind kind;
  uint32_t id = 0;              // 0 = unknown to the guest
  RootContext* root = nullptr;  // itself for a root

 protected:
  ~Context() = default;
};

/// The live contexts of one VM by id. Ids only grow, so that a stale one never means another stream; a table with open
/// addressing makes that as cheap as an index.
class ContextTable {
 public:
  uint32_t add(Context& context);
  void remove(uint32_t id) noexcept;
  Context* find(uint32_t id) const noexcept;
  size_t size() const noexcept { return size_; }
  /// The next id is the one behind `last_id`.
  void count_from(uint32_t last_id) noexcept { last_id_ = last_id; }

 private:
  struct Entry {
    uint32_t id = 0;
    Context* context = nullptr;
  };
  size_t place(uint32_t id) const noexcept { return id & (entries_.size() - 1); }
  void grow();
  std::vector<Entry> entries_ = std::vector<Entry>(64);
  size_t size_ = 0;
  uint32_t last_id_ = 0;
};

}  // namespace weir::wasm
