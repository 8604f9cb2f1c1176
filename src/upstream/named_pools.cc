#include "upstream/named_pools.h"

#include "upstream/cluster.h"

namespace weir::upstream {

NamedPools::NamedPools(event::Loop& loop, std::vector<std::unique_ptr<Pool>>& pools)
    : loop_(loop), pools_(pools), timer_(loop, &NamedPools::on_sweep, this) {}

Pool* NamedPools::pick(Pool& base, const PoolUse& use) {
  const Pool* const place = &base;
  key_.assign(reinterpret_cast<const char*>(&place), sizeof place);
  key_ += use.host;
  key_ += '\n';  // in no host
  key_ += use.header;
  const auto known = index_.find(key_);
  // Another pool may have been where the base is now: it drains, as what it was the base of.
  if (known == index_.end() || known->second->draining()) return add(base, use);
  if (!use.header.empty()) known->second->set_client(use.client);
  return known->second;
}

Pool* NamedPools::add(Pool& base, const PoolUse& use) {
  const size_t most = use.header.empty() ? kMaxForHosts : kMaxForClients;
  if (index_.size() >= most && !make_room(most)) return nullptr;
  pools_.push_back(std::make_unique<Pool>(base, use));
  Pool* pool = pools_.back().get();
  index_.insert_or_assign(key_, pool);
  if (!use.header.empty() && !timer_.armed()) timer_.arm(kSweepInterval);
  return pool;
}

bool NamedPools::make_room(size_t most) {
  // Where nearly all are in use every further request would look through all of them.
  const MonotonicTime now = loop_.now();
  if (now < next_search_) return false;
  for (const auto& [key, pool] : index_)
    if (pool->load() == 0) pool->start_draining();
  forget_draining();
  if (index_.size() > most - most / 16) next_search_ = now + kSearchInterval;
  return index_.size() < most;
}

void NamedPools::forget_draining() {
  std::erase_if(index_, [](const auto& each) { return each.second->draining(); });
}

void NamedPools::on_sweep(void* self) noexcept { static_cast<NamedPools*>(self)->sweep(); }

void NamedPools::sweep() {
  bool any = false;
  for (const auto& [key, pool] : index_) {
    if (!pool->for_client() || pool->draining()) continue;
    if (pool->client_gone() || pool->unused())
      pool->start_draining();
    else
      any = true;
  }
  if (any) timer_.arm(kSweepInterval);
}

}  // namespace weir::upstream
