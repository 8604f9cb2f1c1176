#include "wasm/network_filter.h"

#include <utility>

#include "wasm/worker_vms.h"

namespace weir::wasm {
namespace {

constexpr std::string_view kFailDetails = "wasm_fail_stream";
constexpr std::string_view kCloseDetails = "wasm_close_stream";

// The ABI's PeerType: whose close it was.
constexpr uint32_t kLocalPeer = 1;
constexpr uint32_t kRemotePeer = 2;

const ExportFunction kNone;

}  // namespace

// ---- the VM -----------------------------------------------------------------------------------------

void WasmNetworkFilter::take_vm() {
  RootContext* found = nullptr;
  vm_ = vms_.pick(plugin_, found);
  if (vm_ == nullptr) return;
  if (!vm_->admits(*found)) {
    vm_ = nullptr;
    refused_ = true;
    return;
  }
  root = found;
  vm_->enter_stream(*this);
}

void WasmNetworkFilter::leave() noexcept {
  base::IntrusiveList<LeafContext, WaitersTag>::erase(*this);
  if (vm_ == nullptr) return;
  std::exchange(vm_, nullptr)->leave_stream(*this);
}

bool WasmNetworkFilter::enter() {
  if (vm_ == nullptr || vm_->dead()) return false;
  vm_->add_context(*this);
  if (!vm_->exports().context_create) return true;
  const Value args[] = {id, root->id};
  return vm_->call(*this, vm_->exports().context_create, args).ok;
}

// ---- failure ----------------------------------------------------------------------------------------

NetworkFlow WasmNetworkFilter::failed() {
  on_vm_gone();
  return state_ == State::kBypassed ? NetworkFlow::kContinue : NetworkFlow::kStop;
}

void WasmNetworkFilter::on_vm_gone() {
  leave();
  if (!live()) return;
  downstream = upstream = ByteDirection{};
  close_wanted = false;
  if (plugin_.failure_policy == FailurePolicy::kOpen) {
    state_ = State::kBypassed;
    stats_.bypassed_streams.inc();
    if (callbacks == nullptr) return;
    hold_early(false);
    pass_early();
    callbacks->continue_writing();
    return;
  }
  state_ = State::kClosed;
  stats_.failed_streams.inc();
  if (callbacks != nullptr) callbacks->close(CloseHow::kNow, kFailDetails);
}

// ---- effects ----------------------------------------------------------------------------------------

/// A resume of the callback's own direction is its result; the rest happens when it has returned.
NetworkFlow WasmNetworkFilter::effects_of_callback(ByteDirection& own, bool paused) {
  const bool resumed = std::exchange(own.resume, false);
  if (has_effects()) apply_effects();
  return paused && !resumed ? NetworkFlow::kStop : NetworkFlow::kContinue;
}

void WasmNetworkFilter::apply_effects() {
  const bool read_on = std::exchange(downstream.resume, false);
  const bool write_on = std::exchange(upstream.resume, false);
  const bool close = std::exchange(close_wanted, false);
  if (!live() || callbacks == nullptr) return;
  if (read_on) resume_reading();
  if (write_on && live()) callbacks->continue_writing();
  if (close && live()) callbacks->close(CloseHow::kFlush, kCloseDetails);
}

void WasmNetworkFilter::resume_reading() {
  if (state_ == State::kHeld) {
    state_ = State::kActive;
    return offer_early();
  }
  pass_early();
}

void WasmNetworkFilter::hold_early(bool held) {
  if (held == reading_held_) return;
  reading_held_ = held;
  held ? callbacks->hold_reading() : callbacks->release_reading();
}

/// The guest may be asked now about what came before it could be. It has let the connection go on: the filters behind it learn
/// of that whatever it does with the bytes.
void WasmNetworkFilter::offer_early() {
  hold_early(false);
  if (!early_.empty() || early_end_) {
    callbacks->inject_read({}, EndStream::kNo);
    const EndStream end = early_end_ ? EndStream::kYes : EndStream::kNo;
    const NetworkFlow flow = run_data(vm_->exports().downstream_data, downstream, early_, end);
    if (flow == NetworkFlow::kStop) return;
  }
  pass_early();
}

/// The end, where it has come, is held by the chain.
void WasmNetworkFilter::pass_early() {
  if (!early_.empty()) callbacks->inject_read(std::move(early_), EndStream::kNo);
  early_.clear();
  callbacks->continue_reading();
}

// ---- callbacks --------------------------------------------------------------------------------------

void WasmNetworkFilter::attach(NetworkFilterCallbacks& to) {
  NetworkFilter::attach(to);
  callbacks = &to;
}

NetworkFlow WasmNetworkFilter::on_new_connection() {
  take_vm();
  if (vm_ == nullptr && !refused_ && vms_.await(plugin_, *this)) {
    state_ = State::kWaiting;
    hold_early(true);
    return NetworkFlow::kStop;
  }
  return begin();
}

void WasmNetworkFilter::on_wait_over() {
  if (state_ != State::kWaiting || callbacks == nullptr) return;
  take_vm();
  if (begin() == NetworkFlow::kContinue && state_ == State::kActive) offer_early();
}

NetworkFlow WasmNetworkFilter::begin() {
  state_ = State::kActive;
  in_callback = true;
  bool ok = enter();
  bool paused = false;
  if (const ExportFunction& callback = vm_ != nullptr ? vm_->exports().new_connection : kNone;
      ok && callback) {
    const Value args[] = {id};
    const Vm::Outcome outcome = vm_->call(*this, callback, args);
    ok = outcome.ok;
    paused = callback.returns && outcome.value != 0;
  }
  const NetworkFlow flow = ok ? effects_of_callback(downstream, paused) : failed();
  in_callback = false;
  if (flow == NetworkFlow::kStop && state_ == State::kActive) {
    state_ = State::kHeld;
    hold_early(true);
  }
  return flow;
}

NetworkFlow WasmNetworkFilter::run_data(const ExportFunction& callback, ByteDirection& direction,
                                        Buffer& data, EndStream end) {
  if (!callback) return NetworkFlow::kContinue;
  in_callback = true;
  direction.data = &data;
  const Value args[] = {id, data.size(), end == EndStream::kYes};
  const Vm::Outcome outcome = vm_->call(*this, callback, args);
  direction.data = nullptr;
  const NetworkFlow flow =
      outcome.ok ? effects_of_callback(direction, callback.returns && outcome.value != 0)
                 : failed();
  in_callback = false;
  return flow;
}

NetworkFlow WasmNetworkFilter::on_data(Buffer& data, EndStream end) {
  if (state_ == State::kWaiting || state_ == State::kHeld) {
    early_.append(std::move(data));
    data.clear();
    early_end_ |= end == EndStream::kYes;
    return NetworkFlow::kStop;
  }
  if (!early_.empty()) {  // the guest has paused at it, and sees all of it again
    early_.append(std::move(data));
    data = std::move(early_);
    early_.clear();
  }
  if (state_ != State::kActive)
    return state_ == State::kBypassed ? NetworkFlow::kContinue : NetworkFlow::kStop;
  return run_data(vm_->exports().downstream_data, downstream, data, end);
}

NetworkFlow WasmNetworkFilter::on_write(Buffer& data, EndStream end) {
  if (!live()) return state_ == State::kClosed ? NetworkFlow::kStop : NetworkFlow::kContinue;
  upstream_seen_ = true;
  const NetworkFlow flow = run_data(vm_->exports().upstream_data, upstream, data, end);
  if (end == EndStream::kYes && live()) tell_upstream_closed(kRemotePeer);
  return flow;
}

void WasmNetworkFilter::tell_upstream_closed(uint32_t peer) {
  if (std::exchange(upstream_closed_, true)) return;
  if (vm_ == nullptr || vm_->dead() || !vm_->exports().upstream_close) return;
  const Value args[] = {id, peer};
  in_callback = true;
  vm_->call(*this, vm_->exports().upstream_close, args);
  in_callback = false;
  if (has_effects()) apply_effects();
}

void WasmNetworkFilter::on_close(CloseEvent by) noexcept {
  if (live() && vm_ != nullptr && !vm_->dead() && id != 0) {
    state_ = State::kClosed;  // nothing more happens to the connection
    if (upstream_seen_) tell_upstream_closed(kLocalPeer);
    const Value closed[] = {id, by == CloseEvent::kRemote ? kRemotePeer : kLocalPeer};
    if (!vm_->dead() && vm_->exports().downstream_close)
      vm_->call(*this, vm_->exports().downstream_close, closed);
    in_callback = logging = true;
    const Value args[] = {id};
    if (!vm_->dead() && vm_->end_stream()) vm_->call(*this, vm_->end_stream(), args);
  }
  state_ = State::kClosed;
  leave();
  callbacks = nullptr;
}

}  // namespace weir::wasm
