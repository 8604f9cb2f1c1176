#include "wasm/context.h"

#include <utility>

namespace weir::wasm {

uint32_t ContextTable::add(Context& context) {
  if (size_ * 2 >= entries_.size()) grow();
  do {
    ++last_id_;
  } while (last_id_ == 0 ||
           find(last_id_) != nullptr);  // after 2^32 contexts the numbers begin again
  size_t at = place(last_id_);
  while (entries_[at].id != 0) at = (at + 1) & (entries_.size() - 1);
  entries_[at] = Entry{last_id_, &context};
  ++size_;
  context.id = last_id_;
  return last_id_;
}

Context* ContextTable::find(uint32_t id) const noexcept {
  if (id == 0) return nullptr;
  for (size_t at = place(id); entries_[at].id != 0; at = (at + 1) & (entries_.size() - 1))
    if (entries_[at].id == id) return entries_[at].context;
  return nullptr;
}

void ContextTable::remove(uint32_t id) noexcept {
  const size_t mask = entries_.size() - 1;
  size_t at = place(id);
  while (entries_[at].id != id) {
    if (entries_[at].id == 0) return;
    at = (at + 1) & mask;
  }
  --size_;
  // Backward shift: entries behind the hole move up unless they stand between their own place and it.
  for (size_t next = (at + 1) & mask; entries_[next].id != 0; next = (next + 1) & mask) {
    const size_t home = place(entries_[next].id);
    if (((next - home) & mask) < ((next - at) & mask)) continue;
    entries_[at] = entries_[next];
    at = next;
  }
  entries_[at] = Entry{};
}

void ContextTable::grow() {
  std::vector<Entry> old(entries_.size() * 2);
  std::swap(old, entries_);
  for (const Entry& entry : old) {
    if (entry.id == 0) continue;
    size_t at = place(entry.id);
    while (entries_[at].id != 0) at = (at + 1) & (entries_.size() - 1);
    entries_[at] = entry;
  }
}

}  // namespace weir::wasm
