// What a connection does with a byte filter; without one nothing of this runs.
#include <utility>

#include "net/connection.h"

namespace weir::net {

void Connection::set_byte_filter(ByteFilter& filter) {
  filtered_ = std::make_unique<Filtered>(Filtered{filter});
  if (in_.empty()) return;
  filtered_->raw = std::move(in_);
  arrived_ = true;
  end_of_turn_.schedule();
}

// ---- reading ------------------------------------------------------------------------------------------------------------

void Connection::deliver_filtered(ReadEnd end) {
  Filtered& f = *filtered_;
  if (!f.raw.empty() || end == ReadEnd::kYes) {
    f.reading = true;
    f.filter.on_bytes_in(f.raw, end);
    f.reading = false;
    if (fd_ < 0 || closing_ || error_due() || !f.fresh) return;
  }
  f.fresh = false;
  const ReadEnd passed = std::exchange(f.end_due, false) ? ReadEnd::kYes : ReadEnd::kNo;
  if (sink_ != nullptr) sink_->on_data(in_, passed);
}

void Connection::pass_in(Buffer&& data, ReadEnd end) {
  if (fd_ < 0 || closing_) return data.clear();
  Filtered& f = *filtered_;
  in_.append(std::move(data));
  f.fresh = true;
  f.end_due |= end == ReadEnd::kYes;
  if (f.reading) return;
  arrived_ = true;
  end_of_turn_.schedule();
}

// ---- writing ------------------------------------------------------------------------------------------------------------

/// The filter sees what the owner has put behind the bytes that it has passed before.
void Connection::filter_output() {
  Filtered& f = *filtered_;
  const bool ends = (half_close_due_ || closing_) && !f.end_told;
  if (out_.size() <= f.seen && !ends) return;
  Buffer passed;
  out_.move_to(passed, f.seen);
  Buffer fresh = std::exchange(out_, std::move(passed));
  f.end_told |= ends;
  f.writing = true;
  f.filter.on_bytes_out(fresh, ends ? WriteEnd::kYes : WriteEnd::kNo);
  f.writing = false;
}

void Connection::pass_out(Buffer&& data, WriteEnd end) {
  if (fd_ < 0 || error_due() || write_ended_) return data.clear();
  Filtered& f = *filtered_;
  Buffer passed;
  out_.move_to(passed, f.seen);
  passed.append(std::move(data));
  f.seen = passed.size();
  passed.append(std::move(out_));
  out_ = std::move(passed);
  f.out_ended |= end == WriteEnd::kYes;
  if (!f.writing && !write_wait_) end_of_turn_.schedule();
}

}  // namespace weir::net
