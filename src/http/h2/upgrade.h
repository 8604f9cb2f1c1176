// Extended CONNECT (RFC 8441) in the form of HTTP/1, which is the form that everything above the codecs knows.
#pragma once

#include <string>
#include <string_view>
#include <weir/message.h>

namespace weir::http::h2 {

/// Makes "CONNECT" with :protocol a "GET" with upgrade; a WebSocket gets the key that RFC 6455 wants and RFC 8441 does
/// without.
void show_as_upgrade(RequestHead& head, std::string_view protocol);

/// The protocol that a request with an open end asks to switch to, empty if it does not: GET with "upgrade".
std::string_view requested_upgrade(const RequestHead& head) noexcept;

/// Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 4.2.2).
std::string websocket_accept(std::string_view key);

}  // namespace weir::http::h2
