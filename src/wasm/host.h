// Host: everything of Wasm that is one per process: engine thread, watchdog, shared data, and the VMs of the workers.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "event/loop.h"
#include "router/filter_host.h"
#include "stats/store.h"
#include "wasm/engine.h"
#include "wasm/plugin.h"

namespace weir::wasm {

class ModuleStore;
class WorkerVms;
struct PluginStats;

/// Who we are, for the `node` property.
struct NodeInfo {
  std::string id, cluster;
  std::string metadata_json = "{}";
  std::string region, zone, sub_zone;
};

struct PluginError {
  std::string plugin;       // its label
  std::string config_path;  // where the plugin stands in the configuration
  std::string message;
};

/// What became of prepare().
struct PrepareOutcome {
  uint64_t generation = 0;
  std::vector<PluginError> errors;  // empty = ready
  std::chrono::milliseconds took{0};
  unsigned plugins_swapped = 0;  // plugins that get a fresh VM
};
class PrepareObserver {
 public:
  virtual ~PrepareObserver() = default;
  virtual void on_wasm_prepared(
      PrepareOutcome outcome) = 0;  // on the main loop, never inside prepare()
  /// A module that the committed generation goes on without has come: the configuration is to be read again. Until the
  /// next commit, and as above.
  virtual void on_module_arrived() {}
};

/// Owner: the server. Thread: main, unless a member says otherwise.
///
/// An edit goes so: begin_load(); the configuration is loaded (the factories register their plugins here);
/// take_loaded(); prepare(); on_wasm_prepared(); then either commit() and, on each worker, adopt() in the same step as the
/// worker's snapshot; or abandon(). One preparation at a time. The VMs that the new generation does not use die with
/// the last snapshot that may ask for them and their last stream, or at expire().
/// Death: stop_worker() or end_worker() on each worker's thread, then the destructor (joins the threads; main_loop must no longer run).
class Host {
 public:
  using EngineLoader = Result<Engine*> (*)(std::string_view name);
  /// The client for callouts of one worker's guests. Called on the worker, before its first VM; may return null.
  using CalloutMaker = std::unique_ptr<Callouts> (*)(router::FilterHost& host, unsigned worker);
  static std::unique_ptr<Callouts> make_callout_client(router::FilterHost& host, unsigned worker);
  struct Options {
    NodeInfo node;
    EngineLoader load_engine = &wasm::load_engine;  // tests bring an engine of their own
    CalloutMaker make_callouts = &make_callout_client;
    std::string module_cache;     // a folder; empty: fetched modules are kept in memory alone
    bool fetches_modules = true;  // no: the configuration is only checked
  };
  Host(event::Loop& main_loop, router::FilterHost& filter_host, stats::Store& stats,
       Options options);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  void set_node(NodeInfo node);  // for generations prepared from now on

  void begin_load();
  /// What was loaded is what the committed generation was made of: that one goes on, and so does the fetching of what it lacks.
  void keep_generation();
  /// By the factories. Not empty: what clashes with another plugin of this configuration, for the message at vm_config.
  std::string register_plugin(std::shared_ptr<const Plugin> plugin);
  std::vector<std::shared_ptr<const Plugin>> take_loaded();
  /// While the answer lives, the VMs of a generation that has the plugin are there for it, though it is no longer the newest; until
  /// expire() at most.
  std::shared_ptr<const void> hold(const Plugin& plugin);

  /// Compiles what is new, starts a canary per changed VM and then one VM for each worker; all on the engine thread. `observer`
  /// outlives the preparation, and its generation. With no plugin that is new it answers on the next turn of the main loop.
  void prepare(uint64_t generation, std::vector<std::shared_ptr<const Plugin>> plugins,
               PrepareObserver& observer);
  /// The prepared generation becomes the one that the next prepare() compares with.
  void commit(uint64_t generation);
  /// Throws the prepared VMs away (also while the preparation still runs: its answer is then not delivered).
  void abandon(uint64_t generation);

  // FilterHost::main_index() is a worker's number too: that of main, which has the VMs of singletons.
  /// On the worker's thread: takes the prepared VMs over; streams from now on use them.
  void adopt(unsigned worker, uint64_t generation);
  /// On the worker's thread: VMs that belong to no generation newer than or equal to `generation` are ended now; their streams get
  /// the failure policy.
  void expire(unsigned worker, uint64_t generation);
  /// On the worker's thread, after its last stream: ends all of its VMs.
  void stop_worker(unsigned worker);
  /// Likewise, and roots that answer false to proxy_on_done get their time. `done` comes from the worker's loop.
  void end_worker(unsigned worker, void (*done)(void* argument), void* argument);
  /// Likewise, after end_worker(): they have had it.
  void drop_grace(unsigned worker);

  /// The modules that are fetched. Thread: main.
  ModuleStore& modules() noexcept;
  /// The plugin of the committed generation in whose place `plugin` comes, if it has a module. Thread: main.
  std::shared_ptr<const Plugin> serving(const Plugin& plugin) const;

  /// The VMs of one worker; used on its thread only.
  WorkerVms& vms(unsigned worker) noexcept;
  PluginStats& plugin_stats(std::string_view label);
  /// Brings the gauges of VMs and streams, serving and draining, up to date. Thread: main.
  void publish_gauges();
  /// JSON for GET /wasm.
  std::string describe_json() const;

 private:
  struct Private;
  std::unique_ptr<Private> private_;
};

}  // namespace weir::wasm
