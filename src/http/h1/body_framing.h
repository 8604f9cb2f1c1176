// How long a body is: what a received head says about it, decoding it, and framing one that is sent.
#pragma once

#include <cstdint>
#include <string_view>
#include <weir/buffer.h>
#include <weir/message.h>

#include "http/connection.h"
#include "http/fault.h"
#include "http/h1/chunked.h"
#include "http/h1/head_scanner.h"
#include "http/h1/parser.h"

namespace weir::http::h1 {

enum class BodyKind : uint8_t { kNone, kLength, kChunked, kUntilClose };
struct BodyFraming {
  BodyKind kind = BodyKind::kNone;
  uint64_t length = 0;  // of kLength, never 0 in a received message
};

/// RFC 9112 6.3, refusing everything that two parsers could read differently.
Fault request_framing(const FieldFacts& facts, Protocol protocol, BodyFraming& out);
enum class BodyAllowed : bool { kNo, kYes };  // kNo: answer to HEAD, 1xx, 204, 304
Fault response_framing(const FieldFacts& facts, Protocol protocol, BodyAllowed allowed,
                       BodyFraming& out);

/// Takes one received body off the wire.
class BodyDecoder {
 public:
  void start(const BodyFraming& framing) noexcept;
  /// Moves data to `out`; a chunked body's trailers are parsed into `trailers` and are either kept or, without
  /// enable_trailers, forgotten. Stops at the end of the message. `trailers` may be null unless kind() is kChunked.
  Fault decode(Buffer& in, Buffer& out, HeaderMap* trailers, const CodecOptions& options);
  bool ended() const noexcept { return ended_; }
  bool has_trailers() const noexcept { return has_trailers_; }
  BodyKind kind() const noexcept { return framing_.kind; }
  /// True before the first byte of the body has been taken.
  bool untouched() const noexcept { return !touched_; }

 private:
  Fault decode_trailers(Buffer& in, HeaderMap& trailers, const CodecOptions& options);

  BodyFraming framing_;
  bool ended_ = true;
  bool has_trailers_ = false;
  bool touched_ = false;
  ChunkedDecoder chunks_;
  HeadScanner trailer_scanner_;
};

/// Puts one body on the wire. Never emits more than was declared.
class BodyWriter {
 public:
  void start(const BodyFraming& framing) noexcept;
  void write(Buffer& data, Buffer& out, EndStream end);
  /// Ends a chunked body with the fields that may stand in trailers; other bodies just end.
  void write_trailers(const HeaderMap& trailers, Buffer& out, const CodecOptions& options);
  /// The data did not match the declared length: the connection must close, so that it shows.
  bool mismatched() const noexcept { return mismatched_; }
  BodyKind kind() const noexcept { return framing_.kind; }

 private:
  void write_chunk(Buffer& data, Buffer& out, EndStream end);

  BodyFraming framing_;
  bool mismatched_ = false;
};

}  // namespace weir::http::h1
