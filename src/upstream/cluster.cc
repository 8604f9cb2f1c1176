#include "upstream/cluster.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <unordered_set>
#include <utility>

namespace weir::upstream {
namespace {

constexpr std::chrono::seconds kRetiredSweep{5};

/// Hosts of the lowest priority number that has any: without health checks no other is ever used.
template <typename Visit>
void for_each_host(const EndpointSet& set, Visit&& visit) {
  uint32_t lowest = UINT32_MAX;
  for (const LocalityOptions& locality : set)
    if (!locality.endpoints.empty()) lowest = std::min(lowest, locality.priority);
  for (const LocalityOptions& locality : set) {
    if (locality.priority != lowest) continue;
    for (const EndpointOptions& endpoint : locality.endpoints) visit(endpoint);
  }
}

uint64_t mix(uint64_t value) noexcept {  // the finaliser of splitmix64
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31);
}

std::string pool_key(std::string endpoint, PoolProtocol protocol) {
  return std::move(endpoint) + static_cast<char>('0' + static_cast<int>(protocol));
}

bool among(std::span<const std::string> hosts, std::string_view host) noexcept {
  return std::find(hosts.begin(), hosts.end(), host) != hosts.end();
}

}  // namespace

std::shared_ptr<const ClusterTable> ClusterTable::build(ClusterList clusters,
                                                        ClusterRegistry& registry,
                                                        EndpointDiscovery* discovery) {
  auto table = std::make_unique<ClusterTable>();
  for (auto& options : clusters) {
    ClusterSharedState& state = registry.state(*options);
    table->by_name_.emplace(options->name, table->entries_.size());
    std::shared_ptr<const EndpointCell> cell;
    if (options->type == ClusterType::kStrictDns || options->type == ClusterType::kLogicalDns)
      cell = discovery != nullptr ? discovery->follow(options, state)
                                  : std::make_shared<const EndpointCell>(options->name);
    table->entries_.push_back({std::move(options), &state, std::move(cell)});
  }
  return table;
}

std::shared_ptr<const EndpointSet> ClusterEntry::hosts() const {
  if (!endpoints) return {options, &options->localities};
  if (auto found = endpoints->get()) return found;
  static const auto kNone = std::make_shared<const EndpointSet>();
  return kNone;
}

const ClusterEntry* ClusterTable::find(std::string_view name) const noexcept {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &entries_[found->second];
}

Cluster::Cluster(event::Loop& loop, const ClusterEntry& entry, uint64_t seed)
    : loop_(loop),
      entry_(entry),
      balancer_(seed),
      named_(loop, pools_),
      sweep_(loop, &Cluster::on_sweep, this) {
  follow_transport();
  rebuild();
}

Cluster::~Cluster() = default;

void Cluster::update(const ClusterEntry& entry) {
  const bool same = entry_.options == entry.options || *entry_.options == *entry.options;
  const bool other_frame = options().transport_frame != entry.options->transport_frame;
  const bool other_transport = options().transport != entry.options->transport ||
                               options().proxy_header != entry.options->proxy_header;
  entry_ = entry;
  if (other_transport) follow_transport();
  if (other_frame)
    for (const auto& pool : pools_) pool->retire_connections();
  if (same) return refresh();
  rebuild();
}

void Cluster::follow_transport() {
  const net::TransportFactory* transport = options().transport.get();
  tls_stats_ =
      transport != nullptr && transport->secure() ? state().tls_stats(*transport) : nullptr;
  header_overflow_ =
      options().proxy_header
          ? &state().scope().counter("upstream.proxyprotocol.v2_tlvs_exceed_max_length")
          : nullptr;
}

void Cluster::refresh() {
  auto now = entry_.hosts();
  const bool same = set_ == now || *set_ == *now;
  set_ = std::move(now);
  if (!same) rebuild();
}

void Cluster::rebuild() {
  set_ = entry_.hosts();
  hosts_.clear();
  http2_hosts_.clear();
  std::vector<uint32_t> weights;
  const UpstreamProtocol protocol = options().http.protocol;
  PoolIndex index = index_pools();
  for_each_host(*set_, [this, protocol, &weights, &index](const EndpointOptions& endpoint) {
    hosts_.push_back(pool_of(index, endpoint,
                             protocol == UpstreamProtocol::kHttp2  ? PoolProtocol::kHttp2
                             : protocol == UpstreamProtocol::kAuto ? PoolProtocol::kAuto
                                                                   : PoolProtocol::kHttp1));
    if (protocol == UpstreamProtocol::kDownstream)
      http2_hosts_.push_back(pool_of(index, endpoint, PoolProtocol::kHttp2));
    weights.push_back(endpoint.weight);
  });
  weights_ = weights;
  balancer_.reset(options().lb_policy, options().least_request_choices, std::move(weights));
  rebuild_original();
  std::unordered_set<const Pool*> kept(hosts_.begin(), hosts_.end());
  kept.insert(http2_hosts_.begin(), http2_hosts_.end());
  if (original_)
    for (const Pool* pool : original_->list()) kept.insert(pool);
  for (const auto& pool : pools_)
    if (pool->base() == nullptr && !kept.contains(pool.get())) pool->start_draining();
  follow_bases();
}

/// Named pools live and move with that of their endpoint.
void Cluster::follow_bases() {
  for (const auto& pool : pools_) {
    if (!pool->named()) continue;
    if (pool->base() != nullptr && !pool->base()->draining())
      pool->follow_base();
    else
      pool->start_draining();
  }
}

/// The pool of a host and a protocol; made if there is none.
Pool* Cluster::pool_of(PoolIndex& index, const EndpointOptions& endpoint, PoolProtocol protocol) {
  Pool*& known = index[pool_key(endpoint_key(endpoint), protocol)];
  if (known == nullptr) {
    pools_.push_back(std::make_unique<Pool>(*this, endpoint, protocol));
    known = pools_.back().get();
  }
  known->follow(endpoint);
  known->stop_draining();
  return known;
}

/// The pools of endpoints: names may stand for a thousand, so that nothing looks through all of them for each.
Cluster::PoolIndex Cluster::index_pools() const {
  PoolIndex index;
  for (const auto& pool : pools_)
    if (!pool->named()) index.emplace(pool_key(pool->key(), pool->protocol()), pool.get());
  return index;
}

/// Hosts that were made on demand stay while they are found in the same way.
void Cluster::rebuild_original() {
  const bool wanted = options().type == ClusterType::kOriginalDst;
  if (wanted && original_ && original_->options() == options().original_dst) return;
  original_.reset();
  if (wanted) original_ = std::make_unique<OriginalHosts>(*this, pools_);
}

Pool* Cluster::pick(const PickContext& context) {
  if (original_) return original_->pick(context);
  if (hosts_.empty()) return nullptr;
  const size_t host = pick_host(context.choice);
  const bool http2 = !http2_hosts_.empty() && context.downstream == Protocol::kHttp2;
  return http2 ? http2_hosts_[host] : hosts_[host];
}

std::optional<size_t> Cluster::wanted_host(const HostChoice& choice) const noexcept {
  if (among(choice.avoid, choice.wanted)) return std::nullopt;
  for (size_t i = 0; i < hosts_.size(); ++i)
    if (hosts_[i]->address_text() == choice.wanted) return i;
  return std::nullopt;
}

std::vector<std::string> Cluster::host_addresses() const {
  std::vector<std::string> addresses;
  for (const Pool* host : original_ ? original_->list() : hosts_)
    addresses.push_back(host->address_text());
  return addresses;
}

ClusterFacts Cluster::facts(std::string_view host) const {
  ClusterFacts facts;
  facts.metadata = options().metadata.value;
  facts.hosts = original_ ? original_->list().size() : hosts_.size();
  if (host.empty()) return facts;
  const auto address = net::Address::ip_and_port(host);
  const auto is_it = [&](const EndpointOptions& endpoint) {
    return address ? endpoint.address == *address : endpoint.address.to_string() == host;
  };
  for (const LocalityOptions& locality : *set_) {
    for (const EndpointOptions& endpoint : locality.endpoints) {
      if (!is_it(endpoint)) continue;
      facts.host = ClusterFacts::Host{endpoint.metadata.value, locality.metadata.value,
                                      locality.region, locality.zone, locality.sub_zone};
      return facts;
    }
  }
  return facts;
}

size_t Cluster::pick_host(const HostChoice& choice) {
  if (!choice.wanted.empty()) [[unlikely]]
    if (const auto wanted = wanted_host(choice)) return *wanted;
  if (choice.hash) return host_for(*choice.hash, choice.avoid);
  const size_t host = http2_hosts_.empty()
                          ? balancer_.pick([this](size_t i) { return hosts_[i]->load(); })
                          : balancer_.pick([this](size_t i) {
                              return hosts_[i]->load() + http2_hosts_[i]->load();
                            });
  return choice.avoid.empty() ? host : other_than(choice.avoid, host);
}

/// The first from `picked` on that is not among those; `picked` itself if all are.
size_t Cluster::other_than(std::span<const std::string> avoid, size_t picked) const noexcept {
  for (size_t i = 0; i < hosts_.size(); ++i) {
    const size_t host = (picked + i) % hosts_.size();
    if (!among(avoid, hosts_[host]->address_text())) return host;
  }
  return picked;
}

/// Those that are avoided count only if there is no other.
size_t Cluster::host_for(uint64_t hash, std::span<const std::string> avoid) const noexcept {
  size_t best = 0;
  double highest = 0;
  bool avoided = true;
  for (size_t i = 0; i < hosts_.size(); ++i) {
    const bool unwanted = among(avoid, hosts_[i]->address_text());
    if (unwanted && !avoided) continue;
    const uint64_t draw =
        mix(hash ^ std::hash<std::string_view>{}(std::string_view(hosts_[i]->address_text())));
    // Logarithms make the weights count: the host with the highest score wins its share of all hashes.
    const double unit = (static_cast<double>(draw >> 11) + 0.5) / 9007199254740992.0;
    const double score = -static_cast<double>(weights_[i]) / std::log(unit);
    if (i > 0 && score <= highest && unwanted == avoided) continue;
    best = i;
    highest = score;
    avoided = unwanted;
  }
  return best;
}

void Cluster::drain() {
  closes_idle_ = true;
  for (const auto& pool : pools_) pool->close_idle();
}

size_t Cluster::active_connections() const noexcept {
  size_t count = 0;
  for (const auto& pool : pools_) count += pool->size();
  return count;
}

bool Cluster::unused() const noexcept {
  return std::all_of(pools_.begin(), pools_.end(), [](const auto& pool) { return pool->unused(); });
}

void Cluster::pool_unused() { sweep_.schedule(); }

void Cluster::on_sweep(void* self) noexcept { static_cast<Cluster*>(self)->sweep_pools(); }

void Cluster::sweep_pools() {
  named_.forget_draining();
  std::erase_if(pools_, [](const auto& pool) { return pool->draining() && pool->unused(); });
}

namespace {

void describe_pool(const Pool& pool, Cluster::HostDescription& host) {
  const Pool::Totals totals = pool.totals();
  host.cx_active += pool.size();
  host.cx_total += totals.connections;
  host.cx_connect_fail += totals.connect_failures;
  host.rq_active += pool.active_requests();
  host.rq_total += totals.requests;
  host.rq_success += totals.succeeded;
  host.rq_error += totals.errored;
  host.rq_timeout += totals.timed_out;
}

}  // namespace

std::vector<Cluster::HostDescription> Cluster::describe() const {
  std::vector<HostDescription> hosts;
  if (original_) {
    for (const Pool* pool : original_->list()) {
      HostDescription& host = hosts.emplace_back();
      host.address = pool->address_text();
      describe_pool(*pool, host);
    }
    return hosts;
  }
  std::unordered_multimap<std::string, const Pool*> pools;
  for (const auto& pool : pools_) pools.emplace(pool->key(), pool.get());
  for (const LocalityOptions& locality : *set_) {
    for (const EndpointOptions& endpoint : locality.endpoints) {
      HostDescription host;
      host.address = endpoint.address.to_string();
      host.hostname = endpoint.hostname;
      host.region = locality.region;
      host.zone = locality.zone;
      host.sub_zone = locality.sub_zone;
      host.weight = endpoint.weight;
      host.priority = locality.priority;
      const auto [first, last] = pools.equal_range(endpoint_key(endpoint));
      for (auto each = first; each != last; ++each) describe_pool(*each->second, host);
      hosts.push_back(std::move(host));
    }
  }
  return hosts;
}

WorkerClusters::WorkerClusters(event::Loop& loop, unsigned worker, ClusterRegistry&)
    : loop_(loop), worker_(worker), sweep_timer_(loop, &WorkerClusters::on_sweep, this) {}

WorkerClusters::~WorkerClusters() = default;

void WorkerClusters::apply(std::shared_ptr<const ClusterTable> table) {
  std::random_device seed;
  for (auto it = live_.begin(); it != live_.end();) {
    const ClusterEntry* entry = table->find(it->first);
    // Another stat name means other stats and breakers, which connections of the old one still have to count down.
    if (entry != nullptr && entry->state == &it->second->state()) {
      it->second->update(*entry);
      ++it;
      continue;
    }
    it->second->drain();
    retired_.push_back({std::move(it->second), loop_.now() + retired_age_});
    it = live_.erase(it);
  }
  for (const ClusterEntry& entry : table->entries()) {
    auto& cluster = live_[entry.options->name];
    if (!cluster)
      cluster = std::make_unique<Cluster>(loop_, entry, (uint64_t{seed()} << 32) | seed());
  }
  table_ = std::move(table);
  sweep_retired();
}

void WorkerClusters::endpoints_changed(const EndpointCell& cell) {
  const auto found = live_.find(cell.cluster());
  // Another cell is of a generation that this worker has not adopted yet, or has left.
  if (found != live_.end() && found->second->endpoints() == &cell) found->second->refresh();
}

Cluster* WorkerClusters::find(std::string_view name) noexcept {
  const auto found = live_.find(name);
  return found == live_.end() ? nullptr : found->second.get();
}

Cluster* WorkerClusters::find_retired(std::string_view name) noexcept {
  if (Cluster* cluster = find(name)) return cluster;
  for (auto it = retired_.rbegin(); it != retired_.rend(); ++it)
    if (it->cluster->options().name == name) return it->cluster.get();
  return nullptr;
}

void WorkerClusters::drain() {
  for (const auto& [name, cluster] : live_) cluster->drain();
  for (const Retired& retired : retired_) retired.cluster->drain();
}

size_t WorkerClusters::active_connections() const noexcept {
  size_t count = 0;
  for (const auto& [name, cluster] : live_) count += cluster->active_connections();
  for (const Retired& retired : retired_) count += retired.cluster->active_connections();
  return count;
}

std::vector<ClusterDescription> WorkerClusters::describe() const {
  std::vector<ClusterDescription> all;
  if (!table_) return all;
  for (const ClusterEntry& entry : table_->entries())
    if (const auto found = live_.find(entry.options->name); found != live_.end())
      all.push_back({entry.options, found->second->describe()});
  return all;
}

void WorkerClusters::on_sweep(void* self) noexcept {
  static_cast<WorkerClusters*>(self)->sweep_retired();
}

void WorkerClusters::sweep_retired() {
  std::erase_if(retired_, [now = loop_.now()](const Retired& retired) {
    return retired.until <= now && retired.cluster->unused();
  });
  if (!retired_.empty()) sweep_timer_.arm(kRetiredSweep);
}

}  // namespace weir::upstream
