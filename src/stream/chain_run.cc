// The walk of messages through the filters: heads, bodies and trailers, with what lanes hold and release.
#include <string>
#include <utility>

#include "base/strings.h"
#include "stream/chain.h"
#include "stream/chain_slot.h"

namespace weir::stream {

template <Direction D>
HeaderMap& FilterChain::headers() noexcept {
  if constexpr (D == Direction::kRequest) return exchange_->request.headers;
  return exchange_->response.headers;
}

template <Direction D>
bool FilterChain::at_exit(int index) const noexcept {
  if constexpr (D == Direction::kRequest) return index >= count_ - 1;  // the terminal filter
  return index < 0;
}

template <Direction D>
uint32_t& FilterChain::epoch() noexcept {
  return D == Direction::kRequest ? request_epoch_ : response_epoch_;
}

namespace {
constexpr int step(bool request, int index) noexcept { return request ? index + 1 : index - 1; }
}  // namespace

#define WEIR_NEXT(index) step(D == Direction::kRequest, index)

// ---- calls ---------------------------------------------------------------------------------------------------

template <Direction D>
Flow FilterChain::call_head(int index, EndStream end) {
  Slot& slot = slots_[static_cast<size_t>(index)];
  Lane& here = lane<D>(index);
  here.entered = true;
  here.in_callback = true;
  here.at_end = end == EndStream::kYes;
  Flow flow;
  if constexpr (D == Direction::kRequest) {
    entered_ = index + 1;
    flow = slot.filter->on_request_head(exchange_->request, end);
  } else {
    response_low_ = index;
    flow = slot.filter->on_response_head(exchange_->response, end);
  }
  here.in_callback = false;
  return flow;
}

template <Direction D>
Flow FilterChain::call_body(int index, Buffer& data, EndStream end) {
  Slot& slot = slots_[static_cast<size_t>(index)];
  Lane& here = lane<D>(index);
  here.in_callback = true;
  here.at_end = end == EndStream::kYes;
  Flow flow;
  if constexpr (D == Direction::kRequest)
    flow = slot.filter->on_request_body(data, end);
  else
    flow = slot.filter->on_response_body(data, end);
  here.in_callback = false;
  return flow;
}

template <Direction D>
Flow FilterChain::call_trailers(int index) {
  Slot& slot = slots_[static_cast<size_t>(index)];
  Lane& here = lane<D>(index);
  here.in_callback = true;
  here.at_end = false;
  Flow flow;
  if constexpr (D == Direction::kRequest)
    flow = slot.filter->on_request_trailers(exchange_->request_trailers);
  else
    flow = slot.filter->on_response_trailers(exchange_->response_trailers);
  here.in_callback = false;
  return flow;
}

// ---- head ----------------------------------------------------------------------------------------------------

template <Direction D>
void FilterChain::run_head(int index, EndStream end) {
  const uint32_t started = epoch<D>();
  for (; !at_exit<D>(index); index = WEIR_NEXT(index)) {
    const Flow flow = call_head<D>(index, end);
    if (pending_) after_callback<D>(index);
    if (epoch<D>() != started) return;
    if (!settle_head<D>(index, flow, end)) return;
  }
  exit_head<D>(end);
}

/// True if the head goes on alone; else it waits, or has gone on with what the filter put behind it.
template <Direction D>
bool FilterChain::settle_head(int index, Flow flow, EndStream end) {
  Lane& here = lane<D>(index);
  const bool passes = flow == Flow::kContinue || (here.continue_due && flow != Flow::kReplied);
  here.continue_due = false;
  if (passes && here.added.empty() && !here.trailers_added) {
    here.end_passed = end == EndStream::kYes;
    return true;
  }
  here.head_end = end == EndStream::kYes;
  if (!here.added.empty()) {
    here.held.append(std::move(here.added));
    here.body_end = here.head_end;
  }
  if (here.trailers_added) {
    here.trailers_waiting = true;
    here.trailers_added = here.body_end = false;
  }
  here.stop = flow == Flow::kPauseAll || flow == Flow::kReplied ? Stop::kAll : Stop::kHead;
  here.head_waiting = true;
  if (passes) {
    here.stop = Stop::kHead;
    release<D>(index);
  }
  return false;
}

// ---- body ----------------------------------------------------------------------------------------------------

template <Direction D>
void FilterChain::run_body(int index, Buffer& data, EndStream end) {
  const uint32_t started = epoch<D>();
  for (; !at_exit<D>(index); index = WEIR_NEXT(index)) {
    if (data.empty() && end == EndStream::kNo) return;
    Lane& here = lane<D>(index);
    if (here.head_waiting) here.received += data.size();
    if (here.stop == Stop::kAll) {
      here.held.append(std::move(data));
      here.body_end = here.body_end || end == EndStream::kYes;
      check_limit<D>(here, true);
      return;
    }
    const bool merged = !here.held.empty();
    if (merged) here.held.append(std::move(data));
    Buffer& shown = merged ? here.held : data;
    const size_t before = shown.size();
    const Flow flow = call_body<D>(index, shown, end);
    if (pending_) after_callback<D>(index);
    if (epoch<D>() != started) {
      data.clear();
      return;
    }
    Length& length = D == Direction::kRequest ? request_length_ : response_length_;
    if (shown.size() != before || !here.added.empty()) length.changed = true;
    if (!settle_body<D>(index, flow, data, merged, end)) {
      data.clear();
      return;
    }
  }
  exit_body<D>(data, end);
}

/// True if `data` goes on to the next filter as it is.
template <Direction D>
bool FilterChain::settle_body(int index, Flow flow, Buffer& data, bool merged, EndStream end) {
  Lane& here = lane<D>(index);
  const bool continue_due = std::exchange(here.continue_due, false);
  if (flow == Flow::kDrop) {
    drop_body<D>(index, data, merged, end);
    if (continue_due) release<D>(index);
    return false;
  }
  if (!here.added.empty()) (merged ? here.held : data).append(std::move(here.added));
  const bool stopped = here.stop != Stop::kNone;
  if (flow == Flow::kContinue && !stopped && !here.trailers_added) {
    here.end_passed = end == EndStream::kYes;
    return true;
  }
  keep_body<D>(index, data, merged, end);
  if (flow == Flow::kContinue || continue_due) {
    release<D>(index);
    return false;
  }
  if (flow == Flow::kReplied) here.stop = Stop::kAll;
  check_limit<D>(here, flow != Flow::kBuffer);
  return false;
}

template <Direction D>
void FilterChain::keep_body(int index, Buffer& data, bool merged, EndStream end) {
  Lane& here = lane<D>(index);
  if (!merged) here.held.append(std::move(data));
  if (here.stop == Stop::kNone) here.stop = Stop::kBody;
  if (end == EndStream::kYes) {
    if (std::exchange(here.trailers_added, false))
      here.trailers_waiting = true;
    else
      here.body_end = true;
  }
}

/// Forgets the data; what the filter added in the callback takes its place. The end waits for a continue.
template <Direction D>
void FilterChain::drop_body(int index, Buffer& data, bool merged, EndStream end) {
  Lane& here = lane<D>(index);
  Length& length = D == Direction::kRequest ? request_length_ : response_length_;
  length.changed = true;
  (merged ? here.held : data).clear();
  Buffer added = std::move(here.added);
  const uint32_t started = epoch<D>();
  if (here.stop != Stop::kNone) {
    here.held.append(std::move(added));
  } else if (!added.empty()) {
    run_body<D>(WEIR_NEXT(index), added, EndStream::kNo);
    if (epoch<D>() != started) return;
  }
  if (end == EndStream::kYes) {
    if (here.stop == Stop::kNone) here.stop = Stop::kBody;
    if (std::exchange(here.trailers_added, false))
      here.trailers_waiting = true;
    else
      here.body_end = true;
  }
}

// ---- trailers --------------------------------------------------------------------------------------------------

template <Direction D>
void FilterChain::run_trailers(int index) {
  const uint32_t started = epoch<D>();
  for (; !at_exit<D>(index); index = WEIR_NEXT(index)) {
    Lane& here = lane<D>(index);
    if (here.stop == Stop::kAll) {
      here.trailers_waiting = true;
      return;
    }
    const Flow flow = call_trailers<D>(index);
    if (pending_) after_callback<D>(index);
    if (epoch<D>() != started) return;
    if (!settle_trailers<D>(index, flow)) return;
  }
  exit_trailers<D>();
}

template <Direction D>
bool FilterChain::settle_trailers(int index, Flow flow) {
  Lane& here = lane<D>(index);
  const bool passes = flow == Flow::kContinue || (here.continue_due && flow != Flow::kReplied);
  here.continue_due = false;
  if (!here.added.empty()) here.held.append(std::move(here.added));
  if (passes && here.stop == Stop::kNone && here.held.empty()) {
    here.end_passed = true;
    return true;
  }
  here.trailers_waiting = true;
  if (here.stop == Stop::kNone) here.stop = Stop::kTrailers;
  if (passes) release<D>(index);
  return false;
}

// ---- release -----------------------------------------------------------------------------------------------------

/// Lets everything that the lane holds go on, in order. kAll: the filter has not seen body and trailers yet.
template <Direction D>
void FilterChain::release(int index) {
  Lane& here = lane<D>(index);
  const Stop stop = here.stop;
  if (stop == Stop::kNone || here.releasing) return;
  const uint32_t started = epoch<D>();
  const int first = stop == Stop::kAll ? index : WEIR_NEXT(index);
  here.releasing = true;
  here.stop = Stop::kNone;
  if (here.head_waiting) {
    here.head_waiting = false;
    fix_length<D>(here);
    const bool alone =
        here.head_end && here.held.empty() && !here.body_end && !here.trailers_waiting;
    if (alone) here.end_passed = true;
    run_head<D>(WEIR_NEXT(index), alone ? EndStream::kYes : EndStream::kNo);
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
void FilterChain::fix_length(Lane& here) {
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
void FilterChain::check_limit(Lane& here, bool watermark) {
  const size_t limit = D == Direction::kRequest ? request_limit_ : response_limit_;
  const size_t size = here.held.size();
  if (watermark) {
    if (size >= limit && size > 0)
      hold_sender<D>(here, true);
    else if (size <= limit / 2)
      hold_sender<D>(here, false);
    return;
  }
  if (size <= limit) return;
  if (reply_due_ || replied_ || reset_due_) return;
  LocalReply reply;
  if (D == Direction::kRequest) {
    reply.status = 413;
    reply.body = "Payload Too Large";
    reply.details = "request_payload_too_large";
  } else {
    reply.status = 500;
    reply.body = "Internal Server Error";
    reply.details = "response_payload_too_large";
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
    check_limit<D>(here, true);
    return;
  }
  here.added.append(std::move(data));
  if (!here.in_callback) schedule();
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
  if (!here.added.empty()) {
    Buffer data = std::move(here.added);
    if (here.stop != Stop::kNone)
      here.held.append(std::move(data));
    else if (!here.end_passed)
      run_body<D>(WEIR_NEXT(index), data, EndStream::kNo);
    data.clear();
  }
  if (std::exchange(here.continue_due, false) && !done_) release<D>(index);
}

template <Direction D>
void FilterChain::after_callback(int index) {
  if (reset_due_) return do_reset();
  if (reply_due_) return do_reply();
  run_due<D == Direction::kRequest ? Direction::kResponse : Direction::kRequest>(index);
}

// ---- the ends of the chain -----------------------------------------------------------------------------------------

/// Counts body bytes against the content-length that has left the chain.
template <Direction D>
bool FilterChain::length_holds(size_t more, bool end) {
  Length& length = D == Direction::kRequest ? request_length_ : response_length_;
  if (length.declared < 0) return true;
  length.passed += more;
  const auto declared = static_cast<uint64_t>(length.declared);
  if (length.passed < declared ? !end : length.passed == declared) return true;
  if constexpr (D == Direction::kRequest) {
    LocalReply reply;
    reply.status = 502;
    reply.body = "Filter error";
    reply.details = "filter_body_length_mismatch";
    reply_due_ = std::move(reply);
    do_reply();
  } else {
    reset_details_ = "filter_body_length_mismatch";
    do_reset();
  }
  return false;
}

template <Direction D>
void FilterChain::exit_head(EndStream end) {
  if (count_ > 1 && end == EndStream::kNo) {
    const auto declared = headers<D>().get(HeaderId::kContentLength);
    const auto value = declared ? base::parse_u64(*declared) : std::nullopt;
    if (value)
      (D == Direction::kRequest ? request_length_ : response_length_).declared =
          static_cast<int64_t>(*value);
  }
  if constexpr (D == Direction::kRequest) {
    if (terminal_ == nullptr) {
      LocalReply reply;
      reply.status = 404;
      reply.details = "filter_chain_not_found";
      reply_due_ = std::move(reply);
      return do_reply();
    }
    call_head<D>(count_ - 1, end);
    entered_ = count_ - 1;  // the terminal filter has no response callbacks
    if (pending_) after_callback<D>(count_ - 1);
  } else {
    exchange_->info.response_code = exchange_->response.status;
    response_head_sent_ = true;
    host_->send_response_head(end);
    if (end == EndStream::kYes) finish();
  }
}

template <Direction D>
void FilterChain::exit_body(Buffer& data, EndStream end) {
  if (length_holds<D>(data.size(), end == EndStream::kYes)) {
    if constexpr (D == Direction::kRequest) {
      call_body<D>(count_ - 1, data, end);
      if (pending_) after_callback<D>(count_ - 1);
    } else {
      host_->send_response_body(data, end);
      if (end == EndStream::kYes) finish();
    }
  }
  data.clear();
}

template <Direction D>
void FilterChain::exit_trailers() {
  if (!length_holds<D>(0, true)) return;
  if constexpr (D == Direction::kRequest) {
    call_trailers<D>(count_ - 1);
    if (pending_) after_callback<D>(count_ - 1);
  } else {
    host_->send_response_trailers();
    finish();
  }
}

#define WEIR_INSTANTIATE(D)                                        \
  template void FilterChain::run_head<D>(int, EndStream);          \
  template void FilterChain::run_body<D>(int, Buffer&, EndStream); \
  template void FilterChain::run_trailers<D>(int);                 \
  template void FilterChain::run_due<D>(int);                      \
  template void FilterChain::continue_from<D>(int);                \
  template void FilterChain::add_body<D>(int, Buffer&&);           \
  template HeaderMap& FilterChain::add_trailers<D>(int);           \
  template void FilterChain::kill<D>()
WEIR_INSTANTIATE(Direction::kRequest);
WEIR_INSTANTIATE(Direction::kResponse);

}  // namespace weir::stream
