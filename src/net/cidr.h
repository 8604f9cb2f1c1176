// Cidr: a range of IP addresses, "10.0.0.0/8".
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <weir/result.h>

#include "net/address.h"

namespace weir::net {

/// An IP address as bytes in network order.
struct IpBytes {
  uint8_t size = 0;  // 4, 16, or 0: no IP address
  std::array<uint8_t, 16> bytes{};
  bool operator==(const IpBytes&) const = default;
  auto operator<=>(const IpBytes&) const = default;
};
IpBytes ip_bytes(const Address& address) noexcept;
/// The first `bits` bits; the others are zero.
IpBytes masked(IpBytes ip, unsigned bits) noexcept;

class Cidr {
 public:
  /// Bits behind the prefix are ignored, as Envoy does. Error: no IP address, or a length above 32 or 128.
  static Result<Cidr> make(std::string_view address, unsigned length);
  const IpBytes& network() const noexcept { return network_; }
  unsigned length() const noexcept { return length_; }
  bool contains(const IpBytes& ip) const noexcept {
    return ip.size == network_.size && masked(ip, length_) == network_;
  }
  bool operator==(const Cidr&) const = default;

 private:
  IpBytes network_;
  unsigned length_ = 0;
};

}  // namespace weir::net
