// Server: the composition root. Makes everything, connects it, and takes it down in the opposite order.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>
#include <weir/filter_registry.h>

#include "admin/backend.h"
#include "event/loop.h"
#include "proxy/access_log.h"
#include "router/filter_host.h"
#include "server/drain.h"
#include "server/options.h"
#include "server/reloader.h"
#include "server/signals.h"
#include "server/worker.h"
#include "stats/store.h"
#include "upstream/cluster.h"
#include "upstream/dns/clusters.h"
#include "wasm/host.h"

namespace weir::admin {
class AdminServer;
}

namespace weir::server {

class ServerBackend;

/// Owner: main() (or a test, on a thread of its own). run() is called once and returns the exit code: 0 after an orderly
/// end, 1 when the first configuration is in error. quit() may be called from any thread.
class Server final : public router::FilterHost, public upstream::EndpointObserver {
 public:
  explicit Server(Options options);
  ~Server() override;

  /// Checks the configuration and prints every error; for --mode validate. Exit code.
  int validate();
  int run();
  /// Stops: gracefully with a drain, or at once. Thread-safe.
  enum class Quit : uint8_t { kDrain, kNow };
  void quit(Quit how);

  // router::FilterHost
  upstream::WorkerClusters& clusters(unsigned worker) override;
  event::Loop& loop(unsigned worker) override;
  unsigned workers() const noexcept override { return static_cast<unsigned>(workers_.size()); }
  wasm::Host* wasm() override { return wasm_.get(); }
  bool health_check_failed() const noexcept override {
    return health_check_failed_.load(std::memory_order_relaxed);
  }

  // For tests and the admin side. Thread: main, but for `on_ready`'s moment.
  const FilterRegistry& registry() const noexcept { return registry_; }
  FilterRegistry& registry_for_extensions() noexcept { return registry_; }  // before run()
  stats::Store& stats() noexcept { return store_; }
  event::Loop& main_loop() noexcept { return loop_; }
  Reloader& reloader() noexcept { return *reloader_; }
  const Options& options() const noexcept { return options_; }
  const std::vector<std::unique_ptr<Worker>>& all_workers() const noexcept { return workers_; }
  admin::Backend::State state() const noexcept { return state_.load(std::memory_order_relaxed); }
  SystemTime started_at() const noexcept { return started_at_; }
  /// The admin listener's bound address; empty if there is none.
  std::string admin_address() const;
  /// A draining process stays failed.
  void set_health_check_failed(bool failed) noexcept {
    health_check_failed_.store(failed || state() == admin::Backend::State::kDraining);
  }
  void reopen_logs();
  bool logs_admin() const noexcept { return admin_log_ != nullptr; }
  void log_admin(std::string line) { access_logs_.submit(*admin_log_, std::move(line), 1); }
  void drain_listeners(admin::DrainScope scope, admin::StopAccepting when);
  /// Called on the main thread once the first generation serves.
  void set_on_ready(std::function<void()> callback) { on_ready_ = std::move(callback); }

 private:
  static void on_signal(void* self, int signal);
  bool start();
  void on_first_generation(bool taken);
  Result<void> open_admin(const config::Configuration& configuration);
  void settle_admin(AdminOutcome outcome);
  void begin_drain();
  void finish();
  void end_at_once();
  void stop_workers();
  void stop_singletons();
  void register_filters();
  void apply_log_levels();
  wasm::Host::Options wasm_options() const;
  void make_workers(unsigned count);
  void on_endpoints_changed(const std::shared_ptr<const upstream::EndpointCell>& cell) override;
  void publish_gauges();
  static void on_gauge_timer(void* self);

  Options options_;
  stats::Store store_;
  event::Loop loop_;
  FilterRegistry registry_;
  upstream::ClusterRegistry cluster_registry_;
  std::unique_ptr<StatsScope> access_log_scope_;
  proxy::AccessLogWriter access_logs_;
  std::atomic<bool> health_check_failed_{false};
  proxy::ConnectionBudget connections_;
  std::atomic<admin::Backend::State> state_{admin::Backend::State::kPreInitializing};
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<upstream::WorkerClusters> main_clusters_;  // of services on the main thread
  std::unique_ptr<wasm::Host> wasm_;
  std::unique_ptr<upstream::DnsClusters> dns_;
  std::unique_ptr<Reloader> reloader_;
  std::unique_ptr<Drain> drain_;
  std::unique_ptr<Signals> signals_;
  std::unique_ptr<ServerBackend> backend_;
  std::unique_ptr<admin::AdminServer> admin_;
  std::unique_ptr<admin::AdminServer> next_admin_;     // of the edit under way
  std::unique_ptr<admin::AdminServer> retired_admin_;  // its last answers are on their way
  std::optional<net::Address> admin_wanted_;           // as configured: admin_'s may be a port 0
  std::optional<net::Address> next_admin_wanted_;
  proxy::LogFile* admin_log_ = nullptr;  // admin.access_log's file
  proxy::LogFile* next_admin_log_ = nullptr;
  bool admin_changes_ = false;
  std::function<void()> on_ready_;
  event::Timer gauge_timer_;
  SystemTime started_at_{};
  int exit_code_ = 0;
  bool finished_ = false;
  Ending ending_ = Ending::kAtOnce;  // in order after a drain
};

/// The number of workers that the options ask for.
unsigned worker_count(const Options& options) noexcept;

}  // namespace weir::server
