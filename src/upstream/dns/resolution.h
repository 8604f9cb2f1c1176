// DnsResolution: the names of one cluster, asked again and again, and the hosts that they stand for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "upstream/dns/resolver.h"
#include "upstream/endpoint_cell.h"
#include "upstream/load_balancer.h"
#include "upstream/shared_state.h"

namespace weir::upstream {

class DnsResolution;

class ResolutionObserver {
 public:
  /// The cell has new hosts. From the loop, or from start() when nothing had to be asked for.
  virtual void on_hosts_changed(DnsResolution& resolution) = 0;
  /// Every name has been answered, or has failed, once.
  virtual void on_warm(DnsResolution& resolution) = 0;

 protected:
  ~ResolutionObserver() = default;
};

/// Owner: DnsClusters, as long as a serving or a coming table names its cell. Thread: main.
/// A name that fails, or whose answer is empty, keeps the hosts that it had.
class DnsResolution {
 public:
  DnsResolution(Resolver& resolver, std::shared_ptr<const ClusterOptions> options,
                ClusterSharedState& state, ResolutionObserver& observer);
  ~DnsResolution();
  DnsResolution(const DnsResolution&) = delete;
  DnsResolution& operator=(const DnsResolution&) = delete;

  /// Takes over what `before` knows of the same names, and asks for the others.
  void start(const DnsResolution* before);
  /// Whether a cluster of these options has the same names, asked for in the same way.
  bool serves(const ClusterOptions& options, const ClusterSharedState& state) const;
  bool warm() const noexcept { return cold_ == 0; }
  bool awaited() const noexcept { return options_->dns.wait_for_warm; }
  const std::shared_ptr<const EndpointCell>& cell() const noexcept { return cell_; }
  const Resolver& resolver() const noexcept { return resolver_; }
  const std::string& name() const noexcept { return options_->name; }

 private:
  struct Target;
  struct Stats {
    explicit Stats(StatsScope& scope);
    Counter &attempt, &success, &failure, &empty, &no_rebuild;
  };
  static void on_answer(void* target, const LookupAnswer& answer);
  static void on_due(void* target);
  void resolve(Target& target);
  void answered(Target& target, const LookupAnswer& answer);
  std::chrono::milliseconds next_delay(Target& target, const LookupAnswer& answer);
  void publish();

  event::Loop& loop_;
  Resolver& resolver_;
  std::shared_ptr<const ClusterOptions> options_;
  ClusterSharedState& state_;
  ResolutionObserver& observer_;
  Stats stats_;
  std::shared_ptr<const EndpointCell> cell_;
  std::vector<std::unique_ptr<Target>> targets_;
  size_t cold_ = 0;  // names that have not been answered yet
  Random random_;
};

}  // namespace weir::upstream
