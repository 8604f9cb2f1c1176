#include "upstream/named_pools.h"

#include <utility>

#include "net/prefaced_transport.h"
#include "upstream/cluster.h"
#include "upstream/connection.h"
#include "upstream/tcp_connection.h"

namespace weir::upstream {

// ---- what a pool knows of its name --------------------------------------------------------------------------------------

Pool::Pool(Pool& base, const PoolUse& use)
    : cluster_(base.cluster_),
      protocol_(base.protocol_),
      address_(base.address_),
      address_text_(base.address_text_),
      base_(&base),
      host_(use.host),
      header_(use.header),
      header_incomplete_(use.header_incomplete),
      client_(use.client),
      named_index_(base.named_.size()),
      hostname_(base.hostname_),
      name_(base.name_),
      port_(base.port_),
      order_(base.order_),
      end_of_turn_(base.cluster_.loop(), &Pool::on_end_of_turn, this) {
  base.named_.push_back(this);
}

void Pool::follow_base() {
  hostname_ = base_->hostname_;
  address_ = base_->address_;
  address_text_ = base_->address_text_;
  order_ = base_->order_;
}

/// What it has counted stays with its endpoint.
void Pool::leave_base() noexcept {
  for (Pool* each : named_) each->base_ = nullptr;
  if (base_ == nullptr) return;
  base_->total_connections_ += total_connections_;
  base_->connect_failures_ += connect_failures_;
  base_->total_requests_ += total_requests_;
  base_->succeeded_ += succeeded_;
  base_->errored_ += errored_;
  base_->timed_out_ += timed_out_;
  base_->named_[named_index_] = base_->named_.back();
  base_->named_[named_index_]->named_index_ = named_index_;
  base_->named_.pop_back();
}

void Pool::begin_with_header(net::Connection& connection,
                             std::unique_ptr<net::Transport>& transport,
                             const ConnectionInfo* downstream) const {
  net::ClientHeader header{header_, true, header_incomplete_};
  if (header_.empty()) header = net::client_header(*cluster_.options().proxy_header, downstream);
  if (header.incomplete) cluster_.header_overflow()->inc();
  if (transport == nullptr) return connection.write(Buffer(header.bytes));
  transport =
      std::make_unique<net::PrefacedTransport>(std::move(header.bytes), std::move(transport));
}

// ---- the pools of a cluster -----------------------------------------------------------------------------------------------

NamedPools::NamedPools(event::Loop& loop, std::vector<std::unique_ptr<Pool>>& pools)
    : pools_(pools), timer_(loop, &NamedPools::on_sweep, this) {}

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
  if (index_.size() >= most) {
    for (const auto& [key, pool] : index_)
      if (pool->load() == 0) pool->start_draining();
    forget_draining();
    if (index_.size() >= most) return nullptr;
  }
  pools_.push_back(std::make_unique<Pool>(base, use));
  Pool* pool = pools_.back().get();
  index_.insert_or_assign(key_, pool);
  if (!use.header.empty() && !timer_.armed()) timer_.arm(kSweepInterval);
  return pool;
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
