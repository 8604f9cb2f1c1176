// AdminServer: the admin listener on the main loop, and its endpoints.
#pragma once

#include <memory>
#include <string>
#include <vector>
#include <weir/result.h>

#include "admin/backend.h"
#include "event/loop.h"
#include "net/address.h"
#include "net/listener.h"

namespace weir::admin {

class AdminSession;

/// Owner: the server. Thread: main. GET reads, POST changes, nothing else; a request whose Host or Origin is not an address of this
/// listener (or localhost) is refused, against DNS rebinding. Answers are complete bodies with nosniff and no-store.
class AdminServer final : public net::AcceptSink {
 public:
  static Result<std::unique_ptr<AdminServer>> listen(event::Loop& loop, Backend& backend,
                                                     const net::Address& address,
                                                     net::Probe probe = net::Probe::kYes);
  ~AdminServer() override;
  const net::Address& local() const noexcept { return local_; }
  /// Closes the listening socket; sessions go on. For good.
  void stop_accepting();
  void on_accept(int fd, const net::Address& remote) override;
  void remove(AdminSession& session);  // by the session: detached, dies after this turn
  /// Null if that session has gone: answers may come late.
  AdminSession* find(uint64_t id) noexcept;

 private:
  AdminServer(event::Loop& loop, Backend& backend,
              std::vector<std::unique_ptr<net::ListenSocket>> sockets);
  event::Loop& loop_;
  Backend& backend_;
  std::vector<std::unique_ptr<net::ListenSocket>> sockets_;
  const net::Address local_;
  std::unique_ptr<net::Listener> listener_;
  std::vector<std::unique_ptr<AdminSession>> sessions_;
  uint64_t next_id_ = 1;
};

}  // namespace weir::admin
