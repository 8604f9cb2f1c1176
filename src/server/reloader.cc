#include "server/reloader.h"

#include <algorithm>
#include <functional>

#include "base/json.h"
#include "base/log.h"
#include "base/time.h"

namespace weir::server {
namespace {

std::vector<std::string> keys_of(const std::vector<std::shared_ptr<const wasm::Plugin>>& plugins) {
  std::vector<std::string> keys;
  for (const auto& plugin : plugins) keys.push_back(plugin->vm_key.hex() + plugin->key.hex());
  return keys;
}

using Plugins = std::vector<std::shared_ptr<const wasm::Plugin>>;

/// Whether the message at this path has any of the plugins in it.
bool has_plugin(const std::string& path, const Plugins& plugins) {
  return std::any_of(plugins.begin(), plugins.end(), [&path](const auto& plugin) {
    return plugin->config_path.starts_with(path + ".");
  });
}

void find_chain(const proxy::ListenerOptions& listener, const std::string& text,
                std::shared_ptr<const proxy::FilterChainOptions>& out) {
  for (const auto& each : listener.filter_chains)
    if (each->text == text) out = each;
  if (listener.default_filter_chain && listener.default_filter_chain->text == text)
    out = listener.default_filter_chain;
}

/// `listener` with those chains of `before` that have the same meaning: what their filters count goes on.
std::shared_ptr<const proxy::ListenerOptions> with_chains_of(
    const proxy::ListenerOptions& before, const proxy::ListenerOptions& listener,
    const std::function<bool(const std::string&)>& may_be_kept) {
  auto out = std::make_unique<proxy::ListenerOptions>(listener);
  for (size_t i = 0; i < out->filter_chains.size(); ++i) {
    auto& chain = out->filter_chains[i];
    if (may_be_kept(".filter_chains[" + std::to_string(i) + "]"))
      find_chain(before, chain->text, chain);
  }
  if (auto& chain = out->default_filter_chain; chain && may_be_kept(".default_filter_chain"))
    find_chain(before, chain->text, chain);
  return out;
}

/// Why no snapshot could be made, at the listener that the message begins with.
config::Diagnostic snapshot_problem(const config::Configuration& configuration,
                                    std::string message) {
  for (size_t i = 0; i < configuration.listeners.size(); ++i) {
    if (message.starts_with("listener " + configuration.listeners[i]->name + " ("))
      return configuration.diagnose(configuration.listener_paths[i], std::move(message));
  }
  return configuration.diagnose({}, std::move(message));
}

std::vector<FileStamp> stamps_of(const std::vector<std::string>& files) {
  std::vector<FileStamp> stamps;
  for (const std::string& file : files) stamps.push_back(stamp_of(file));
  return stamps;
}

}  // namespace

Reloader::Reloader(ReloaderDeps deps)
    : deps_(std::move(deps)),
      watcher_(deps_.loop, &Reloader::on_files_changed, this),
      expire_timer_(deps_.loop, &Reloader::on_expire_timer, this),
      tls_contexts_(deps_.store),
      success_(deps_.store.counter("config.reload_success")),
      rejected_(deps_.store.counter("config.reload_rejected")),
      generation_gauge_(deps_.store.gauge("config.generation")),
      last_ok_(deps_.store.gauge("config.last_reload_ok")) {
  if (!deps_.options.config_path.empty()) files_.push_back(deps_.options.config_path);
}

void Reloader::start(Done done) { reload(std::move(done)); }

void Reloader::reload(Done done) {
  if (done) waiting_.push_back(std::move(done));
  if (frozen_) {
    deps_.loop.post([this] {
      for (const Done& each : std::exchange(waiting_, {})) each(false);
    });
    return;
  }
  if (state_ != State::kIdle) {
    again_ = true;
    return;
  }
  begin();
}

void Reloader::on_files_changed(void* self) {
  auto& reloader = *static_cast<Reloader*>(self);
  WEIR_LOG(kConfig, kDebug, "a watched file has changed", {{"taken", !reloader.frozen_}});
  if (!reloader.frozen_) reloader.reload();
}

config::LoadResult Reloader::load() {
  config::LoadContext context{deps_.registry, deps_.store, deps_.filter_host, &tls_contexts_};
  return config::load({deps_.options.config_path, deps_.options.config_yaml}, context);
}

void Reloader::begin() {
  deps_.loop.refresh_clock();
  began_ = deps_.loop.now();
  last_attempt_ = deps_.loop.system_now();
  state_ = State::kPreparing;
  done_ = std::exchange(waiting_, {});
  again_ = false;
  deps_.wasm.begin_load();
  const std::vector<FileStamp> stamps = stamps_of(files_);
  config::LoadResult loaded = load();
  auto plugins = deps_.wasm.take_loaded();
  // A file that was being written while it was read is read again when it has come to rest.
  if (stamps != stamps_of(files_)) again_ = true;
  files_ = loaded.files;
  stamps_ = stamps_of(files_);
  watch_files();
  if (!loaded.configuration) return reject(std::move(loaded.diagnostics));

  next_plugin_keys_ = keys_of(plugins);
  if (base::log_enabled(base::Component::kConfig, base::Level::kDebug)) log_plugins(plugins);
  changes_.reset();
  if (current_ != nullptr) {
    changes_ = difference(*current_->configuration, *loaded.configuration);
    reuse_unchanged(*loaded.configuration, plugins);
  }
  if (changes_ && changes_->nothing() && next_plugin_keys_ == plugin_keys_ &&
      current_->configuration->dump_json == loaded.configuration->dump_json) {
    WEIR_LOG(kConfig, kInfo, "configuration read again, nothing changed",
             {{"generation", current_->generation}});
    deps_.wasm.keep_generation();
    errors_.clear();
    success_.inc();
    last_ok_.set(1);
    return finish(true);
  }
  next_configuration_ = std::move(loaded.configuration);
  auto snapshot = deps_.maker.make(generation_ + 1, next_configuration_, current_.get());
  if (!snapshot) {
    return reject({snapshot_problem(*next_configuration_, std::move(snapshot.error().detail))});
  }
  next_ = std::move(*snapshot);
  if (auto opened = deps_.open_admin(*next_configuration_); !opened) {
    next_.reset();
    return reject({next_configuration_->diagnose("admin", std::move(opened.error().detail))});
  }
  ++generation_;
  deps_.wasm.set_node(node_info());
  deps_.wasm.prepare(generation_, std::move(plugins), *this);
}

/// Which plugins an edit swaps, and what of each is new.
void Reloader::log_plugins(const std::vector<std::shared_ptr<const wasm::Plugin>>& plugins) const {
  for (size_t i = 0; i < plugins.size(); ++i) {
    const wasm::Plugin& plugin = *plugins[i];
    const std::string vm = plugin.vm_key.hex();
    const auto is_kept = [&](const std::string& key) { return key == next_plugin_keys_[i]; };
    const auto has_vm = [&](const std::string& key) { return key.starts_with(vm); };
    const char* what = std::any_of(plugin_keys_.begin(), plugin_keys_.end(), is_kept) ? "nothing"
                       : std::any_of(plugin_keys_.begin(), plugin_keys_.end(), has_vm)
                           ? "configuration"
                           : "VM";
    WEIR_LOG(kConfig, kDebug, "filter",
             {{"plugin", plugin.label()},
              {"at", plugin.config_path},
              {"new", what},
              {"module", plugin.vm.code_key.hex().substr(0, 12)},
              {"module_bytes", plugin.vm.code ? plugin.vm.code->size() : 0}});
  }
}

void Reloader::watch_files() {
  const bool watch = current_ != nullptr && current_->configuration->reload.watch;
  watcher_.watch(watch ? files_ : std::vector<std::string>());
}

wasm::NodeInfo Reloader::node_info() const {
  const config::Configuration& from = *next_configuration_;
  const Options& options = deps_.options;
  return wasm::NodeInfo{
      options.service_node.empty() ? from.node_id : options.service_node,
      options.service_cluster.empty() ? from.node_cluster : options.service_cluster,
      from.node_metadata_json,
      from.node_region,
      from.node_zone,
      from.node_sub_zone};
}

void Reloader::reuse_unchanged(
    config::Configuration& configuration,
    const std::vector<std::shared_ptr<const wasm::Plugin>>& plugins) const {
  // With the same plugins, or none, and the same text a listener is the same object: rate-limit buckets and the like go on.
  const bool same_plugins = keys_of(plugins) == plugin_keys_;
  const config::Configuration& before = *current_->configuration;
  for (size_t i = 0; i < configuration.listeners.size(); ++i) {
    const std::string& path = configuration.listener_paths[i];
    const auto may_be_kept = [&](const std::string& below) {
      return same_plugins || !has_plugin(path + below, plugins);
    };
    for (size_t k = 0; k < before.listeners.size(); ++k) {
      if (before.listeners[k]->name != configuration.listeners[i]->name) continue;
      if (may_be_kept({}) && before.listener_texts[k] == configuration.listener_texts[i])
        configuration.listeners[i] = before.listeners[k];
      else
        configuration.listeners[i] =
            with_chains_of(*before.listeners[k], *configuration.listeners[i], may_be_kept);
    }
  }
}

std::vector<config::Diagnostic> Reloader::to_diagnostics(
    const wasm::PrepareOutcome& outcome) const {
  std::vector<config::Diagnostic> problems;
  for (const wasm::PluginError& error : outcome.errors) {
    problems.push_back(next_configuration_->diagnose(
        error.config_path, "plugin " + error.plugin + ": " + error.message));
  }
  return problems;
}

void Reloader::on_wasm_prepared(wasm::PrepareOutcome outcome) {
  if (outcome.generation != generation_ || state_ != State::kPreparing) return;
  WEIR_LOG(kConfig, kDebug, "filters are prepared",
           {{"generation", outcome.generation},
            {"swapped", outcome.plugins_swapped},
            {"errors", outcome.errors.size()},
            {"took_ms", outcome.took.count()}});
  if (!outcome.errors.empty()) {
    discard();
    return reject(to_diagnostics(outcome));
  }
  plugins_swapped_ = outcome.plugins_swapped;
  deps_.dns.when_warm(*next_->clusters, *this);
}

/// Filters and first answers of names are there.
void Reloader::on_names_warm() {
  if (!frozen_) return commit();
  discard();
  deps_.settle_admin(AdminOutcome::kDiscard);
  settle_names();
  finish(false);
}

void Reloader::discard() {
  deps_.wasm.abandon(generation_);
  next_.reset();
}

/// Names that only a discarded or an old generation has are asked for no more.
void Reloader::settle_names() {
  deps_.dns.keep_only(current_ == nullptr ? nullptr : current_->clusters.get());
}

void Reloader::commit() {
  state_ = State::kCommitting;
  acknowledged_ = 0;
  if (changes_) changes_->plugins_swapped = plugins_swapped_;
  deps_.wasm.commit(generation_);
  deps_.main_clusters.set_old_generation_max_age(next_->configuration->old_generation_max_age);
  deps_.main_clusters.apply(next_->clusters);
  deps_.wasm.adopt(deps_.filter_host.main_index(), generation_);
  for (const auto& each : deps_.workers) {
    Worker& worker = *each;
    worker.post([this, &worker, snapshot = next_] {
      worker.adopt(snapshot, &deps_.wasm, deps_.workers);
      deps_.loop.post([this] {
        if (++acknowledged_ == deps_.workers.size()) committed();
      });
    });
  }
}

void Reloader::apply_socket_options(const Snapshot& before) const {
  for (const ListenerEntry& entry : current_->listeners) {
    const net::SocketOptions& wanted = entry.socket;
    for (const ListenerEntry& old : before.listeners) {
      if (old.key != entry.key || old.socket == wanted || entry.sockets == nullptr) continue;
      for (unsigned i = 0; const net::ListenSocket* socket = entry.sockets->of(i); ++i)
        socket->apply(wanted);
    }
  }
}

void Reloader::committed() {
  const uint64_t before = current_ == nullptr ? 0 : current_->generation;
  const auto old = std::exchange(current_, std::move(next_));
  const bool watched = old != nullptr && old->configuration->reload.watch;
  next_configuration_.reset();
  plugin_keys_ = std::move(next_plugin_keys_);
  watcher_.set_debounce(current_->configuration->reload.debounce);
  if (current_->configuration->reload.watch != watched) {
    watch_files();
    // What has been written since it was read is no change to a watcher that begins only now.
    if (!watched && stamps_ != stamps_of(files_)) again_ = true;
  }
  tls_contexts_.set_serving();
  deps_.settle_admin(AdminOutcome::kTakeOver);
  if (old != nullptr) apply_socket_options(*old);
  deps_.clusters.published(*current_->clusters);
  settle_names();
  errors_.clear();
  deps_.loop.refresh_clock();
  since_ = deps_.loop.system_now();
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(deps_.loop.now() - began_);
  WEIR_LOG(kMain, kInfo, serving_text(current_->generation, changes_, took));
  success_.inc();
  generation_gauge_.set(static_cast<int64_t>(current_->generation));
  last_ok_.set(1);
  if (before != 0) schedule_expiry(before);
  finish(true);
}

void Reloader::reject(std::vector<config::Diagnostic> errors) {
  errors_ = std::move(errors);
  next_configuration_.reset();
  deps_.settle_admin(AdminOutcome::kDiscard);
  settle_names();
  rejected_.inc();
  last_ok_.set(0);
  for (const config::Diagnostic& each : errors_) WEIR_LOG(kConfig, kError, each.to_string());
  if (current_ != nullptr)
    WEIR_LOG(kConfig, kError,
             "the edit is rejected; generation " + std::to_string(current_->generation) +
                 " goes on serving",
             {{"errors", errors_.size()}});
  finish(false);
}

void Reloader::finish(bool taken) {
  state_ = State::kIdle;
  for (const Done& done : std::exchange(done_, {})) done(taken);
  if (frozen_) {
    for (const Done& done : std::exchange(waiting_, {})) done(false);
    return;
  }
  if (std::exchange(again_, false)) deps_.loop.post([this] { reload(); });
}

void Reloader::schedule_expiry(uint64_t generation) {
  const auto age = current_->configuration->old_generation_max_age;
  const auto due = expiries_.emplace(deps_.loop.now() + age, generation);
  if (due == expiries_.begin()) expire_timer_.arm(age);
}

void Reloader::on_expire_timer(void* self) {
  auto& reloader = *static_cast<Reloader*>(self);
  auto& due = reloader.expiries_;
  while (!due.empty() && due.begin()->first <= reloader.deps_.loop.now()) {
    for (const auto& each : reloader.deps_.workers) {
      Worker& worker = *each;
      worker.post([&worker, &wasm = reloader.deps_.wasm, generation = due.begin()->second] {
        wasm.expire(worker.index(), generation + 1);  // it keeps what is as new as its argument
      });
    }
    due.erase(due.begin());
  }
  if (!due.empty())
    reloader.expire_timer_.arm(std::chrono::duration_cast<std::chrono::milliseconds>(
                                   due.begin()->first - reloader.deps_.loop.now()) +
                               event::Loop::kTick);
}

std::string Reloader::json() const {
  std::string out;
  base::JsonWriter json(out);
  const char* state = frozen_                  ? "draining"
                      : state_ != State::kIdle ? "reloading"
                      : errors_.empty()        ? "serving"
                                               : "rejected";
  json.begin_object();
  json.key("generation").number(current_ == nullptr ? uint64_t{0} : current_->generation);
  json.key("since").text(base::iso8601(since_));
  json.key("last_attempt").text(base::iso8601(last_attempt_));
  json.key("state").text(state);
  json.key("errors").begin_array();
  for (const config::Diagnostic& each : errors_) {
    json.begin_object();
    json.key("file").text(each.file).key("line").number(each.line).key("column").number(
        each.column);
    json.key("path").text(each.path).key("message").text(each.message);
    json.key("text").text(each.to_string());
    json.end_object();
  }
  json.end_array().end_object();
  return out + "\n";
}

}  // namespace weir::server
