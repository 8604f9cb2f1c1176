// One connection to a Redis server, on which the commands of several users follow each other.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <weir/redis.h>

#include "event/loop.h"
#include "upstream/redis/protocol.h"
#include "upstream/tcp_connection.h"

namespace weir::upstream::redis {

class Call;
class Connection;

/// "cluster.<name>.redis.<stat>".
struct Stats {
  explicit Stats(StatsScope& scope);
  Counter& calls;          // commands that were taken
  Counter& replies;        // … that were answered, errors of the server's included
  Counter& error_replies;  // … with an error of the server's
  Counter& failed;         // … whose connection failed or was lost
  Counter& timeouts;
  Counter& cancelled;
  Counter& refused_greetings;  // connections whose AUTH or SELECT was refused
  Counter& protocol_errors;    // connections that were cut because of what the server sent
  Gauge& calls_active;
};

/// Who has the connection.
class ConnectionOwner {
 public:
  virtual ~ConnectionOwner() = default;
  /// It is closed and has no calls: the owner forgets it by defer_delete.
  virtual void on_redis_connection_closed(Connection& connection) noexcept = 0;
  /// It was never established: the owner fails these calls, a tick later.
  virtual void on_redis_connect_failed(std::deque<std::unique_ptr<Call>> calls) noexcept = 0;

 protected:
  ConnectionOwner() = default;
};

/// One command. Owner: the connection that it waits on, or the client for a tick where there was none; then
/// the loop's list of deferred deletions. It takes a unit of the cluster's max_requests while its user waits.
class Call final : public event::Deferrable {
 public:
  Call(Cluster& cluster, Stats& stats, std::string_view command, RedisHandler& handler);
  ~Call() override;
  void start_timer(std::chrono::milliseconds timeout) { timer_.arm(timeout); }
  /// Tells the user, if there is one still. Nothing comes after it.
  void finish(Result<std::string> reply);
  bool wanted() const noexcept { return handler_ != nullptr; }
  std::unique_ptr<Callout> make_handle();

  std::string command;               // until it is written
  Connection* connection = nullptr;  // null: there was none to be had

 private:
  class Handle;
  static void on_timeout(void* self) noexcept;
  void abandon() noexcept;
  void leave() noexcept;  // the user has what it wanted, or wants nothing more

  const std::shared_ptr<const ClusterOptions> options_;
  ClusterSharedState& state_;
  Stats& stats_;
  RedisHandler* handler_;
  Handle* handle_ = nullptr;
  event::Timer timer_;
};

/// Owner: a Client, until on_redis_connection_closed(). Thread: the worker's.
/// Order: open(); add() while usable(); it greets with AUTH and SELECT, and sends no command before both are granted. Replies come
/// in the order of the commands: one that nobody waits for any more is read and dropped. After a timeout it takes no more
/// commands, and closes when the others have their replies.
class Connection final : public event::Deferrable, private TcpUser {
 public:
  Connection(Cluster& cluster, Pool& pool, const RedisSettings& settings, Stats& stats,
             ConnectionOwner& owner);
  ~Connection() override;

  std::optional<Failure> open();
  /// Whether commands for this host may be added.
  bool usable(const Cluster& cluster, const Pool& pool) const noexcept;
  void add(std::unique_ptr<Call> call);
  /// Takes no more commands; closes when there are none.
  void retire();
  /// For a look at all connections now and then: whether nothing is on it and it has no reason to stay.
  bool stale(MonotonicTime now) const noexcept;
  /// Whether somebody waits for a reply.
  bool any_wanted() const noexcept;
  /// Closes; calls are failed.
  void close(std::string_view why);
  /// Closes; nobody is told anything.
  void detach() noexcept;

  // For Call alone.
  void call_abandoned(Call& call);
  void call_timed_out(Call& call);

 private:
  enum class State : uint8_t { kConnecting, kGreeting, kReady, kRetired, kClosed };
  void on_tcp_connected() override;
  void on_tcp_data(Buffer& data, net::ReadEnd end) override;
  void on_tcp_blocked() override {}
  void on_tcp_resumed() override { send(); }
  void on_tcp_failed(Failure failure) override;
  void on_tcp_closed(const Error& error) override;
  static void on_timer(void* self) noexcept;
  void greet();
  void ready();
  void greeted(const Reply& reply);
  void answer(Reply reply);
  void read_replies();
  void schedule_send();
  void send();
  bool drop_unsent(const Call& call);
  bool outdated(const Cluster& cluster) const noexcept;
  std::deque<std::unique_ptr<Call>> take_calls() noexcept;
  void close_if_done();
  std::string_view cluster_name() const noexcept { return options_->name; }

  Pool& pool_;  // lives as long as tcp_
  event::Loop& loop_;
  const std::shared_ptr<const ClusterOptions> options_;  // as they were when it was made
  const RedisSettings settings_;
  Stats& stats_;
  ConnectionOwner& owner_;
  State state_ = State::kConnecting;
  std::unique_ptr<TcpConnection> tcp_;
  ReplyReader reader_;
  unsigned greetings_ = 0;                   // replies that are due before commands may go
  std::deque<std::unique_ptr<Call>> calls_;  // in order; the first sent_ are written
  size_t sent_ = 0;
  size_t unsent_bytes_ = 0;
  event::Timer timer_;  // of the greeting, then of the flush
  MonotonicTime last_used_;
};

}  // namespace weir::upstream::redis
