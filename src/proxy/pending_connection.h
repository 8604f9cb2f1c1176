// PendingConnection: a connection between its accept and the choice of its chain.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "net/unique_fd.h"
#include "proxy/connection_budget.h"
#include "proxy/listener_runtime.h"
#include "proxy/session_deps.h"

namespace weir::proxy {

class ListenerHost;

/// A socket that no chain serves yet. `info` gets the texts of the addresses when the chain is chosen.
struct AcceptedSocket {
  net::UniqueFd fd;
  net::Address remote;  // the client; after a PROXY protocol header, what that says
  net::Address direct;  // the socket's peer
  net::Address
      local;  // the destination; after original_dst or a PROXY protocol header, what they say
  ConnectionInfo info;
  ConnectionShare share;
  bool handed_over = false;  // from the listener that has accepted it, by use_original_dst
};

/// Listener filters look at the socket's first bytes, which stay in the socket. Connections of listeners without filters never
/// become one of these.
/// Owner: its ListenerHost. Thread: its loop's. Ends by one of the host's inspected() and refused(); after that the host defers
/// its deletion.
class PendingConnection final : public event::Deferrable {
 public:
  PendingConnection(SessionDeps& deps, ListenerHost& host,
                    std::shared_ptr<const ListenerRuntime> runtime, AcceptedSocket&& socket);
  ~PendingConnection() override;
  void start() { inspect(); }
  void refuse(std::string_view why);

 private:
  friend class ListenerHost;
  static void on_event(void* self, unsigned events) noexcept;
  static void on_timer(void* self) noexcept;
  void inspect();
  InspectVerdict ask(const ListenerFilter& filter, Inspection& at);
  bool peek(size_t max, Inspection& at);
  bool hung_up() const noexcept;
  void consume(size_t bytes);
  void wait();
  void finish() noexcept;

  SessionDeps& deps_;
  ListenerHost& host_;
  MonotonicTime started_;
  std::shared_ptr<const ListenerRuntime> runtime_;  // whose filters inspect
  AcceptedSocket socket_;
  event::FdWatch watch_;
  event::Timer timer_;
  size_t next_filter_ = 0;
  size_t index_ = 0;  // in ListenerHost::pending_
  bool waiting_ = false;
  bool done_ = false;
};

}  // namespace weir::proxy
