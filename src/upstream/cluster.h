// Clusters: the immutable table of a snapshot, and the live clusters of one worker that follow it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>
#include <weir/callout.h>

#include "event/loop.h"
#include "upstream/endpoint_cell.h"
#include "upstream/load_balancer.h"
#include "upstream/named_pools.h"
#include "upstream/options.h"
#include "upstream/original_hosts.h"
#include "upstream/pool.h"
#include "upstream/shared_state.h"

namespace weir::upstream {

struct ClusterEntry {
  std::shared_ptr<const ClusterOptions> options;
  ClusterSharedState* state = nullptr;
  std::shared_ptr<const EndpointCell> endpoints{};  // null: the configured hosts
  /// The hosts as they are now; never null. Thread: any.
  std::shared_ptr<const EndpointSet> hosts() const;
};

using ClusterList = std::vector<std::shared_ptr<const ClusterOptions>>;

/// The clusters of one generation by name. Immutable; part of a snapshot.
class ClusterTable {
 public:
  /// Requires: names are unique (config/ checks). Without `discovery`, clusters that need it have no hosts. Thread: main.
  static std::shared_ptr<const ClusterTable> build(ClusterList clusters, ClusterRegistry& registry,
                                                   EndpointDiscovery* discovery = nullptr);
  const ClusterEntry* find(std::string_view name) const noexcept;
  const std::vector<ClusterEntry>& entries() const noexcept {
    return entries_;
  }  // in order of the file

 private:
  std::vector<ClusterEntry> entries_;
  std::unordered_map<std::string_view, size_t> by_name_;  // keys live in the options
};

/// One cluster on one worker: its hosts, load balancer and pools. Owner: WorkerClusters. Thread: the worker's.
/// Pools are keyed by address and outlive edits; the pool of a removed host serves its leases, then dies.
class Cluster {
 public:
  Cluster(event::Loop& loop, const ClusterEntry& entry, uint64_t seed);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  void update(const ClusterEntry& entry);
  /// Looks whether the hosts are others now.
  void refresh();
  /// The pool of the next host; null when the cluster has none.
  Pool* pick(const PickContext& context = {});

  /// The pool beside `base` whose connections are for this use alone; null if there are too many at once.
  Pool* pick_named(Pool& base, const PoolUse& use) { return named_.pick(base, use); }

  const ClusterOptions& options() const noexcept { return *entry_.options; }
  const std::shared_ptr<const ClusterOptions>& shared_options() const noexcept {
    return entry_.options;
  }
  ClusterSharedState& state() noexcept { return *entry_.state; }
  const EndpointCell* endpoints() const noexcept { return entry_.endpoints.get(); }
  ClusterStats& stats() noexcept { return entry_.state->stats(); }
  /// Null without TLS.
  const std::shared_ptr<const net::tls::Stats>& tls_stats() const noexcept { return tls_stats_; }
  /// Counts PROXY protocol headers whose TLVs do not fit; null without such headers.
  Counter* header_overflow() const noexcept { return header_overflow_; }
  event::Loop& loop() noexcept { return loop_; }
  const Thresholds& thresholds(Priority priority) const noexcept {
    return priority == Priority::kHigh ? options().high_thresholds : options().thresholds;
  }

  /// Closes idle connections now and the others with their exchange. New exchanges still work.
  void drain();
  bool closes_idle() const noexcept { return closes_idle_; }
  size_t active_connections() const noexcept;
  /// No connection, no waiter, no lease: nobody refers to it.
  bool unused() const noexcept;
  struct HostDescription {
    std::string address, hostname, region, zone, sub_zone;
    uint32_t weight = 1, priority = 0;
    uint64_t cx_active = 0, cx_total = 0, cx_connect_fail = 0;
    uint64_t rq_active = 0, rq_total = 0, rq_success = 0, rq_error = 0, rq_timeout = 0;
  };
  std::vector<HostDescription> describe() const;
  /// "ip:port" of those that are picked from.
  std::vector<std::string> host_addresses() const;
  ClusterFacts facts(std::string_view host) const;

  // For Pool alone.
  void pool_unused();  // a draining pool has become empty

 private:
  void rebuild();
  void follow_transport();
  using PoolIndex = std::unordered_map<std::string, Pool*>;  // by endpoint and protocol
  PoolIndex index_pools() const;
  Pool* pool_of(PoolIndex& index, const EndpointOptions& endpoint, PoolProtocol protocol);
  void rebuild_original();
  /// By rendezvous, with the hosts' weights: a host that comes or goes moves no other's share. Requires hosts.
  size_t host_for(uint64_t hash, std::span<const std::string> avoid) const noexcept;
  /// Index of a host. Requires hosts.
  size_t pick_host(const HostChoice& choice);
  /// Index of the host that was asked for; none if it is not there.
  std::optional<size_t> wanted_host(const HostChoice& choice) const noexcept;
  size_t other_than(std::span<const std::string> avoid, size_t picked) const noexcept;
  void follow_bases();
  void sweep_pools();
  static void on_sweep(void* self) noexcept;
  event::Loop& loop_;
  ClusterEntry entry_;
  std::shared_ptr<const EndpointSet> set_;    // what the hosts were made of
  std::vector<std::unique_ptr<Pool>> pools_;  // all, draining ones too
  std::vector<Pool*> hosts_;                  // what the load balancer's indices mean
  std::vector<Pool*>
      http2_hosts_;  // the same for clients of HTTP/2, where the protocol follows theirs
  std::vector<uint32_t> weights_;  // of hosts_
  LoadBalancer balancer_;
  std::shared_ptr<const net::tls::Stats> tls_stats_;
  Counter* header_overflow_ = nullptr;
  std::unique_ptr<OriginalHosts> original_;  // of an ORIGINAL_DST cluster
  NamedPools named_;
  event::EndOfTurn sweep_;
  bool closes_idle_ = false;
};

/// What /clusters prints of one cluster; the admin side adds the workers' numbers up.
struct ClusterDescription {
  std::shared_ptr<const ClusterOptions> options;
  std::vector<Cluster::HostDescription> hosts;
};

/// All clusters of one worker. Owner: the worker. Thread: the worker's; admin posts a task that calls describe().
/// Order: apply() at every adopt; find() per request; drain() at the end. Outlives the worker's streams.
class WorkerClusters {
 public:
  WorkerClusters(event::Loop& loop, unsigned worker, ClusterRegistry& registry);
  ~WorkerClusters();
  WorkerClusters(const WorkerClusters&) = delete;
  WorkerClusters& operator=(const WorkerClusters&) = delete;

  /// Follows a new table. Clusters that it does not name drain, and streams that began before can still find them until
  /// old generations have reached their maximum age.
  void apply(std::shared_ptr<const ClusterTable> table);
  /// The hosts of a cluster with this cell are others now.
  void endpoints_changed(const EndpointCell& cell);
  /// The bootstrap's old_generation_max_age; for clusters removed from now on.
  void set_old_generation_max_age(std::chrono::milliseconds age) noexcept { retired_age_ = age; }
  /// Null: unknown. The reference is valid for this turn; an exchange that has started keeps its cluster alive.
  Cluster* find(std::string_view name) noexcept;
  /// Also clusters that only older generations name.
  Cluster* find_retired(std::string_view name) noexcept;

  /// Closes idle connections now; busy ones when their exchange ends. New exchanges still work.
  void drain();
  size_t active_connections() const noexcept;
  std::vector<ClusterDescription> describe() const;

  event::Loop& loop() noexcept { return loop_; }
  unsigned worker() const noexcept { return worker_; }

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  struct Retired {
    std::unique_ptr<Cluster> cluster;
    MonotonicTime until;
  };
  using Live = std::unordered_map<std::string, std::unique_ptr<Cluster>, Hash, std::equal_to<>>;
  void sweep_retired();
  static void on_sweep(void* self) noexcept;

  event::Loop& loop_;
  unsigned worker_;
  std::chrono::milliseconds retired_age_ = std::chrono::minutes(10);
  std::shared_ptr<const ClusterTable> table_;
  Live live_;
  std::vector<Retired> retired_;
  event::Timer sweep_timer_;
};

}  // namespace weir::upstream
