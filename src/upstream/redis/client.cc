#include "upstream/redis/client.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace weir::upstream::redis {

Client::Client(WorkerClusters& clusters)
    : clusters_(clusters),
      fail_(clusters.loop(), &Client::on_failed, this),
      sweep_(clusters.loop(), &Client::on_sweep, this) {}

Client::~Client() {
  for (const auto& group : groups_)
    for (const auto& connection : group->connections) connection->detach();
}

Stats& Client::stats_of(Cluster& cluster) {
  auto& stats = stats_[&cluster.state()];
  if (!stats) stats = std::make_unique<Stats>(cluster.state().scope());
  return *stats;
}

/// Null: there are too many. Who asks with ever new settings must not get a connection for each.
Client::Group* Client::group_of(const Cluster& cluster, const RedisSettings& settings) {
  for (const auto& group : groups_)
    if (group->cluster == cluster.options().name && group->settings == settings) return group.get();
  if (groups_.size() >= kMaxGroups)
    std::erase_if(groups_, [](const auto& group) { return group->connections.empty(); });
  if (groups_.size() >= kMaxGroups) return nullptr;
  groups_.push_back(std::make_unique<Group>());
  groups_.back()->cluster = cluster.options().name;
  groups_.back()->settings = settings;
  return groups_.back().get();
}

Connection* Client::connection_to(Cluster& cluster, Group& group, Pool& pool) {
  for (const auto& connection : group.connections)
    if (connection->usable(cluster, pool)) return connection.get();
  auto made = std::make_unique<Connection>(cluster, pool, group.settings, stats_of(cluster), *this);
  if (made->open()) return nullptr;
  group.connections.push_back(std::move(made));
  if (!sweep_.armed()) sweep_.arm(kSweep);
  return group.connections.back().get();
}

Result<std::unique_ptr<Callout>> Client::start(std::string_view name, const RedisSettings& settings,
                                               std::string_view command, RedisHandler& handler) {
  Cluster* cluster = clusters_.find_retired(name);
  if (cluster == nullptr)
    return fail(Code::kNoCluster, Side::kLocal, base::concat("unknown cluster ", name));
  if (auto valid = check_command(command); !valid) return fail(std::move(valid.error()));
  Pool* pool = cluster->pick();
  if (pool == nullptr) {
    cluster->stats().cx_none_healthy.inc();
    return fail(Code::kNoHealthyHost, Side::kUpstream, "the cluster has no host");
  }
  Group* group = group_of(*cluster, settings);
  if (group == nullptr)
    return fail(Code::kOverflow, Side::kLocal, "too many different settings for Redis");
  const Thresholds& limits = cluster->thresholds(Priority::kDefault);
  if (!cluster->state()
           .breakers(Priority::kDefault)
           .requests.try_take(limits.max_requests, limits.track_remaining)) {
    cluster->stats().rq_pending_overflow.inc();
    return fail(Code::kOverflow, Side::kUpstream, "max_requests are on their way");
  }
  Stats& stats = stats_of(*cluster);
  auto call = std::make_unique<Call>(*cluster, stats, command, handler);
  auto handle = call->make_handle();
  if (settings.timeout.count() > 0) call->start_timer(settings.timeout);
  if (Connection* connection = connection_to(*cluster, *group, *pool)) {
    connection->add(std::move(call));
  } else {
    stats.failed.inc();
    failed_.push_back(std::move(call));
    fail_.arm(std::chrono::milliseconds(
        0));  // a tick later: who tries again must not keep the worker busy
  }
  return handle;
}

void Client::on_failed(void* self) noexcept {
  auto& client = *static_cast<Client*>(self);
  std::vector<std::unique_ptr<Call>> failed = std::exchange(client.failed_, {});
  for (auto& call : failed) {
    call->finish(fail(Code::kConnectFailed, Side::kUpstream, "there is no connection to be had"));
    client.clusters_.loop().defer_delete(std::move(call));
  }
}

void Client::on_redis_connection_closed(Connection& connection) noexcept {
  for (const auto& group : groups_) {
    const auto found =
        std::find_if(group->connections.begin(), group->connections.end(),
                     [&connection](const auto& each) { return each.get() == &connection; });
    if (found == group->connections.end()) continue;
    clusters_.loop().defer_delete(std::move(*found));
    group->connections.erase(found);
    return;
  }
}

void Client::on_sweep(void* self) noexcept { static_cast<Client*>(self)->sweep(); }

void Client::sweep() {
  for (const auto& group : groups_) {
    std::vector<Connection*> stale;
    for (const auto& connection : group->connections)
      if (connection->stale()) stale.push_back(connection.get());
    for (Connection* connection : stale) connection->close("not used any more");
  }
  if (connections() > 0) sweep_.arm(kSweep);
}

size_t Client::connections() const noexcept {
  size_t count = 0;
  for (const auto& group : groups_) count += group->connections.size();
  return count;
}

}  // namespace weir::upstream::redis
