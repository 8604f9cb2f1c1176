// Parses complete heads: request line, status line and fields, in place and without allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <weir/message.h>

#include "http/connection.h"
#include "http/fault.h"

namespace weir::http::h1 {

struct RequestLine {
  std::string_view method;
  std::string_view target;
  Protocol protocol = Protocol::kHttp11;
};
/// `line` is without its CRLF. Any version but HTTP/1.0 and HTTP/1.1 is malformed.
Fault parse_request_line(std::string_view line, RequestLine& out);

struct StatusLine {
  int status = 0;
  Protocol protocol = Protocol::kHttp11;
};
Fault parse_status_line(std::string_view line, StatusLine& out);

/// The fields that decide about framing and connection, noticed in passing. The views point into the head.
struct FieldFacts {
  std::string_view host;
  std::string_view content_length;
  std::string_view transfer_encoding;
  std::string_view expect;
  uint32_t hosts = 0;
  uint32_t content_lengths = 0;
  uint32_t transfer_encodings = 0;
  uint32_t expects = 0;
  bool connection_close = false;
  bool connection_keep_alive = false;
  bool upgrade = false;
  bool http2_settings = false;
};

enum class Section : uint8_t { kRequest, kResponse, kTrailers };

/// Parses field lines up to the empty line that ends the text; names are lower-cased in place. The text lives in
/// the arena of `headers` and is followed by chars::kScanPadding readable bytes. Requires: ends with CRLF CRLF
/// (or is CRLF alone), no LF without CR before it. Fields that the codec answers for (in a request host, expect and
/// transfer-encoding, in a response transfer-encoding) go to `facts` and not to `headers`.
Fault parse_fields(char* text, size_t size, Section section, const CodecOptions& options,
                   HeaderMap& headers, FieldFacts& facts);

/// Copies the first `size` bytes of `in` to the arena of `headers`, with padding, and drains them.
char* take_text(Buffer& in, size_t size, HeaderMap& headers);

}  // namespace weir::http::h1
