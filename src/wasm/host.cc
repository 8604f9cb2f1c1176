#include "wasm/host.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <mutex>
#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "wasm/describe.h"
#include "wasm/engine_thread.h"
#include "wasm/worker_vms.h"

namespace weir::wasm {
namespace {

using Clock = std::chrono::steady_clock;

/// A generation between prepare() and its adoption by all workers.
struct Preparation {
  uint64_t generation = 0;
  PrepareObserver* observer = nullptr;
  Clock::time_point begun = Clock::now();
  std::atomic<bool> abandoned{false};
  std::vector<std::unique_ptr<VmGroup>> fresh;  // to be compiled and built; then among the groups
  std::vector<std::shared_ptr<const VmGroup>> groups;  // of the generation
  unsigned plugins_swapped = 0;
  // Written by the engine thread before it reports.
  std::vector<std::vector<std::pair<std::shared_ptr<const VmGroup>, std::unique_ptr<Vm>>>>
      vms;  // by worker
  std::vector<PluginError> errors;
  unsigned not_adopted = 0;  // workers; under the host's mutex
  bool reported = false;     // main's
};

/// What a start costs is CPU time: a busy machine must not look like a failing guest.
uint64_t thread_cpu_ns() noexcept {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

Key group_key(const std::vector<std::shared_ptr<const Plugin>>& plugins) {
  std::string text;
  for (const auto& plugin : plugins)
    text.append(reinterpret_cast<const char*>(plugin->key.words.data()), sizeof plugin->key.words);
  return digest_key(text);
}

}  // namespace

struct Host::Private final : VmBuilder {
  Private(event::Loop& loop, router::FilterHost& host, stats::Store& store, Options given)
      : main_loop(loop),
        filter_host(host),
        options(std::move(given)),
        node(std::make_shared<const NodeProperty>(options.node)),
        services(store, host.workers() + 1),
        engine(std::make_unique<EngineThread>(services, host.workers(), options.load_engine)) {
    for (unsigned i = 0; i < host.workers(); ++i)
      workers.push_back(
          std::make_unique<WorkerVms>(host, options.make_callouts, *this, services, i));
  }

  ~Private() override {
    for (auto& [generation, preparation] : preparations) preparation->abandoned = true;
    // Deliveries to workers and the destruction of VMs end here; only then may the services go. What is queued uses the pointer.
    engine->stop();
    engine.reset();
    preparations.clear();
  }

  // VmBuilder, on workers
  void build(unsigned worker, std::shared_ptr<const VmGroup> group) override;
  void dispose(std::unique_ptr<Vm> vm) override {
    engine->post([held = std::move(vm)]() mutable { held.reset(); });
  }

  void run_preparation(Preparation& preparation);
  void build_all(Preparation& preparation, std::unique_ptr<VmGroup> fresh);
  void report(uint64_t generation);
  std::unique_ptr<Preparation> take(uint64_t generation);
  void discard(std::unique_ptr<Preparation> preparation);

  event::Loop& main_loop;
  router::FilterHost& filter_host;
  Options options;
  std::shared_ptr<const NodeProperty> node;
  Services services;
  std::unique_ptr<EngineThread> engine;
  std::vector<std::unique_ptr<WorkerVms>> workers;

  std::vector<std::shared_ptr<const Plugin>> loading;
  std::vector<std::shared_ptr<const VmGroup>> current;  // of the committed generation
  std::vector<SharedStores::Use> shared_data;  // keeps guests' data while no VM of theirs lives
  std::mutex mutex;
  std::map<uint64_t, std::unique_ptr<Preparation>> preparations;  // under the mutex
};

// ---- on the engine thread ---------------------------------------------------------------------------

void Host::Private::build_all(Preparation& preparation, std::unique_ptr<VmGroup> fresh) {
  const auto error = [&preparation](const Plugin& plugin, std::string message) {
    preparation.errors.push_back(
        PluginError{std::string(plugin.label()), plugin.config_path, std::move(message)});
  };
  if (auto compiled = engine->compile(*fresh); !compiled)
    return error(*fresh->plugins.front(), std::move(compiled.error().detail));
  const std::shared_ptr<const VmGroup> group(std::move(fresh));
  preparation.groups.push_back(group);
  StartFailure failure;
  // What a canary does is seen by nobody; when it starts, the copies for the workers will.
  if (!engine->build(group, Vm::Role::kCanary, 0, failure))
    return error(*failure.plugin, std::move(failure.message));
  for (unsigned i = 0; i < workers.size() && !preparation.abandoned; ++i) {
    auto vm = engine->build(group, Vm::Role::kWorker, i, failure);
    if (!vm) return error(*failure.plugin, std::move(failure.message));
    preparation.vms[i].emplace_back(group, std::move(vm));
  }
}

void Host::Private::run_preparation(Preparation& preparation) {
  preparation.vms.resize(workers.size());
  for (auto& group : preparation.fresh) {
    if (preparation.abandoned) break;
    build_all(preparation, std::move(group));
  }
  preparation.fresh.clear();
  engine->drop_unused_modules();
}

void Host::Private::build(unsigned worker, std::shared_ptr<const VmGroup> group) {
  engine->post_urgent([this, worker, held = std::move(group)]() {
    const uint64_t begun = thread_cpu_ns();
    StartFailure failure;
    auto vm = engine->build(held, Vm::Role::kWorker, worker, failure);
    const uint64_t cost = thread_cpu_ns() - begun;
    workers[worker]->deliver(held, std::move(vm), std::move(failure.message), cost);
  });
}

// ---- on main ----------------------------------------------------------------------------------------

std::unique_ptr<Preparation> Host::Private::take(uint64_t generation) {
  const std::lock_guard lock(mutex);
  const auto found = preparations.find(generation);
  if (found == preparations.end()) return nullptr;
  auto taken = std::move(found->second);
  preparations.erase(found);
  return taken;
}

/// VMs die on the engine thread, after a run that may still be under way there.
void Host::Private::discard(std::unique_ptr<Preparation> preparation) {
  preparation->abandoned = true;
  engine->post([held = std::move(preparation)]() mutable { held.reset(); });
}

void Host::Private::report(uint64_t generation) {
  Preparation* preparation = nullptr;
  {
    const std::lock_guard lock(mutex);
    const auto found = preparations.find(generation);
    if (found == preparations.end()) return;  // abandoned meanwhile
    preparation = found->second.get();
  }
  PrepareOutcome outcome;
  outcome.generation = generation;
  outcome.errors = std::move(preparation->errors);
  outcome.plugins_swapped = preparation->plugins_swapped;
  outcome.took =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - preparation->begun);
  preparation->reported = true;
  PrepareObserver* observer = preparation->observer;
  if (!outcome.errors.empty()) discard(take(generation));
  observer->on_wasm_prepared(std::move(outcome));
}

Host::Host(event::Loop& main_loop, router::FilterHost& filter_host, stats::Store& stats,
           Options options)
    : private_(std::make_unique<Private>(main_loop, filter_host, stats, std::move(options))) {}

Host::~Host() = default;

void Host::set_node(NodeInfo node) {
  private_->node = std::make_shared<const NodeProperty>(std::move(node));
}

void Host::begin_load() { private_->loading.clear(); }

void Host::register_plugin(std::shared_ptr<const Plugin> plugin) {
  private_->loading.push_back(std::move(plugin));
}

std::vector<std::shared_ptr<const Plugin>> Host::take_loaded() {
  return std::exchange(private_->loading, {});
}

void Host::prepare(uint64_t generation, std::vector<std::shared_ptr<const Plugin>> plugins,
                   PrepareObserver& observer) {
  auto preparation = std::make_unique<Preparation>();
  preparation->generation = generation;
  preparation->observer = &observer;
  preparation->not_adopted = static_cast<unsigned>(private_->workers.size());
  std::map<Key, std::map<Key, std::shared_ptr<const Plugin>>> by_vm;
  for (auto& plugin : plugins) by_vm[plugin->vm_key].emplace(plugin->key, plugin);
  for (auto& [vm_key, members] : by_vm) {
    auto group = std::make_unique<VmGroup>();
    for (auto& [key, plugin] : members) group->plugins.push_back(std::move(plugin));
    group->key = group_key(group->plugins);
    group->node = private_->node;
    group->generation = generation;
    const auto kept = std::find_if(private_->current.begin(), private_->current.end(),
                                   [&group](const auto& each) { return each->key == group->key; });
    if (kept != private_->current.end()) {
      preparation->groups.push_back(*kept);
      continue;
    }
    preparation->plugins_swapped += static_cast<unsigned>(group->plugins.size());
    preparation->fresh.push_back(std::move(group));
  }
  Private* self = private_.get();
  Preparation* running = preparation.get();
  {
    const std::lock_guard lock(self->mutex);
    self->preparations[generation] = std::move(preparation);
  }
  const auto announce = [self, generation] { self->report(generation); };
  if (running->fresh.empty()) {
    running->vms.resize(self->workers.size());
    self->main_loop.post(announce);
    return;
  }
  self->engine->post([self, running, announce] {
    self->run_preparation(*running);
    self->main_loop.post(announce);
  });
}

void Host::commit(uint64_t generation) {
  const std::lock_guard lock(private_->mutex);
  const auto found = private_->preparations.find(generation);
  if (found == private_->preparations.end()) return;
  private_->current = found->second->groups;
  std::vector<SharedStores::Use> uses;
  for (const auto& group : private_->current)
    uses.push_back(private_->services.shared_data.use(group->vm().vm_id));
  private_->shared_data = std::move(uses);
}

void Host::abandon(uint64_t generation) {
  if (auto preparation = private_->take(generation)) private_->discard(std::move(preparation));
}

void Host::adopt(unsigned worker, uint64_t generation) {
  PreparedVms prepared;
  {
    const std::lock_guard lock(private_->mutex);
    const auto found = private_->preparations.find(generation);
    if (found == private_->preparations.end()) return;
    Preparation& preparation = *found->second;
    prepared.groups = preparation.groups;
    prepared.fresh = std::move(preparation.vms[worker]);
    if (--preparation.not_adopted == 0) private_->preparations.erase(found);
  }
  private_->workers[worker]->adopt(generation, std::move(prepared));
}

void Host::expire(unsigned worker, uint64_t generation) {
  private_->workers[worker]->expire(generation);
}

void Host::stop_worker(unsigned worker) { private_->workers[worker]->stop(); }

WorkerVms& Host::vms(unsigned worker) noexcept { return *private_->workers[worker]; }

void Host::publish_gauges() { private_->services.stats.publish(private_->services.records); }

std::string Host::describe_json() const { return describe(private_->services); }

PluginStats& Host::plugin_stats(std::string_view label) {
  return private_->services.stats.plugin(label);
}

}  // namespace weir::wasm
