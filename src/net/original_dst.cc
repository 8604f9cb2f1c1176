#include "net/original_dst.h"

#include <netinet/in.h>

namespace weir::net {

namespace {
// SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST: their headers do not go together with netinet/in.h.
constexpr int kOriginalDst = 80;
}  // namespace

std::optional<Address> original_destination(int fd, const Address& local) {
  if (local.is_unix()) return std::nullopt;
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  // IPv4 clients of a dual-stack socket are tracked as IPv4.
  const bool v4 = local.family() == AF_INET || local.ip_text().find(':') == std::string::npos;
  const int failed = v4 ? ::getsockopt(fd, IPPROTO_IP, kOriginalDst, address, &size)
                        : ::getsockopt(fd, IPPROTO_IPV6, kOriginalDst, address, &size);
  if (failed != 0) return std::nullopt;
  return Address::from_sockaddr(address, size);
}

}  // namespace weir::net
