// Client: the Redis connections of one worker, by cluster, settings and host.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>
#include <weir/redis.h>

#include "upstream/cluster.h"
#include "upstream/redis/connection.h"

namespace weir::upstream::redis {

/// Owner: the worker's client for callouts; outlives its streams and VMs; when it dies, commands in flight are cancelled without
/// completion. Thread: the worker's. Each command goes to the host that the cluster's load balancer picks, on a connection that is
/// made when there is none and kept while it is used.
class Client final : public RedisCommands, public ConnectionOwner {
 public:
  explicit Client(WorkerClusters& clusters);
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Result<std::unique_ptr<Callout>> start(std::string_view cluster, const RedisSettings& settings,
                                         std::string_view command, RedisHandler& handler) override;
  size_t connections() const noexcept;
  /// Closes connections that have no reason to stay. The client's own timer calls it once a second.
  void close_stale(MonotonicTime now);
  void on_redis_connection_closed(Connection& connection) noexcept override;
  void on_redis_connect_failed(std::deque<std::unique_ptr<Call>> calls) noexcept override;

 private:
  /// Users with equal settings.
  struct Group {
    std::string cluster;
    RedisSettings settings;
    std::vector<std::unique_ptr<Connection>> connections;
    uint64_t used = 0;  // the number of the command that asked for it last
  };
  static constexpr std::chrono::seconds kSweep{1};
  static constexpr size_t kMaxGroups = 64;
  bool make_room();
  Group* group_of(const Cluster& cluster, const RedisSettings& settings);
  Connection* connection_to(Cluster& cluster, Group& group, Pool& pool);
  Stats& stats_of(Cluster& cluster);
  static void on_failed(void* self) noexcept;
  static void on_sweep(void* self) noexcept;
  void fail_in_a_tick(std::unique_ptr<Call> call);

  WorkerClusters& clusters_;
  std::unordered_map<ClusterSharedState*, std::unique_ptr<Stats>> stats_;
  std::vector<std::unique_ptr<Group>> groups_;
  uint64_t asked_ = 0;                         // commands
  std::vector<std::unique_ptr<Call>> failed_;  // there was no connection to be had for them
  event::Timer fail_;
  event::Timer sweep_;
};

}  // namespace weir::upstream::redis
