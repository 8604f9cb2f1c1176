// Finds the end of a head (or of a trailer section) in bytes that arrive in pieces.
#pragma once

#include <cstddef>
#include <string_view>
#include <weir/buffer.h>

namespace weir::http::h1 {

/// Looks for the empty line and remembers how far it came, so that every byte is looked at once however the
/// message is cut. Every LF must follow a CR (RFC 9112 2.2: bare LF is refused here, bare CR by the parser).
class HeadScanner {
 public:
  enum class Found : uint8_t { kNothing, kEnd, kBareLf };

  /// Requires: `in` begins with the same bytes as at the last call, and has more of them.
  Found scan(const Buffer& in);
  /// Bytes up to and including the empty line. Requires: kEnd was returned.
  size_t end() const noexcept { return end_; }
  /// Length of the first line without its CRLF, 0 while it is incomplete (or empty).
  size_t first_line() const noexcept { return first_line_; }
  void reset() noexcept { *this = HeadScanner(); }

 private:
  Found scan_run(std::string_view run) noexcept;

  size_t scanned_ = 0;
  size_t line_begin_ = 0;
  size_t first_line_ = 0;
  size_t end_ = 0;
  char last_ = '\0';
};

}  // namespace weir::http::h1
