#include "server/server.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <thread>

#include "admin/admin_server.h"
#include "base/check.h"
#include "base/log.h"
#include "base/strings.h"
#include "config/loader.h"
#include "filters/builtin.h"
#include "router/factory.h"
#include "server/backend.h"
#include "server/certificates.h"
#include "wasm/factory.h"

namespace weir::server {
namespace {

constexpr std::chrono::milliseconds kGaugeInterval{1000};

/// A check fetches nothing.
void report_unchecked_plugins(const config::Configuration& configuration,
                              const std::vector<std::shared_ptr<const wasm::Plugin>>& plugins) {
  for (const auto& plugin : plugins) {
    if (!plugin->vm.awaited) continue;
    const config::Diagnostic note = configuration.diagnose(
        plugin->config_path, base::concat("note: plugin ", plugin->label(),
                                          " is not checked: its module is not in the cache, and "
                                          "validating fetches nothing"));
    std::fprintf(stderr, "%s\n", note.to_string().c_str());
  }
}

}  // namespace

unsigned worker_count(const Options& options) noexcept {
  if (options.concurrency > 0) return std::min(options.concurrency, stats::kMaxThreads - 1);
  return std::clamp(std::thread::hardware_concurrency(), 1u, stats::kMaxThreads - 1);
}

Server::Server(Options options)
    : options_(std::move(options)),
      store_(worker_count(options_) + 1),
      cluster_registry_(store_),
      access_log_scope_(store_.scope("access_log.")),
      access_logs_(*access_log_scope_),
      gauge_timer_(loop_, &Server::on_gauge_timer, this) {
  register_filters();
}

Server::~Server() {
  if (!finished_) stop_workers();
}

void Server::register_filters() {
  filters::add_builtin_filters(registry_);
  registry_.add_http("envoy.extensions.filters.http.router.v3.Router",
                     &router::make_router_factory);
  wasm::add_places(registry_);
}

void Server::apply_log_levels() {
  base::set_all_log_levels(options_.log_level);
  for (const auto& [component, level] : options_.component_levels)
    base::set_log_level(component, level);
}

void Server::make_workers(unsigned count) {
  const WorkerDeps deps{access_logs_, cluster_registry_, health_check_failed_, &connections_};
  for (unsigned i = 0; i < count; ++i) workers_.push_back(std::make_unique<Worker>(i, deps));
  main_clusters_ = std::make_unique<upstream::WorkerClusters>(loop_, count, cluster_registry_);
}

wasm::Host::Options Server::wasm_options() const {
  wasm::Host::Options options;
  options.module_cache = options_.wasm_cache;
  return options;
}

int Server::validate() {
  base::set_thread_name("main");
  apply_log_levels();
  // The same steps as a start, up to the point where something would begin to serve: modules are compiled and canaries run.
  make_workers(1);
  wasm::Host::Options host_options = wasm_options();
  host_options.fetches_modules = false;
  wasm_ = std::make_unique<wasm::Host>(loop_, *this, store_, std::move(host_options));
  wasm_->begin_load();
  config::LoadContext context{registry_, store_, *this};
  config::LoadResult loaded = config::load({options_.config_path, options_.config_yaml}, context);
  for (const config::Diagnostic& each : loaded.diagnostics)
    std::fprintf(stderr, "%s\n", each.to_string().c_str());
  auto plugins = wasm_->take_loaded();
  bool good = loaded.configuration != nullptr;
  if (good) report_unchecked_plugins(*loaded.configuration, plugins);
  if (good && !plugins.empty()) {
    struct Observer final : wasm::PrepareObserver {
      explicit Observer(event::Loop& target) : loop(target) {}
      void on_wasm_prepared(wasm::PrepareOutcome result) override {
        outcome = std::move(result);
        loop.stop();
      }
      event::Loop& loop;
      wasm::PrepareOutcome outcome;
    } observer(loop_);
    wasm_->prepare(1, std::move(plugins), observer);
    loop_.run();
    for (const wasm::PluginError& each : observer.outcome.errors)
      std::fprintf(stderr, "%s\n",
                   loaded.configuration
                       ->diagnose(each.config_path, "plugin " + each.plugin + ": " + each.message)
                       .to_string()
                       .c_str());
    good = observer.outcome.errors.empty();
    wasm_->abandon(1);
  }
  wasm_->stop_worker(0);
  wasm_->stop_worker(main_index());
  wasm_.reset();
  main_clusters_.reset();
  workers_.clear();
  finished_ = true;
  if (good)
    std::printf("configuration '%s' OK\n",
                options_.config_path.empty() ? "--config-yaml" : options_.config_path.c_str());
  return good ? 0 : 1;
}

bool Server::start() {
  base::set_thread_name("main");
  apply_log_levels();
  if (!options_.log_path.empty()) {
    if (auto opened = base::open_log(options_.log_path); !opened) {
      std::fprintf(stderr, "weir: %s\n", opened.error().detail.c_str());
      return false;
    }
  }
  loop_.refresh_clock();
  started_at_ = loop_.system_now();
  signals_ = std::make_unique<Signals>(loop_, &Server::on_signal, this);
  const unsigned count = worker_count(options_);
  make_workers(count);
  wasm_ = std::make_unique<wasm::Host>(loop_, *this, store_, wasm_options());
  backend_ = std::make_unique<ServerBackend>(*this, *wasm_);
  drain_ = std::make_unique<Drain>(loop_, workers_);
  dns_ = std::make_unique<upstream::DnsClusters>(loop_, *this);
  reloader_ = std::make_unique<Reloader>(ReloaderDeps{
      loop_, options_, registry_, store_, *this, *wasm_,
      SnapshotMaker{store_, access_logs_, cluster_registry_, count, dns_.get()}, cluster_registry_,
      *dns_, workers_, *main_clusters_,
      [this](const config::Configuration& configuration) { return open_admin(configuration); },
      [this](AdminOutcome outcome) { settle_admin(outcome); }});
  for (const auto& worker : workers_) worker->start();
  state_ = admin::Backend::State::kInitializing;
  return true;
}

int Server::run() {
  if (!start()) return 1;
  WEIR_LOG(kMain, kInfo, "starting", {{"version", kVersion}, {"workers", workers_.size()}});
  reloader_->start([this](bool taken) { on_first_generation(taken); });
  loop_.run();
  admin_.reset();
  retired_admin_.reset();
  stop_workers();
  return exit_code_;
}

void Server::on_first_generation(bool taken) {
  if (drain_->started()) return finish();  // told to end before anything was served
  if (!taken) {
    exit_code_ = 1;
    return finish();
  }
  state_ = admin::Backend::State::kLive;
  publish_gauges();
  gauge_timer_.arm(kGaugeInterval);
  if (on_ready_) on_ready_();
}

Result<void> Server::open_admin(const config::Configuration& configuration) {
  const auto& address = configuration.admin.address;
  next_admin_log_ = nullptr;
  if (const std::string& path = configuration.admin.access_log_path; !path.empty()) {
    WEIR_TRY(file, access_logs_.open_file(path));
    next_admin_log_ = file;
  }
  admin_changes_ = address != admin_wanted_;
  next_admin_wanted_ = address;
  if (!admin_changes_ || !address) return {};
  const bool ours = admin_ && overlap(admin_->local(), *address);
  WEIR_TRY(listening, admin::AdminServer::listen(loop_, *backend_, *address,
                                                 ours ? net::Probe::kNo : net::Probe::kYes));
  next_admin_ = std::move(listening);
  return {};
}

void Server::settle_admin(AdminOutcome outcome) {
  auto next = std::exchange(next_admin_, nullptr);
  if (outcome == AdminOutcome::kTakeOver) admin_log_ = next_admin_log_;
  if (!std::exchange(admin_changes_, false) || outcome == AdminOutcome::kDiscard) return;
  admin_wanted_ = next_admin_wanted_;
  // The old one takes no more clients, but the answer to a POST /reload may still be due on it.
  retired_admin_ = std::exchange(admin_, std::move(next));
  if (retired_admin_) retired_admin_->stop_accepting();
  if (!admin_) return;
  WEIR_LOG(kAdmin, kInfo, "admin listening", {{"address", admin_address()}});
  if (options_.admin_address_path.empty()) return;
  std::ofstream file(options_.admin_address_path, std::ios::trunc);
  if (!(file << admin_address() << std::flush))
    WEIR_LOG(kAdmin, kError, "the admin address cannot be written",
             {{"path", options_.admin_address_path}});
}

std::string Server::admin_address() const {
  return admin_ ? admin_->local().to_string() : std::string();
}

void Server::on_signal(void* self, int signal) {
  auto& server = *static_cast<Server*>(self);
  switch (signal) {
    case SIGTERM:
    case SIGINT:
      if (server.drain_->started()) {
        WEIR_LOG(kMain, kInfo, "second signal: ending at once");
        return server.finish();
      }
      return server.begin_drain();
    case SIGHUP:
      WEIR_LOG(kMain, kInfo, "SIGHUP: reading the configuration again");
      return server.reloader_->reload();
    case SIGUSR1:
      return server.reopen_logs();
    default:
      return;
  }
}

void Server::begin_drain() {
  state_ = admin::Backend::State::kDraining;
  health_check_failed_ = true;
  reloader_->freeze();
  drain_->start(options_.drain_time, [this] {
    ending_ = Ending::kInOrder;
    finish();
  });
}

void Server::finish() {
  loop_.stop();
  if (finished_ && wasm_ != nullptr) end_at_once();
}

/// Guests that are ending in order have had their time.
void Server::end_at_once() {
  ending_ = Ending::kAtOnce;
  wasm_->drop_grace(main_index());
  for (const auto& each : workers_) {
    Worker& worker = *each;
    worker.post([wasm = wasm_.get(), &worker] { wasm->drop_grace(worker.index()); });
  }
}

void Server::quit(Quit how) {
  loop_.post([this, how] {
    if (how == Quit::kDrain && !drain_->started()) return begin_drain();
    finish();
  });
}

void Server::stop_workers() {
  if (std::exchange(finished_, true)) return;
  for (const auto& worker : workers_) worker->stop(wasm_.get(), ending_);
  const auto ended = [](const auto& worker) { return worker->ended(); };
  // A further signal is heard meanwhile.
  while (ending_ == Ending::kInOrder && !std::all_of(workers_.begin(), workers_.end(), ended))
    loop_.run_once(event::Loop::kTick);
  for (const auto& worker : workers_) worker->join();
  if (wasm_ != nullptr) stop_singletons();
  WEIR_LOG(kMain, kInfo, "stopped");
  reloader_.reset();
  dns_.reset();
  drain_.reset();
  wasm_.reset();
  main_clusters_.reset();
  workers_.clear();
  access_logs_.stop();
}

void Server::stop_singletons() {
  if (ending_ == Ending::kAtOnce) return wasm_->stop_worker(main_index());
  bool ended = false;
  wasm_->end_worker(
      main_index(), [](void* flag) { *static_cast<bool*>(flag) = true; }, &ended);
  while (!ended) loop_.run_once(event::Loop::kTick);
}

void Server::reopen_logs() {
  WEIR_LOG(kMain, kInfo, "opening the logs again");
  if (auto opened = base::reopen_log(); !opened)
    WEIR_LOG(kMain, kError, "the log cannot be opened again", {{"why", opened.error().detail}});
  access_logs_.reopen();
}

void Server::drain_listeners(admin::DrainScope scope, admin::StopAccepting when) {
  WEIR_LOG(kListener, kInfo, "listeners are drained",
           {{"scope", scope == admin::DrainScope::kInbound ? "inbound" : "all"},
            {"stop", when == admin::StopAccepting::kAtOnce  ? "at once"
                     : when == admin::StopAccepting::kNever ? "never"
                                                            : "after the drain time"}});
  for (const auto& each : workers_) {
    Worker& worker = *each;
    worker.post([&worker, scope, when, time = options_.drain_time] {
      switch (when) {
        case admin::StopAccepting::kAtOnce:
          return worker.stop_accepting(scope);
        case admin::StopAccepting::kAfterDrainTime:
          return worker.drain_listeners(scope, time);
        case admin::StopAccepting::kNever:
          return worker.drain_listeners(scope, std::nullopt);
      }
    });
  }
}

void Server::on_endpoints_changed(const std::shared_ptr<const upstream::EndpointCell>& cell) {
  if (reloader_ != nullptr && reloader_->current() != nullptr) {
    for (const upstream::ClusterEntry& entry : reloader_->current()->clusters->entries())
      if (entry.endpoints == cell) upstream::ClusterRegistry::count_members(entry);
  }
  for (const auto& each : workers_) {
    Worker& worker = *each;
    worker.post([&worker, cell] { worker.clusters().endpoints_changed(*cell); });
  }
  main_clusters_->endpoints_changed(*cell);
}

upstream::WorkerClusters& Server::clusters(unsigned worker) {
  return worker == main_index() ? *main_clusters_ : workers_[worker]->clusters();
}
event::Loop& Server::loop(unsigned worker) {
  return worker == main_index() ? loop_ : workers_[worker]->loop();
}

void Server::on_gauge_timer(void* self) {
  auto& server = *static_cast<Server*>(self);
  server.publish_gauges();
  server.gauge_timer_.arm(kGaugeInterval);
}

void Server::publish_gauges() {
  const auto uptime =
      std::chrono::duration_cast<std::chrono::seconds>(loop_.system_now() - started_at_);
  store_.gauge("server.uptime").set(uptime.count());
  store_.gauge("server.live").set(state() == admin::Backend::State::kLive ? 1 : 0);
  store_.gauge("server.state").set(static_cast<int64_t>(state()));
  store_.gauge("server.concurrency").set(static_cast<int64_t>(workers_.size()));
  const Snapshot* snapshot = reloader_ ? reloader_->current() : nullptr;
  store_.gauge("server.days_until_first_cert_expiring")
      .set(days_until_first_expiry(snapshot == nullptr ? nullptr : snapshot->configuration.get(),
                                   loop_.system_now()));
  if (wasm_) wasm_->publish_gauges();
  store_.gauge("server.envoy_bug_failures").set(static_cast<int64_t>(base::bug_count()));
}

}  // namespace weir::server
