// Decodes the chunked transfer coding (RFC 9112 7.1) without looking at a byte twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <weir/buffer.h>

#include "http/fault.h"

namespace weir::http::h1 {

/// One message's chunks, strictly: CRLF only, no whitespace round the size, sizes below 2^63, extensions checked
/// for their syntax and dropped. Ends after the size line of the last chunk; the trailer section is the
/// caller's.
class ChunkedDecoder {
 public:
  static constexpr size_t kMaxExtensionBytes = 16 * 1024;  // per message

  /// Moves data from `in` to `out` until `in` is empty or the last chunk's size line is read (see ended()).
  Fault decode(Buffer& in, Buffer& out);
  bool ended() const noexcept { return state_ == State::kEnded; }
  void reset() noexcept { *this = ChunkedDecoder(); }

 private:
  enum class State : uint8_t {
    kSize,
    kExtension,
    kQuoted,
    kQuotedPair,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kEnded
  };
  Fault on_byte(char c) noexcept;
  Fault on_size_byte(char c) noexcept;
  Fault on_extension_byte(char c) noexcept;
  void take_data(Buffer& in, Buffer& out);

  uint64_t left_ = 0;  // of the chunk; while in kSize the number read so far
  size_t extension_bytes_ = 0;
  uint8_t digits_ = 0;
  State state_ = State::kSize;
};

}  // namespace weir::http::h1
