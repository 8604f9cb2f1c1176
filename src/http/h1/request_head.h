// Makes a RequestHead out of a parsed request line and its fields: target forms, Host, Expect, h2c.
#pragma once

#include <weir/message.h>

#include "http/connection.h"
#include "http/fault.h"
#include "http/h1/body_framing.h"
#include "http/h1/parser.h"

namespace weir::http::h1 {

enum class KeepAlive : bool { kNo, kYes };

/// What a request asks the connection to become (RFC 9110 7.8, 9.3.6).
enum class Switch : uint8_t { kNone, kUpgrade, kConnect };

/// What the codec keeps of a request's head.
struct RequestFacts {
  Protocol protocol = Protocol::kHttp11;
  BodyFraming framing;
  KeepAlive keep_alive = KeepAlive::kYes;
  Switch asks = Switch::kNone;
  bool head_method = false;  // the response has no body
  bool expects_continue = false;
};

/// Checks what needs the request line alone, so that a broken one is answered before its head is complete.
Fault check_request_line(std::string_view line, const CodecOptions& options, RequestLine& out);

/// Parses a complete head. `text` is as parse_fields wants it; `first_line` is the length of the request line.
Fault parse_request_head(char* text, size_t size, size_t first_line, const CodecOptions& options,
                         RequestHead& head, RequestFacts& out);

}  // namespace weir::http::h1
