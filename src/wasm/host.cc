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
#include "wasm/modules/module_store.h"
#include "wasm/worker_vms.h"

namespace weir::wasm {
namespace {

using Clock = std::chrono::steady_clock;

/// The isolate of VMs that go to one worker together. A collection in it takes the worker's time, and the more VMs are in it the
/// longer: it comes when one of them goes before the others.
class SharedIsolate {
 public:
  static constexpr unsigned kMaxVms = 16;

  std::shared_ptr<Isolate> for_one_more(const VmGroup& group) {
    if (vms_ == kMaxVms || isolate_ == nullptr || isolate_->crowded()) {
      isolate_ = group.engine->make_isolate(group.engine_limits);
      vms_ = 0;
    }
    ++vms_;
    return isolate_;
  }

 private:
  std::shared_ptr<Isolate> isolate_;
  unsigned vms_ = 0;
};

/// A generation between prepare() and its adoption by all workers.
struct Preparation {
  uint64_t generation = 0;
  PrepareObserver* observer = nullptr;
  Clock::time_point begun = Clock::now();
  std::atomic<bool> abandoned{false};
  std::vector<std::unique_ptr<VmGroup>> fresh;  // to be compiled and built; then among the groups
  std::vector<std::shared_ptr<const VmGroup>> groups;  // of the generation
  std::vector<std::shared_ptr<const ModuleRequest>> awaited;
  std::vector<std::shared_ptr<const Plugin>> places;  // each place that has a module, with its path
  unsigned plugins_swapped = 0;
  // Written by the engine thread before it reports.
  std::vector<std::vector<std::pair<std::shared_ptr<const VmGroup>, std::unique_ptr<Vm>>>>
      vms;                              // by worker
  std::vector<SharedIsolate> isolates;  // likewise, the ones that are being filled; while it runs
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

std::string milliseconds(std::chrono::milliseconds duration) {
  return base::concat(duration.count(), "ms");
}

/// What counts for all VMs of a vm_id has to be said alike by its plugins. Empty: it is.
std::string unequal_limits(const Plugin& one, const Plugin& other) {
  if (one.vm.vm_id != other.vm.vm_id) return {};
  // What waits for its module has the limits of before; it is compared when the module is there.
  if (one.vm.awaited || other.vm.awaited) return {};
  const auto compare = [&one, &other](std::string_view field, const auto& here, const auto& there) {
    return here == there
               ? std::string()
               : base::concat("limits.", field, " is ", here, " here and ", there,
                              " for the plugin \"", other.label(), "\" (", other.config_path,
                              "): it counts for all plugins of vm_id \"", one.vm.vm_id, "\"");
  };
  const Limits &here = one.vm.limits, &there = other.vm.limits;
  for (std::string text :
       {compare("max_shared_data_bytes", here.max_shared_data_bytes, there.max_shared_data_bytes),
        compare("max_shared_data_keys", here.max_shared_data_keys, there.max_shared_data_keys),
        compare("shared_data_ttl", milliseconds(here.shared_data_ttl),
                milliseconds(there.shared_data_ttl)),
        compare("max_queue_bytes", here.max_queue_bytes, there.max_queue_bytes),
        compare("max_queues", here.max_queues, there.max_queues)})
    if (!text.empty()) return text;
  return {};
}

}  // namespace

struct Host::Private final : VmBuilder, ModuleStoreOwner {
  Private(event::Loop& loop, router::FilterHost& host, stats::Store& store, Options given)
      : main_loop(loop),
        filter_host(host),
        options(std::move(given)),
        node(std::make_shared<const NodeProperty>(options.node)),
        services(store, host.workers() + 2),
        modules(loop, store, options.module_cache,
                options.fetches_modules ? ModuleStore::Fetches::kYes : ModuleStore::Fetches::kNo,
                *this),
        engine(std::make_unique<EngineThread>(services, host.workers() + 1, options.load_engine)) {
    for (unsigned i = 0; i <= host.main_index(); ++i)
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
    vm->release();
    engine->post([held = std::move(vm)]() mutable { held.reset(); });
  }

  // ModuleStoreOwner, on main
  std::unique_ptr<Callouts> make_module_callouts() override {
    return options.make_callouts(filter_host, filter_host.main_index());
  }
  void on_module_arrived() override {
    if (serving != nullptr) serving->on_module_arrived();
  }

  /// Whether the thread of that number has a VM of the group.
  bool belongs(const VmGroup& group, unsigned worker) const noexcept {
    return (worker == filter_host.main_index()) == (group.runs_on() == RunsOn::kMain);
  }
  /// Before the VMs of main's or of a worker's thread end.
  void stop_modules(unsigned worker) {
    if (worker != filter_host.main_index()) return;
    serving = nullptr;
    modules.stop();
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
  ModuleStore modules;
  std::unique_ptr<EngineThread> engine;
  std::vector<std::unique_ptr<WorkerVms>> workers;  // and main, the last

  std::vector<std::shared_ptr<const Plugin>> loading;
  std::vector<std::shared_ptr<const VmGroup>> current;        // of the committed generation
  std::vector<std::shared_ptr<const ModuleRequest>> awaited;  // likewise
  std::vector<std::shared_ptr<const Plugin>> places;          // likewise
  PrepareObserver* serving = nullptr;                         // likewise
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
    if (!belongs(*group, i)) continue;
    auto vm = engine->build(group, Vm::Role::kWorker, i, failure,
                            preparation.isolates[i].for_one_more(*group));
    if (!vm) return error(*failure.plugin, std::move(failure.message));
    preparation.vms[i].emplace_back(group, std::move(vm));
  }
}

void Host::Private::run_preparation(Preparation& preparation) {
  preparation.vms.resize(workers.size());
  preparation.isolates.resize(workers.size());
  for (auto& group : preparation.fresh) {
    if (preparation.abandoned) break;
    build_all(preparation, std::move(group));
  }
  preparation.fresh.clear();
  preparation.isolates.clear();
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
  if (!outcome.errors.empty()) {
    // What a route says of a plugin may be for the module to come alone. Where nothing serves yet, the process ends.
    for (const auto& request : preparation->awaited)
      if (serving != nullptr) modules.fetch(request, ModuleStore::Arrival::kReload);
    discard(take(generation));
  }
  observer->on_wasm_prepared(std::move(outcome));
}

Host::Host(event::Loop& main_loop, router::FilterHost& filter_host, stats::Store& stats,
           Options options)
    : private_(std::make_unique<Private>(main_loop, filter_host, stats, std::move(options))) {}

Host::~Host() = default;

void Host::set_node(NodeInfo node) {
  private_->node = std::make_shared<const NodeProperty>(std::move(node));
}

void Host::begin_load() {
  private_->loading.clear();
  private_->modules.begin_load();
}

/// Edits that were refused meanwhile may have asked for the same module from elsewhere.
void Host::keep_generation() { private_->modules.want(private_->awaited); }

std::string Host::register_plugin(std::shared_ptr<const Plugin> plugin) {
  std::string clash;
  for (const auto& other : private_->loading)
    if (clash.empty()) clash = unequal_limits(*plugin, *other);
  private_->loading.push_back(std::move(plugin));
  return clash;
}

std::vector<std::shared_ptr<const Plugin>> Host::take_loaded() {
  return std::exchange(private_->loading, {});
}

std::shared_ptr<const void> Host::hold(const Plugin& plugin) {
  return private_->services.uses.hold(plugin.key);
}

void Host::prepare(uint64_t generation, std::vector<std::shared_ptr<const Plugin>> plugins,
                   PrepareObserver& observer) {
  auto preparation = std::make_unique<Preparation>();
  preparation->generation = generation;
  preparation->observer = &observer;
  preparation->not_adopted = static_cast<unsigned>(private_->workers.size());
  std::map<Key, std::map<Key, std::shared_ptr<const Plugin>>> by_vm;
  std::vector<Key> order;  // as configured: VMs that are used one after the other share an isolate
  for (auto& plugin : plugins) {
    if (plugin->vm.awaited) preparation->awaited.push_back(plugin->vm.awaited);
    if (plugin->vm.code && !plugin->of_route) preparation->places.push_back(plugin);
    // Without its module it has no VM, and its streams get the failure policy.
    if (!plugin->vm.code) continue;
    auto& members = by_vm[plugin->vm_key];
    if (members.empty()) order.push_back(plugin->vm_key);
    members.emplace(plugin->key, plugin);
  }
  for (const Key& vm_key : order) {
    auto group = std::make_unique<VmGroup>();
    for (auto& [key, plugin] : by_vm[vm_key]) group->plugins.push_back(std::move(plugin));
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
  private_->awaited = std::move(found->second->awaited);
  private_->places = std::move(found->second->places);
  private_->serving = found->second->observer;
  std::vector<SharedStores::Use> uses;
  for (const auto& group : private_->current) {
    const SharedDataLimits limits = group->vm().limits.of_shared_data();
    uses.push_back(private_->services.shared_data.use(group->vm().vm_id, limits));
    uses.back()->limit(limits);
  }
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
    for (const auto& group : preparation.groups)
      if (private_->belongs(*group, worker)) prepared.groups.push_back(group);
    prepared.fresh = std::move(preparation.vms[worker]);
    if (--preparation.not_adopted == 0) private_->preparations.erase(found);
  }
  private_->workers[worker]->adopt(generation, std::move(prepared));
  // Main has its clusters now, which the modules come through.
  if (worker == private_->filter_host.main_index()) private_->modules.want(private_->awaited);
}

void Host::expire(unsigned worker, uint64_t generation) {
  private_->workers[worker]->expire(generation);
}

void Host::stop_worker(unsigned worker) {
  private_->stop_modules(worker);
  private_->workers[worker]->stop();
}

void Host::end_worker(unsigned worker, void (*done)(void* argument), void* argument) {
  private_->stop_modules(worker);
  private_->workers[worker]->end(done, argument);
}

void Host::drop_grace(unsigned worker) { private_->workers[worker]->drop_grace(); }

ModuleStore& Host::modules() noexcept { return private_->modules; }

std::shared_ptr<const Plugin> Host::serving(const Plugin& plugin) const {
  std::shared_ptr<const Plugin> found;
  bool several = false;
  for (const auto& each : private_->places) {
    const bool same = each->name == plugin.name && each->root_id == plugin.root_id &&
                      each->vm.vm_id == plugin.vm.vm_id && each->runs_on == plugin.runs_on;
    if (!same) continue;
    if (each->config_path == plugin.config_path) return each;
    // Elsewhere it is the same plugin only if it has a name, and no other is called so; filters may have moved in their chain.
    if (each->name.empty()) continue;
    several |= found != nullptr && found->key != each->key;
    found = each;
  }
  return several ? nullptr : found;
}

WorkerVms& Host::vms(unsigned worker) noexcept { return *private_->workers[worker]; }

void Host::publish_gauges() {
  Services& services = private_->services;
  services.stats.publish(services.records);
  services.shared_data.publish(Clock::now());
  services.queues.publish();
}

std::string Host::describe_json() const { return describe(private_->services); }

PluginStats& Host::plugin_stats(std::string_view label) {
  return private_->services.stats.plugin(label);
}

}  // namespace weir::wasm
