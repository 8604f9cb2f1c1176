#include "stream/chain.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "stream/chain_slot.h"
#include "stream/loop_timer.h"

namespace weir::stream {

void FilterChain::Lane::clear() noexcept {
  held.clear();
  added.clear();
  passed.clear();
  received = 0;
  stop = Stop::kNone;
  entered = in_callback = releasing = head_waiting = head_end = body_end = false;
  trailers_waiting = trailers_added = at_end = end_passed = holds_sender = continue_due = false;
  injected = end_due = show_due = false;
}

// ---- one filter's callbacks ----------------------------------------------------------------------------------------

ResponseHead* FilterChain::Slot::response_head() noexcept {
  return chain->response_head_seen_ ? &chain->exchange_->response : nullptr;
}

HeaderMap* FilterChain::Slot::response_trailers() noexcept {
  return chain->response_trailers_seen_ ? &chain->exchange_->response_trailers : nullptr;
}

void FilterChain::Slot::add_request_body(Buffer&& data) {
  chain->add_body<Direction::kRequest>(index, std::move(data));
}

void FilterChain::Slot::add_response_body(Buffer&& data) {
  chain->add_body<Direction::kResponse>(index, std::move(data));
}

HeaderMap& FilterChain::Slot::add_request_trailers() {
  return chain->add_trailers<Direction::kRequest>(index);
}

HeaderMap& FilterChain::Slot::add_response_trailers() {
  return chain->add_trailers<Direction::kResponse>(index);
}

void FilterChain::Slot::reply(LocalReply answer) {
  // An answer that is on its way goes on without those who do not have it in hand.
  const bool in_hand = response.in_callback || response.stop != Stop::kNone;
  if (chain->ended_ || chain->done_ || chain->reply_due_ || (chain->replied_ && !in_hand)) return;
  chain->reply_due_ = std::move(answer);
  chain->schedule();
}

void FilterChain::Slot::reset(std::string_view details) {
  if (chain->ended_ || chain->done_ || chain->reset_due_) return;
  chain->reset_due_ = true;
  chain->reset_details_ = details;
  chain->schedule();
}

void FilterChain::Slot::clear_route_cache() {
  chain->route_matched_ = false;
  chain->route_ = nullptr;
}

const void* FilterChain::Slot::route_config() {
  const RouteRef* route = chain->route();
  return route == nullptr ? nullptr : route->filter_config(name);
}

RouteConfigs FilterChain::Slot::route_configs() {
  const RouteRef* route = chain->route();
  return route == nullptr ? RouteConfigs() : route->filter_configs(name);
}

std::string_view FilterChain::Slot::route_cluster() {
  const RouteRef* route = chain->route();
  return route == nullptr ? std::string_view() : route->cluster_name(chain->exchange_->request);
}

std::unique_ptr<StreamTimer> FilterChain::Slot::start_timer(std::chrono::milliseconds delay,
                                                            void (*handler)(void*),
                                                            void* argument) {
  return std::make_unique<LoopTimer>(*chain->environment_.loop, delay, handler, argument);
}

// ---- life ------------------------------------------------------------------------------------------------------------

FilterChain::FilterChain() = default;
FilterChain::~FilterChain() = default;

void FilterChain::begin(ChainHost& host, Exchange& exchange, const ChainEnvironment& environment,
                        size_t max_filters) {
  WEIR_DCHECK(!active_ && count_ == 0);
  host_ = &host;
  exchange_ = &exchange;
  environment_ = environment;
  if (!end_of_turn_) end_of_turn_.emplace(*environment.loop, &on_end_of_turn, this);
  if (static_cast<int>(max_filters) > capacity_) {
    slots_ = std::make_unique<Slot[]>(max_filters);
    capacity_ = static_cast<int>(max_filters);
  }
  request_limit_ = response_limit_ = environment.buffer_limit;
  active_ = true;
}

void FilterChain::add(std::unique_ptr<HttpFilter> filter, std::string_view name) {
  WEIR_DCHECK(count_ < capacity_);
  Slot& slot = slots_[static_cast<size_t>(count_)];
  slot.chain = this;
  slot.index = count_++;
  slot.filter = std::move(filter);
  slot.name = name;
  response_low_ = count_;
  slot.filter->attach(slot);
}

void FilterChain::add_terminal(std::unique_ptr<HttpFilter> filter, std::string_view name) {
  terminal_ = static_cast<TerminalFilter*>(filter.get());
  add(std::move(filter), name);
  terminal_->attach_terminal(*this);
}

void FilterChain::end() noexcept {
  if (ended_ || !active_) return;
  ended_ = done_ = done_told_ = true;
  ++request_epoch_;
  ++response_epoch_;
  for (int i = 0; i < count_; ++i)
    slots_[static_cast<size_t>(i)].filter->on_stream_end(exchange_->info);
}

void FilterChain::clear() noexcept {
  for (int i = 0; i < count_; ++i) {
    Slot& slot = slots_[static_cast<size_t>(i)];
    slot.filter.reset();
    slot.held_limit = SIZE_MAX;
    slot.time = {};
    slot.request.clear();
    slot.response.clear();
  }
  clock_.reset();
  count_ = 0;
  terminal_ = nullptr;
  end_of_turn_.reset();
  reply_due_.reset();
  reset_details_.clear();
  route_ = nullptr;
  request_gate_.reset();
  response_gate_.reset();
  injected_unread_ = 0;
  request_length_ = response_length_ = Length{};
  entered_ = response_low_ = 0;
  request_epoch_ = response_epoch_ = 0;
  active_ = ended_ = done_ = done_told_ = pending_ = reset_due_ = replied_ = route_matched_ = false;
  request_dead_ = request_complete_ = response_head_seen_ = response_head_sent_ = false;
  request_trailers_seen_ = response_trailers_seen_ = request_over_ = response_over_ = false;
}

// ---- the request, from the host ----------------------------------------------------------------------------------------

void FilterChain::request_head(EndStream end) {
  request_complete_ = end == EndStream::kYes;
  if (done_ || request_dead_) return;
  Turn turn(*this);
  run_head<Direction::kRequest>(0, end);
}

void FilterChain::request_body(Buffer& data, EndStream end) {
  if (end == EndStream::kYes) request_complete_ = true;
  if (done_ || request_dead_) return data.clear();
  Turn turn(*this);
  run_body<Direction::kRequest>(0, data, end);
  data.clear();
}

void FilterChain::request_trailers_received() {
  request_complete_ = request_trailers_seen_ = true;
  if (done_ || request_dead_) return;
  Turn turn(*this);
  run_trailers<Direction::kRequest>(0);
}

HeaderMap* FilterChain::request_trailers() noexcept {
  return request_trailers_seen_ ? &exchange_->request_trailers : nullptr;
}

void FilterChain::reply(LocalReply answer) {
  if (done_) return;  // a filter may hold the answer that there is: nothing else would end its wait
  Turn turn(*this);
  reply_due_ = std::move(answer);
  do_reply();
}

void FilterChain::on_response_blocked() {
  if (response_gate_.hold(Why::kReceiver) && terminal_ != nullptr && !done_)
    terminal_->on_response_blocked();
}

void FilterChain::on_response_resumed() {
  if (response_gate_.count(Why::kReceiver) == 0) return;
  injected_unread_ = 0;
  if (response_gate_.release(Why::kReceiver) && terminal_ != nullptr && !done_) {
    Turn turn(*this);
    terminal_->on_response_resumed();
  }
}

const RouteRef* FilterChain::route() {
  if (!route_matched_) {
    route_matched_ = true;
    route_ = host_->match_route();
  }
  return route_;
}

// ---- the response, from the terminal filter ---------------------------------------------------------------------------

void FilterChain::send_informational(const ResponseHead& head) {
  if (!done_ && !replied_ && !response_head_seen_) host_->send_informational(head);
}

void FilterChain::send_response_head(EndStream end) {
  if (done_ || replied_ || response_head_seen_) return;
  response_head_seen_ = true;
  Turn turn(*this);
  run_head<Direction::kResponse>(count_ - 2, end);
}

void FilterChain::send_response_body(Buffer& data, EndStream end) {
  if (done_ || replied_ || !response_head_seen_) return data.clear();
  Turn turn(*this);
  run_body<Direction::kResponse>(count_ - 2, data, end);
  data.clear();
}

void FilterChain::send_response_trailers() {
  if (done_ || replied_ || !response_head_seen_) return;
  response_trailers_seen_ = true;
  Turn turn(*this);
  run_trailers<Direction::kResponse>(count_ - 2);
}

void FilterChain::abort_response(std::string_view details) {
  if (done_ || replied_) return;
  Turn turn(*this);
  if (response_head_sent_) {
    reset_details_ = details;
    do_reset();
    return;
  }
  LocalReply answer;  // a filter still holds the head: the client can be told
  answer.status = 502;
  answer.details_text = details;
  reply_due_ = std::move(answer);
  do_reply();
}

void FilterChain::hold_request() {
  if (request_gate_.hold(Why::kTerminal) && !ended_) host_->hold_request();
}

void FilterChain::release_request() {
  if (request_gate_.count(Why::kTerminal) == 0) return;
  if (request_gate_.release(Why::kTerminal) && !ended_) host_->release_request();
}

// ---- what was asked for during callbacks ---------------------------------------------------------------------------------

void FilterChain::schedule() {
  pending_ = true;
  if (depth_ == 0) end_of_turn_->schedule();
}

void FilterChain::on_end_of_turn(void* self) {
  auto& chain = *static_cast<FilterChain*>(self);
  if (!chain.active_ || chain.ended_) return;
  Turn turn(chain);
}

void FilterChain::run_deferred() {
  while (pending_ && !done_) {
    pending_ = false;
    if (reset_due_) {
      do_reset();
    } else if (reply_due_) {
      do_reply();
    } else {
      for (int i = 0; i < count_ && !done_; ++i) {
        run_due<Direction::kRequest>(i);
        if (!done_) run_due<Direction::kResponse>(i);
      }
    }
  }
  if (done_ && !done_told_) {
    done_told_ = true;
    host_->on_chain_done();
  }
}

void FilterChain::do_reply() {
  if (!reply_due_) return;
  LocalReply answer = std::move(*reply_due_);
  reply_due_.reset();
  if (done_) return;
  StreamInfo& info = exchange_->info;
  info.response_code_details_static = answer.details;
  info.response_code_details_text = base::replace_all(answer.details_text, " ", "_");
  request_dead_ = true;
  kill<Direction::kRequest>();
  if (response_head_sent_) {
    host_->abort_response(info.response_code_details());
    return finish();
  }
  if (!std::exchange(replied_, true) && terminal_ != nullptr) terminal_->on_local_reply();
  kill<Direction::kResponse>();
  exchange_->response.clear();
  exchange_->response_trailers.clear();
  response_trailers_seen_ = false;
  response_length_ = Length{};
  Buffer body;
  host_->prepare_reply(answer, body);
  response_head_seen_ = true;
  info.response_code = exchange_->response.status;
  const uint32_t started = response_epoch_;
  // Filters that have seen another response head do not see this one.
  const int first = std::min(entered_, response_low_) - 1;
  run_head<Direction::kResponse>(first, body.empty() ? EndStream::kYes : EndStream::kNo);
  if (response_epoch_ == started && !body.empty())
    run_body<Direction::kResponse>(first, body, EndStream::kYes);
}

void FilterChain::do_reset() {
  if (done_) return;
  reset_due_ = false;
  StreamInfo& info = exchange_->info;
  info.response_code_details_static = {};
  info.response_code_details_text = base::replace_all(reset_details_, " ", "_");
  request_dead_ = replied_ = true;
  kill<Direction::kRequest>();
  kill<Direction::kResponse>();
  host_->abort_response(info.response_code_details());
  finish();
}

/// The two directions of a tunnel end each by itself; any other exchange ends with its response.
void FilterChain::response_over() {
  response_over_ = true;
  if (exchange_->info.tunnel != Tunnel::kOpen || request_over_) finish();
}

void FilterChain::request_over() {
  request_over_ = true;
  if (response_over_) finish();
}

void FilterChain::finish() {
  done_ = true;
  ++request_epoch_;
  ++response_epoch_;
}

}  // namespace weir::stream
