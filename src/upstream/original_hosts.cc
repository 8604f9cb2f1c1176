#include "upstream/original_hosts.h"

#include <utility>

#include "upstream/cluster.h"

namespace weir::upstream {
OriginalHosts::OriginalHosts(Cluster& cluster, std::vector<std::unique_ptr<Pool>>& pools)
    : cluster_(cluster),
      options_(cluster.options().original_dst),
      pools_(pools),
      timer_(cluster.loop(), &OriginalHosts::on_sweep, this) {}

OriginalHosts::~OriginalHosts() { count(-static_cast<int64_t>(size())); }

void OriginalHosts::count(int64_t more) {
  cluster_.stats().membership_total.add(more);
  cluster_.stats().membership_healthy.add(more);
}

Pool* OriginalHosts::pick(const PickContext& context) {
  if (!options_.header.empty() && context.head != nullptr) {
    if (const auto asked = context.head->headers.get(options_.header)) {
      if (Pool* pool = pool_of(*asked, context.downstream)) return pool;
      cluster_.stats().original_dst_host_invalid.inc();
    }
  }
  if (context.original_destination.empty()) return nullptr;
  return pool_of(context.original_destination, context.downstream);
}

Pool* OriginalHosts::pool_of(std::string_view destination, Protocol downstream) {
  const UpstreamProtocol speaks = cluster_.options().http.protocol;
  const bool http2 = speaks == UpstreamProtocol::kHttp2 ||
                     (speaks == UpstreamProtocol::kDownstream && downstream == Protocol::kHttp2);
  Hosts& hosts = hosts_[http2 ? 1 : 0];
  if (const auto known = hosts.find(destination); known != hosts.end()) {
    known->second.used = true;
    return known->second.pool;
  }
  if (size() >= kMaxHosts) return nullptr;
  const auto address = net::Address::ip_and_port(destination);
  if (!address || address->port() == 0) return nullptr;
  EndpointOptions endpoint;
  endpoint.address =
      options_.port_override == 0 ? *address : address->with_port(options_.port_override);
  pools_.push_back(std::make_unique<Pool>(cluster_, endpoint,
                                          http2 ? PoolProtocol::kHttp2 : PoolProtocol::kHttp1));
  Pool* pool = pools_.back().get();
  hosts.emplace(std::string(destination), Host{pool, true});
  count(1);
  if (!timer_.armed()) timer_.arm(options_.cleanup_interval);
  return pool;
}

void OriginalHosts::on_sweep(void* self) noexcept { static_cast<OriginalHosts*>(self)->sweep(); }

void OriginalHosts::sweep() {
  for (Hosts& hosts : hosts_) {
    for (auto it = hosts.begin(); it != hosts.end();) {
      if (std::exchange(it->second.used, false)) {
        ++it;
        continue;
      }
      it->second.pool->start_draining();
      it = hosts.erase(it);
      count(-1);
    }
  }
  if (size() > 0) timer_.arm(options_.cleanup_interval);
}

std::vector<Pool*> OriginalHosts::list() const {
  std::vector<Pool*> all;
  for (const Hosts& hosts : hosts_)
    for (const auto& [name, host] : hosts) all.push_back(host.pool);
  return all;
}

}  // namespace weir::upstream
