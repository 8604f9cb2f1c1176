// ByteFilter: the seam for network filters between a connection's socket and its owner.
#pragma once

#include <weir/buffer.h>

namespace weir::net {

enum class ReadEnd : bool { kNo, kYes };
enum class WriteEnd : bool { kNo, kYes };

/// Sees all bytes of a connection before its owner (reading) or its socket (writing) does. A plain connection has none.
/// Owner: the session. Thread: the connection's. Called from the loop only.
class ByteFilter {
 public:
  virtual ~ByteFilter() = default;
  /// What was just read, and the half-close (once). Takes all of it; what the owner is to see goes to Connection::pass_in(),
  /// now or later.
  virtual void on_bytes_in(Buffer& fresh, ReadEnd end) = 0;
  /// What the owner has written since the last time; `end` (once): it half-closes or closes behind it. Takes all of it; what
  /// is to be sent goes to Connection::pass_out(), now or later.
  virtual void on_bytes_out(Buffer& fresh, WriteEnd end) = 0;
  /// The unsent bytes went over the high watermark / fell to half of it or below; the owner is told too.
  virtual void on_bytes_blocked() {}
  virtual void on_bytes_resumed() {}
};

}  // namespace weir::net
