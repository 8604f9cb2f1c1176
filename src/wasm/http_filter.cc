#include "wasm/http_filter.h"

#include <utility>

#include "base/block_pool.h"
#include "base/check.h"
#include "base/strings.h"
#include "stream/slot_callbacks.h"
#include "wasm/header_access.h"
#include "wasm/worker_vms.h"

namespace weir::wasm {
namespace {

constexpr std::string_view kFailDetails = "wasm_fail_stream";
constexpr int kGrpcUnavailable = 14;

constinit thread_local base::FreeList free_list{sizeof(WasmFilter), 256};

/// What a headers callback returned; the numbers are Envoy's extended ones.
Flow headers_flow(uint32_t action, bool stop_iteration) noexcept {
  switch (action) {
    case 0:
    case 2:  // ContinueAndEndStream is taken as Continue by every host
      return Flow::kContinue;
    case 1:
      return stop_iteration ? Flow::kPauseHead : Flow::kPauseAll;
    default:
      return Flow::kPauseAll;
  }
}

Flow body_flow(uint32_t action) noexcept {
  switch (action) {
    case 0:
      return Flow::kContinue;
    case 1:
      return Flow::kBuffer;
    case 2:
      return Flow::kWatermark;
    default:
      return Flow::kDrop;
  }
}

}  // namespace

void* WasmFilter::operator new(size_t size) {
  WEIR_DCHECK(size == sizeof(WasmFilter));
  return free_list.take();
}

void WasmFilter::operator delete(void* memory) noexcept {
  if (memory != nullptr) free_list.give(memory);
}

WasmFilter::WasmFilter(const Plugin& plugin, PluginStats& stats, WorkerVms& vms, PluginOf plugin_of)
    : plugin_(&plugin), stats_(&stats), vms_(vms), plugin_of_(plugin_of) {}

WasmFilter::~WasmFilter() { leave(); }

void WasmFilter::take_vm() {
  RootContext* found = nullptr;
  vm_ = vms_.pick(*plugin_, found);
  if (vm_ == nullptr) return;
  if (!vm_->admits(*found)) {
    vm_ = nullptr;
    refused_ = true;
    return;
  }
  root = found;
  vm_->enter_stream(*this);
}

/// When the stream enters the filter: what the route says then holds to its end.
void WasmFilter::choose_plugin() {
  if (plugin_of_ == PluginOf::kFilter) return;
  const auto* of_route = static_cast<const RoutePlugin*>(callbacks->route_config());
  if (of_route == nullptr || of_route->plugin.get() == plugin_) return;
  leave();
  refused_ = false;
  plugin_ = of_route->plugin.get();
  stats_ = of_route->stats;
  take_vm();
}

void WasmFilter::leave() noexcept {
  base::IntrusiveList<LeafContext, WaitersTag>::erase(*this);
  if (vm_ == nullptr) return;
  std::exchange(vm_, nullptr)->leave_stream(*this);
}

void WasmFilter::attach(FilterCallbacks& to) {
  HttpFilter::attach(to);
  callbacks = &to;
  if (const uint64_t held = plugin_->vm.limits.max_body_bytes; held != 0) to.limit_held_body(held);
  if (plugin_of_ == PluginOf::kFilter) take_vm();
}

bool WasmFilter::enter() {
  if (vm_ == nullptr || vm_->dead()) return false;
  if (id != 0) return true;
  vm_->add_context(*this);
  if (!vm_->exports().context_create) return true;
  const Value args[] = {id, root->id};
  return vm_->call(*this, vm_->exports().context_create, args).ok;
}

// ---- failure ----------------------------------------------------------------------------------------

/// What callbacks answer once the guest is out of it. A failed stream has its answer, which passes here as a response.
Flow WasmFilter::inactive(const DirectionState& direction) const noexcept {
  return state_ == State::kBypassed || &direction == &response ? Flow::kContinue : Flow::kReplied;
}

Flow WasmFilter::failed(const DirectionState& direction) {
  const bool had_answer = replied;
  on_vm_gone();
  if (state_ == State::kFailed && !had_answer) return Flow::kReplied;
  return inactive(direction);
}

void WasmFilter::on_vm_gone() {
  leave();
  if (state_ != State::kActive) return;  // one that the guest does not know yet takes the next VM
  request.head_open = response.head_open = false;
  reply.reset();
  if (plugin_->failure_policy == FailurePolicy::kOpen) {
    state_ = State::kBypassed;
    stats_->bypassed_streams.inc();
    if (callbacks == nullptr) return;
    callbacks->continue_request();
    callbacks->continue_response();
    return;
  }
  state_ = State::kFailed;
  stats_->failed_streams.inc();
  if (replied || callbacks == nullptr) {
    if (callbacks != nullptr) callbacks->continue_response();  // its own answer may be held here
    return;
  }
  replied = true;
  LocalReply answer;
  answer.status = 503;
  answer.details = kFailDetails;
  answer.grpc_status = kGrpcUnavailable;
  callbacks->reply(std::move(answer));
}

// ---- effects ----------------------------------------------------------------------------------------

void WasmFilter::send_reply() {
  const std::unique_ptr<LocalReply> answer = std::move(reply);
  // The first one counts; a further one ends the guest's hold on it, as an answer ends every pause.
  if (std::exchange(replied, true)) return resume(response);
  callbacks->reply(std::move(*answer));
}

/// Turns what the guest asked for about its own stream into the result of the callback.
Flow WasmFilter::effects_of_callback(DirectionState& direction, Flow flow) {
  if (!has_effects()) [[likely]]
    return flow;
  if (std::exchange(clear_route, false)) callbacks->clear_route_cache();
  if (reply) {
    request.resume = response.resume = false;
    if (replied) {  // it is ignored, and so is what the callback returned with it
      reply.reset();
      return Flow::kContinue;
    }
    send_reply();
    return Flow::kReplied;
  }
  if (std::exchange(reset_wanted, false)) {
    replied = true;
    callbacks->reset("wasm_close_stream");
    return Flow::kReplied;
  }
  DirectionState& other = &direction == &request ? response : request;
  if (std::exchange(other.resume, false)) resume(other);
  if (std::exchange(direction.resume, false)) {
    if (flow != Flow::kDrop) return Flow::kContinue;
    go_on(direction);  // with what is left
  }
  return flow;
}

void WasmFilter::apply_effects() {
  if (vm_ == nullptr || callbacks == nullptr || in_callback) return;
  if (std::exchange(clear_route, false)) callbacks->clear_route_cache();
  if (reply) {
    request.resume = response.resume = false;
    return send_reply();
  }
  if (std::exchange(reset_wanted, false)) {
    replied = true;
    return callbacks->reset("wasm_close_stream");
  }
  if (std::exchange(request.resume, false)) resume(request);
  if (std::exchange(response.resume, false)) resume(response);
}

/// Lets go of what the guest held. It is no longer this filter's to change.
void WasmFilter::resume(DirectionState& direction) {
  const bool is_request = &direction == &request;
  const Buffer* held =
      is_request ? callbacks->held_request_body() : callbacks->held_response_body();
  if (std::exchange(direction.unseen, false)) {
    pass_head(direction);  // what is held comes to the guest yet, and counts then
  } else if (held != nullptr && !pass_body(direction, held->size())) {
    return;
  }
  go_on(direction);
}

void WasmFilter::go_on(DirectionState& direction) {
  direction.head_open = direction.trailers_open = direction.buffering = false;
  if (&direction == &request) {
    callbacks->continue_request();
  } else {
    callbacks->continue_response();
  }
}

// ---- framing ----------------------------------------------------------------------------------------

HeaderMap* WasmFilter::headers_of(const DirectionState& direction) noexcept {
  if (&direction == &request) {
    RequestHead* head = callbacks->request_head();
    return head != nullptr ? &head->headers : nullptr;
  }
  ResponseHead* head = callbacks->response_head();
  return head != nullptr ? &head->headers : nullptr;
}

/// A message without a body must not announce one, unless it only says how long it would have been (RFC 9110 8.6).
void WasmFilter::pass_head(DirectionState& direction) {
  if (!direction.body_changed || !direction.ended) return;
  if (&direction == &response) {
    const ResponseHead* head = callbacks->response_head();
    const RequestHead* asked = callbacks->request_head();
    if (head == nullptr || head->status == 304 || (asked != nullptr && asked->method() == "HEAD"))
      return;
  }
  HeaderMap* headers = headers_of(direction);
  if (headers != nullptr && headers->get(HeaderId::kContentLength).value_or("0") != "0")
    headers->remove(HeaderId::kContentLength);
}

/// A guest may change the length of a body. While the head still stands here its content-length is corrected; where it has gone on
/// and announced another length, the message is cut: false.
bool WasmFilter::pass_body(DirectionState& direction, size_t size) {
  const bool first = direction.passed == 0;
  direction.passed += size;
  if (!direction.body_changed) [[likely]]
    return true;
  HeaderMap* headers = headers_of(direction);
  if (headers == nullptr) return true;
  if (direction.head_open && direction.length_dropped && direction.ended && first) {
    headers->set(HeaderId::kContentLength, std::to_string(size));
    return true;
  }
  const auto announced = headers->get(HeaderId::kContentLength);
  if (!announced) return true;
  const auto length = base::parse_u64(*announced);
  if (length && (direction.ended ? direction.passed == *length : direction.passed <= *length))
    return true;
  replied = true;
  callbacks->reset("wasm_body_length_mismatch");
  return false;
}

// ---- callbacks --------------------------------------------------------------------------------------

/// The callback, and before it the stream's creation where the guest does not know it yet. Ok where it has no such callback.
Vm::Outcome WasmFilter::call_headers(const ExportFunction& callback,
                                     const DirectionState& direction, size_t count) {
  if (vm_ == nullptr) return {};
  if (id == 0 && &direction == &request && vm_->begin_stream()) {
    if (vm_->dead()) return {};
    vm_->add_context(*this);
    const Value args[] = {id, root->id, count, direction.ended};
    return vm_->call(*this, vm_->begin_stream(), args);
  }
  if (!enter()) return {};
  if (!callback) return {true, 0};
  const Value args[] = {id, count, direction.ended};
  return vm_->call(*this, callback, args);
}

Flow WasmFilter::run_headers(const ExportFunction& callback, DirectionState& direction,
                             size_t count, EndStream end) {
  if (state_ == State::kNew) state_ = State::kActive;
  if (state_ != State::kActive) return inactive(direction);
  in_callback = true;
  direction.head_open = true;
  direction.ended = end == EndStream::kYes;
  Flow flow = Flow::kContinue;
  const Vm::Outcome outcome = call_headers(callback, direction, count);
  if (callback && callback.returns) {
    const bool literal =
        plugin_->allow_on_headers_stop_iteration || vm_->exports().version == AbiVersion::kHigress;
    flow = headers_flow(outcome.value, literal);
  }
  flow = outcome.ok ? effects_of_callback(direction, flow) : failed(direction);
  in_callback = false;
  direction.unseen = flow == Flow::kPauseAll || (flow == Flow::kPauseHead && direction.ended);
  if ((flow == Flow::kContinue || direction.injected) && state_ == State::kActive) {
    pass_head(direction);
    direction.head_open = false;
  }
  return flow;
}

Flow WasmFilter::on_request_head(RequestHead& head, EndStream end) {
  if (state_ == State::kNew) {
    choose_plugin();
    if (vm_ != nullptr && vm_->dead()) leave();
    if (vm_ == nullptr && !refused_) take_vm();
    if (vm_ == nullptr && !refused_ && vms_.await(*plugin_, *this)) {
      state_ = State::kWaiting;
      request.ended = end == EndStream::kYes;
      return Flow::kPauseAll;
    }
  }
  return begin(head, end);
}

void WasmFilter::on_wait_over() {
  RequestHead* head = callbacks != nullptr ? callbacks->request_head() : nullptr;
  if (state_ != State::kWaiting || head == nullptr) return;
  state_ = State::kNew;
  take_vm();
  const Flow flow = begin(*head, request.ended ? EndStream::kYes : EndStream::kNo);
  if (flow == Flow::kContinue) callbacks->continue_request();
  // The whole message has waited; now the head alone does.
  if (flow == Flow::kPauseHead) static_cast<stream::SlotCallbacks*>(callbacks)->show_request_body();
}

Flow WasmFilter::begin(RequestHead& head, EndStream end) {
  static const ExportFunction kNone;
  return run_headers(
      vm_ != nullptr ? vm_->exports().request_headers : kNone, request,
      shown_count(plugin_->vm.privacy.get(), Direction::kRequest, head.headers, &head, nullptr),
      end);
}

Flow WasmFilter::on_response_head(ResponseHead& head, EndStream end) {
  static const ExportFunction kNone;
  response = DirectionState{};  // an answer may follow a response that was given up
  return run_headers(
      vm_ != nullptr ? vm_->exports().response_headers : kNone, response,
      shown_count(plugin_->vm.privacy.get(), Direction::kResponse, head.headers, nullptr, &head),
      end);
}

Flow WasmFilter::run_body(const ExportFunction& callback, DirectionState& direction, Buffer& data,
                          EndStream end) {
  if (state_ != State::kActive) return inactive(direction);
  if (direction.buffering && overflows(direction, data.size())) return Flow::kBuffer;
  Flow flow = Flow::kContinue;
  direction.ended = end == EndStream::kYes;
  if (id != 0 && callback) {
    in_callback = true;
    direction.body = &data;
    direction.body_end = direction.ended;
    const Value args[] = {id, data.size(), direction.ended};
    const Vm::Outcome outcome = vm_->call(*this, callback, args);
    direction.body = nullptr;
    direction.body_end = false;
    flow = outcome.ok ? effects_of_callback(direction, callback.returns ? body_flow(outcome.value)
                                                                        : Flow::kContinue)
                      : failed(direction);
    in_callback = false;
    direction.buffering = flow == Flow::kBuffer;
    if (direction.buffering) overflows(direction, data.size());
  }
  if (flow != Flow::kContinue || state_ != State::kActive) return flow;
  if (!pass_body(direction, data.size())) return Flow::kReplied;
  direction.head_open = false;
  return flow;
}

/// The chain answers 413 or 500 for what is held beyond a limit; the guest is not called for what goes beyond it.
bool WasmFilter::overflows(const DirectionState& direction, size_t bytes) {
  const uint64_t limit = plugin_->vm.limits.max_body_bytes;
  const bool over = limit != 0 && bytes > limit;
  if (over && vm_ != nullptr) vm_->count_limit(LimitKind::kBody, *this);
  const auto way = &direction == &request ? Direction::kRequest : Direction::kResponse;
  return over || bytes > callbacks->buffer_limit(way);
}

Flow WasmFilter::on_request_body(Buffer& data, EndStream end) {
  static const ExportFunction kNone;
  return run_body(vm_ != nullptr ? vm_->exports().request_body : kNone, request, data, end);
}

Flow WasmFilter::on_response_body(Buffer& data, EndStream end) {
  static const ExportFunction kNone;
  return run_body(vm_ != nullptr ? vm_->exports().response_body : kNone, response, data, end);
}

Flow WasmFilter::run_trailers(const ExportFunction& callback, DirectionState& direction,
                              size_t count) {
  if (state_ != State::kActive) return inactive(direction);
  Flow flow = Flow::kContinue;
  direction.ended = true;
  direction.trailers_open = true;
  if (id != 0 && callback) {
    in_callback = true;
    const Value args[] = {id, count};
    const Vm::Outcome outcome = vm_->call(*this, callback, args);
    const bool paused = callback.returns && outcome.value != 0;
    flow = outcome.ok ? effects_of_callback(direction, paused ? Flow::kPauseAll : Flow::kContinue)
                      : failed(direction);
    in_callback = false;
  }
  if (flow != Flow::kContinue || state_ != State::kActive) return flow;
  Buffer* held =
      &direction == &request ? callbacks->held_request_body() : callbacks->held_response_body();
  if (!pass_body(direction, held != nullptr ? held->size() : 0)) return Flow::kReplied;
  direction.head_open = direction.trailers_open = false;
  return flow;
}

Flow WasmFilter::on_request_trailers(HeaderMap& trailers) {
  static const ExportFunction kNone;
  return run_trailers(
      vm_ != nullptr ? vm_->exports().request_trailers : kNone, request,
      shown_count(plugin_->vm.privacy.get(), Direction::kRequest, trailers, nullptr, nullptr));
}

Flow WasmFilter::on_response_trailers(HeaderMap& trailers) {
  static const ExportFunction kNone;
  return run_trailers(
      vm_ != nullptr ? vm_->exports().response_trailers : kNone, response,
      shown_count(plugin_->vm.privacy.get(), Direction::kResponse, trailers, nullptr, nullptr));
}

void WasmFilter::on_stream_end(const StreamInfo&) noexcept {
  if (state_ == State::kNew) {
    choose_plugin();
    if (vm_ == nullptr && !refused_) take_vm();
  }
  if ((state_ == State::kActive || state_ == State::kNew) && vm_ != nullptr) {
    in_callback = logging = true;
    for (DirectionState* direction : {&request, &response})
      direction->head_open = direction->trailers_open = false;
    // A stream that was answered before it came here is known to the guest for its log alone.
    const bool known = enter();
    const Value args[] = {id};
    if (known && vm_->end_stream()) vm_->call(*this, vm_->end_stream(), args);
    state_ = State::kFailed;
  }
  leave();
  callbacks = nullptr;
}

}  // namespace weir::wasm
