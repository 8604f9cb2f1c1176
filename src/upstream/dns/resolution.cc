#include "upstream/dns/resolution.h"

#include <algorithm>
#include <random>

#include "base/log.h"

namespace weir::upstream {
namespace {

using std::chrono::milliseconds;

/// Answers beyond this many addresses are cut: a host costs memory on every worker.
constexpr size_t kMaxAddresses = 1024;
/// Of a logical host: more would not be tried within a connect timeout.
constexpr size_t kMaxTried = 16;
constexpr unsigned kMaxDoublings = 20;

}  // namespace

struct DnsResolution::Target {
  Target(DnsResolution& resolution, const EndpointOptions& endpoint)
      : owner(resolution),
        name(endpoint.name),
        query(resolution.resolver_, &DnsResolution::on_answer, this),
        timer(resolution.loop_, &DnsResolution::on_due, this) {}
  DnsResolution& owner;
  std::string name;
  std::vector<net::Address> addresses;  // of the last good answer
  bool answered = false;
  unsigned failures = 0;  // in a row
  NameQuery query;
  event::Timer timer;
};

DnsResolution::Stats::Stats(StatsScope& scope)
    : attempt(scope.counter("update_attempt")),
      success(scope.counter("update_success")),
      failure(scope.counter("update_failure")),
      empty(scope.counter("update_empty")),
      no_rebuild(scope.counter("update_no_rebuild")) {}

DnsResolution::DnsResolution(Resolver& resolver, std::shared_ptr<const ClusterOptions> options,
                             ClusterSharedState& state, ResolutionObserver& observer)
    : loop_(resolver.loop()),
      resolver_(resolver),
      options_(std::move(options)),
      state_(state),
      observer_(observer),
      stats_(state.scope()),
      cell_(std::make_shared<const EndpointCell>(options_->name)),
      random_(std::random_device()()) {
  for (const LocalityOptions& locality : options_->localities)
    for (const EndpointOptions& endpoint : locality.endpoints)
      if (!endpoint.name.empty()) targets_.push_back(std::make_unique<Target>(*this, endpoint));
  cold_ = targets_.size();
}

DnsResolution::~DnsResolution() = default;

bool DnsResolution::serves(const ClusterOptions& options, const ClusterSharedState& state) const {
  return &state == &state_ && options.name == options_->name && options.type == options_->type &&
         options.dns == options_->dns && options.localities == options_->localities;
}

void DnsResolution::start(const DnsResolution* before) {
  const bool comparable = before != nullptr && before->options_->dns == options_->dns;
  for (const auto& target : targets_) {
    if (comparable) {
      for (const auto& old : before->targets_) {
        if (old->name != target->name || !old->answered) continue;
        target->addresses = old->addresses;
        target->answered = true;
        --cold_;
        target->timer.arm(options_->dns.refresh_rate);
        break;
      }
    }
    if (!target->answered) resolve(*target);
  }
  publish();
}

void DnsResolution::on_due(void* argument) {
  auto& target = *static_cast<Target*>(argument);
  target.owner.resolve(target);
}

void DnsResolution::on_answer(void* argument, const LookupAnswer& answer) {
  auto& target = *static_cast<Target*>(argument);
  target.owner.answered(target, answer);
}

void DnsResolution::resolve(Target& target) {
  stats_.attempt.inc();
  target.query.start(target.name, options_->dns.family);
}

void DnsResolution::answered(Target& target, const LookupAnswer& answer) {
  using Status = LookupAnswer::Status;
  const bool found = answer.status == Status::kFound;
  (found ? stats_.success : answer.status == Status::kFailed ? stats_.failure : stats_.empty).inc();
  target.failures = found ? 0 : target.failures + 1;
  const milliseconds delay = next_delay(target, answer);
  target.timer.arm(delay);
  WEIR_LOG(kUpstream, kDebug, found ? "name resolved" : "name not resolved",
           {{"cluster", options_->name},
            {"name", target.name},
            {"addresses", answer.addresses.size()},
            {"why", answer.why},
            {"again_in_ms", delay.count()}});
  if (found) {
    target.addresses = answer.addresses;
    if (target.addresses.size() > kMaxAddresses) target.addresses.resize(kMaxAddresses);
    publish();
  }
  if (std::exchange(target.answered, true)) return;
  if (!found)
    WEIR_LOG(kUpstream, kWarn, "a cluster's name cannot be resolved",
             {{"cluster", options_->name}, {"name", target.name}, {"why", answer.why}});
  if (--cold_ == 0) observer_.on_warm(*this);
}

milliseconds DnsResolution::next_delay(Target& target, const LookupAnswer& answer) {
  const DnsOptions& dns = options_->dns;
  milliseconds delay = dns.refresh_rate;
  if (answer.status == LookupAnswer::Status::kFound) {
    // Zero is no time to live but the want of one; whole seconds are the floor.
    if (dns.respect_ttl && answer.ttl.count() > 0) delay = answer.ttl;
    if (dns.jitter.count() > 0)
      delay += milliseconds(random_.next() % static_cast<uint64_t>(dns.jitter.count()));
    return delay;
  }
  if (dns.failure_base.count() == 0) return delay;
  // As Envoy: anywhere below the doubled base, so that many proxies do not ask at once.
  const unsigned doublings = std::min(target.failures - 1, kMaxDoublings);
  const auto limit = static_cast<uint64_t>(std::max<int64_t>(
      std::min<int64_t>(dns.failure_base.count() << doublings, dns.failure_max.count()), 1));
  return milliseconds(1 + random_.next() % limit);
}

void DnsResolution::publish() {
  auto next = std::make_unique<EndpointSet>();
  auto target = targets_.begin();
  for (const LocalityOptions& from : options_->localities) {
    LocalityOptions locality = from;
    locality.endpoints.clear();
    for (const EndpointOptions& endpoint : from.endpoints) {
      if (endpoint.name.empty()) {
        locality.endpoints.push_back(endpoint);
        continue;
      }
      const Target& resolved = **target++;
      if (resolved.addresses.empty()) continue;
      EndpointOptions host = endpoint;
      if (host.hostname.empty()) host.hostname = endpoint.name;
      if (options_->type == ClusterType::kLogicalDns) {
        host.address = resolved.addresses.front().with_port(endpoint.port);
        const size_t count = std::min(resolved.addresses.size(), kMaxTried);
        for (size_t i = 1; i < count; ++i)
          host.additional_addresses.push_back(resolved.addresses[i].with_port(endpoint.port));
        locality.endpoints.push_back(std::move(host));
        continue;
      }
      host.name.clear();
      host.port = 0;
      const size_t first = locality.endpoints.size();
      for (const net::Address& address : resolved.addresses) {
        host.address = address.with_port(endpoint.port);
        locality.endpoints.push_back(host);
      }
      // Servers turn the order round with every answer; that is no change.
      std::sort(locality.endpoints.begin() + static_cast<ptrdiff_t>(first),
                locality.endpoints.end(), [](const auto& left, const auto& right) {
                  return left.address.to_string() < right.address.to_string();
                });
    }
    next->push_back(std::move(locality));
  }
  const auto before = cell_->get();
  if (before != nullptr && *before == *next) {
    stats_.no_rebuild.inc();
    return;
  }
  const bool any = std::any_of(next->begin(), next->end(),
                               [](const auto& locality) { return !locality.endpoints.empty(); });
  if (!any) return;  // nothing has been answered yet
  cell_->set(std::move(next));
  observer_.on_hosts_changed(*this);
}

}  // namespace weir::upstream
