#include "server/signals.h"

#include <csignal>
#include <sys/signalfd.h>
#include <unistd.h>

namespace weir::server {
namespace {

sigset_t handled_signals() noexcept {
  sigset_t set;
  sigemptyset(&set);
  for (const int each : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, each);
  return set;
}

}  // namespace

void block_signals() noexcept {
  const sigset_t set = handled_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

Signals::Signals(event::Loop& loop, Callback callback, void* argument)
    : callback_(callback), argument_(argument), watch_(loop, &Signals::on_readable, this) {
  const sigset_t set = handled_signals();
  fd_ = ::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd_ < 0) return;
  watch_.attach(fd_);
  watch_.want(event::FdWatch::kRead);
}

Signals::~Signals() {
  watch_.disarm();
  if (fd_ >= 0) ::close(fd_);
}

void Signals::on_readable(void* self, unsigned) {
  auto& signals = *static_cast<Signals*>(self);
  signalfd_siginfo info{};
  while (::read(signals.fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
    signals.callback_(signals.argument_, static_cast<int>(info.ssi_signo));
}

}  // namespace weir::server
