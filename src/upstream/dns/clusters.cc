#include "upstream/dns/clusters.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace weir::upstream {

DnsClusters::DnsClusters(event::Loop& loop, EndpointObserver& observer)
    : loop_(loop), observer_(observer), wait_timer_(loop, &DnsClusters::on_wait_over, this) {}

DnsClusters::~DnsClusters() = default;

Resolver& DnsClusters::resolver_for(const ResolverOptions& options) {
  for (const auto& resolver : resolvers_)
    if (resolver->options() == options) return *resolver;
  resolvers_.push_back(std::make_unique<Resolver>(loop_, options));
  return *resolvers_.back();
}

std::shared_ptr<const EndpointCell> DnsClusters::follow(
    const std::shared_ptr<const ClusterOptions>& options, ClusterSharedState& state) {
  const DnsResolution* before = nullptr;
  for (const auto& resolution : resolutions_) {
    if (resolution->serves(*options, state)) return resolution->cell();
    if (resolution->name() == options->name) before = resolution.get();
  }
  ResolutionObserver& self = *this;
  resolutions_.push_back(
      std::make_unique<DnsResolution>(resolver_for(options->dns.resolver), options, state, self));
  DnsResolution& made = *resolutions_.back();
  made.start(before);
  return made.cell();
}

bool DnsClusters::all_warm() const noexcept {
  return std::all_of(resolutions_.begin(), resolutions_.end(), [this](const auto& resolution) {
    return resolution->warm() || !resolution->awaited() ||
           std::find(awaited_.begin(), awaited_.end(), resolution->cell()) == awaited_.end();
  });
}

void DnsClusters::when_warm(const ClusterTable& table, WarmObserver& observer) {
  awaited_.clear();
  for (const ClusterEntry& entry : table.entries())
    if (entry.endpoints) awaited_.push_back(entry.endpoints);
  waiting_ = &observer;
  wait_timer_.arm(all_warm() ? std::chrono::milliseconds(0) : kMaxWarmUp);
}

void DnsClusters::on_warm(DnsResolution&) {
  if (waiting_ != nullptr && all_warm()) wait_timer_.arm(std::chrono::milliseconds(0));
}

void DnsClusters::on_wait_over(void* self) {
  auto& clusters = *static_cast<DnsClusters*>(self);
  if (!clusters.all_warm())
    WEIR_LOG(kUpstream, kWarn, "names of clusters are not answered in time; serving without them");
  if (auto* waiting = std::exchange(clusters.waiting_, nullptr)) waiting->on_names_warm();
}

void DnsClusters::on_hosts_changed(DnsResolution& resolution) {
  observer_.on_endpoints_changed(resolution.cell());
}

void DnsClusters::keep_only(const ClusterTable* table) {
  std::erase_if(resolutions_, [table](const auto& resolution) {
    return table == nullptr || std::none_of(table->entries().begin(), table->entries().end(),
                                            [&resolution](const ClusterEntry& entry) {
                                              return entry.endpoints == resolution->cell();
                                            });
  });
  std::erase_if(resolvers_, [this](const auto& resolver) {
    return std::none_of(
        resolutions_.begin(), resolutions_.end(),
        [&resolver](const auto& resolution) { return &resolution->resolver() == resolver.get(); });
  });
}

}  // namespace weir::upstream
