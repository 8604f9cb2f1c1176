// The parts of an address's text: "ip:port", "[ip]:port", or the path of a Unix socket.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

/// The IP of "ip:port" or "[ip]:port"; empty for a path.
std::string_view ip_of(std::string_view address) noexcept;
/// The port of it; 0 for a path.
uint16_t port_of(std::string_view address) noexcept;

}  // namespace weir
