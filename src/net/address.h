// Address: where a socket listens or connects: IPv4, IPv6 or a Unix path. An IPv4 address in IPv6's clothes (::ffff:1.2.3.4, what a
// dual-stack socket says of its IPv4 clients) is the IPv4 address.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <netinet/in.h>
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
  /// What to_string() says of an IP address: "127.0.0.1:80", "[::1]:80".
  static Result<Address> ip_and_port(std::string_view text);
  /// From accept() or getsockname().
  static Address from_sockaddr(const sockaddr* address, socklen_t length);

  bool is_unix() const noexcept { return path_ != nullptr; }
  bool is_ipv6() const noexcept { return family() == AF_INET6; }
  int family() const noexcept { return raw()->sa_family; }
  bool is_loopback() const noexcept;
  bool is_wildcard() const noexcept;  // 0.0.0.0 or ::
  uint16_t port() const noexcept;
  Address with_port(uint16_t port) const;
  std::string ip_text() const;  // "127.0.0.1"; the path for Unix sockets
  /// "127.0.0.1:80", "[::1]:80", the path.
  std::string to_string() const;
  /// Valid as long as this address or a copy of it is not changed.
  const sockaddr* raw() const noexcept {
    return path_ != nullptr ? reinterpret_cast<const sockaddr*>(path_.get()) : &ip_.any;
  }
  socklen_t raw_size() const noexcept { return size_; }
  bool operator==(const Address& other) const noexcept;

 private:
  void unmap() noexcept;

  // Every connection has two addresses, nearly always small ones.
  union Ip {
    sockaddr_in6 v6;
    sockaddr_in v4;
    sockaddr any;
  };
  Ip ip_{};
  socklen_t size_ = 0;
  std::shared_ptr<const sockaddr_un> path_;  // null unless Unix
};

}  // namespace weir::net
