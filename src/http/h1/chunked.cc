#include "http/h1/chunked.h"

#include <algorithm>

#include "base/strings.h"
#include "http/chars.h"

namespace weir::http::h1 {
namespace {

/// Pieces up to this size are copied behind earlier ones: a slice for each of a million one-byte chunks would cost
/// many times their memory.
constexpr size_t kCopyLimit = 256;
constexpr uint8_t kMaxSizeDigits = 16;

}  // namespace

void ChunkedDecoder::take_data(Buffer& in, Buffer& out) {
  const size_t size = static_cast<size_t>(std::min<uint64_t>(left_, in.size()));
  const std::string_view front = in.front();
  if (size <= kCopyLimit && size <= front.size() && !out.empty()) {
    out.append(front.substr(0, size));
    in.drain(size);
  } else {
    in.move_to(out, size);
  }
  left_ -= size;
  if (left_ == 0) state_ = State::kDataCr;
}

Fault ChunkedDecoder::decode(Buffer& in, Buffer& out) {
  while (!in.empty() && state_ != State::kEnded) {
    if (state_ == State::kData) {
      take_data(in, out);
      continue;
    }
    const std::string_view run = in.front();
    size_t used = 0;
    while (used < run.size() && state_ != State::kData && state_ != State::kEnded) {
      if (Fault fault = on_byte(run[used])) return fault;
      ++used;
    }
    in.drain(used);
  }
  return kNoFault;
}

Fault ChunkedDecoder::on_byte(char c) noexcept {
  switch (state_) {
    case State::kSize:
      return on_size_byte(c);
    case State::kExtension:
    case State::kQuoted:
    case State::kQuotedPair:
      return on_extension_byte(c);
    case State::kSizeLf:
      if (c != '\n') return malformed("chunk size line does not end with CRLF");
      state_ = left_ == 0 ? State::kEnded : State::kData;
      return kNoFault;
    case State::kDataCr:
      if (c != '\r') return malformed("chunk data is longer than its size");
      state_ = State::kDataLf;
      return kNoFault;
    case State::kDataLf:
      if (c != '\n') return malformed("chunk data does not end with CRLF");
      state_ = State::kSize;
      left_ = 0;
      digits_ = 0;
      return kNoFault;
    case State::kData:
    case State::kEnded:
      break;
  }
  return malformed("chunk decoder in a wrong state");
}

Fault ChunkedDecoder::on_size_byte(char c) noexcept {
  const int digit = base::hex_value(c);
  if (digit >= 0) {
    if (++digits_ > kMaxSizeDigits || (left_ >> 59) != 0) return malformed("chunk size too large");
    left_ = left_ * 16 + static_cast<unsigned>(digit);
    return kNoFault;
  }
  if (digits_ == 0) return malformed("malformed chunk size");
  if (c == '\r') {
    state_ = State::kSizeLf;
  } else if (c == ';') {
    state_ = State::kExtension;
  } else {
    return malformed("malformed chunk size");
  }
  return kNoFault;
}

/// A CR ends the line only outside quotes, so that what a lenient parser takes for the end is the end here too or an error.
Fault ChunkedDecoder::on_extension_byte(char c) noexcept {
  if (++extension_bytes_ > kMaxExtensionBytes) return malformed("chunk extensions too large");
  if (state_ == State::kExtension) {
    if (c == '\r') {
      state_ = State::kSizeLf;
    } else if (c == '"') {
      state_ = State::kQuoted;
    } else if (!chars::is(c, chars::kToken) && c != ';' && c != '=' && c != ' ' && c != '\t') {
      return malformed("invalid character in a chunk extension");
    }
    return kNoFault;
  }
  if (!chars::is(c, chars::kValue)) return malformed("invalid character in a chunk extension");
  if (state_ == State::kQuotedPair) {
    state_ = State::kQuoted;
  } else if (c == '"') {
    state_ = State::kExtension;
  } else if (c == '\\') {
    state_ = State::kQuotedPair;
  }
  return kNoFault;
}

}  // namespace weir::http::h1
