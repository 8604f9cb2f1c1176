#include "wasm/worker_vms.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace weir::wasm {
namespace {

/// Where there is no client for callouts.
class NoCallouts final : public Callouts {
 public:
  bool knows_cluster(std::string_view) const override { return false; }
  Result<std::unique_ptr<Callout>> start(CalloutRequest, CalloutHandler&) override {
    return fail(Code::kNoCluster, Side::kLocal, "there are no clusters");
  }
};

}  // namespace

WorkerVms::WorkerVms(router::FilterHost& host, Host::CalloutMaker make_callouts, VmBuilder& builder,
                     Services& services, unsigned worker)
    : host_(host),
      make_callouts_(make_callouts),
      loop_(host.loop(worker)),
      builder_(builder),
      services_(services),
      worker_(worker),
      callouts_(std::make_unique<NoCallouts>()),
      end_of_turn_(loop_, &WorkerVms::run_end_of_turn, this) {
  services_.uses.add(*this);
}

WorkerVms::~WorkerVms() { services_.uses.remove(*this); }

template <typename Visitor>
void WorkerVms::for_each_vm(Visitor&& visit) {
  for (auto& [key, slot] : slots_)
    if (slot->current() != nullptr) visit(*slot->current());
  for (size_t i = 0; i < retired_.size(); ++i) visit(*retired_[i].vm);
}

Vm* WorkerVms::pick(const Plugin& plugin, RootContext*& root) noexcept {
  const auto found = places_.find(plugin.key);
  if (found == places_.end()) return pick_kept(plugin, root);
  Place& place = found->second;
  Vm* vm = place.slot->current();
  if (vm == nullptr || vm->dead()) return nullptr;
  if (vm->record().serial != place.serial) {
    place.serial = vm->record().serial;
    place.root = vm->find_root(plugin.key);
  }
  root = place.root;
  return root != nullptr ? vm : nullptr;
}

/// The newest generation does not have the plugin: it is an older one that asks.
Vm* WorkerVms::pick_kept(const Plugin& plugin, RootContext*& root) noexcept {
  for (auto each = retired_.rbegin(); each != retired_.rend(); ++each) {
    if (!each->kept || each->vm->dead()) continue;
    root = each->vm->find_root(plugin.key);
    if (root != nullptr) return each->vm.get();
  }
  return nullptr;
}

bool WorkerVms::await(const Plugin& plugin, LeafContext& stream) {
  const auto found = places_.find(plugin.key);
  return found != places_.end() && found->second.slot->await(stream);
}

void WorkerVms::adopt(uint64_t generation, PreparedVms prepared) {
  if (!attached_) {
    services_.watchdog.attach(worker_);
    attached_ = true;
    if (auto made = make_callouts_ != nullptr ? make_callouts_(host_, worker_) : nullptr)
      callouts_ = std::move(made);
  }
  const uint64_t old_generation = std::exchange(generation_, generation);
  std::map<Key, std::unique_ptr<VmSlot>> slots;
  places_.clear();
  for (const auto& group : prepared.groups) {
    auto kept = slots_.extract(group->key);
    std::unique_ptr<VmSlot> slot =
        kept ? std::move(kept.mapped())
             : std::make_unique<VmSlot>(*this, builder_, services_.stats, worker_, group);
    for (const auto& plugin : group->plugins)
      places_.emplace(plugin->key, Place{slot.get(), 0, nullptr});
    slots.emplace(group->key, std::move(slot));
  }
  for (auto& [key, slot] : slots_)
    if (auto vm = slot->retire()) retire(std::move(vm), old_generation).kept = true;
  drop_unused();
  slots_.swap(
      slots);  // what waits in an old slot goes on when it dies, at the end: with the new VMs
  for (auto& [group, vm] : prepared.fresh) slots_.at(group->key)->install(std::move(vm));
  end_of_turn_.schedule();
}

WorkerVms::Retired& WorkerVms::retire(std::unique_ptr<Vm> vm, uint64_t generation) {
  if (!vm->dead()) vm->record().set_state(VmState::kDraining);
  retired_.push_back(Retired{.vm = std::move(vm), .generation = generation});
  end_of_turn_.schedule();
  return retired_.back();
}

/// Whether a snapshot may ask for it: one that has a plugin of it which the newest has not.
bool WorkerVms::wanted(const Vm& vm) const {
  const auto& plugins = vm.group().plugins;
  return std::any_of(plugins.begin(), plugins.end(), [this](const auto& each) {
    return !places_.contains(each->key) && services_.uses.held(each->key);
  });
}

void WorkerVms::drop_unused() {
  for (Retired& each : retired_) each.kept = each.kept && wanted(*each.vm);
  end_of_turn_.schedule();
}

void WorkerVms::on_use_over() {
  loop_.post([this] { drop_unused(); });
}

void WorkerVms::expire(uint64_t generation) {
  // What a stream does when its VM leaves it may add another dead one.
  for (size_t i = 0; i < retired_.size(); ++i)
    if (retired_[i].generation < generation) {
      retired_[i].kept = false;
      retired_[i].vm->fail_streams();
    }
  end_of_turn_.schedule();
}

void WorkerVms::on_vm_failed(Vm& vm) {
  end_of_turn_.schedule();
  for (auto& [key, slot] : slots_) {
    if (slot->current() != &vm) continue;
    retire(slot->replace_dead(), generation_);
    return;
  }
}

void WorkerVms::on_vm_idle(Vm& vm) {
  if (vm.record().get_state() != VmState::kRunning) end_of_turn_.schedule();
}

void WorkerVms::on_vm_worn(Vm& vm) {
  for (auto& [key, slot] : slots_)
    if (slot->current() == &vm) return slot->recycle();
}

/// VMs that are to be recycled, and whose successors are there, drain from now on.
void WorkerVms::renew() {
  for (auto& [key, slot] : slots_) {
    const VmGroup* group = &slot->group();
    const auto draining = std::count_if(
        retired_.begin(), retired_.end(),
        [group](const auto& each) { return &each.vm->group() == group && each.vm->streams() > 0; });
    if (auto old = slot->renew(static_cast<size_t>(draining))) retire(std::move(old), generation_);
  }
}

void WorkerVms::run_end_of_turn(void* self) { static_cast<WorkerVms*>(self)->work(); }

void WorkerVms::work() {
  for_each_vm([](Vm& vm) {
    if (vm.dead()) {
      vm.fail_streams();
    } else {
      vm.apply_effects();
    }
  });
  for (auto& [key, slot] : slots_) slot->serve_waiters();
  renew();
  sweep();
  if (on_ended_ != nullptr && retired_.empty()) {
    leave_thread();
    std::exchange(on_ended_, nullptr)(on_ended_argument_);
  }
}

/// Whether nothing keeps a retired VM; asks its roots to end when its last stream has left. Their last words may add another.
bool WorkerVms::finished(size_t at) {
  Vm& vm = *retired_[at].vm;
  if (vm.streams() > 0) return false;
  if (vm.dead()) return true;
  if (retired_[at].kept) return false;
  if (retired_[at].ending) return vm.reap_roots() || !retired_[at].grace->armed();
  retired_[at].ending = true;
  if (vm.end_roots() || vm.reap_roots()) return true;
  auto grace = std::make_unique<event::Timer>(loop_, &WorkerVms::on_grace, this);
  grace->arm(kRootGrace);
  retired_[at].grace = std::move(grace);
  return false;
}

void WorkerVms::drop_grace() {
  for (Retired& each : retired_)
    if (each.grace) each.grace->cancel();
  end_of_turn_.schedule();
}

void WorkerVms::on_grace(void* self) { static_cast<WorkerVms*>(self)->end_of_turn_.schedule(); }

void WorkerVms::sweep() {
  for (size_t i = 0; i < retired_.size();) {
    if (!finished(i)) {
      ++i;
      continue;
    }
    std::unique_ptr<Vm> vm = std::move(retired_[i].vm);
    retired_.erase(retired_.begin() + static_cast<ptrdiff_t>(i));
    builder_.dispose(std::move(vm));
  }
}

void WorkerVms::retire_all() {
  places_.clear();
  for (auto& [key, slot] : slots_)
    if (auto vm = slot->retire()) retire(std::move(vm), generation_);
  slots_.clear();
  for (size_t i = 0; i < retired_.size(); ++i) {
    retired_[i].kept = false;
    retired_[i].vm->fail_streams();
  }
}

void WorkerVms::stop() {
  retire_all();
  for (size_t i = 0; i < retired_.size(); ++i) {
    Vm& vm = *retired_[i].vm;
    if (!vm.dead() && !retired_[i].ending) vm.end_roots();
    builder_.dispose(std::move(retired_[i].vm));
  }
  retired_.clear();
  leave_thread();
}

void WorkerVms::end(void (*done)(void* argument), void* argument) {
  retire_all();
  on_ended_ = done;
  on_ended_argument_ = argument;
  end_of_turn_.schedule();
}

void WorkerVms::leave_thread() {
  callouts_ = std::make_unique<NoCallouts>();
  if (attached_) services_.watchdog.detach(worker_);
  attached_ = false;
  const std::lock_guard lock(mutex_);
  for (Delivery& each : deliveries_)
    if (each.vm) builder_.dispose(std::move(each.vm));
  deliveries_.clear();
}

void WorkerVms::deliver(std::shared_ptr<const VmGroup> group, std::unique_ptr<Vm> vm,
                        std::string why, uint64_t cost_ns) {
  {
    const std::lock_guard lock(mutex_);
    deliveries_.push_back(Delivery{std::move(group), std::move(vm), std::move(why), cost_ns});
  }
  loop_.post([this] { take_deliveries(); });
}

void WorkerVms::take_deliveries() {
  std::vector<Delivery> arrived;
  {
    const std::lock_guard lock(mutex_);
    arrived.swap(deliveries_);
  }
  if (!arrived.empty()) end_of_turn_.schedule();
  for (Delivery& each : arrived) {
    // A later generation may have a slot with the same key, which waits for its own builds.
    const auto found = slots_.find(each.group->key);
    if (found == slots_.end() || &found->second->group() != each.group.get()) {
      if (each.vm) builder_.dispose(std::move(each.vm));
    } else if (each.vm) {
      found->second->count_cost(each.cost_ns);
      found->second->install(std::move(each.vm));
    } else {
      for (const auto& plugin : each.group->plugins)
        services_.stats.plugin(plugin->label()).vm_reload_failure.inc();
      found->second->build_failed(each.why, each.cost_ns);
    }
  }
}

void WorkerVms::on_queue_item(uint64_t vm_serial, uint32_t root_id, uint32_t queue_id) {
  loop_.post([this, vm_serial, root_id, queue_id] { notify_queue(vm_serial, root_id, queue_id); });
}

void WorkerVms::notify_queue(uint64_t vm_serial, uint32_t root_id, uint32_t queue_id) {
  const size_t items = services_.queues.hear(queue_id, vm_serial, root_id);
  if (items == 0) return;
  Vm* target = nullptr;
  for_each_vm([vm_serial, &target](Vm& vm) {
    if (vm.record().serial == vm_serial) target = &vm;
  });
  if (target == nullptr || target->dead() || !target->exports().queue_ready) return;
  RootContext* root = target->find_root(root_id);
  if (root == nullptr) return;
  const Value args[] = {root_id, queue_id};
  for (size_t i = 0; i < items && !target->dead(); ++i)
    target->call(*root, target->exports().queue_ready, args);
}

}  // namespace weir::wasm
