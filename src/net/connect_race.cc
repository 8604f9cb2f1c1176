#include "net/connect_race.h"

#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "net/connection.h"

namespace weir::net {
namespace {

int bind_source(int fd, const ConnectPlan& plan) noexcept {
  const int one = 1;
  if (plan.freebind) static_cast<void>(::setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof one));
#ifdef IP_BIND_ADDRESS_NO_PORT
  // The port is chosen when the other end is known: one source address then serves more than 64 Ki connections.
  if (plan.source->port() == 0)
    static_cast<void>(::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one));
#endif
  return ::bind(fd, plan.source->raw(), plan.source->raw_size()) == 0 ? 0 : errno;
}

}  // namespace

int begin_connect(const Address& to, const ConnectPlan& plan, int& error) noexcept {
  const int fd = ::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  error = fd < 0 ? errno : 0;
  if (fd < 0) return -1;
  if (plan.source != nullptr && plan.source->family() == to.family()) {
    error = bind_source(fd, plan);
    if (error != 0) return fd;
  }
  int result = 0;
  do {
    result = ::connect(fd, to.raw(), to.raw_size());
  } while (result < 0 && errno == EINTR);
  error = result == 0 ? 0 : errno;
  return fd;
}

struct ConnectRace::Attempt {
  Attempt(ConnectRace& owner, int descriptor, const Address& to)
      : race(owner), fd(descriptor), address(to), watch(owner.loop_, &ConnectRace::on_ready, this) {
    watch.attach(fd);
    watch.want(event::FdWatch::kWrite);
  }
  ~Attempt() {
    watch.disarm();
    if (fd >= 0) ::close(fd);
  }
  ConnectRace& race;
  int fd;
  Address address;
  event::FdWatch watch;
};

ConnectRace::ConnectRace(Connection& connection, event::Loop& loop, const ConnectPlan& plan)
    : connection_(connection),
      loop_(loop),
      left_(plan.more.rbegin(), plan.more.rend()),
      plan_(plan),
      timer_(loop, &ConnectRace::on_timer, this) {
  // What the plan points to is the caller's.
  plan_.more = {};
  if (plan.source != nullptr) {
    source_ = *plan.source;
    plan_.source = &source_;
  }
  timer_.arm(plan_.head_start);
}

ConnectRace::~ConnectRace() = default;

/// True if another attempt is under way.
bool ConnectRace::begin_next() {
  while (!left_.empty()) {
    const Address to = left_.back();
    left_.pop_back();
    int error = 0;
    const int fd = begin_connect(to, plan_, error);
    if (fd < 0) continue;
    // One that is connected at once is ready at once: the loop says so.
    if (error == 0 || error == EINPROGRESS) {
      attempts_.push_back(std::make_unique<Attempt>(*this, fd, to));
      return true;
    }
    ::close(fd);
  }
  return false;
}

void ConnectRace::on_timer(void* self) {
  auto& race = *static_cast<ConnectRace*>(self);
  race.over_.clear();
  if (race.begin_next()) race.timer_.arm(race.plan_.head_start);
}

void ConnectRace::on_ready(void* argument, unsigned) {
  auto& attempt = *static_cast<Attempt*>(argument);
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(attempt.fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  attempt.race.finish(attempt, error);
}

void ConnectRace::finish(Attempt& attempt, int error) {
  if (error == 0) {
    attempt.watch.disarm();
    // Ends this race.
    connection_.take_socket(std::exchange(attempt.fd, -1), attempt.address,
                            Connection::Taken::kConnected);
    return;
  }
  const auto found = std::find_if(attempts_.begin(), attempts_.end(),
                                  [&attempt](const auto& each) { return each.get() == &attempt; });
  attempt.watch.disarm();
  over_.push_back(std::move(*found));
  attempts_.erase(found);
  timer_.arm(begin_next() ? plan_.head_start : event::Loop::kTick);
}

bool ConnectRace::replace_failed() {
  if (attempts_.empty() && !begin_next()) return false;
  Attempt& next = *attempts_.front();
  next.watch.disarm();
  connection_.take_socket(std::exchange(next.fd, -1), next.address, Connection::Taken::kConnecting);
  attempts_.erase(attempts_.begin());
  timer_.arm(plan_.head_start);
  return true;
}

}  // namespace weir::net
