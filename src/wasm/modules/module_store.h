// ModuleStore: the modules that are fetched: in memory, in the cache on disk, or on their way.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "event/loop.h"
#include "stats/store.h"
#include "wasm/modules/module_cache.h"
#include "wasm/modules/module_source.h"

namespace weir::wasm {

/// What a store needs of its owner.
class ModuleStoreOwner {
 public:
  virtual ~ModuleStoreOwner() = default;
  /// The client that modules come through; asked for once something is to be fetched.
  virtual std::unique_ptr<Callouts> make_module_callouts() = 0;
  /// A wanted module is there. At the end of a turn.
  virtual void on_module_arrived() = 0;
};

/// Owner: the Host. Thread: main.
///
/// The configuration's reader says begin_load(), and asks with find(), and with fetch() for what it refuses to go on without. What a
/// generation goes on without is handed over with want() when it serves, and fetched for as long as it is wanted. Plugins of one
/// digest are one fetch: by the first one's address.
/// Death: stop(), while the clusters live.
class ModuleStore {
 public:
  using Bytes = std::shared_ptr<const std::string>;
  enum class Fetches : bool { kNo, kYes };
  ModuleStore(event::Loop& loop, stats::Store& stats, std::string cache_folder, Fetches fetches,
              ModuleStoreOwner& owner);
  ~ModuleStore();

  /// False where a configuration is only checked.
  bool fetches() const noexcept { return fetches_ == Fetches::kYes; }
  /// A configuration is read anew: it may name other addresses for what is on its way.
  void begin_load() noexcept { ++load_; }
  /// The module, if it is here; counts a hit or a miss.
  Bytes find(const Key& digest);
  /// Begins to fetch, unless it goes on already or has failed a short while ago. Returns how it stands, for a message. kReload:
  /// it is wanted, until a generation says otherwise.
  enum class Arrival : bool { kWait, kReload };
  std::string fetch(const std::shared_ptr<const ModuleRequest>& request, Arrival arrival);
  /// What the serving generation lacks; what is not among it is not tried any more. What has come meanwhile is announced.
  void want(const std::vector<std::shared_ptr<const ModuleRequest>>& requests);
  void stop();

  /// After the last try of a fetch the next one waits so long.
  static constexpr std::chrono::seconds kNegative{10};
  static constexpr size_t kMaxUnclaimed = 16;  // modules that nothing uses yet

 private:
  class Entry;
  Entry& entry(const std::shared_ptr<const ModuleRequest>& request);
  Bytes look(const Key& digest);
  void arrived(Entry& entry, std::string bytes);
  Callouts& callouts();
  void sweep();
  static void announce(void* self) { static_cast<ModuleStore*>(self)->owner_.on_module_arrived(); }

  event::Loop& loop_;
  const ModuleCache cache_;
  const Fetches fetches_;
  ModuleStoreOwner& owner_;
  std::unique_ptr<Callouts> callouts_;  // made when something is to be fetched
  std::map<Key, std::weak_ptr<const std::string>> modules_;
  std::map<Key, Bytes> unclaimed_;  // held for the configuration that asks for them next
  std::map<Key, std::unique_ptr<Entry>> entries_;  // on their way, or failed
  uint64_t load_ = 0;                              // the number of the load that asks
  event::EndOfTurn announce_;
  Counter &hits_, &negative_hits_, &misses_, &successes_, &failures_;
  Gauge& held_;
};

}  // namespace weir::wasm
