#include "net/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

#include "base/strings.h"

namespace weir::net {

namespace {

constexpr size_t kPathOffset = offsetof(sockaddr_un, sun_path);

sockaddr_in v4_address(const void* bytes, in_port_t port) noexcept {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = port;
  std::memcpy(&v4.sin_addr, bytes, sizeof v4.sin_addr);
  return v4;
}

}  // namespace

void Address::unmap() noexcept {
  if (family() != AF_INET6 || size_ < sizeof(sockaddr_in6)) return;
  const in6_addr v6 = ip_.v6.sin6_addr;
  if (!IN6_IS_ADDR_V4MAPPED(&v6)) return;
  ip_.v4 = v4_address(&v6.s6_addr[12], ip_.v6.sin6_port);
  size_ = sizeof(sockaddr_in);
}

Result<Address> Address::ip(std::string_view text, uint16_t port) {
  Address address;
  const std::string copy(text);
  in_addr v4{};
  if (::inet_pton(AF_INET, copy.c_str(), &v4) == 1) {
    address.ip_.v4 = v4_address(&v4, htons(port));
    address.size_ = sizeof(sockaddr_in);
    return address;
  }
  in6_addr v6{};
  if (::inet_pton(AF_INET6, copy.c_str(), &v6) == 1) {
    address.ip_.v6.sin6_family = AF_INET6;
    address.ip_.v6.sin6_port = htons(port);
    address.ip_.v6.sin6_addr = v6;
    address.size_ = sizeof(sockaddr_in6);
    address.unmap();
    return address;
  }
  return fail(Code::kInvalidArgument, Side::kLocal,
              base::concat("\"", text, "\" is not an IP address"));
}

Result<Address> Address::ip_and_port(std::string_view text) {
  const size_t colon = text.rfind(':');
  uint16_t port = 0;
  if (colon != std::string_view::npos) {
    std::string_view ip = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    const bool bracketed = ip.size() > 2 && ip.front() == '[' && ip.back() == ']';
    if (bracketed) ip = ip.substr(1, ip.size() - 2);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error == std::errc() && end == digits.data() + digits.size()) {
      auto address = Address::ip(ip, port);
      if (address && address->is_ipv6() == bracketed) return address;
    }
  }
  return fail(Code::kInvalidArgument, Side::kLocal,
              base::concat("\"", text, "\" is not an IP address with a port"));
}

Result<Address> Address::pipe(std::string_view path) {
  Address address;
  sockaddr_un un{};
  // A path ends with a zero byte; an abstract name ("@name") begins with one instead.
  if (path.empty() || path.size() >= sizeof un.sun_path ||
      path.find('\0') != std::string_view::npos) {
    return fail(Code::kInvalidArgument, Side::kLocal,
                base::concat("a Unix socket's path has 1 to ", sizeof un.sun_path - 1, " bytes"));
  }
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.data(), path.size());
  const bool abstract = path.front() == '@';
  if (abstract) un.sun_path[0] = '\0';
  address.size_ = static_cast<socklen_t>(kPathOffset + path.size() + (abstract ? 0 : 1));
  address.path_ = std::make_shared<const sockaddr_un>(un);
  return address;
}

Address Address::from_sockaddr(const sockaddr* from, socklen_t length) {
  Address address;
  if (length >= sizeof(sa_family_t) && from->sa_family == AF_UNIX) {
    sockaddr_un un{};
    address.size_ = std::min<socklen_t>(length, sizeof un);
    std::memcpy(&un, from, address.size_);
    address.path_ = std::make_shared<const sockaddr_un>(un);
  } else {
    address.size_ = std::min<socklen_t>(length, sizeof address.ip_);
    std::memcpy(&address.ip_, from, address.size_);
    address.unmap();
  }
  return address;
}

bool Address::is_loopback() const noexcept {
  if (family() == AF_INET) {
    return ntohl(ip_.v4.sin_addr.s_addr) >> 24 == 127;
  }
  if (family() == AF_INET6) return IN6_IS_ADDR_LOOPBACK(&ip_.v6.sin6_addr);
  return is_unix();
}

bool Address::is_wildcard() const noexcept {
  if (family() == AF_INET) return ip_.v4.sin_addr.s_addr == INADDR_ANY;
  return family() == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&ip_.v6.sin6_addr);
}

uint16_t Address::port() const noexcept {
  if (family() == AF_INET) return ntohs(ip_.v4.sin_port);
  if (family() == AF_INET6) return ntohs(ip_.v6.sin6_port);
  return 0;
}

Address Address::with_port(uint16_t port) const {
  Address copy = *this;
  if (family() == AF_INET) copy.ip_.v4.sin_port = htons(port);
  if (family() == AF_INET6) copy.ip_.v6.sin6_port = htons(port);
  return copy;
}

std::string Address::ip_text() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) {
    ::inet_ntop(AF_INET, &ip_.v4.sin_addr, text, sizeof text);
    return text;
  }
  if (family() == AF_INET6) {
    ::inet_ntop(AF_INET6, &ip_.v6.sin6_addr, text, sizeof text);
    return text;
  }
  if (!is_unix() || size_ <= kPathOffset) return {};
  const sockaddr_un* un = path_.get();
  if (un->sun_path[0] != '\0')
    return std::string(un->sun_path, ::strnlen(un->sun_path, size_ - kPathOffset));
  return "@" + std::string(un->sun_path + 1, size_ - kPathOffset - 1);
}

std::string Address::to_string() const {
  if (is_unix()) return ip_text();
  if (size_ == 0) return {};
  const std::string ip = ip_text();
  return ip.find(':') != std::string::npos ? base::concat("[", ip, "]:", port())
                                           : base::concat(ip, ":", port());
}

bool Address::operator==(const Address& other) const noexcept {
  if (family() != other.family()) return false;
  if (family() == AF_INET6) {
    const sockaddr_in6& a = ip_.v6;
    const sockaddr_in6& b = other.ip_.v6;
    return a.sin6_port == b.sin6_port && a.sin6_scope_id == b.sin6_scope_id &&
           std::memcmp(&a.sin6_addr, &b.sin6_addr, sizeof a.sin6_addr) == 0;
  }
  if (family() == AF_INET) {
    const sockaddr_in& a = ip_.v4;
    const sockaddr_in& b = other.ip_.v4;
    return a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr;
  }
  return size_ == other.size_ && std::memcmp(raw(), other.raw(), size_) == 0;
}

}  // namespace weir::net
