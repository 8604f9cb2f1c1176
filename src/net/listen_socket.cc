#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/strings.h"
#include "net/listener.h"

namespace weir::net {

namespace {

struct Fd {
  explicit Fd(int fd) : value(fd) {}
  Fd(Fd&& other) noexcept : value(std::exchange(other.value, -1)) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (value >= 0) ::close(value);
  }
  int value;
};

tl::unexpected<Error> socket_error(std::string_view what, const Address& address, int error) {
  const Code code = error == EADDRINUSE                  ? Code::kAddressInUse
                    : error == EMFILE || error == ENFILE ? Code::kExhausted
                                                         : Code::kSystem;
  return fail(code, Side::kLocal,
              base::concat(what, " ", address.to_string(), ": ", std::strerror(error)));
}

// The options of the configuration for this moment.
Result<void> apply_own(int fd, const Address& address, const SocketOptions& options,
                       SocketOption::When when) {
  for (const SocketOption& each : options.options) {
    if (each.when != when) continue;
    if (::setsockopt(fd, each.level, each.name, each.value.data(),
                     static_cast<socklen_t>(each.value.size())) != 0)
      return socket_error(base::concat("socket option ", each.level, "/", each.name, " of"),
                          address, errno);
  }
  return {};
}

Result<Fd> make_socket(const Address& address, const SocketOptions& options) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.value < 0) return socket_error("socket for", address, errno);
  const auto set = [&fd](int level, int name, int value) {
    return ::setsockopt(fd.value, level, name, &value, sizeof value) == 0;
  };
  if (!address.is_unix() && !set(SOL_SOCKET, SO_REUSEADDR, 1))
    return socket_error("SO_REUSEADDR for", address, errno);
  if (address.is_ipv6() && !set(IPPROTO_IPV6, IPV6_V6ONLY, options.ipv4_compat ? 0 : 1)) {
    return socket_error("IPV6_V6ONLY for", address, errno);
  }
  if (options.freebind && !address.is_unix() && !set(IPPROTO_IP, IP_FREEBIND, 1)) {
    return socket_error("IP_FREEBIND for", address, errno);
  }
  if (options.transparent && !address.is_unix() &&
      !(address.is_ipv6() ? set(IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
                          : set(IPPROTO_IP, IP_TRANSPARENT, 1)))
    return socket_error("IP_TRANSPARENT for", address, errno);
  if (auto done = apply_own(fd.value, address, options, SocketOption::When::kBeforeBind); !done)
    return fail(std::move(done).error());
  return fd;
}

Result<Address> local_address(int fd, const Address& address) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return socket_error("getsockname for", address, errno);
  }
  return Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), size);
}

// Does anybody listen on the path? A socket file whose listener has died refuses.
bool is_stale(const Address& address) {
  struct stat info {};
  if (::lstat(address.ip_text().c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  return fd.value >= 0 && ::connect(fd.value, address.raw(), address.raw_size()) != 0 &&
         errno == ECONNREFUSED;
}

bool has_path(const Address& address) {
  return address.is_unix() && !address.ip_text().starts_with('@');
}

uint64_t inode_of(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

}  // namespace

Result<std::unique_ptr<ListenSocket>> ListenSocket::bind_and_listen(const Address& address,
                                                                    const SocketOptions& options) {
  WEIR_TRY(fd, make_socket(address, options));
  const int one = 1;
  if (options.reuse_port && !address.is_unix() &&
      ::setsockopt(fd.value, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0) {
    return socket_error("SO_REUSEPORT for", address, errno);
  }
  int result = ::bind(fd.value, address.raw(), address.raw_size());
  if (result != 0 && errno == EADDRINUSE && has_path(address) && is_stale(address)) {
    ::unlink(address.ip_text().c_str());
    result = ::bind(fd.value, address.raw(), address.raw_size());
  }
  if (result != 0) return socket_error("cannot bind", address, errno);
  if (has_path(address) && options.unix_mode != 0 &&
      ::chmod(address.ip_text().c_str(), static_cast<mode_t>(options.unix_mode)) != 0) {
    return socket_error("chmod of", address, errno);
  }
  if (options.fast_open_queue > 0 && !address.is_unix() &&
      ::setsockopt(fd.value, IPPROTO_TCP, TCP_FASTOPEN, &options.fast_open_queue,
                   sizeof options.fast_open_queue) != 0)
    return socket_error("TCP_FASTOPEN for", address, errno);
  if (auto done = apply_own(fd.value, address, options, SocketOption::When::kBound); !done)
    return fail(std::move(done).error());
  if (::listen(fd.value, options.backlog) != 0)
    return socket_error("cannot listen on", address, errno);
  if (auto done = apply_own(fd.value, address, options, SocketOption::When::kListening); !done)
    return fail(std::move(done).error());
  WEIR_TRY(local, local_address(fd.value, address));
  std::unique_ptr<ListenSocket> socket(new ListenSocket(std::exchange(fd.value, -1), local));
  if (has_path(address)) socket->inode_ = inode_of(address.ip_text());
  return socket;
}

Result<std::vector<std::unique_ptr<ListenSocket>>> ListenSocket::open(const Address& address,
                                                                      const SocketOptions& options,
                                                                      unsigned count, Probe probe) {
  std::vector<std::unique_ptr<ListenSocket>> sockets;
  Address actual = address;
  const bool shared = !address.is_unix() && options.reuse_port;
  // The probe stays bound until the real sockets are: with SO_REUSEADDR alone it is refused where somebody listens,
  // and goes together with sockets that have it too.
  Fd probe_fd(-1);
  if (shared && probe == Probe::kYes) {
    WEIR_TRY(made, make_socket(address, options));
    if (::bind(made.value, address.raw(), address.raw_size()) != 0)
      return socket_error("cannot bind", address, errno);
    WEIR_TRY(local, local_address(made.value, address));
    actual = local;
    std::swap(probe_fd.value, made.value);
  }
  for (unsigned i = 0; i < (shared ? count : 1); ++i) {
    WEIR_TRY(socket, bind_and_listen(actual, options));
    actual = socket->local();
    sockets.push_back(std::move(socket));
  }
  return sockets;
}

void ListenSocket::stop_listening() const noexcept { ::shutdown(fd_, SHUT_RD); }

void ListenSocket::apply(const SocketOptions& options) const noexcept {
  ::listen(fd_, options.backlog);
  if (has_path(local_) && options.unix_mode != 0)
    ::chmod(local_.ip_text().c_str(), static_cast<mode_t>(options.unix_mode));
}

ListenSocket::~ListenSocket() {
  if (inode_ != 0) {
    const std::string path = local_.ip_text();
    if (inode_of(path) == inode_) ::unlink(path.c_str());
  }
  ::close(fd_);
}

}  // namespace weir::net
