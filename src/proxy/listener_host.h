// ListenerHost: one listener on one worker: makes sessions of accepted sockets, counts and drains them.
#pragma once

#include <memory>
#include <vector>

#include "net/listener.h"
#include "proxy/hcm_runtime.h"
#include "proxy/session_deps.h"

namespace weir::proxy {

class HttpSession;

/// Owner: the worker. Thread: its loop's. Order: construct, adopt() (again for each generation that keeps the listener),
/// on_accept* from a net::Listener that the worker owns beside it; start_drain(), close_idle() as often as wished;
/// destroy when session_count() is 0, or after close_all(). A session asks it for the newest runtime per stream.
class ListenerHost final : public net::AcceptSink, public RuntimeSource {
 public:
  ListenerHost(SessionDeps& deps, const net::Address& local);
  ~ListenerHost() override;

  /// From the next stream on (and for connection-scoped fields the next connection) this is served.
  void adopt(std::shared_ptr<const HcmRuntime> runtime, std::shared_ptr<const void> snapshot);
  const RuntimeRef& current() const noexcept override { return current_; }
  void on_accept(int fd, const net::Address& remote) override;

  /// Every response from now on says "connection: close", also on connections accepted later.
  void start_drain();
  bool draining() const noexcept { return draining_; }
  /// Closes the keep-alive connections on which no request is under way.
  void close_idle();
  /// Cuts every connection; streams end with the flag of a local reset.
  void close_all();
  size_t session_count() const noexcept { return sessions_.size(); }
  /// Called (from the loop) each time the last session has gone.
  void set_on_empty(void (*callback)(void*), void* argument) noexcept {
    on_empty_ = callback;
    on_empty_argument_ = argument;
  }

  /// For HttpSession: it is detached and dies after this turn.
  void remove(HttpSession& session);
  const net::Address& local() const noexcept { return local_; }
  const std::string& local_text() const noexcept { return local_text_; }

 private:
  SessionDeps& deps_;
  net::Address local_;
  std::string local_text_;
  RuntimeRef current_;
  std::vector<std::unique_ptr<HttpSession>> sessions_;
  bool draining_ = false;
  void (*on_empty_)(void*) = nullptr;
  void* on_empty_argument_ = nullptr;
};

}  // namespace weir::proxy
