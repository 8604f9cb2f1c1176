// Reloader: from a changed file to a serving generation, or to a list of errors with the old generation untouched.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/loader.h"
#include "config/tls_contexts.h"
#include "event/loop.h"
#include "server/file_watcher.h"
#include "server/options.h"
#include "server/snapshot.h"
#include "server/worker.h"
#include "upstream/dns/clusters.h"
#include "wasm/host.h"

namespace weir::server {

enum class AdminOutcome : bool { kDiscard, kTakeOver };

/// What it works with; everything outlives it.
struct ReloaderDeps {
  event::Loop& loop;
  const Options& options;
  const FilterRegistry& registry;
  stats::Store& store;
  router::FilterHost& filter_host;
  wasm::Host& wasm;
  SnapshotMaker maker;
  upstream::ClusterRegistry& clusters;
  upstream::DnsClusters& dns;
  const std::vector<std::unique_ptr<Worker>>& workers;
  upstream::WorkerClusters& main_clusters;  // of services on the main thread
  /// Opens the admin listener of a configuration, if its address is new; an error is a rejected edit.
  std::function<Result<void>(const config::Configuration&)> open_admin;
  /// What was opened takes over, or is closed again.
  std::function<void(AdminOutcome)> settle_admin;
};

/// One edit at a time: load, prepare (sockets, logs, VMs), commit on all workers, report. What changes meanwhile is looked at
/// afterwards. Owner: the server. Thread: main.
class Reloader final : public wasm::PrepareObserver, private upstream::WarmObserver {
 public:
  using Done = std::function<void(bool taken)>;  // at the end of the attempt, from the loop
  explicit Reloader(ReloaderDeps deps);

  /// The first load, at process start; the caller runs the loop until `done`.
  void start(Done done);
  /// Reads the configuration anew: a changed file, SIGHUP, POST /reload.
  void reload(Done done = {});

  const Snapshot* current() const noexcept { return current_.get(); }
  std::shared_ptr<const Snapshot> snapshot() const noexcept { return current_; }
  const std::vector<config::Diagnostic>& errors() const noexcept { return errors_; }
  /// For GET /reload.
  std::string json() const;
  /// Whether an edit is noticed without being asked for.
  bool watching() const noexcept { return watcher_.watching(); }
  /// No further edit is taken (the process drains).
  void freeze() noexcept { frozen_ = true; }

  void on_wasm_prepared(wasm::PrepareOutcome outcome) override;
  void on_module_arrived() override { reload(); }

 private:
  enum class State : uint8_t { kIdle, kPreparing, kCommitting };
  static void on_files_changed(void* self);
  static void on_expire_timer(void* self);
  void begin();
  config::LoadResult load();
  void watch_files();
  void log_plugins(const std::vector<std::shared_ptr<const wasm::Plugin>>& plugins) const;
  void apply_socket_options(const Snapshot& before) const;
  void reuse_unchanged(config::Configuration& configuration,
                       const std::vector<std::shared_ptr<const wasm::Plugin>>& plugins) const;
  wasm::NodeInfo node_info() const;
  void on_names_warm() override;
  void discard();
  void settle_names();
  void commit();
  void committed();
  void reject(std::vector<config::Diagnostic> errors);
  void finish(bool taken);
  void schedule_expiry(uint64_t generation);
  std::vector<config::Diagnostic> to_diagnostics(const wasm::PrepareOutcome& outcome) const;

  ReloaderDeps deps_;
  FileWatcher watcher_;
  event::Timer expire_timer_;
  std::shared_ptr<const Snapshot> current_;
  std::shared_ptr<const config::Configuration> next_configuration_;
  std::shared_ptr<const Snapshot> next_;
  std::vector<std::string> files_;
  std::vector<FileStamp> stamps_;  // of files_, as they were read
  std::vector<config::Diagnostic> errors_;
  config::TlsContexts tls_contexts_;
  std::vector<Done> done_;     // of the attempt under way
  std::vector<Done> waiting_;  // of the next one: what it reads is newer than what is under way
  std::vector<std::string> plugin_keys_;  // of the serving generation
  std::vector<std::string> next_plugin_keys_;
  std::multimap<MonotonicTime, uint64_t> expiries_;
  std::optional<Difference> changes_;  // of the generation under way; none for the first
  uint64_t generation_ = 0;            // newest number handed out
  MonotonicTime began_{};
  SystemTime since_{};
  SystemTime last_attempt_{};
  size_t acknowledged_ = 0;
  unsigned plugins_swapped_ = 0;  // by the generation under way
  State state_ = State::kIdle;
  bool again_ = false;
  bool frozen_ = false;

  Counter& success_;
  Counter& rejected_;
  Gauge& generation_gauge_;
  Gauge& last_ok_;
};

}  // namespace weir::server
