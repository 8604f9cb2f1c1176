// Transport: the seam for TLS, between a Connection and its socket. A plain connection has none; no implementation yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <weir/buffer.h>

namespace weir::net {

enum class IoStatus : uint8_t {
  kOk,     // `bytes` were moved; there may be more
  kAgain,  // nothing (more) now: wait for readiness
  kEnd,    // reading: orderly end of stream
  kError,  // errno says why, or Transport::failure()
};
struct IoResult {
  IoStatus status = IoStatus::kAgain;
  size_t bytes = 0;
};

/// Owner: its connection. Thread: the connection's. Never waits.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Appends up to about `max` bytes to `in`.
  virtual IoResult read(int fd, Buffer& in, size_t max) = 0;
  /// Takes from the front of `out` what was sent.
  virtual IoResult write(int fd, Buffer& out) = 0;
  /// Says goodbye (close_notify) before the socket's write side is shut.
  virtual void end_writing(int fd) noexcept = 0;
  /// True while reading cannot go on before the socket is writable (a handshake).
  virtual bool reading_needs_write() const noexcept { return false; }
  /// True while writing cannot go on before more was read.
  virtual bool writing_needs_read() const noexcept { return false; }
  /// Text of the last kError; empty: errno tells.
  virtual std::string_view failure() const noexcept = 0;
};

}  // namespace weir::net
