// Session: what serves one downstream connection. HttpSession is one kind, TcpSession the other.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <weir/connection_info.h>

#include "net/connection.h"
#include "proxy/chain_runtime.h"
#include "proxy/session_deps.h"
#include "stream/network_chain.h"

namespace weir::proxy {

class ListenerHost;

/// One filter chain of a listener on one worker, through all generations that have it.
/// Owner: the ListenerHost. Thread: its loop's. It outlives its sessions, also when an edit has removed it.
class ChainSlot final : public event::Deferrable {
 public:
  explicit ChainSlot(const ChainRuntime& first)
      : key_(first.chain().key), frame_(first.chain().frame), name_(first.chain().name) {}
  /// The newest runtime: a session asks once per stream.
  const RuntimeRef& current() const noexcept { return current_; }
  /// Its connections are to end: an edit has removed it or changed its frame.
  bool draining() const noexcept { return draining_; }
  const std::string& name() const noexcept { return name_; }

 private:
  friend class ListenerHost;
  friend class Session;
  const std::string key_;
  const std::string frame_;
  const std::string name_;
  RuntimeRef current_;
  size_t sessions_ = 0;
  bool draining_ = false;
  MonotonicTime retired_at_{};
};

/// A connection that is ready to be served: accepted, inspected, its transport ready. Bytes of it may stand in
/// connection->in() already; `info` has all that is known.
struct AcceptedConnection {
  std::unique_ptr<net::Connection> connection;
  ConnectionInfo info;
  ConnectionShare share{};
};

/// Owner: its ListenerHost. Thread: its loop's. Order: construct, start(), start_drain() and close_if_idle() at any time,
/// maybe abort(); it ends by end(), after which the host defers its deletion and nobody calls it.
class Session : public event::Deferrable {
 public:
  ~Session() override;
  /// Becomes the connection's sink and begins to read.
  virtual void start() = 0;
  /// The connection is to end soon: HTTP/1 responses say "connection: close".
  virtual void start_drain() = 0;
  /// Closes gracefully if nothing is under way.
  virtual void close_if_idle() = 0;
  /// Cuts the connection and what runs on it.
  virtual void abort() = 0;

  SessionDeps& deps() noexcept { return deps_; }
  net::Connection& connection() noexcept { return *connection_; }
  ConnectionInfo& info() noexcept { return info_; }
  const ConnectionInfo& info() const noexcept { return info_; }

 protected:
  Session(SessionDeps& deps, ListenerHost& host, ChainSlot& chain, AcceptedConnection&& accepted);
  /// The newest runtime of the session's chain.
  const RuntimeRef& current() const noexcept { return chain_.current(); }
  /// Whether listener or chain drain already when the session starts.
  bool born_draining() const noexcept;
  /// Milliseconds since the session began.
  uint64_t age_ms() const noexcept;
  /// Puts the network filters of the chain, if it has any, between connection and session. Before connection_->start().
  void put_filters();
  /// The connection is closed: lets go of the session. Once, as the last thing.
  void end(CloseEvent by = CloseEvent::kLocal);

  SessionDeps& deps_;
  ListenerHost& host_;
  ChainSlot& chain_;
  std::unique_ptr<net::Connection> connection_;
  ConnectionInfo info_;

 private:
  friend class ListenerHost;
  struct Filters {
    std::vector<std::shared_ptr<const NetworkFilterFactory>>
        factories;  // what the filters refer to
    stream::NetworkChain chain;
  };
  std::unique_ptr<Filters> filters_;  // null: none in front of the session
  const ListenerStats& listener_stats_;
  const ConnectionShare share_;
  MonotonicTime started_;
  size_t index_ = 0;  // in ListenerHost::sessions_
};

}  // namespace weir::proxy
