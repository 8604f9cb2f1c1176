// How many frames wait in the wire's buffer.
#pragma once

#include <cstdint>

namespace weir::http::h2 {

/// Counts frames in two generations by their place in the byte stream, so that it needs no list of them: what it says is at most a
/// generation too much.
class OutboundLedger {
 public:
  /// `written` bytes of `appended` have left the buffer since the connection began.
  void settle(uint64_t appended, uint64_t written) noexcept {
    if (written < mark_) return;
    old_ = written >= appended ? Counts() : new_;
    new_ = Counts();
    mark_ = appended;
  }
  void note_frame() noexcept { ++new_.all; }
  void note_control() noexcept { ++new_.control; }
  uint64_t frames() const noexcept { return old_.all + new_.all; }
  uint64_t control_frames() const noexcept { return old_.control + new_.control; }

 private:
  struct Counts {
    uint64_t all = 0;
    uint64_t control = 0;
  };
  Counts old_;
  Counts new_;
  uint64_t mark_ = 0;
};

}  // namespace weir::http::h2
