// The walk of messages through the filters: heads, bodies and trailers, from one end of the chain to the other.
#include <string>
#include <utility>

#include "base/strings.h"
#include "stream/chain.h"
#include "stream/chain_slot.h"

namespace weir::stream {

// ---- calls ---------------------------------------------------------------------------------------------------

template <Direction D>
Flow FilterChain::call_head(int index, EndStream end) {
  Slot& slot = slots_[static_cast<size_t>(index)];
  Lane& here = lane<D>(index);
  here.entered = true;
  here.in_callback = true;
  here.at_end = end == EndStream::kYes;
  const FilterClock::Call timed(clock_, slot.time);
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
  const FilterClock::Call timed(clock_, slot.time);
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
  const FilterClock::Call timed(clock_, slot.time);
  Flow flow;
  if constexpr (D == Direction::kRequest)
    flow = slot.filter->on_request_trailers(exchange_->request_trailers);
  else
    flow = slot.filter->on_response_trailers(exchange_->response_trailers);
  here.in_callback = false;
  return flow;
}

template <Direction D>
void FilterChain::after_callback(int index) {
  if (reset_due_) return do_reset();
  if (reply_due_) return do_reply();
  run_due<D == Direction::kRequest ? Direction::kResponse : Direction::kRequest>(index);
}

// ---- head ----------------------------------------------------------------------------------------------------

template <Direction D>
void FilterChain::run_head(int index, EndStream end) {
  const uint32_t started = epoch<D>();
  for (; !at_exit<D>(index); index = next<D>(index)) {
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
  if (passes && end == EndStream::kYes && here.injected) [[unlikely]] {
    here.injected = here.end_due = false;  // a body for a message that had none
    here.added.append(std::move(here.passed));
  }
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
  if (clock_.on()) [[unlikely]]
    slots_[static_cast<size_t>(index)].time.hold();
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
  for (; !at_exit<D>(index); index = next<D>(index)) {
    if (data.empty() && end == EndStream::kNo) return;
    Lane& here = lane<D>(index);
    if (here.end_passed) [[unlikely]]
      return data.clear();  // the filter has ended the message itself
    if (here.head_waiting) here.received += data.size();
    if (here.stop == Stop::kAll) {
      here.held.append(std::move(data));
      here.body_end = here.body_end || end == EndStream::kYes;
      check_limit<D>(index, true);
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
    const bool passed = here.injected || !here.passed.empty();
    if (passed && (!flush_passed<D>(index) || here.end_passed)) [[unlikely]]
      return data.clear();
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
  check_limit<D>(index, flow != Flow::kBuffer);
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
    run_body<D>(next<D>(index), added, EndStream::kNo);
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
  for (; !at_exit<D>(index); index = next<D>(index)) {
    Lane& here = lane<D>(index);
    if (here.end_passed) [[unlikely]]
      return;  // the filter has ended the message itself
    if (here.stop == Stop::kAll) {
      here.trailers_waiting = true;
      return;
    }
    const Flow flow = call_trailers<D>(index);
    if (pending_) after_callback<D>(index);
    if (epoch<D>() != started) return;
    const bool passed = !here.passed.empty() || here.end_due;
    if (passed && (!flush_passed<D>(index) || here.end_passed)) [[unlikely]]
      return;
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

/// What they have cost so far, in the order of the request.
void FilterChain::put_filter_times() {
  clock_.settle();
  std::string text;
  for (int i = 0; i < count_; ++i) {
    Slot& slot = slots_[static_cast<size_t>(i)];
    slot.time.let_go();  // one that answers a request keeps its head
    if (slot.time.called) append_filter_time(text, slot.name, slot.time);
  }
  if (text.empty()) {
    exchange_->response.headers.remove(kFilterTimesHeader);
  } else {
    exchange_->response.headers.set(kFilterTimesHeader, text);
  }
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
    if (end == EndStream::kYes) request_over_ = true;
    call_head<D>(count_ - 1, end);
    entered_ = count_ - 1;  // the terminal filter has no response callbacks
    if (pending_) after_callback<D>(count_ - 1);
  } else {
    exchange_->info.response_code = exchange_->response.status;
    if (clock_.on()) [[unlikely]]
      put_filter_times();
    response_head_sent_ = true;
    host_->send_response_head(end);
    if (end == EndStream::kYes) response_over();
  }
}

template <Direction D>
void FilterChain::exit_body(Buffer& data, EndStream end) {
  if (length_holds<D>(data.size(), end == EndStream::kYes)) {
    if constexpr (D == Direction::kRequest) {
      call_body<D>(count_ - 1, data, end);
      if (end == EndStream::kYes) request_over();
      if (pending_) after_callback<D>(count_ - 1);
    } else {
      host_->send_response_body(data, end);
      if (end == EndStream::kYes) response_over();
    }
  }
  data.clear();
}

template <Direction D>
void FilterChain::exit_trailers() {
  if (!length_holds<D>(0, true)) return;
  if constexpr (D == Direction::kRequest) {
    call_trailers<D>(count_ - 1);
    request_over();
    if (pending_) after_callback<D>(count_ - 1);
  } else {
    host_->send_response_trailers();
    response_over();
  }
}

#define WEIR_INSTANTIATE(D)                                        \
  template void FilterChain::run_head<D>(int, EndStream);          \
  template void FilterChain::run_body<D>(int, Buffer&, EndStream); \
  template void FilterChain::run_trailers<D>(int)
WEIR_INSTANTIATE(Direction::kRequest);
WEIR_INSTANTIATE(Direction::kResponse);

}  // namespace weir::stream
