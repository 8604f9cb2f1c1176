#include "wasm/vm_slot.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/log.h"
#include "base/random.h"

namespace weir::wasm {

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

VmSlot::VmSlot(VmOwner& owner, VmBuilder& builder, unsigned worker,
               std::shared_ptr<const VmGroup> group)
    : owner_(owner),
      builder_(builder),
      worker_(worker),
      group_(std::move(group)),
      backoff_(owner.loop(), &VmSlot::on_backoff, this),
      patience_(owner.loop(), &VmSlot::on_patience, this) {}

VmSlot::~VmSlot() {
  serve_waiters();
  if (spare_) builder_.dispose(std::move(spare_));
}

void VmSlot::install(std::unique_ptr<Vm> vm) {
  if (building_ > 0) --building_;
  if (retired_) return builder_.dispose(std::move(vm));
  if (current_ || backoff_.armed()) {  // a spare that comes during a back-off waits for its end
    if (spare_) return builder_.dispose(std::move(vm));
    vm->record().set_state(VmState::kSpare);
    spare_ = std::move(vm);
    return;
  }
  current_ = std::move(vm);
  current_->adopt(owner_);
  if (keep_spare_) {
    for (const auto& plugin : group_->plugins)
      current_->services().stats.plugin(plugin->label()).vm_reload_success.inc();
    if (!spare_ && building_ == 0 && !costs_.exhausted(owner_.loop().now())) request_build();
  }
}

void VmSlot::build_failed(const std::string& why, uint64_t cost_ns) {
  if (building_ > 0) --building_;
  count_cost(cost_ns);
  if (retired_) return;
  WEIR_LOG(kWasm, kError, "a VM could not be started again",
           {{"plugin", group_->plugins.front()->label()}, {"worker", worker_}, {"why", why}});
  wait_backoff();
}

std::unique_ptr<Vm> VmSlot::replace_dead() {
  std::unique_ptr<Vm> dead = std::move(current_);
  keep_spare_ = true;
  for (const auto& plugin : group_->plugins)
    dead->services().stats.plugin(plugin->label()).vm_reload.inc();
  count_cost(dead->last_call_cost_ns());
  if (costs_.exhausted(owner_.loop().now())) {
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
    install(std::exchange(spare_, nullptr));
  } else if (building_ == 0) {
    request_build();
  }
}

void VmSlot::request_build() {
  ++building_;
  builder_.build(worker_, group_);
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
  // A tenth of jitter, so that workers do not start their VMs at the same time.
  return wait + std::chrono::milliseconds(
                    base::random_below(static_cast<uint64_t>(wait.count()) / 10 + 1));
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
  if (slot.current_ == nullptr) {
    slot.want_vm();
  } else if (slot.keep_spare_ && !slot.spare_ && slot.building_ == 0) {
    slot.request_build();
  }
}

// ---- streams that wait ------------------------------------------------------------------------------

bool VmSlot::await(StreamContext& stream) {
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
  backoff_.cancel();
  if (spare_) builder_.dispose(std::move(spare_));
  return std::move(current_);
}

}  // namespace weir::wasm
