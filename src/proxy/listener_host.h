// ListenerHost: one listener on one worker: makes sessions of accepted sockets, counts and drains them.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "net/listener.h"
#include "proxy/listener_runtime.h"
#include "proxy/pending_connection.h"
#include "proxy/session.h"
#include "proxy/session_deps.h"

namespace weir::proxy {

/// Connections of a removed listener or chain learn of it from their next response; those that are still idle after this
/// time are closed. Closed at once, they would lose the request that may be on its way.
inline constexpr std::chrono::seconds kRetiredIdleGrace{5};
/// … and all are cut after this time (Envoy's default --drain-time-s).
inline constexpr std::chrono::minutes kRetiredMaxAge{10};

class Handshake;
class ListenerHost;

/// Where use_original_dst looks. Owner: the worker.
class ListenerDirectory {
 public:
  virtual ~ListenerDirectory() = default;
  /// The listener of this worker at the address, or at the wildcard address with its port; null: none.
  virtual ListenerHost* find_listener(const net::Address& destination) = 0;
};

/// Owner: the worker. Thread: its loop's. Order: construct, adopt() (again for each generation that keeps the listener),
/// on_accept* from a net::Listener that the worker owns beside it; start_drain(), close_idle() as often as wished;
/// destroy when session_count() is 0, or after close_all().
class ListenerHost final : public net::AcceptSink {
 public:
  ListenerHost(SessionDeps& deps, const net::Address& local);
  ~ListenerHost() override;

  /// From the next stream on (and for connection-scoped fields the next connection) this is served. Connections of chains
  /// that are gone, or whose frame has changed, drain.
  void adopt(std::shared_ptr<const ListenerRuntime> runtime, std::shared_ptr<const void> snapshot);
  void on_accept(int fd, const net::Address& remote) override { accept(fd, remote, nullptr); }
  /// A connection of a balanced listener: `load` has been raised for it.
  void accept(int fd, const net::Address& remote, std::shared_ptr<const WorkerLoads::Cell> load);

  /// Every response from now on says "connection: close", also on connections accepted later.
  void start_drain();
  bool draining() const noexcept { return draining_; }
  /// Closes the keep-alive connections on which no request is under way.
  void close_idle();
  /// Cuts every connection; streams end with the flag of a local reset.
  void close_all();
  /// With those that are not sessions yet.
  size_t session_count() const noexcept {
    return sessions_.size() + pending_.size() + handshakes_.size();
  }
  /// By its place in ListenerRuntime::chains().
  const ChainSlot& chain(size_t index) const noexcept { return *chains_[index]; }
  /// Called (from the loop) each time the last session has gone.
  void set_on_empty(void (*callback)(void*), void* argument) noexcept {
    on_empty_ = callback;
    on_empty_argument_ = argument;
  }

  void set_directory(ListenerDirectory& directory) noexcept { directory_ = &directory; }

  const net::Address& local() const noexcept { return local_; }
  const std::string& local_text() const noexcept { return local_text_; }

  // For PendingConnection. It is done.
  void inspected(PendingConnection& pending);
  void refused(PendingConnection& pending);
  /// Room for bytes that are only looked at; one for all.
  std::span<char> peek_room(size_t size);

  // For Handshake.
  void handshake_done(Handshake& handshake);
  void handshake_failed(Handshake& handshake, const Error& error);

  // For Session.
  void remove(Session& session);
  /// A line of the listener's access logs for a connection that has ended.
  void log_connection(const ConnectionInfo& info, MonotonicTime started);
  /// Of the newest generation; stays valid as long as this.
  const ListenerStats& stats() const noexcept { return identities_.back()->stats; }
  std::string_view name() const noexcept { return identities_.back()->name; }

 private:
  /// What connections refer to longer than their generation lives.
  struct Identity {
    std::string name;
    std::string stat_prefix;
    ListenerStats stats;
  };
  static void on_retire_timer(void* self);
  void adopt_chains(const std::shared_ptr<const void>& snapshot);
  void retire(std::unique_ptr<ChainSlot> slot);
  void leave(ChainSlot& chain);
  // listener_accept.cc
  AcceptedSocket describe(int fd, const net::Address& remote) const;
  void take(AcceptedSocket socket);
  void choose_chain(AcceptedSocket socket);
  ChainSlot* find_chain(const AcceptedSocket& socket) const;
  void serve(AcceptedConnection accepted, ChainSlot& chain);
  void begin_session(AcceptedConnection accepted, ChainSlot& chain);
  void forget(Handshake& handshake);
  void add_pending(std::unique_ptr<PendingConnection> pending);
  void remove(PendingConnection& pending);
  void tell_if_empty();

  SessionDeps& deps_;
  net::Address local_;
  std::string local_text_;
  bool wildcard_;  // each connection has a local address of its own
  std::shared_ptr<const ListenerRuntime> runtime_;
  std::vector<std::unique_ptr<const Identity>> identities_;
  std::vector<std::unique_ptr<ChainSlot>> chains_;   // as runtime_->chains()
  std::vector<std::unique_ptr<ChainSlot>> retired_;  // with sessions left
  std::vector<std::unique_ptr<Session>> sessions_;
  std::vector<std::unique_ptr<PendingConnection>> pending_;
  std::vector<std::unique_ptr<Handshake>> handshakes_;
  std::vector<char> peek_room_;
  ListenerDirectory* directory_ = nullptr;
  event::Timer retire_timer_;
  bool draining_ = false;
  void (*on_empty_)(void*) = nullptr;
  void* on_empty_argument_ = nullptr;
};

}  // namespace weir::proxy
