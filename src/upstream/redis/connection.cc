#include "upstream/redis/connection.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/strings.h"

namespace weir::upstream::redis {
namespace {

/// Nobody waits for the answers of a connection any more: so long it may still give them.
constexpr std::chrono::seconds kForgotten{10};

}  // namespace

Stats::Stats(StatsScope& scope)
    : calls(scope.counter("redis.calls")),
      replies(scope.counter("redis.replies")),
      error_replies(scope.counter("redis.error_replies")),
      failed(scope.counter("redis.failed")),
      timeouts(scope.counter("redis.timeouts")),
      cancelled(scope.counter("redis.cancelled")),
      refused_greetings(scope.counter("redis.refused_greetings")),
      protocol_errors(scope.counter("redis.protocol_errors")),
      calls_active(scope.gauge("redis.calls_active")) {}

// ---- Call --------------------------------------------------------------------------------------------

class Call::Handle final : public Callout {
 public:
  explicit Handle(Call& call) : call_(&call) {}
  ~Handle() override {
    if (call_ != nullptr) call_->abandon();
  }
  void forget() noexcept { call_ = nullptr; }

 private:
  Call* call_;
};

Call::Call(Cluster& cluster, Stats& stats, std::string_view text, RedisHandler& handler)
    : command(text),
      options_(cluster.shared_options()),
      state_(cluster.state()),
      stats_(stats),
      handler_(&handler),
      timer_(cluster.loop(), &Call::on_timeout, this) {
  stats_.calls.inc();
  stats_.calls_active.inc();
}

Call::~Call() { leave(); }

std::unique_ptr<Callout> Call::make_handle() {
  auto handle = std::make_unique<Handle>(*this);
  handle_ = handle.get();
  return handle;
}

void Call::leave() noexcept {
  if (handler_ == nullptr) return;
  handler_ = nullptr;
  timer_.cancel();
  if (handle_ != nullptr) std::exchange(handle_, nullptr)->forget();
  stats_.calls_active.dec();
  const Thresholds& limits = options_->thresholds;
  state_.breakers(Priority::kDefault)
      .requests.give_back(limits.max_requests, limits.track_remaining);
}

void Call::finish(Result<std::string> reply) {
  RedisHandler* handler = handler_;
  if (handler == nullptr) return;
  leave();
  handler->on_redis_done(std::move(reply));
}

void Call::abandon() noexcept {
  handle_ = nullptr;
  stats_.cancelled.inc();
  leave();
  if (connection != nullptr) connection->call_abandoned(*this);
}

void Call::on_timeout(void* self) noexcept {
  auto& call = *static_cast<Call*>(self);
  call.stats_.timeouts.inc();
  Connection* connection = call.connection;
  call.finish(fail(Code::kTimeout, Side::kUpstream, "no reply in time"));
  if (connection != nullptr) connection->call_timed_out(call);
}

// ---- Connection --------------------------------------------------------------------------------------

Connection::Connection(Cluster& cluster, Pool& pool, const RedisSettings& settings, Stats& stats,
                       ConnectionOwner& owner)
    : pool_(pool),
      loop_(cluster.loop()),
      options_(cluster.shared_options()),
      settings_(settings),
      stats_(stats),
      owner_(owner),
      timer_(loop_, &Connection::on_timer, this),
      last_used_(loop_.now()) {}

Connection::~Connection() { detach(); }

std::optional<Failure> Connection::open() {
  auto started = TcpConnection::connect_to(pool_, *this, nullptr);
  tcp_ = std::move(started.connection);
  return std::move(started.failure);
}

void Connection::detach() noexcept {
  state_ = State::kClosed;
  timer_.cancel();
  TcpConnection::release(std::move(tcp_), TcpConnection::How::kNow);
}

void Connection::add(std::unique_ptr<Call> call) {
  call->connection = this;
  last_used_ = loop_.now();
  unsent_bytes_ += call->command.size();
  calls_.push_back(std::move(call));
  if (state_ == State::kReady) schedule_send();
}

void Connection::schedule_send() {
  if (unsent_bytes_ >= settings_.flush_bytes || settings_.flush_timeout.count() == 0) return send();
  if (!timer_.armed()) timer_.arm(settings_.flush_timeout);
}

void Connection::on_timer(void* self) noexcept {
  auto& connection = *static_cast<Connection*>(self);
  if (connection.greetings_ > 0) return connection.close("no answer to AUTH or SELECT");
  connection.send();
}

/// Writes what waits, unless the server is behind with reading: then on_tcp_resumed() does.
void Connection::send() {
  const bool open = state_ == State::kReady || (state_ == State::kRetired && greetings_ == 0);
  if (!open || !tcp_->established()) return;
  timer_.cancel();
  Buffer out;
  for (; sent_ < calls_.size() && !tcp_->write_blocked(); ++sent_) {
    std::string command = std::move(calls_[sent_]->command);
    unsent_bytes_ -= command.size();
    out.append(command);
  }
  if (!out.empty()) tcp_->write(std::move(out));
}

void Connection::on_tcp_connected() {
  if (state_ == State::kConnecting) state_ = State::kGreeting;
  greet();
}

void Connection::greet() {
  std::string text;
  if (!settings_.password.empty()) {
    if (settings_.user.empty())
      append_command(text, {"AUTH", settings_.password});
    else
      append_command(text, {"AUTH", settings_.user, settings_.password});
    ++greetings_;
  }
  if (settings_.database != 0) {
    append_command(text, {"SELECT", std::to_string(settings_.database)});
    ++greetings_;
  }
  if (text.empty()) return ready();
  tcp_->write(Buffer(text));
  timer_.arm(
      options_->connect_timeout);  // that a server accepts and says nothing is no connection either
}

void Connection::ready() {
  timer_.cancel();
  if (state_ == State::kGreeting) state_ = State::kReady;
  send();
}

void Connection::greeted(const Reply& reply) {
  if (reply.is_error) {
    stats_.refused_greetings.inc();
    const std::string_view line(reply.bytes);
    WEIR_LOG_EVERY_MS(1000, kUpstream, kWarn, "Redis refuses AUTH or SELECT",
                      {{"cluster", cluster_name()},
                       {"upstream", tcp_->host_text()},
                       {"reply", line.substr(0, line.find('\r'))}});
    return close("AUTH or SELECT was refused");
  }
  if (--greetings_ == 0) ready();
}

void Connection::on_tcp_data(Buffer& data, net::ReadEnd end) {
  data.for_each_slice([this](std::string_view bytes) { reader_.feed(bytes); });
  data.clear();
  read_replies();
  if (end == net::ReadEnd::kYes && state_ != State::kClosed) close("closed by the server");
}

void Connection::read_replies() {
  while (state_ != State::kClosed) {
    auto next = reader_.next();
    if (!next) {
      stats_.protocol_errors.inc();
      return close(next.error().detail);
    }
    if (!*next) return;
    if (greetings_ > 0) {
      greeted(**next);
    } else if (sent_ == 0) {
      stats_.protocol_errors.inc();
      return close("a reply to no command");
    } else {
      answer(std::move(**next));
    }
  }
}

void Connection::answer(Reply reply) {
  std::unique_ptr<Call> call = std::move(calls_.front());
  calls_.pop_front();
  --sent_;
  call->connection = nullptr;
  last_used_ = loop_.now();
  stats_.replies.inc();
  if (reply.is_error) stats_.error_replies.inc();
  call->finish(std::move(reply.bytes));
  loop_.defer_delete(std::move(call));
  close_if_done();
}

/// What fails at once fails in the turn in which it began: who tries again in its completion must not keep the worker in it.
void Connection::on_tcp_failed(Failure failure) {
  std::deque<std::unique_ptr<Call>> calls = take_calls();
  close(failure.transport_reason.empty() ? reset_reason(failure.kind)
                                         : std::string_view(failure.transport_reason));
  owner_.on_redis_connect_failed(std::move(calls));
}

void Connection::on_tcp_closed(const Error& error) { close(error.detail); }

/// Where calls are told, users may ask for more at once: nothing of this connection is touched after that.
std::deque<std::unique_ptr<Call>> Connection::take_calls() noexcept {
  sent_ = 0;
  unsent_bytes_ = 0;
  for (const std::unique_ptr<Call>& call : calls_) {
    call->connection = nullptr;
    if (call->wanted()) stats_.failed.inc();
  }
  return std::exchange(calls_, {});
}

void Connection::close(std::string_view why) {
  if (state_ == State::kClosed) return;
  WEIR_LOG(kUpstream, kDebug, "Redis connection closed",
           {{"cluster", cluster_name()}, {"why", why}, {"calls", calls_.size()}});
  const std::string reason(why);
  detach();
  std::deque<std::unique_ptr<Call>> calls = take_calls();
  owner_.on_redis_connection_closed(*this);  // it lives until the end of the turn
  for (std::unique_ptr<Call>& call : calls) {
    call->finish(fail(Code::kReset, Side::kUpstream, reason));
    loop_.defer_delete(std::move(call));
  }
}

// ---- calls that end before their reply ---------------------------------------------------------------

bool Connection::any_wanted() const noexcept {
  return std::any_of(calls_.begin(), calls_.end(),
                     [](const std::unique_ptr<Call>& call) { return call->wanted(); });
}

bool Connection::drop_unsent(const Call& call) {
  for (size_t i = sent_; i < calls_.size(); ++i) {
    if (calls_[i].get() != &call) continue;
    unsent_bytes_ -= call.command.size();
    calls_[i]->connection = nullptr;
    loop_.defer_delete(std::move(calls_[i]));
    calls_.erase(calls_.begin() + static_cast<ptrdiff_t>(i));
    return true;
  }
  return false;
}

void Connection::call_abandoned(Call& call) {
  drop_unsent(call);
  close_if_done();
}

/// What was not sent yet says nothing about the server: who waits for a connection must not keep others from getting it.
void Connection::call_timed_out(Call& call) {
  if (drop_unsent(call))
    close_if_done();
  else
    retire();
}

void Connection::retire() {
  if (state_ == State::kClosed) return;
  state_ = State::kRetired;
  close_if_done();
}

void Connection::close_if_done() {
  if (state_ == State::kRetired && !any_wanted()) close("retired");
}

/// Whether new connections would be made in another way.
bool Connection::outdated(const Cluster& cluster) const noexcept {
  const ClusterOptions& now = cluster.options();
  return now.transport_frame != options_->transport_frame || now.transport != options_->transport ||
         now.proxy_header != options_->proxy_header;
}

bool Connection::usable(const Cluster& cluster, const Pool& pool) const noexcept {
  return &pool_ == &pool && state_ != State::kRetired && state_ != State::kClosed &&
         !outdated(cluster);
}

bool Connection::stale(MonotonicTime now) const noexcept {
  if (tcp_ == nullptr || any_wanted()) return false;
  // Answers that nobody waits for any more, from a server that does not give them.
  if (!calls_.empty() && now - last_used_ >= kForgotten) return true;
  if (!calls_.empty()) return false;
  const Cluster& cluster = tcp_->cluster();
  const std::chrono::milliseconds idle = options_->http.idle_timeout;
  return pool_.draining() || cluster.closes_idle() || outdated(cluster) ||
         (idle.count() > 0 && now - last_used_ >= idle);
}

}  // namespace weir::upstream::redis
