// Worker: one thread with its own loop, sockets, connections, upstream pools and VM copies.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "admin/backend.h"
#include "event/loop.h"
#include "net/listener.h"
#include "proxy/access_log.h"
#include "proxy/listener_host.h"
#include "proxy/session_deps.h"
#include "proxy/stream_pool.h"
#include "router/callout_client.h"
#include "server/snapshot.h"
#include "upstream/cluster.h"

namespace weir::wasm {
class Host;
}

namespace weir::server {

class AcceptRelay;

/// What workers share; outlives them.
struct WorkerDeps {
  proxy::AccessLogWriter& logs;
  upstream::ClusterRegistry& clusters;
  const std::atomic<bool>& health_check_failed;
  proxy::ConnectionBudget* connections = nullptr;  // null: connections are not counted
};

/// Whether guests that have something to end get their time for it.
enum class Ending : uint8_t { kAtOnce, kInOrder };

/// Owner: the server. start() and join() on main; every other member on the worker's own thread, through post().
/// Order: construct, start, adopt*, stop, join; drain_listeners() and stop_accepting() as often as wished after adopt().
class Worker final : private proxy::ListenerDirectory {
 public:
  Worker(unsigned index, const WorkerDeps& deps);
  ~Worker() override;

  void start();
  void post(std::function<void()> task) { loop_.post(std::move(task)); }
  /// Ends sessions, VMs and the loop; may be posted from main. Then join(), which waits until it has ended.
  void stop(wasm::Host* wasm, Ending how = Ending::kAtOnce);
  bool ended() const noexcept { return ended_.load(std::memory_order_acquire); }
  void join();

  /// The single step in which this worker changes to a new generation. `peers` are all workers, for sockets that only
  /// one of them can accept on.
  void adopt(std::shared_ptr<const Snapshot> snapshot, wasm::Host* wasm,
             const std::vector<std::unique_ptr<Worker>>& peers);
  /// The process ends: every response says "connection: close" from now on, also of listeners that an edit adds.
  void start_drain();
  /// Responses of today's listeners say "connection: close" from now on. After `accept_for` (if there is one) these listeners
  /// stop accepting and their idle connections go. One that is to stop already keeps its time.
  void drain_listeners(admin::DrainScope scope,
                       std::optional<std::chrono::milliseconds> accept_for);
  /// Takes what waits in the accept queues, then closes the sockets. Connections go on.
  void stop_accepting(admin::DrainScope scope);
  /// Closes the connections on which no request is under way.
  void close_idle();
  /// Cuts every connection.
  void close_all();
  /// `callback` runs (on this thread) when no session is left, maybe at once.
  void when_empty(std::function<void()> callback);
  size_t session_count() const noexcept;
  /// An accepted socket from the worker that owns the listening socket, or that has more connections. `load`: null where
  /// nobody balances.
  void take_over(const std::string& key, int fd, const net::Address& remote,
                 std::shared_ptr<const proxy::WorkerLoads::Cell> load);

  unsigned index() const noexcept { return index_; }
  event::Loop& loop() noexcept { return loop_; }
  upstream::WorkerClusters& clusters() noexcept { return clusters_; }

 private:
  struct Listening {
    std::string key;
    std::shared_ptr<const SocketSet> sockets;
    std::unique_ptr<AcceptRelay> relay;  // where one socket serves all workers
    std::unique_ptr<proxy::ListenerHost> host;
    std::unique_ptr<net::Listener> listener;
    bool inbound = false;
    std::optional<MonotonicTime> accepts_until;  // of one that is drained
    MonotonicTime retired_at{};
  };
  // proxy::ListenerDirectory
  proxy::ListenerHost* find_listener(const net::Address& destination) override;
  void run();
  void end_loop();
  Listening make_listening(const ListenerEntry& entry,
                           const std::vector<std::unique_ptr<Worker>>& peers);
  void retire(Listening listening);
  void refuse_clients(Listening& listening);
  void stop_due();
  void log_listener(std::string_view what, const Listening& listening) const;
  static void on_host_empty(void* self);
  static void on_sweep(void* self);
  static void on_retire_timer(void* self);
  static void on_drain_timer(void* self);

  unsigned index_;
  std::atomic<bool> ended_{false};  // the loop
  event::Loop loop_;
  upstream::WorkerClusters clusters_;
  router::CalloutClient callouts_;
  proxy::WorkerLog access_log_;
  proxy::StreamPool streams_;
  proxy::SessionDeps session_deps_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::vector<Listening> listenings_;
  std::vector<Listening> retired_;  // removed by an edit, with sessions left
  event::EndOfTurn sweep_;
  event::Timer retire_timer_;
  event::Timer drain_timer_;
  std::vector<std::function<void()>> when_empty_;
  bool draining_ = false;
  std::thread thread_;
};

}  // namespace weir::server
