// ClientHello: what the first message of a TLS client says in the clear. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::proxy {

struct ClientHello {
  std::string server_name;             // lower case; empty: none
  std::vector<std::string> protocols;  // ALPN, in the client's order
};

enum class HelloParse : uint8_t {
  kDone,
  kMore,      // a prefix of one
  kNotTls,    // something else
  kTooLarge,  // above `max_size`
  kInvalid,   // a TLS record whose content makes no sense
};

/// Reads a ClientHello (RFC 8446 section 4.1.2, RFC 6066 section 3, RFC 7301 section 3.1) from the records at the front of `bytes`,
/// however it is cut into records. `max_size` in bytes of the message.
HelloParse parse_client_hello(std::string_view bytes, size_t max_size, ClientHello& out);

}  // namespace weir::proxy
