// The walk of bytes through a network chain: reading in the order of the configuration, writing in the opposite one.
#include "stream/network_slot.h"

namespace weir::stream {

namespace {

EndStream end_of(bool end) noexcept { return end ? EndStream::kYes : EndStream::kNo; }

}  // namespace

// ---- from the client ----------------------------------------------------------------------------------------------------

void NetworkChain::on_data(Buffer& in, net::ReadEnd end) {
  on_bytes_in(in, end);
  maybe_complete();
}

void NetworkChain::on_bytes_in(Buffer& fresh, net::ReadEnd end) {
  if (state_ == State::kNew) start();
  if (!open()) return fresh.clear();
  deps_.info.bytes_received += fresh.size();
  if (end == net::ReadEnd::kYes) {
    read_ended_ = true;
    if (!write_ended_) ended_by_ = CloseEvent::kRemote;
  }
  const Pass pass(*this);
  read_from(0, fresh, end_of(end == net::ReadEnd::kYes));
  update_holds();
}

/// Offers `fresh` behind what each filter holds; what comes out of one is for the next. Empties `fresh`.
void NetworkChain::read_from(size_t index, Buffer& fresh, EndStream end) {
  for (; index < slots_.size(); ++index) {
    Slot& slot = *slots_[index];
    if (!std::exchange(slot.started_, true)) {
      const NetworkFlow flow = slot.filter_->on_new_connection();
      if (!open() || close_due_) return fresh.clear();
      // A filter that stops here is still asked about the data: it alone knows how much it wants to see.
      if (flow == NetworkFlow::kStop && fresh.empty() && end == EndStream::kNo) return;
    }
    if (fresh.empty() && end == EndStream::kNo) continue;
    const bool held = !slot.held_.empty();
    if (held) slot.held_.append(std::move(fresh));
    const NetworkFlow flow = slot.filter_->on_data(held ? slot.held_ : fresh, end);
    if (!open() || close_due_) return fresh.clear();
    // What it injected meanwhile goes first; it has passed this filter.
    Buffer passed = std::move(slot.injected_);
    bool passed_end = std::exchange(slot.injected_end_, false);
    if (flow == NetworkFlow::kStop && !slot.continue_due_) {
      if (!held) slot.held_ = std::move(fresh);
      slot.held_end_ |= end == EndStream::kYes;
    } else {
      slot.continue_due_ = false;
      passed.append(std::move(held ? slot.held_ : fresh));
      passed_end |= end == EndStream::kYes;
      slot.held_end_ = false;
    }
    const bool stopped = flow == NetworkFlow::kStop && passed.empty() && !passed_end;
    fresh = std::move(passed);
    end = end_of(passed_end);
    if (stopped) return;
  }
  to_owner(fresh, end);
}

/// The end of the chain: the session behind it, or nobody when a terminal filter has left something.
void NetworkChain::to_owner(Buffer& fresh, EndStream end) {
  if (owner_ != nullptr || (fresh.empty() && end == EndStream::kNo)) return fresh.clear();
  deps_.connection.pass_in(std::move(fresh),
                           end == EndStream::kYes ? net::ReadEnd::kYes : net::ReadEnd::kNo);
}

// ---- to the client ------------------------------------------------------------------------------------------------------

void NetworkChain::on_bytes_out(Buffer& fresh, net::WriteEnd end) {
  const EndStream ends = end_of(end == net::WriteEnd::kYes);
  // Whatever the filters would say: the connection ends, and what the owner has written is sent.
  if (!open()) return to_client(fresh, ends);
  const Pass pass(*this);
  write_from(slots_.size(), fresh, ends);
}

/// Offers what the filter at `index` (or the session behind the last) writes to those in front of it. Empties `fresh`.
void NetworkChain::write_from(size_t index, Buffer& fresh, EndStream end) {
  while (index-- > 0) {
    Slot& slot = *slots_[index];
    slot.kept_end_ |= end == EndStream::kYes;
    const bool kept = !slot.kept_.empty();
    if (kept) slot.kept_.append(std::move(fresh));
    const NetworkFlow flow =
        slot.filter_->on_write(kept ? slot.kept_ : fresh, end_of(slot.kept_end_));
    if (!open()) return fresh.clear();
    if (flow == NetworkFlow::kStop) {
      if (!kept) slot.kept_ = std::move(fresh);
      work_due_ = true;  // the writers may have to be told
      return;
    }
    if (kept) fresh = std::move(slot.kept_);
    end = end_of(std::exchange(slot.kept_end_, false));
  }
  to_client(fresh, end);
}

void NetworkChain::to_client(Buffer& fresh, EndStream end) {
  deps_.info.bytes_sent += fresh.size();
  if (owner_ == nullptr) {
    return deps_.connection.pass_out(
        std::move(fresh), end == EndStream::kYes ? net::WriteEnd::kYes : net::WriteEnd::kNo);
  }
  if (write_ended_) return fresh.clear();
  if (!fresh.empty()) deps_.connection.write(std::move(fresh));
  if (end == EndStream::kNo) return;
  write_ended_ = true;
  if (!read_ended_) ended_by_ = CloseEvent::kLocal;
  deps_.connection.half_close();
  work_due_ = true;
  if (depth_ == 0) end_of_turn_.schedule();
}

void NetworkChain::on_write_blocked() {
  connection_blocked_ = true;
  if (open()) update_write_pressure();
}

void NetworkChain::on_write_resumed() {
  connection_blocked_ = false;
  if (open()) update_write_pressure();
}

}  // namespace weir::stream
