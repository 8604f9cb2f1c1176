#include "wasm/modules/module_store.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/strings.h"

namespace weir::wasm {

/// One module on its way. Tries follow each other with a growing back-off; after the last it rests, and begins anew while it is wanted.
class ModuleStore::Entry final : private ModuleReceiver {
 public:
  Entry(ModuleStore& store, std::shared_ptr<const ModuleRequest> request)
      : store_(store), request_(std::move(request)), timer_(store.loop_, &Entry::on_timer, this) {}

  const ModuleRequest& request() const noexcept { return *request_; }
  void begin() {
    tries_ = 0;
    state_ = State::kTrying;
    attempt();
  }
  bool resting() const noexcept { return state_ == State::kResting; }
  /// Nothing hangs on it any more.
  bool over() const noexcept { return state_ == State::kOver; }
  const std::string& error() const noexcept { return error_; }
  /// The last try ended before it began: nothing is in flight.
  bool lacked_cluster() const noexcept { return lacked_cluster_; }
  bool wanted = false;
  uint64_t load = 0;  // that has asked for it last

 private:
  enum class State : uint8_t { kTrying, kResting, kOver };

  void attempt() {
    ++tries_;
    auto begun = request_->source->fetch(store_.callouts(), *this);
    fetch_ = begun ? std::move(*begun) : nullptr;
    lacked_cluster_ = !begun && begun.error().code == Code::kNoCluster;
    if (!begun) failed(std::move(begun.error().detail));
  }
  void on_module_fetched(Result<std::string> bytes) noexcept override {
    if (!bytes) return failed(std::move(bytes.error().detail));
    const Key digest = digest_key(*bytes);
    if (digest != request_->digest)
      return failed(base::concat("what came has the sha256 ", digest.hex()));
    state_ = State::kOver;
    store_.arrived(*this, std::move(*bytes));
  }
  void failed(std::string why) {
    error_ = std::move(why);
    const bool last = tries_ > request_->num_retries;
    WEIR_LOG(kWasm, kWarn, "a module was not fetched",
             {{"uri", request_->source->address()},
              {"sha256", request_->digest.hex()},
              {"why", error_},
              {"try", tries_},
              {"last", last}});
    if (last) {
      store_.failures_.inc();
      state_ = State::kResting;
      return timer_.arm(kNegative);
    }
    const unsigned shift = std::min(tries_ - 1, 20u);
    timer_.arm(std::min(request_->backoff_base * (1 << shift), request_->backoff_max));
  }
  static void on_timer(void* self) {
    auto& entry = *static_cast<Entry*>(self);
    if (entry.state_ == State::kTrying) return entry.attempt();
    if (entry.wanted) return entry.begin();
    entry.state_ = State::kOver;
  }

  ModuleStore& store_;
  const std::shared_ptr<const ModuleRequest> request_;
  std::unique_ptr<ModuleFetch> fetch_;
  State state_ = State::kTrying;
  unsigned tries_ = 0;
  bool lacked_cluster_ = false;
  std::string error_;
  event::Timer timer_;
};

ModuleStore::ModuleStore(event::Loop& loop, stats::Store& stats, std::string cache_folder,
                         Fetches fetches, ModuleStoreOwner& owner)
    : loop_(loop),
      cache_(std::move(cache_folder)),
      fetches_(fetches),
      owner_(owner),
      announce_(loop, &ModuleStore::announce, this),
      hits_(stats.counter("wasm.remote_load_cache_hits")),
      negative_hits_(stats.counter("wasm.remote_load_cache_negative_hits")),
      misses_(stats.counter("wasm.remote_load_cache_misses")),
      successes_(stats.counter("wasm.remote_load_fetch_successes")),
      failures_(stats.counter("wasm.remote_load_fetch_failures")),
      held_(stats.gauge("wasm.remote_load_cache_entries")) {}

ModuleStore::~ModuleStore() = default;

void ModuleStore::stop() {
  entries_.clear();
  callouts_.reset();
}

Callouts& ModuleStore::callouts() {
  if (!callouts_) callouts_ = owner_.make_module_callouts();
  return *callouts_;
}

ModuleStore::Bytes ModuleStore::look(const Key& digest) {
  if (const auto known = modules_.find(digest); known != modules_.end())
    if (Bytes bytes = known->second.lock()) return bytes;
  auto read = cache_.read(digest);
  if (!read)
    WEIR_LOG_EVERY_MS(10'000, kWasm, kWarn, "the module cache cannot be used",
                      {{"why", read.error().detail}});
  if (!read || !*read) return nullptr;
  auto bytes = std::make_shared<const std::string>(std::move(**read));
  modules_[digest] = bytes;
  return bytes;
}

ModuleStore::Bytes ModuleStore::find(const Key& digest) {
  sweep();
  Bytes bytes = look(digest);
  const auto entry = entries_.find(digest);
  const bool negative = entry != entries_.end() && entry->second->resting();
  (bytes ? hits_ : negative ? negative_hits_ : misses_).inc();
  held_.set(static_cast<int64_t>(modules_.size()));
  return bytes;
}

ModuleStore::Entry& ModuleStore::entry(const std::shared_ptr<const ModuleRequest>& request) {
  auto& place = entries_[request->digest];
  // Another address may work where this one does not, unless both stand side by side; a cluster that was missing may be there now.
  const bool known = place && !place->over() &&
                     (place->request().identity == request->identity || place->load == load_);
  if (!known || place->lacked_cluster()) {
    const bool wanted = place && place->wanted;
    place = std::make_unique<Entry>(*this, request);
    place->wanted = wanted;
    place->begin();
  }
  place->load = load_;
  return *place;
}

std::string ModuleStore::fetch(const std::shared_ptr<const ModuleRequest>& request,
                               Arrival arrival) {
  if (look(request->digest)) {
    if (arrival == Arrival::kReload) announce_.schedule();
    return "it has come meanwhile";
  }
  Entry& entry = this->entry(request);
  if (arrival == Arrival::kReload) entry.wanted = true;
  if (entry.resting()) return base::concat("fetching it has failed: ", entry.error());
  if (entry.error().empty()) return "it is being fetched";
  return base::concat("it is being fetched, and the last try has failed: ", entry.error());
}

void ModuleStore::want(const std::vector<std::shared_ptr<const ModuleRequest>>& requests) {
  for (auto& [digest, entry] : entries_) entry->wanted = false;
  std::vector<std::shared_ptr<const ModuleRequest>> missing;
  for (const auto& request : requests) {
    // It has come after the generation was read.
    if (look(request->digest))
      announce_.schedule();
    else
      missing.push_back(request);
  }
  // Of several addresses for one module the one that is under way goes on.
  for (const auto& request : missing) {
    const auto known = entries_.find(request->digest);
    if (known != entries_.end() && known->second->request().identity == request->identity)
      entry(request).wanted = true;
  }
  for (const auto& request : missing) {
    const auto known = entries_.find(request->digest);
    if (known == entries_.end() || !known->second->wanted) entry(request).wanted = true;
  }
  // What is in use now is held by its users.
  std::erase_if(unclaimed_, [](const auto& each) { return each.second.use_count() > 1; });
  sweep();
}

/// Inside the entry's own call: it goes with the next sweep.
void ModuleStore::arrived(Entry& entry, std::string bytes) {
  const ModuleRequest& request = entry.request();
  successes_.inc();
  WEIR_LOG(kWasm, kInfo, "a module has been fetched",
           {{"uri", request.source->address()},
            {"sha256", request.digest.hex()},
            {"bytes", bytes.size()}});
  const auto held = std::make_shared<const std::string>(std::move(bytes));
  if (cache_.used()) {
    if (auto written = cache_.write(request.digest, *held); !written)
      WEIR_LOG(kWasm, kWarn, "a module cannot be kept on disk", {{"why", written.error().detail}});
  }
  modules_[request.digest] = held;
  // Also what is on disk: the file may be gone before it is asked for.
  if (unclaimed_.size() >= kMaxUnclaimed) unclaimed_.erase(unclaimed_.begin());
  unclaimed_[request.digest] = held;
  held_.set(static_cast<int64_t>(modules_.size()));
  if (entry.wanted) announce_.schedule();
}

void ModuleStore::sweep() {
  std::erase_if(entries_, [](const auto& each) { return each.second->over(); });
  std::erase_if(modules_, [](const auto& each) { return each.second.expired(); });
  held_.set(static_cast<int64_t>(modules_.size()));
}

}  // namespace weir::wasm
