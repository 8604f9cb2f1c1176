#include "wasm/vm.h"

#include <algorithm>

#include "base/log.h"
#include "base/strings.h"

namespace weir::wasm {

Vm::Vm(std::shared_ptr<const VmGroup> group, Services& services, Role role, unsigned worker)
    : services_(services), group_(std::move(group)), record_(services.records.add()), role_(role) {
  record_.vm_id = vm_config().vm_id;
  record_.vm_key = group_->plugins.front()->vm_key.hex();
  if (const Privacy* rules = privacy()) record_.privacy = rules->json();
  record_.generation = group_->generation;
  record_.worker = worker;
  record_.on_main = group_->runs_on() == RunsOn::kMain;
  budget_ns_ = static_cast<uint64_t>(vm_config().limits.start_timeout.count());
  const SharedDataLimits shared = vm_config().limits.of_shared_data();
  shared_data_ = services.shared_data.use(vm_config().vm_id, shared);
  if (canary()) canary_data_ = std::make_unique<SharedStore>(shared);
  services.stats.created.inc();
  services.stats.active.inc();
  services.stats.vm_count.inc();
}

Vm::~Vm() {
  services_.queues.forget(record_.serial);
  if (instance_) services_.watchdog.forget(*instance_);
  roots_.clear();
  instance_.reset();
  services_.records.remove(record_);
  services_.stats.active.dec();
  services_.stats.vm_count.dec();
}

// ---- start: on the engine thread --------------------------------------------------------------------

std::optional<StartFailure> Vm::start(WatchCell& cell, std::shared_ptr<Isolate> isolate) {
  cell_ = &cell;
  if (auto done = instantiate(std::move(isolate)); !done)
    return StartFailure{group_->plugins.front(), done.error().detail};
  std::optional<StartFailure> failure;
  if (auto done = run_start(); !done)
    failure = StartFailure{group_->plugins.front(), done.error().detail};
  phase_ = Phase::kConfiguring;
  for (const auto& plugin : group_->plugins) {
    if (failure) break;
    PluginCell& plugin_cell = record_.plugins.emplace_back();
    plugin_cell.label = plugin->label();
    plugin_cell.root_id = plugin->root_id;
    roots_.push_back(std::make_unique<RootContext>(
        *this, plugin, services_.stats.plugin(plugin->label()), plugin_cell));
    if (auto done = start_root(*roots_.back()); !done)
      failure = StartFailure{plugin, done.error().detail};
  }
  if (!canary() && !failure) instance_->trim();
  record_.memory_bytes.store(instance_->memory().size(), std::memory_order_relaxed);
  record_.heap_bytes.store(instance_->heap_bytes(), std::memory_order_relaxed);
  record_.set_state(VmState::kSpare);
  instance_->release_from_this_thread();
  cell_ = nullptr;
  return failure;
}

Result<void> Vm::instantiate(std::shared_ptr<Isolate> isolate) {
  auto made = group_->engine->make_instance(group_->module, std::move(isolate));
  if (!made) return fail_start(std::move(made.error().detail));
  instance_ = std::move(*made);
  instance_->adopt_on_this_thread();
  const std::vector<Binding> bindings = bind_imports(*this, bindings_);
  // A start section may loop as any other code.
  current_ = &own_;
  const uint64_t sequence = cell_->next();
  instance_->set_sequence(sequence);
  cell_->begin(sequence, *instance_, budget_ns_);
  services_.watchdog.note_call();
  auto done = instance_->instantiate(bindings);
  cell_->end();
  flush_standard(done ? CallEnd::kOk : CallEnd::kTrap);
  current_ = nullptr;
  if (done && !doomed_) {
    auto exports = resolve_exports(*group_->module, *instance_, vm_config().capabilities,
                                   vm_config().missing_abi_version);
    if (exports) {
      exports_ = *exports;
      auto joined = join_callbacks();
      if (!joined) instance_->release_from_this_thread();
      return joined;
    }
    instance_->release_from_this_thread();
    return fail_start(std::move(exports.error().detail));
  }
  instance_->release_from_this_thread();
  return fail_start(base::concat("the module's start failed", done ? "" : ": ",
                                 done ? std::string() : done.error().detail));
}

// Callbacks that always follow each other are entered once.
Result<void> Vm::join_callbacks() {
  if (exports_.context_create && exports_.request_headers) {
    auto joined =
        join({{&exports_.context_create, {0, 1}}, {&exports_.request_headers, {0, 2, 3}}});
    if (!joined) return fail_start(std::move(joined.error().detail));
    begin_stream_ = *joined;
  }
  auto joined = join({{&exports_.done, {0}}, {&exports_.log, {0}}, {&exports_.remove, {0}}});
  if (!joined) return fail_start(std::move(joined.error().detail));
  end_stream_ = *joined;
  return {};
}

/// Of the parts that the guest has. Empty where it has none.
Result<JointFunction> Vm::join(std::initializer_list<JointPart> parts) {
  JointFunction out;
  std::vector<JointStep> steps;
  for (const JointPart& part : parts) {
    if (!*part.function) continue;
    if (part.function != &exports_.remove) out.timed = out.count;  // it never does much
    out.steps[out.count++] = part.function;
    steps.push_back({part.function->handle, part.arguments});
    steps.back().arguments.resize(part.function->params);  // older versions of the ABI give fewer
    out.call = *part.function;
  }
  if (steps.size() < 2) return out;
  WEIR_TRY(handle, instance_->join(steps));
  out.call.handle = handle;
  out.call.params = 0;
  for (const JointStep& step : steps)
    for (const uint8_t argument : step.arguments)
      out.call.params = std::max<uint8_t>(out.call.params, static_cast<uint8_t>(argument + 1));
  return out;
}

Result<void> Vm::run(const ExportFunction& function, std::span<const Value> args) {
  const Outcome outcome = call(own_, function, args);
  if (outcome.ok || (exiting_ && exit_code_ == 0 && !doomed_)) {
    // proc_exit(0) is how the main of some toolchains ends.
    dead_ = exiting_ = false;
    death_.clear();
    return {};
  }
  return fail_start(death_);
}

Result<void> Vm::run_start() {
  constexpr Value kNoArguments[] = {0, 0};
  if (!exports_.initialize) return exports_.start ? run(exports_.start, {}) : Result<void>();
  WEIR_CHECKED(run(exports_.initialize, {}));
  if (exports_.main) return run(exports_.main, kNoArguments);
  if (exports_.main_void) return run(exports_.main_void, {});
  return {};
}

Result<void> Vm::start_root(RootContext& root) {
  contexts_.add(root);
  const auto step = [this, &root](const ExportFunction& function, Value argument) -> Result<void> {
    if (!function) return {};
    const Value args[] = {root.id, argument};
    const Outcome outcome = call(root, function, args);
    if (!outcome.ok) return fail_start(death_);
    if (&function != &exports_.context_create && function.returns && outcome.value == 0)
      return fail_start(base::concat(function.name, " returned false"));
    return {};
  };
  WEIR_CHECKED(step(exports_.context_create, 0));
  WEIR_CHECKED(step(exports_.vm_start, vm_config().configuration.size()));
  return step(exports_.configure, root.plugin().configuration.size());
}

// ---- on the worker ----------------------------------------------------------------------------------

void Vm::adopt(VmOwner& owner) {
  owner_ = &owner;
  cell_ = &owner.watch_cell();
  budget_ns_ = static_cast<uint64_t>(vm_config().limits.call_timeout.count());
  if (const unsigned percent = vm_config().limits.max_cpu_percent; percent != 0)
    cpu_ = std::make_unique<CpuShare>(percent, ticks_per_second());
  phase_ = Phase::kRunning;
  instance_->adopt_on_this_thread();
  record_.set_state(VmState::kRunning);
  for (const auto& root : roots_) {
    root->count_on(record_.worker);
    root->adopt(owner.loop());
  }
  for (const auto& [name, root_id] : pending_queues_)
    services_.queues.add(vm_config().vm_id, name, &owner.queue_listener(), record_.serial, root_id,
                         vm_config().limits.of_queues());
  pending_queues_.clear();
}

void Vm::release() {
  services_.queues.forget(record_.serial);
  for (const auto& root : roots_) root->detach();
  record_.set_state(VmState::kDead);
  // Never adopted: its neighbours may be on this thread all the same.
  if (owner_ == nullptr) instance_->adopt_on_this_thread();
  instance_->empty();
  instance_->release_from_this_thread();
  owner_ = nullptr;
  cell_ = nullptr;
}

bool Vm::end_roots() {
  phase_ = Phase::kEnding;
  record_.set_state(VmState::kDraining);
  bool all = true;
  for (const auto& root : roots_)
    if (!dead_) all &= root->end();
  return all || dead_;
}

bool Vm::reap_roots() {
  if (phase_ != Phase::kEnding || dead_) return dead_;
  bool all = true;
  for (const auto& root : roots_) {
    if (!root->ending) continue;
    if (!root->finish_requested) {
      all = false;
      continue;
    }
    root->end();
    root->ending = false;
  }
  return all;
}

void Vm::enter_stream(LeafContext& stream) noexcept {
  streams_.push_back(stream);
  record_.streams.store(++stream_count_, std::memory_order_relaxed);
  if (++streams_seen_ == vm_config().recycle.max_streams) request_recycle();
}

void Vm::leave_stream(LeafContext& stream) noexcept {
  base::IntrusiveList<LeafContext, StreamsTag>::erase(stream);
  base::IntrusiveList<LeafContext, EffectsTag>::erase(stream);
  remove_context(stream);
  record_.streams.store(--stream_count_, std::memory_order_relaxed);
  if (stream_count_ == 0 && owner_ != nullptr) owner_->on_vm_idle(*this);
}

void Vm::remove_context(Context& context) noexcept {
  if (context.id == 0) return;
  contexts_.remove(context.id);
  context.id = 0;
}

void Vm::defer(LeafContext& stream) {
  if (static_cast<base::ListNode<EffectsTag>&>(stream).linked()) return;
  effects_.push_back(stream);
  if (owner_ != nullptr) owner_->on_vm_work(*this);
}

void Vm::apply_effects() {
  while (LeafContext* stream = effects_.pop_front()) stream->apply_effects();
  for (const auto& root : roots_) root->deliver_failures();
}

void Vm::fail_streams() {
  while (!streams_.empty()) streams_.front().on_vm_gone();  // which leaves the list
}

RootContext* Vm::find_root(const Key& plugin) noexcept {
  for (const auto& root : roots_)
    if (root->plugin().key == plugin) return root.get();
  return nullptr;
}

RootContext* Vm::find_root(uint32_t id) noexcept {
  for (const auto& root : roots_)
    if (root->id == id) return root.get();
  return nullptr;
}

size_t Vm::callouts_in_flight() const noexcept {
  size_t count = 0;
  for (const auto& root : roots_) count += root->callouts();
  return count;
}

}  // namespace weir::wasm
