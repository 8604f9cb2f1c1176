// DnsClusters: every cluster whose hosts DNS knows, across generations.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "upstream/cluster.h"
#include "upstream/dns/resolution.h"

namespace weir::upstream {

/// Who waits for first answers.
class WarmObserver {
 public:
  virtual void on_names_warm() = 0;

 protected:
  ~WarmObserver() = default;
};

/// Owner: the server; dies before the workers. Thread: main.
/// Order of an edit: follow() for each cluster while the table is built, when_warm(), then keep_only() with the table that
/// serves from now on, be it the new or the old one.
class DnsClusters final : public EndpointDiscovery, private ResolutionObserver {
 public:
  /// How long a generation waits for first answers at most.
  static constexpr std::chrono::seconds kMaxWarmUp{10};

  DnsClusters(event::Loop& loop, EndpointObserver& observer);
  ~DnsClusters();

  std::shared_ptr<const EndpointCell> follow(const std::shared_ptr<const ClusterOptions>& options,
                                             ClusterSharedState& state) override;
  /// Tells `observer`, once and from the loop, when all names of the table have been answered or have failed, or the time is
  /// up. A second call takes the place of the first.
  void when_warm(const ClusterTable& table, WarmObserver& observer);
  /// Forgets what the table (null: none) does not name.
  void keep_only(const ClusterTable* table);

 private:
  void on_hosts_changed(DnsResolution& resolution) override;
  void on_warm(DnsResolution& resolution) override;
  Resolver& resolver_for(const ResolverOptions& options);
  bool all_warm() const noexcept;
  static void on_wait_over(void* self);

  event::Loop& loop_;
  EndpointObserver& observer_;
  std::vector<std::unique_ptr<Resolver>> resolvers_;
  std::vector<std::unique_ptr<DnsResolution>> resolutions_;
  std::vector<std::shared_ptr<const EndpointCell>> awaited_;
  WarmObserver* waiting_ = nullptr;
  event::Timer wait_timer_;
};

}  // namespace weir::upstream
