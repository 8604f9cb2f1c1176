// ConnectRace: the further addresses of one host, tried while an earlier one has not answered (RFC 8305).
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include "event/loop.h"
#include "net/address.h"

namespace weir::net {

class Connection;

/// How an outgoing connection is to be made, beyond its address. Read by connect() alone.
struct ConnectPlan {
  std::span<const Address> more{};  // tried in this order when those before fail, or are slow
  const Address* source = nullptr;  // bound to where the families agree; null: the kernel's choice
  bool freebind = false;            // the source need not be an address of this machine
  /// How long an address is alone before the next joins it: RFC 8305 section 5 says 250 ms, Envoy waits 300.
  std::chrono::milliseconds head_start{300};
};

/// Opens a socket and begins to connect it. `error` is 0 (connected), EINPROGRESS, or why not. -1: no socket is to be had, for
/// the reason in `error`.
int begin_connect(const Address& to, const ConnectPlan& plan, int& error) noexcept;

/// Owner: the Connection while it connects; its own socket is the first attempt. Thread: its loop's.
class ConnectRace {
 public:
  ConnectRace(Connection& connection, event::Loop& loop, const ConnectPlan& plan);
  ~ConnectRace();
  ConnectRace(const ConnectRace&) = delete;
  ConnectRace& operator=(const ConnectRace&) = delete;

  /// The connection's own socket has failed: gives it another one to go on with. False: none is left.
  bool replace_failed();

 private:
  struct Attempt;
  static void on_ready(void* attempt, unsigned events);
  static void on_timer(void* self);
  bool begin_next();
  void finish(Attempt& attempt, int error);

  Connection& connection_;
  event::Loop& loop_;
  std::vector<Address> left_;  // the next one is last
  Address source_;
  ConnectPlan plan_;
  std::vector<std::unique_ptr<Attempt>> attempts_;
  std::vector<std::unique_ptr<Attempt>> over_;  // their callbacks may be on the stack
  event::Timer timer_;
};

}  // namespace weir::net
