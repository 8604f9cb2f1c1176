#include "wasm/root_context.h"

#include <algorithm>
#include <utility>

#include "wasm/header_access.h"
#include "wasm/vm.h"

namespace weir::wasm {
namespace {

constexpr uint32_t kBrokenConnection = 11;  // what get_status says after a failed callout

/// Names as guests write them; the pseudo-headers become the head's fields.
void fill_head(const std::vector<std::pair<std::string, std::string>>& headers, RequestHead& head) {
  head.set_stored_scheme("http");
  for (const auto& [name, value] : headers) {
    if (name == ":method") {
      head.set_method(value);
    } else if (name == ":path") {
      head.set_path(value);
    } else if (name == ":authority" || name == "host") {
      head.set_authority(value);
    } else if (name == ":scheme") {
      head.set_scheme(value);
    } else {
      head.headers.add(name, value);
    }
  }
}

}  // namespace

void PendingCallout::on_callout_done(Result<CalloutResponse> response) noexcept {
  root_.deliver(*this, std::move(response));
}

void RootContext::set_tick(std::chrono::milliseconds period) {
  tick_ = period.count() == 0 ? period : std::max(period, kMinTick);
  if (!timer_) return;
  if (tick_.count() == 0) {
    timer_->cancel();
  } else {
    timer_->arm(tick_);
  }
}

void RootContext::on_tick(void* self) {
  auto& root = *static_cast<RootContext*>(self);
  if (root.vm_.dead()) return;
  if (root.vm_.exports().tick) {
    const Value args[] = {root.id};
    if (!root.vm_.call(root, root.vm_.exports().tick, args).ok) return;
  }
  // Armed only now: a tick that was missed is not made up for.
  if (root.tick_.count() != 0 && !root.timer_->armed()) root.timer_->arm(root.tick_);
}

void RootContext::request_rebuild() {
  if (std::exchange(rebuild_wanted_, true) || loop_ == nullptr) return;
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(loop_->now() - adopted_);
  if (age >= kMinVmAge) return vm_.request_recycle();
  rebuild_.arm(*loop_, &RootContext::on_rebuild, this, kMinVmAge - age);
}

void RootContext::on_rebuild(void* self) {
  auto& root = *static_cast<RootContext*>(self);
  if (!root.vm_.dead()) root.vm_.request_recycle();
}

void RootContext::adopt(event::Loop& loop) {
  loop_ = &loop;
  adopted_ = loop.now();
  if (std::exchange(rebuild_wanted_, false)) request_rebuild();
  timer_.emplace(loop, &RootContext::on_tick, this);
  if (tick_.count() != 0) timer_->arm(tick_);
  std::vector<CalloutOrder> orders;
  orders.swap(orders_);
  for (CalloutOrder& order : orders) {
    const uint32_t order_id = order.id;
    if (!launch(std::move(order))) failed_.push_back(order_id);
  }
  if (!failed_.empty()) vm_.defer_root();
  grpc_.adopt(loop);
  redis.adopt();
}

void RootContext::detach() noexcept {
  timer_.reset();
  rebuild_.release();
  callouts_.clear();  // cancels
  orders_.clear();
  failed_.clear();
  grpc_.detach();
  redis.detach();
}

Result<void> RootContext::start_callout(CalloutOrder order) {
  if (loop_ != nullptr) return launch(std::move(order));
  orders_.push_back(std::move(order));
  return {};
}

Result<void> RootContext::launch(CalloutOrder order) {
  CalloutRequest request;
  request.cluster = order.cluster;
  fill_head(order.headers, request.head);
  request.body.append(order.body);
  for (const auto& [name, value] : order.trailers) request.trailers.add(name, value);
  request.timeout = order.timeout;
  auto pending = std::make_unique<PendingCallout>(*this, order.id);
  auto callout = vm_.owner()->callouts().start(std::move(request), *pending);
  if (!callout) return tl::unexpected(std::move(callout.error()));
  pending->hold(std::move(*callout));
  callouts_.push_back(std::move(pending));
  return {};
}

void RootContext::deliver(PendingCallout& callout, Result<CalloutResponse> response) noexcept {
  const auto found = std::find_if(callouts_.begin(), callouts_.end(),
                                  [&callout](const auto& each) { return each.get() == &callout; });
  if (found == callouts_.end()) return;
  std::unique_ptr<PendingCallout> ended = std::move(*found);
  callouts_.erase(found);
  const uint32_t callout_id = ended->id();
  loop_->defer_delete(std::move(ended));
  if (!response || (response->own && plugin().callout_failures == CalloutFailures::kNoHeaders))
    return deliver_failure(callout_id);
  if (vm_.dead() || !vm_.exports().http_call_response) return;
  callout_response = &*response;
  const Privacy* privacy = vm_.privacy();
  const size_t headers =
      shown_count(privacy, Direction::kResponse, response->head.headers, nullptr, &response->head);
  const size_t trailers =
      shown_count(privacy, Direction::kResponse, response->trailers, nullptr, nullptr);
  const Value args[] = {id, callout_id, headers, response->body.size(), trailers};
  vm_.call(*this, vm_.exports().http_call_response, args);
  callout_response = nullptr;
}

void RootContext::deliver_failure(uint32_t callout) {
  if (vm_.dead() || !vm_.exports().http_call_response) return;
  status_code = kBrokenConnection;
  status_text = "reset";
  const Value args[] = {id, callout, 0, 0, 0};
  vm_.call(*this, vm_.exports().http_call_response, args);
  status_code = 0;
  status_text = {};
}

void RootContext::deliver_failures() {
  while (!failed_.empty()) {
    const uint32_t callout = failed_.front();
    failed_.erase(failed_.begin());
    deliver_failure(callout);
  }
  redis.deliver_failures();
}

void RootContext::log(const Exchange& exchange) {
  if (vm_.dead() || !vm_.exports().log) return;
  logged = &exchange;
  const Value args[] = {id};
  vm_.call(*this, vm_.exports().log, args);
  logged = nullptr;
}

bool RootContext::end() {
  const Exports& exports = vm_.exports();
  const Value args[] = {id};
  if (!ending) finish_requested = false;  // what it has said before is not about this end
  if (!ending && exports.done) {
    const Vm::Outcome outcome = vm_.call(*this, exports.done, args);
    if (outcome.ok && exports.done.returns && outcome.value == 0) {
      ending = true;
      return false;
    }
  }
  if (!vm_.dead() && exports.remove) vm_.call(*this, exports.remove, args);
  detach();
  vm_.remove_context(*this);  // others of the VM may still be there, and must not speak for it
  return true;
}

}  // namespace weir::wasm
