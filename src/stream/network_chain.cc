// The life of a network chain: how it begins, what its filters ask for, how it ends. The walk of the bytes: network_walk.cc.
#include "stream/network_chain.h"

#include "base/check.h"
#include "stream/network_slot.h"

namespace weir::stream {

namespace {

/// A client that was sent everything gets this long to read it before its socket closes.
constexpr std::chrono::milliseconds kLinger{1000};

}  // namespace

NetworkChain::NetworkChain(const NetworkChainDeps& deps)
    : deps_(deps), end_of_turn_(deps.loop, &NetworkChain::on_end_of_turn, this) {}

NetworkChain::~NetworkChain() { finish(CloseEvent::kLocal); }

// ---- beginning ------------------------------------------------------------------------------------------------------------

void NetworkChain::add(std::unique_ptr<NetworkFilter> filter) {
  slots_.push_back(std::make_unique<Slot>(*this, slots_.size(), std::move(filter)));
  slots_.back()->filter_->attach(*slots_.back());
}

void NetworkChain::add_terminal(std::unique_ptr<NetworkFilter> filter) {
  terminal_ = dynamic_cast<NetworkTerminalFilter*>(filter.get());
  add(std::move(filter));
  if (terminal_ != nullptr) terminal_->attach_terminal(*this);
}

void NetworkChain::end_in_filter(NetworkChainOwner& owner) {
  owner_ = &owner;
  deps_.connection.set_sink(*this);
}

void NetworkChain::end_in_owner() { deps_.connection.set_byte_filter(*this); }

void NetworkChain::start() {
  if (state_ != State::kNew) return;
  state_ = State::kOpen;
  const Pass pass(*this);
  Buffer nothing;
  read_from(0, nothing, EndStream::kNo);
}

void NetworkChain::drain() {
  if (!open() || terminal_ == nullptr) return;
  const Pass pass(*this);
  terminal_->on_drain();
}

void NetworkChain::log_now(ConnectionLog when) {
  if (owner_ != nullptr) owner_->log_connection(when);
}

// ---- what filters ask for ----------------------------------------------------------------------------------------------------

void NetworkChain::Slot::write(Buffer&& data, EndStream end) {
  if (!chain_.open()) return data.clear();
  // With nobody in front nobody is called.
  if (index_ == 0 && written_.empty()) return chain_.to_client(data, end);
  written_.append(std::move(data));
  written_end_ |= end == EndStream::kYes;
  chain_.schedule();
}

size_t NetworkChain::Slot::unsent() const noexcept {
  size_t bytes = chain_.deps_.connection.unsent() + written_.size();
  for (size_t i = 0; i < index_; ++i) bytes += chain_.slots_[i]->kept_.size();
  return bytes;
}

void NetworkChain::schedule() {
  if (!open()) return;
  work_due_ = true;
  if (depth_ == 0) end_of_turn_.schedule();
}

void NetworkChain::on_end_of_turn(void* self) noexcept {
  auto& chain = *static_cast<NetworkChain*>(self);
  if (chain.state_ == State::kOpen && chain.work_due_) chain.settle();
}

/// Does what was asked for, until nothing is asked for any more.
void NetworkChain::settle() {
  do {
    ++depth_;
    while (open() && settle_once()) {
    }
    --depth_;
    work_due_ = false;
    if (open()) {
      update_holds();
      update_write_pressure();  // which tells filters, who may ask again
    }
  } while (work_due_ && open());
  if (close_due_) {
    close_now();
  } else {
    maybe_complete();
  }
}

/// One of the things that are due; writing comes first: it is what was seen last.
bool NetworkChain::settle_once() {
  for (size_t i = slots_.size(); i-- > 0;) {
    Slot& slot = *slots_[i];
    if (slot.written_.empty() && !slot.written_end_ && !slot.write_on_due_) continue;
    Buffer data = std::move(slot.written_);
    bool end = std::exchange(slot.written_end_, false);
    if (std::exchange(slot.write_on_due_, false)) {
      data.append(std::move(slot.kept_));
      end |= std::exchange(slot.kept_end_, false);
    }
    if (!data.empty() || end) write_from(i, data, end ? EndStream::kYes : EndStream::kNo);
    return true;
  }
  if (close_due_) return false;
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = *slots_[i];
    const bool injected = std::exchange(slot.start_due_, false);
    if (!injected && !slot.continue_due_) continue;
    Buffer data = std::move(slot.injected_);
    bool end = std::exchange(slot.injected_end_, false);
    if (std::exchange(slot.continue_due_, false)) {
      data.append(std::move(slot.held_));
      end |= std::exchange(slot.held_end_, false);
    }
    read_from(i + 1, data, end ? EndStream::kYes : EndStream::kNo);
    return true;
  }
  return false;
}

/// Filters that hold more than the limit let no more in.
void NetworkChain::update_holds() {
  size_t held = 0;
  for (const auto& slot : slots_) held += slot->held_.size();
  const bool full = deps_.buffer_limit > 0 && held >= deps_.buffer_limit;
  if (full == reading_held_) return;
  reading_held_ = full;
  full ? deps_.connection.hold_reading() : deps_.connection.release_reading();
}

void NetworkChain::update_write_pressure() {
  size_t kept = 0;
  for (const auto& slot : slots_) kept += slot->kept_.size();
  const bool blocked = connection_blocked_ || (deps_.buffer_limit > 0 && kept > deps_.buffer_limit);
  if (blocked == blocked_) return;
  blocked_ = blocked;
  const Pass pass(*this);
  for (const auto& slot : slots_) {
    if (!open() || close_due_) return;
    blocked ? slot->filter_->on_write_blocked() : slot->filter_->on_write_resumed();
  }
}

// ---- ending ---------------------------------------------------------------------------------------------------------------

void NetworkChain::close(CloseHow how, std::string_view details) {
  if (!open() || close_due_) return;
  close_due_ = true;
  close_how_ = how;
  if (deps_.info.extras().termination_details.empty())
    deps_.info.own_extras().termination_details = details;
  schedule();
}

void NetworkChain::close_now() {
  close_due_ = false;
  if (!open()) return;
  net::Connection& connection = deps_.connection;
  if (owner_ == nullptr) {
    // The owner's session ends it: it hears of an error, or of the end of a close that flushes.
    tell_closed(CloseEvent::kLocal);
    if (close_how_ == CloseHow::kFlush) {
      connection.pass_out({}, net::WriteEnd::kYes);
      return connection.close_gracefully(kLinger);
    }
    return connection.cut(
        close_how_ == CloseHow::kReset ? net::Connection::How::kReset : net::Connection::How::kFin,
        Error{Code::kClosed, Side::kLocal, deps_.info.extras().termination_details});
  }
  if (close_how_ == CloseHow::kFlush) {
    tell_closed(CloseEvent::kLocal);
    state_ = State::kFlushing;
    ended_by_ = CloseEvent::kLocal;
    return connection.close_gracefully(connection.read_ended() ? std::chrono::milliseconds(0)
                                                               : kLinger);
  }
  connection.close(close_how_ == CloseHow::kReset ? net::Connection::How::kReset
                                                  : net::Connection::How::kFin);
  finish(CloseEvent::kLocal);
  owner_->on_chain_done(CloseEvent::kLocal);
}

/// Both directions have ended: nothing can happen any more but that the client takes what was sent.
void NetworkChain::maybe_complete() {
  if (!open() || owner_ == nullptr || !read_ended_ || !write_ended_) return;
  const CloseEvent by = ended_by_;
  tell_closed(by);
  state_ = State::kFlushing;
  deps_.connection.close_gracefully(std::chrono::milliseconds(0));
}

void NetworkChain::on_error(const Error& error) {
  if (state_ == State::kDone) return;
  const CloseEvent by = state_ == State::kFlushing ? ended_by_ : CloseEvent::kRemote;
  if (state_ == State::kOpen) {
    if (error.code == Code::kReset)
      deps_.info.flags |= 1u << static_cast<unsigned>(ResponseFlag::kDownstreamRemoteReset);
    if (!error.detail.empty() && deps_.info.extras().termination_details.empty())
      deps_.info.own_extras().termination_details = error.detail;
  }
  finish(by);
  owner_->on_chain_done(by);
}

void NetworkChain::finish(CloseEvent by) {
  tell_closed(by);
  state_ = State::kDone;
}

void NetworkChain::tell_closed(CloseEvent by) {
  if (state_ != State::kOpen && state_ != State::kNew) return;
  state_ = State::kDone;
  work_due_ = close_due_ = false;
  for (const auto& slot : slots_) slot->filter_->on_close(by);
}

}  // namespace weir::stream
