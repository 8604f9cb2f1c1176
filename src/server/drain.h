// Drain: the orderly end of a process: not ready, then no new connections, then the last ones.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "event/loop.h"
#include "server/worker.h"

namespace weir::server {

/// Sequence: every response says "connection: close"; after the accept window (a quarter of the drain time: 5 s of 20 s)
/// listeners empty their queues and close, idle connections go; the drain ends with the last connection, or at the
/// drain time, when what is left is cut. Owner: the server. Thread: main.
class Drain {
 public:
  Drain(event::Loop& loop, const std::vector<std::unique_ptr<Worker>>& workers);
  /// `done` runs once, from the loop.
  void start(std::chrono::milliseconds drain_time, std::function<void()> done);
  bool started() const noexcept { return started_; }

 private:
  static void on_accept_window(void* self);
  static void on_deadline(void* self);
  void worker_empty();
  void finish();

  event::Loop& loop_;
  const std::vector<std::unique_ptr<Worker>>& workers_;
  event::Timer accept_window_;
  event::Timer deadline_;
  std::function<void()> done_;
  size_t empty_ = 0;
  bool started_ = false;
};

}  // namespace weir::server
