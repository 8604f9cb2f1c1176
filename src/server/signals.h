// Signals: SIGTERM, SIGINT, SIGHUP and SIGUSR1 as events of the main loop.
#pragma once

#include "event/loop.h"

namespace weir::server {

/// Blocks the signals in the calling thread; call before any thread is made, they inherit it. SIGPIPE is ignored.
void block_signals() noexcept;

/// Owner: the server. Thread: main. Requires: block_signals() was called first.
class Signals {
 public:
  using Callback = void (*)(void* argument, int signal);
  Signals(event::Loop& loop, Callback callback, void* argument);
  ~Signals();

 private:
  static void on_readable(void* self, unsigned events);
  Callback callback_;
  void* argument_;
  int fd_;
  event::FdWatch watch_;
};

}  // namespace weir::server
