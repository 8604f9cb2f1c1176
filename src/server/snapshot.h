// Snapshot: the immutable, validated runtime configuration of one generation, and the sockets that it listens on.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <weir/result.h>

#include "config/loader.h"
#include "net/listener.h"
#include "proxy/connection_budget.h"
#include "proxy/listener_runtime.h"
#include "upstream/cluster.h"

namespace weir::server {

/// The listening sockets of one address, one per worker (one in all for a Unix path
/// or without SO_REUSEPORT). Shared by the snapshots that use the
/// address and by workers that still empty a removed one; closed with the last of them.
class SocketSet {
 public:
  /// `loads`: for a listener with exact_balance; else null.
  SocketSet(std::vector<std::unique_ptr<net::ListenSocket>> sockets,
            std::shared_ptr<const proxy::WorkerLoads> loads)
      : sockets_(std::move(sockets)), loads_(std::move(loads)) {}
  /// Null when this worker has no socket of its own (Unix paths).
  const net::ListenSocket* of(unsigned worker) const noexcept {
    return worker < sockets_.size() ? sockets_[worker].get() : nullptr;
  }
  const net::Address& local() const noexcept { return sockets_.front()->local(); }
  /// One socket for all `workers`: its owner hands the connections round.
  bool shared(size_t workers) const noexcept { return sockets_.size() < workers; }
  const std::shared_ptr<const proxy::WorkerLoads>& loads() const noexcept { return loads_; }

 private:
  std::vector<std::unique_ptr<net::ListenSocket>> sockets_;
  std::shared_ptr<const proxy::WorkerLoads> loads_;
};

/// Whether sockets on both addresses need SO_REUSEPORT to live together.
bool overlap(const net::Address& left, const net::Address& right);

/// What makes two listeners of different generations the same socket: address and socket options.
std::string socket_key(const proxy::ListenerOptions& options);
std::string socket_key(const std::string& listener, const proxy::ListenAddress& address);

/// One address of a listener.
struct ListenerEntry {
  std::string key;
  std::shared_ptr<const SocketSet> sockets;  // null: bind_to_port is false
  net::Address configured;
  net::SocketOptions socket;
  const net::Address& local() const noexcept {
    return sockets == nullptr ? configured : sockets->local();
  }
  std::shared_ptr<const proxy::ListenerRuntime> runtime;
};

/// Owner: main and every worker that has adopted it, and the streams that began with it.
struct Snapshot {
  uint64_t generation = 0;
  std::shared_ptr<const config::Configuration> configuration;
  std::vector<ListenerEntry> listeners;
  std::shared_ptr<const upstream::ClusterTable> clusters;
};

/// Makes a snapshot: opens what is new of sockets and access logs, and takes over from `previous` what is the same.
/// Nothing of `previous` is touched when it fails. Thread: main.
struct SnapshotMaker {
  stats::Store& store;
  proxy::AccessLogWriter& logs;
  upstream::ClusterRegistry& clusters;
  unsigned workers;
  upstream::EndpointDiscovery* discovery = nullptr;

  Result<std::shared_ptr<const Snapshot>> make(
      uint64_t generation, std::shared_ptr<const config::Configuration> configuration,
      const Snapshot* previous) const;

 private:
  Result<void> add_listener(Snapshot& next,
                            const std::shared_ptr<const proxy::ListenerOptions>& options,
                            const Snapshot* previous) const;
  Result<ListenerEntry> make_entry(const proxy::ListenerOptions& options,
                                   const proxy::ListenAddress& address, const Snapshot& next,
                                   const Snapshot* previous) const;
};

/// How many of each differ between two generations, for the log.
struct Difference {
  unsigned listeners_added = 0, listeners_changed = 0, listeners_removed = 0;
  unsigned listeners_refiltered = 0;  // what has changed may be their plugins alone
  unsigned clusters_added = 0, clusters_changed = 0, clusters_removed = 0;
  unsigned plugins_swapped = 0;
  bool nothing() const noexcept;
  std::string to_string()
      const;  // "1 filter swapped, 1 cluster added"; a swapped filter is no changed listener
};
Difference difference(const config::Configuration& before, const config::Configuration& after);

/// The log's word on a generation: "generation 2 serving (1 filter swapped, 14 ms)". Nothing differs from none before.
std::string serving_text(uint64_t generation, const std::optional<Difference>& changed,
                         std::chrono::milliseconds took);

}  // namespace weir::server
