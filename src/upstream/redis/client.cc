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

/// Who asks with ever new settings must not get a connection for each, nor keep others from theirs: the group that has rested
/// longest leaves. False: commands are on their way in all.
bool Client::make_room() {
  if (groups_.size() < kMaxGroups) return true;
  auto oldest = groups_.end();
  for (auto at = groups_.begin(); at != groups_.end(); ++at) {
    const bool busy = std::any_of((*at)->connections.begin(), (*at)->connections.end(),
                                  [](const auto& connection) { return connection->any_wanted(); });
    if (!busy && (oldest == groups_.end() || (*at)->used < (*oldest)->used)) oldest = at;
  }
  if (oldest == groups_.end()) return false;
  const std::unique_ptr<Group> leaving = std::move(*oldest);
  groups_.erase(oldest);
  for (auto& connection : leaving->connections) {
    connection->detach();
    clusters_.loop().defer_delete(std::move(connection));
  }
  return true;
}

/// Null: there are too many.
Client::Group* Client::group_of(const Cluster& cluster, const RedisSettings& settings) {
  for (const auto& group : groups_)
    if (group->cluster == cluster.options().name && group->settings == settings) return group.get();
  if (!make_room()) return nullptr;
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
  group->used = ++asked_;
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
    fail_in_a_tick(std::move(call));
  }
  return handle;
}

/// Who tries again at once must not keep the worker busy.
void Client::fail_in_a_tick(std::unique_ptr<Call> call) {
  failed_.push_back(std::move(call));
  fail_.arm(std::chrono::milliseconds(0));
}

void Client::on_redis_connect_failed(std::deque<std::unique_ptr<Call>> calls) noexcept {
  for (auto& call : calls) fail_in_a_tick(std::move(call));
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

void Client::on_sweep(void* self) noexcept {
  auto& client = *static_cast<Client*>(self);
  client.close_stale(client.clusters_.loop().now());
  if (client.connections() > 0) client.sweep_.arm(kSweep);
}

void Client::close_stale(MonotonicTime now) {
  for (const auto& group : groups_) {
    std::vector<Connection*> stale;
    for (const auto& connection : group->connections)
      if (connection->stale(now)) stale.push_back(connection.get());
    for (Connection* connection : stale) connection->close("not used any more");
  }
}

size_t Client::connections() const noexcept {
  size_t count = 0;
  for (const auto& group : groups_) count += group->connections.size();
  return count;
}

}  // namespace weir::upstream::redis
