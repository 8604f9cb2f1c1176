#include "wasm/vm_slot.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/log.h"
#include "base/random.h"

namespace weir::wasm {

namespace {

/// Up to a tenth more, so that workers do not start their VMs at the same time.
std::chrono::milliseconds with_jitter(std::chrono::milliseconds wait) {
  return wait + std::chrono::milliseconds(
                    base::random_below(static_cast<uint64_t>(wait.count()) / 10 + 1));
}

}  // namespace

void CostWindow::move_to(MonotonicTime now) noexcept {
  const int64_t second =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  if (second - second_ >= kSeconds) {
    by_second_.fill(0);
  } else {
    for (int64_t each = second_ + 1; each <= second; ++each)
      by_second_[static_cast<size_t>(each % kSeconds)] = 0;
  }
  second_ = std::max(second, second_);
}

void CostWindow::add(MonotonicTime now, uint64_t ns) noexcept {
  move_to(now);
  by_second_[static_cast<size_t>(second_ % kSeconds)] += ns;
}

bool CostWindow::exhausted(MonotonicTime now) noexcept {
  move_to(now);
  return std::accumulate(by_second_.begin(), by_second_.end(), uint64_t{0}) > kBudgetNs;
}

VmSlot::VmSlot(VmOwner& owner, VmBuilder& builder, HostStats& stats, unsigned worker,
               std::shared_ptr<const VmGroup> group)
    : owner_(owner),
      builder_(builder),
      stats_(stats),
      worker_(worker),
      group_(std::move(group)),
      quarantine_(group_->vm().quarantine),
      backoff_(owner.loop(), &VmSlot::on_backoff, this),
      age_(owner.loop(), &VmSlot::on_age, this),
      patience_(owner.loop(), &VmSlot::on_patience, this) {}

VmSlot::~VmSlot() {
  take_back();
  serve_waiters();
  if (spare_) builder_.dispose(std::move(spare_));
}

void VmSlot::install(std::unique_ptr<Vm> vm) {
  if (building_ > 0) --building_;
  if (retired_) return builder_.dispose(std::move(vm));
  put(std::move(vm));
}

void VmSlot::put(std::unique_ptr<Vm> vm) {
  if (current_ || backoff_.armed()) {  // a spare that comes during a back-off waits for its end
    if (spare_) return builder_.dispose(std::move(vm));
    vm->record().set_state(VmState::kSpare);
    spare_ = std::move(vm);
    return;
  }
  take_over(std::move(vm));
  if (keep_spare_) {
    for (const auto& plugin : group_->plugins)
      current_->services().stats.plugin(plugin->label()).vm_reload_success.inc();
    if (!spare_ && building_ == 0 && !costs_.exhausted(owner_.loop().now())) request_build();
  }
}

void VmSlot::take_over(std::unique_ptr<Vm> vm) {
  current_ = std::move(vm);
  recycling_ = false;
  current_->adopt(owner_);
  const auto age = group_->vm().recycle.max_age;
  if (age.count() > 0) age_.arm(with_jitter(age));
}

void VmSlot::build_failed(const std::string& why, uint64_t cost_ns) {
  if (building_ > 0) --building_;
  count_cost(cost_ns);
  if (retired_) return;
  WEIR_LOG(kWasm, kError, "a VM could not be started again",
           {{"plugin", group_->plugins.front()->label()}, {"worker", worker_}, {"why", why}});
  // One that serves is not set aside because its spare does not start.
  if (current_ == nullptr && set_aside(why)) return;
  wait_backoff();
}

std::unique_ptr<Vm> VmSlot::replace_dead() {
  std::unique_ptr<Vm> dead = std::move(current_);
  keep_spare_ = true;
  recycling_ = false;  // the next one is a fresh one
  age_.cancel();
  for (const auto& plugin : group_->plugins)
    dead->services().stats.plugin(plugin->label()).vm_reload.inc();
  count_cost(dead->last_call_cost_ns());
  backoff_.cancel();  // of a spare that did not start: it held up nothing that is needed
  const bool costly = costs_.exhausted(owner_.loop().now());
  if ((costly || dead->timed_out()) && set_aside(dead->death())) return dead;
  if (costly) {
    for (const auto& plugin : group_->plugins)
      dead->services().stats.plugin(plugin->label()).vm_reload_backoff.inc();
    wait_backoff();
  } else {
    want_vm();
  }
  return dead;
}

void VmSlot::want_vm() {
  if (current_ || retired_) return;
  if (spare_) {
    put(std::exchange(spare_, nullptr));
  } else if (building_ == 0) {
    request_build();
  }
}

void VmSlot::request_build() {
  ++building_;
  builder_.build(worker_, group_);
}

void VmSlot::build_when_affordable() {
  if (costs_.exhausted(owner_.loop().now())) return wait_backoff();
  request_build();
}

std::chrono::milliseconds VmSlot::next_backoff() noexcept {
  const Plugin& plugin = *group_->plugins.front();
  const MonotonicTime now = owner_.loop().now();
  // A minute beyond the longest wait without trouble: it begins anew.
  if (now - last_backoff_ > plugin.backoff_max + std::chrono::minutes(1)) failures_ = 0;
  last_backoff_ = now;
  const auto wait =
      std::min(plugin.backoff_max, plugin.backoff_base * (int64_t{1} << std::min(failures_, 20u)));
  ++failures_;
  return with_jitter(wait);
}

void VmSlot::wait_backoff() {
  if (backoff_.armed()) return;
  const auto wait = next_backoff();
  WEIR_LOG(
      kWasm, kWarn, "a VM waits before it is started again",
      {{"plugin", group_->plugins.front()->label()}, {"worker", worker_}, {"ms", wait.count()}});
  backoff_.arm(wait);
}

void VmSlot::on_backoff(void* self) {
  auto& slot = *static_cast<VmSlot*>(self);
  slot.take_back();
  if (slot.current_ == nullptr) {
    slot.want_vm();
  } else if ((slot.keep_spare_ || slot.recycling_) && !slot.spare_ && slot.building_ == 0) {
    slot.request_build();
  }
}

// ---- quarantine -------------------------------------------------------------------------------------

bool VmSlot::set_aside(const std::string& why) {
  if (!quarantine_.note(owner_.loop().now())) return false;
  const auto pause = with_jitter(quarantine_.pause());
  for (const auto& plugin : group_->plugins) {
    stats_.plugin(plugin->label())
        .quarantine(worker_,
                    {owner_.loop().system_now() + pause, why, group_->runs_on() == RunsOn::kMain});
    WEIR_LOG(kWasm, kError, "a plugin is quarantined",
             {{"plugin", plugin->label()},
              {"worker", worker_},
              {"failures", group_->vm().quarantine.failures},
              {"ms", pause.count()},
              {"why", why}});
  }
  backoff_.arm(pause);
  return true;
}

void VmSlot::take_back() {
  if (!quarantine_.active()) return;
  quarantine_.release(owner_.loop().now());
  for (const auto& plugin : group_->plugins) {
    stats_.plugin(plugin->label()).release(worker_);
    WEIR_LOG(kWasm, kInfo, "a plugin comes back from its quarantine",
             {{"plugin", plugin->label()}, {"worker", worker_}});
  }
}

// ---- recycling --------------------------------------------------------------------------------------

void VmSlot::recycle() {
  if (current_ == nullptr || retired_ || std::exchange(recycling_, true)) return;
  if (spare_) {
    owner_.on_vm_work(*current_);
  } else if (building_ == 0 && !backoff_.armed()) {
    build_when_affordable();
  }
}

std::unique_ptr<Vm> VmSlot::renew(size_t draining) {
  if (!recycling_ || !spare_ || current_ == nullptr || current_->dead() || draining >= kMaxDraining)
    return nullptr;
  std::unique_ptr<Vm> old = std::move(current_);
  take_over(std::move(spare_));
  for (const auto& plugin : group_->plugins)
    current_->services().stats.plugin(plugin->label()).vm_recycled.inc();
  if (keep_spare_ && building_ == 0 && !backoff_.armed()) build_when_affordable();
  return old;
}

void VmSlot::on_age(void* self) { static_cast<VmSlot*>(self)->recycle(); }

// ---- streams that wait ------------------------------------------------------------------------------

bool VmSlot::await(LeafContext& stream) {
  if (!filling()) return false;
  if (waiters_.empty()) patience_.arm(kPatience);
  waiters_.push_back(stream);
  return true;
}

void VmSlot::serve_waiters() {
  // One of them may kill the VM; the others then wait for the next.
  while (!waiters_.empty() && (out_of_patience_ || !filling()))
    waiters_.pop_front()->on_wait_over();
  out_of_patience_ = false;
  if (waiters_.empty()) patience_.cancel();
}

void VmSlot::on_patience(void* self) {
  auto& slot = *static_cast<VmSlot*>(self);
  slot.out_of_patience_ = true;
  slot.serve_waiters();
}

std::unique_ptr<Vm> VmSlot::retire() {
  retired_ = true;
  take_back();
  backoff_.cancel();
  age_.cancel();
  if (spare_) builder_.dispose(std::move(spare_));
  return std::move(current_);
}

}  // namespace weir::wasm
