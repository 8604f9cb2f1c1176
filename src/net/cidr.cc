#include "net/cidr.h"

#include <netinet/in.h>

#include <cstring>

#include "base/strings.h"

namespace weir::net {

IpBytes ip_bytes(const Address& address) noexcept {
  IpBytes out;
  if (address.family() == AF_INET) {
    out.size = 4;
    std::memcpy(out.bytes.data(), &reinterpret_cast<const sockaddr_in*>(address.raw())->sin_addr,
                4);
  } else if (address.family() == AF_INET6) {
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(address.raw())->sin6_addr;
    out.size = 16;
    std::memcpy(out.bytes.data(), v6.s6_addr, 16);
  }
  return out;
}

IpBytes masked(IpBytes ip, unsigned bits) noexcept {
  for (unsigned i = 0; i < ip.size; ++i) {
    const unsigned kept = bits >= 8 * (i + 1) ? 8 : bits <= 8 * i ? 0 : bits - 8 * i;
    ip.bytes[i] = static_cast<uint8_t>(ip.bytes[i] & (0xff00u >> kept));
  }
  return ip;
}

Result<Cidr> Cidr::make(std::string_view address, unsigned length) {
  WEIR_TRY(parsed, Address::ip(address, 0));
  const IpBytes ip = ip_bytes(parsed);
  if (length > 8u * ip.size)
    return fail(Code::kInvalidArgument, Side::kLocal,
                base::concat("a prefix of ", address, " has at most ", 8u * ip.size, " bits"));
  Cidr cidr;
  cidr.network_ = masked(ip, length);
  cidr.length_ = length;
  return cidr;
}

}  // namespace weir::net
