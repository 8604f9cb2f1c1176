#include "net/listener.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "base/log.h"

namespace weir::net {

namespace {
constexpr std::chrono::milliseconds kPause{100};

int open_reserve() noexcept { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

/// The first fd that is not for clients. The lowest free number is always taken, so it tells how many are open.
int first_kept_fd() noexcept {
  constexpr rlim_t kLeast = 4, kMost = 512, kShare = 8;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX) return INT_MAX;
  const rlim_t kept = std::clamp(limit.rlim_cur / kShare, kLeast, kMost);
  return limit.rlim_cur > kept ? static_cast<int>(limit.rlim_cur - kept) : 0;
}
}  // namespace

Listener::Listener(event::Loop& loop, const ListenSocket& socket, AcceptSink& sink, unsigned batch,
                   LastFds last_fds)
    : socket_(socket),
      sink_(sink),
      batch_(batch),
      last_fds_(last_fds),
      fd_ceiling_(ceiling()),
      watch_(loop, &Listener::on_event, this),
      pause_timer_(loop, &Listener::on_timer, this),
      reserve_fd_(open_reserve()) {
  watch_.attach(socket.fd());
  watch_.want(event::FdWatch::kRead);
}

Listener::~Listener() {
  if (reserve_fd_ >= 0) ::close(reserve_fd_);
}

void Listener::pause() noexcept {
  paused_ = true;
  watch_.want(0);
}

void Listener::resume() {
  paused_ = false;
  if (!pause_timer_.armed()) watch_.want(event::FdWatch::kRead);
}

void Listener::drain_queue() { accept_batch(UINT_MAX); }

void Listener::on_event(void* self, unsigned) noexcept {
  auto& listener = *static_cast<Listener*>(self);
  listener.accept_batch(listener.batch_);
}

int Listener::ceiling() const noexcept {
  return last_fds_ == LastFds::kKeep ? first_kept_fd() : INT_MAX;
}

void Listener::on_timer(void* self) noexcept {
  auto& listener = *static_cast<Listener*>(self);
  listener.fd_ceiling_ = listener.ceiling();
  if (listener.reserve_fd_ < 0) listener.reserve_fd_ = open_reserve();
  if (!listener.paused_) listener.watch_.want(event::FdWatch::kRead);
}

void Listener::accept_batch(unsigned limit) {
  for (unsigned i = 0; i < limit; ++i) {
    if (!accept_one()) return;
    if (paused_ && limit == batch_) return;
  }
}

// Whether it is worth asking again.
bool Listener::accept_one() {
  sockaddr_storage remote{};
  socklen_t size = sizeof remote;
  const int fd = ::accept4(socket_.fd(), reinterpret_cast<sockaddr*>(&remote), &size,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= fd_ceiling_) {
    ::close(fd);
    pause_for_fds();
    return false;
  }
  if (fd >= 0) {
    sink_.on_accept(fd, Address::from_sockaddr(reinterpret_cast<sockaddr*>(&remote), size));
    return true;
  }
  switch (errno) {
    case EAGAIN:
      return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      out_of_fds();
      return false;
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
      return true;  // this client is gone (accept(2) passes on its errors); the next may be there
    default:
      return false;
  }
}

void Listener::out_of_fds() {
  // One client learns at once that it is not served; the others wait in the kernel's queue.
  if (reserve_fd_ >= 0) {
    ::close(reserve_fd_);
    const int fd = ::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) ::close(fd);
  }
  reserve_fd_ = open_reserve();
  pause_for_fds();
}

void Listener::pause_for_fds() {
  WEIR_LOG_EVERY_MS(1000, kListener, kWarn, "out of file descriptors or memory: accepting pauses",
                    {{"address", socket_.local().to_string()}});
  watch_.want(0);
  pause_timer_.arm(kPause);
}

}  // namespace weir::net
