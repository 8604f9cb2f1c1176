// KeepAlive: PINGs on one connection, and the time for their answers (connection_keepalive).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/random.h"
#include "event/loop.h"
#include "http/h2/h2.h"

namespace weir::http {

/// Owner: the owner of the connection, whose codec outlives it. Thread: its loop's. Order: start() once; before_stream() and
/// on_input() as it happens. `Connection` is ServerConnection or ClientConnection.
template <typename Connection>
class KeepAlive {
 public:
  using Callback = void (*)(void* owner);
  /// `sent`: a PING stands in the connection's output. `dead`: none was answered in time; the owner closes.
  KeepAlive(event::Loop& loop, Connection& connection, const h2::Options& options, Callback sent,
            Callback dead, void* owner) noexcept
      : loop_(loop),
        connection_(connection),
        options_(options),
        sent_(sent),
        dead_(dead),
        owner_(owner),
        timer_(loop, &KeepAlive::on_timer, this) {}

  static bool wanted(const h2::Options& options) noexcept {
    return options.keepalive_interval.count() > 0 || options.keepalive_idle_interval.count() > 0;
  }
  void start() noexcept {
    last_input_ = loop_.now();
    wait();
  }
  void stop() noexcept { timer_.cancel(); }
  void on_input() noexcept { last_input_ = loop_.now(); }
  /// A connection that has been silent for long is asked when it is used again (connection_idle_interval).
  void before_stream() {
    const auto idle = options_.keepalive_idle_interval;
    if (idle.count() > 0 && !waiting_ && loop_.now() - last_input_ >= idle) ping();
  }

 private:
  void wait() noexcept {
    waiting_ = false;
    const auto interval = options_.keepalive_interval;
    if (interval.count() == 0) return;
    const double spread = options_.keepalive_jitter *
                          (static_cast<double>(base::random_u64() >> 11) / 9007199254740992.0);
    timer_.arm(interval + std::chrono::milliseconds(static_cast<int64_t>(
                              static_cast<double>(interval.count()) * spread)));
  }
  void ping() {
    expected_ = connection_.pongs() + 1;
    if (!connection_.ping()) return;
    waiting_ = true;
    timer_.arm(std::max(options_.keepalive_timeout, std::chrono::milliseconds(1)));
    sent_(owner_);
  }
  static void on_timer(void* self) {
    auto& alive = *static_cast<KeepAlive*>(self);
    if (!alive.waiting_) return alive.ping();
    if (alive.connection_.pongs() < alive.expected_) return alive.dead_(alive.owner_);
    alive.wait();
  }

  event::Loop& loop_;
  Connection& connection_;
  const h2::Options options_;
  const Callback sent_;
  const Callback dead_;
  void* const owner_;
  event::Timer timer_;
  MonotonicTime last_input_{};
  uint64_t expected_ = 0;
  bool waiting_ = false;
};

}  // namespace weir::http
