// What stands still in the chain: what lanes hold and release, within which limits, and what filters ask for meanwhile.
#include <algorithm>
#include <string>
#include <utility>

#include "base/strings.h"
#include "stream/chain.h"
#include "stream/chain_slot.h"
#include "stream/local_reply.h"

namespace weir::stream {
namespace {

constexpr size_t kMaxInjected = 16 * 1024 * 1024;

}  // namespace

// ---- release -----------------------------------------------------------------------------------------------------

/// Lets everything that the lane holds go on, in order. kAll: the filter has not seen body and trailers yet.
template <Direction D>
void FilterChain::release(int index) {
  Lane& here = lane<D>(index);
  const Stop stop = here.stop;
  if (stop == Stop::kNone || here.releasing) return;
  const uint32_t started = epoch<D>();
  const int first = stop == Stop::kAll ? index : next<D>(index);
  here.releasing = true;
  here.stop = Stop::kNone;
  if (here.head_waiting) {
    here.head_waiting = false;
    if (clock_.on()) [[unlikely]]
      slots_[static_cast<size_t>(index)].time.let_go();
    fix_length<D>(here, stop);
    const bool alone =
        here.head_end && here.held.empty() && !here.body_end && !here.trailers_waiting;
    if (alone) here.end_passed = true;
    run_head<D>(next<D>(index), alone ? EndStream::kYes : EndStream::kNo);
    if (epoch<D>() != started) return;
  }
  hold_sender<D>(here, false);
  here.releasing = false;
  if (!here.held.empty() || here.body_end) {
    Buffer data = std::move(here.held);
    const bool end = std::exchange(here.body_end, false);
    if (end && stop != Stop::kAll) here.end_passed = true;
    run_body<D>(first, data, end ? EndStream::kYes : EndStream::kNo);
    if (epoch<D>() != started) return;
  }
  if (std::exchange(here.trailers_waiting, false)) {
    if (stop != Stop::kAll) here.end_passed = true;
    run_trailers<D>(first);
  }
}

/// Sets content-length right where the whole body is known, or takes it away where a filter changed the body.
template <Direction D>
void FilterChain::fix_length(Lane& here, Stop stop) {
  const Length& length = D == Direction::kRequest ? request_length_ : response_length_;
  HeaderMap& map = headers<D>();
  const auto declared = map.get(HeaderId::kContentLength);
  const bool with_trailers = here.trailers_waiting;
  const bool whole = here.body_end && !with_trailers;
  if (here.head_end && !here.held.empty()) {  // a body for a message that had none
    if (D == Direction::kResponse && exchange_->request.method() == "HEAD") return;
    if (whole)
      map.set(HeaderId::kContentLength, std::to_string(here.held.size()));
    else
      map.remove(HeaderId::kContentLength);
    return;
  }
  if (!declared) return;
  const bool untouched = !length.changed && here.held.size() == here.received;
  if (stop == Stop::kAll && untouched) return;  // the filter may have announced what it makes of it
  if (whole && !here.held.empty()) {
    if (base::parse_u64(*declared) != here.held.size())
      map.set(HeaderId::kContentLength, std::to_string(here.held.size()));
  } else if (whole && length.changed) {
    map.set(HeaderId::kContentLength, "0");
  } else if (length.changed || here.held.size() != here.received ||
             (here.head_end && with_trailers)) {
    map.remove(HeaderId::kContentLength);
  }
}

template <Direction D>
void FilterChain::check_limit(int index, bool watermark) {
  Lane& here = lane<D>(index);
  const size_t limit = std::min(D == Direction::kRequest ? request_limit_ : response_limit_,
                                slots_[static_cast<size_t>(index)].held_limit);
  const size_t size = here.held.size();
  if (watermark) {
    if (size >= limit && size > 0)
      hold_sender<D>(here, true);
    else if (size <= limit / 2)
      hold_sender<D>(here, false);
    return;
  }
  if (size <= limit) return;
  if (reply_due_ || reset_due_) return;
  LocalReply reply;
  if (D == Direction::kRequest) {
    reply.status = 413;
    reply.body = "Payload Too Large";
    reply.details = kRequestTooLarge;
  } else {
    reply.status = 500;
    reply.body = "Internal Server Error";
    reply.details = kResponseTooLarge;
  }
  reply_due_ = std::move(reply);
  schedule();
}

template <Direction D>
void FilterChain::hold_sender(Lane& here, bool hold) {
  if (here.holds_sender == hold) return;
  here.holds_sender = hold;
  if constexpr (D == Direction::kRequest) {
    if (hold ? request_gate_.hold(Why::kFilter) : request_gate_.release(Why::kFilter))
      hold ? host_->hold_request() : host_->release_request();
  } else if (terminal_ != nullptr) {
    if (hold ? response_gate_.hold(Why::kFilter) : response_gate_.release(Why::kFilter))
      hold ? terminal_->on_response_blocked() : terminal_->on_response_resumed();
  }
}

/// Ends a direction: nothing that is held or on its way goes on, also not in the loops below on the stack.
template <Direction D>
void FilterChain::kill() {
  ++epoch<D>();
  for (int i = 0; i < count_; ++i) {
    Lane& here = lane<D>(i);
    hold_sender<D>(here, false);
    const bool entered = here.entered;
    const bool in_callback = here.in_callback;
    here.clear();
    here.entered = entered;
    here.in_callback = in_callback;
  }
}

// ---- what filters ask for ------------------------------------------------------------------------------------------

template <Direction D>
void FilterChain::continue_from(int index) {
  if (ended_ || done_) return;
  Lane& here = lane<D>(index);
  if (here.stop == Stop::kNone && !here.in_callback) return;
  here.continue_due = true;
  schedule();
}

template <Direction D>
void FilterChain::add_body(int index, Buffer&& data) {
  Lane& here = lane<D>(index);
  const bool dead = D == Direction::kRequest && request_dead_;
  if (ended_ || done_ || dead || !here.entered || (here.end_passed && !here.in_callback)) {
    data.clear();
    return;
  }
  Length& length = D == Direction::kRequest ? request_length_ : response_length_;
  length.changed = true;
  if (!here.in_callback && (here.stop != Stop::kNone || here.releasing)) {
    here.held.append(std::move(data));
    if (here.head_end) here.body_end = !here.trailers_waiting;
    check_limit<D>(index, true);
    return;
  }
  here.added.append(std::move(data));
  if (!here.in_callback) schedule();
}

template <Direction D>
void FilterChain::pass_body(int index, Buffer&& data) {
  Lane& here = lane<D>(index);
  const bool dead = D == Direction::kRequest && request_dead_;
  if (ended_ || done_ || dead || !here.entered || here.head_waiting || here.end_passed) {
    data.clear();
    return;
  }
  here.passed.append(std::move(data));
  schedule();
}

void FilterChain::inject_body(int index, Buffer&& data, EndStream end) {
  Lane& here = lane<Direction::kResponse>(index);
  if (ended_ || done_ || !here.entered || here.end_passed || here.end_due) {
    data.clear();
    return;
  }
  if (exchange_->request.method() == "HEAD") data.clear();
  // What a filter makes has no sender who could be held: neither in one callback nor while the client reads nothing.
  if (response_gate_.count(Why::kReceiver) > 0) injected_unread_ += data.size();
  if (std::max(here.passed.size() + data.size(), injected_unread_) >
      std::max(kMaxInjected, response_limit_))
    return slots_[static_cast<size_t>(index)].reset("filter_injected_too_much");
  here.passed.append(std::move(data));
  here.injected = true;
  here.end_due = end == EndStream::kYes;
  schedule();
}

void FilterChain::show_body(int index) {
  if (ended_ || done_) return;
  lane<Direction::kRequest>(index).show_due = true;
  schedule();
}

/// Has what waits behind a head that goes on waiting pass the filter.
void FilterChain::show_held(int index) {
  Lane& here = lane<Direction::kRequest>(index);
  if (here.stop != Stop::kAll || !here.head_waiting) return;
  const uint32_t started = request_epoch_;
  here.stop = Stop::kHead;
  hold_sender<Direction::kRequest>(here, false);
  const bool trailers = std::exchange(here.trailers_waiting, false);
  if (!here.held.empty() || here.body_end) {
    Buffer data = std::move(here.held);
    here.received -= data.size();  // what arrives here counts, and this did already
    const bool end = std::exchange(here.body_end, false);
    run_body<Direction::kRequest>(index, data, end ? EndStream::kYes : EndStream::kNo);
    data.clear();
    if (request_epoch_ != started) return;
  }
  if (trailers) run_trailers<Direction::kRequest>(index);
}

/// Sends what pass_body() and inject_body() have left. False: the direction is over for who called.
template <Direction D>
bool FilterChain::flush_passed(int index) {
  Lane& here = lane<D>(index);
  here.injected = false;
  if (here.passed.empty() && !here.end_due) return true;
  const uint32_t started = epoch<D>();
  if (std::exchange(here.head_waiting, false)) {
    headers<D>().remove(HeaderId::kContentLength);
    // The end of a message that had no body stays here, until the filter lets it go.
    if (here.head_end) here.body_end = !here.trailers_waiting;
    const bool holds = !here.held.empty() || here.body_end || here.trailers_waiting;
    if (here.stop == Stop::kHead) here.stop = holds ? Stop::kBody : Stop::kNone;
    run_head<D>(next<D>(index), EndStream::kNo);
    if (epoch<D>() != started) return false;
  }
  Buffer data = std::move(here.passed);
  const bool end = std::exchange(here.end_due, false);
  if (end) {
    here.held.clear();
    here.body_end = here.trailers_waiting = false;
    here.end_passed = true;
  }
  run_body<D>(next<D>(index), data, end ? EndStream::kYes : EndStream::kNo);
  data.clear();
  return epoch<D>() == started;
}

template <Direction D>
HeaderMap& FilterChain::add_trailers(int index) {
  Lane& here = lane<D>(index);
  HeaderMap& map =
      D == Direction::kRequest ? exchange_->request_trailers : exchange_->response_trailers;
  bool& seen = D == Direction::kRequest ? request_trailers_seen_ : response_trailers_seen_;
  if (here.in_callback && here.at_end) {
    here.trailers_added = true;
    seen = true;
  }
  return map;
}

/// Does what filter `index` asked of this direction outside a callback of it.
template <Direction D>
void FilterChain::run_due(int index) {
  Lane& here = lane<D>(index);
  if (here.in_callback || done_) return;
  if (!here.passed.empty() || here.end_due) {
    if (!flush_passed<D>(index)) return;
    check_limit<D>(index, true);  // the filter may have taken it from what it holds
  }
  if constexpr (D == Direction::kRequest) {
    if (std::exchange(here.show_due, false)) [[unlikely]]
      show_held(index);
    if (done_) return;
  }
  if (!here.added.empty()) {
    Buffer data = std::move(here.added);
    if (here.stop != Stop::kNone)
      here.held.append(std::move(data));
    else if (!here.end_passed)
      run_body<D>(next<D>(index), data, EndStream::kNo);
    data.clear();
  }
  if (std::exchange(here.continue_due, false) && !done_) release<D>(index);
}

#define WEIR_INSTANTIATE(D)                               \
  template void FilterChain::release<D>(int);             \
  template void FilterChain::check_limit<D>(int, bool);   \
  template void FilterChain::run_due<D>(int);             \
  template void FilterChain::continue_from<D>(int);       \
  template bool FilterChain::flush_passed<D>(int);        \
  template void FilterChain::add_body<D>(int, Buffer&&);  \
  template void FilterChain::pass_body<D>(int, Buffer&&); \
  template HeaderMap& FilterChain::add_trailers<D>(int);  \
  template void FilterChain::kill<D>()
WEIR_INSTANTIATE(Direction::kRequest);
WEIR_INSTANTIATE(Direction::kResponse);

}  // namespace weir::stream
