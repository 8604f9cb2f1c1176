// Address: where a socket listens or connects: IPv4, IPv6 or a Unix path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <weir/result.h>

namespace weir::net {

class Address {
 public:
  Address() = default;
  /// "127.0.0.1", "::1", "0.0.0.0": numeric only, no DNS.
  static Result<Address> ip(std::string_view text, uint16_t port);
  static Result<Address> pipe(std::string_view path);
  /// From accept() or getsockname().
  static Address from_sockaddr(const sockaddr* address, socklen_t length);

  bool is_unix() const noexcept { return storage_.ss_family == AF_UNIX; }
  bool is_ipv6() const noexcept { return storage_.ss_family == AF_INET6; }
  int family() const noexcept { return storage_.ss_family; }
  bool is_loopback() const noexcept;
  bool is_wildcard() const noexcept;  // 0.0.0.0 or ::
  uint16_t port() const noexcept;
  Address with_port(uint16_t port) const;
  std::string ip_text() const;  // "127.0.0.1"; the path for Unix sockets
  /// "127.0.0.1:80", "[::1]:80", the path.
  std::string to_string() const;
  const sockaddr* raw() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t raw_size() const noexcept { return size_; }
  bool operator==(const Address& other) const noexcept;

 private:
  sockaddr_storage storage_{};  // holds sockaddr_un too
  socklen_t size_ = 0;
};

}  // namespace weir::net
