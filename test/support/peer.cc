#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <utility>

#include "base/strings.h"
#include "support/test_proxy.h"

namespace weir::test {
namespace {

int milliseconds(std::chrono::milliseconds time) { return static_cast<int>(time.count()); }

bool readable(int fd, std::chrono::milliseconds time) {
  pollfd waiting{fd, POLLIN, 0};
  return ::poll(&waiting, 1, milliseconds(time)) > 0;
}

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int listen_on(const char* ip, uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(port);
  ::inet_pton(AF_INET, ip, &address.sin_addr);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd, 512) != 0)
    throw std::runtime_error("cannot listen");
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
  port = ntohs(bound.sin_port);
  return fd;
}

}  // namespace

Peer Peer::connect(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  const timeval deadline{kDeadline.count(), 0};  // bounds connect() too
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof deadline);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd);
    throw std::runtime_error("connect to port " + std::to_string(port) + ": " +
                             std::strerror(errno));
  }
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return Peer(fd);
}

Peer::Peer(Peer&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      tls_(std::move(other.tls_)),
      in_(std::move(other.in_)),
      ended_(other.ended_),
      reset_seen_(other.reset_seen_) {}

Peer& Peer::operator=(Peer&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(tls_, other.tls_);
  std::swap(in_, other.in_);
  std::swap(ended_, other.ended_);
  std::swap(reset_seen_, other.reset_seen_);
  return *this;
}

Peer::~Peer() { close(); }

void Peer::close() {
  if (tls_ && fd_ >= 0) tls_->say_goodbye();
  tls_.reset();
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void Peer::start_tls(PeerTls::Role role, const TlsSide& side) {
  const timeval deadline{kDeadline.count(), 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
  tls_ = std::make_unique<PeerTls>(fd_, role, side);
}

void Peer::reset() {
  const linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  tls_.reset();
  close();
}

void Peer::half_close() {
  if (tls_) tls_->say_goodbye();
  ::shutdown(fd_, SHUT_WR);
}

void Peer::set_receive_buffer(int bytes) {
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

void Peer::send(std::string_view bytes) {
  if (tls_) {
    static_cast<void>(tls_->write(bytes));  // the reader finds out
    return;
  }
  while (!bytes.empty()) {
    pollfd waiting{fd_, POLLOUT, 0};
    if (::poll(&waiting, 1, milliseconds(kDeadline)) <= 0)
      throw std::runtime_error("send: timed out");
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return;  // the reader finds out
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

bool Peer::fill() {
  if (ended_) return false;
  if (!(tls_ && tls_->pending()) && !readable(fd_, kDeadline))
    throw std::runtime_error("read: timed out; so far: " + in_);
  char bytes[65536];
  const ssize_t size = tls_ ? tls_->read(bytes, sizeof bytes) : ::recv(fd_, bytes, sizeof bytes, 0);
  if (size <= 0) {
    ended_ = true;
    reset_seen_ = size < 0 && errno == ECONNRESET;
    return false;
  }
  in_.append(bytes, static_cast<size_t>(size));
  return true;
}

std::string Peer::read_head() {
  size_t end;
  while ((end = in_.find("\r\n\r\n")) == std::string::npos)
    if (!fill()) throw std::runtime_error("closed before the end of a head; got: " + in_);
  std::string head = in_.substr(0, end + 4);
  in_.erase(0, end + 4);
  return head;
}

std::string Peer::read(size_t size) {
  while (in_.size() < size)
    if (!fill()) throw std::runtime_error("closed after " + std::to_string(in_.size()) + " bytes");
  std::string bytes = in_.substr(0, size);
  in_.erase(0, size);
  return bytes;
}

std::string Peer::read_to_end() {
  while (fill()) {
  }
  return std::exchange(in_, {});
}

bool Peer::closed() {
  while (fill()) {
  }
  return in_.empty();
}

bool Peer::ends_in_reset() {
  read_to_end();
  return reset_seen_;
}

bool Peer::quiet(std::chrono::milliseconds time) {
  return in_.empty() && (ended_ || !readable(fd_, time));
}

std::string Peer::Message::first_line() const { return head.substr(0, head.find("\r\n")); }

int Peer::Message::status() const { return head.size() < 12 ? 0 : std::stoi(head.substr(9, 3)); }

bool Peer::Message::has(std::string_view name) const {
  return base::icontains(head, "\r\n" + std::string(name) + ":");
}

std::string Peer::Message::header(std::string_view name) const {
  const std::string lower = base::lower(head);
  const size_t at = lower.find("\r\n" + base::lower(name) + ":");
  if (at == std::string::npos) return {};
  const size_t begin = at + 3 + name.size();
  return std::string(
      base::trim(std::string_view(head).substr(begin, head.find("\r\n", begin) - begin)));
}

Peer::Message Peer::read_message(bool with_body) {
  Message message;
  message.head = read_head();
  const bool is_response = message.head.starts_with("HTTP/");
  const int status = is_response ? message.status() : 0;
  if (!with_body || status == 204 || status == 304 || (status >= 100 && status < 200))
    return message;
  if (base::icontains(message.header("transfer-encoding"), "chunked")) {
    for (;;) {
      size_t end;
      while ((end = in_.find("\r\n")) == std::string::npos)
        if (!fill()) throw std::runtime_error("closed inside a chunk");
      const size_t size = std::stoul(in_.substr(0, end), nullptr, 16);
      in_.erase(0, end + 2);
      if (size == 0) break;
      message.body += read(size);
      read(2);
    }
    while (in_.find("\r\n") != 0 && in_.find("\r\n\r\n") == std::string::npos)
      if (!fill()) throw std::runtime_error("closed inside trailers");
    in_.erase(0, in_.starts_with("\r\n") ? 2 : in_.find("\r\n\r\n") + 4);
  } else if (message.has("content-length")) {
    message.body = read(std::stoul(message.header("content-length")));
  } else if (is_response) {
    message.body = read_to_end();
  }
  return message;
}

Origin::Origin() : port_(0) { fd_ = listen_on("127.0.0.1", port_); }
Origin::~Origin() { stop_listening(); }
void Origin::stop_listening() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}
Peer Origin::accept() {
  if (!readable(fd_, kDeadline)) throw std::runtime_error("origin: nobody connects");
  return Peer(::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC));
}
bool Origin::quiet(std::chrono::milliseconds time) { return !readable(fd_, time); }

AutoOrigin::AutoOrigin(Handler handler, const char* address, uint16_t port)
    : handler_(std::move(handler)), fd_(-1), port_(port) {
  fd_ = listen_on(address, port_);
  thread_ = std::thread(&AutoOrigin::run, this);
}

AutoOrigin::~AutoOrigin() {
  stop_ = true;
  ::shutdown(fd_, SHUT_RDWR);
  thread_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int each : fds_) ::shutdown(each, SHUT_RDWR);
  }
  for (std::thread& each : peers_) each.join();
  ::close(fd_);
}

void AutoOrigin::run() {
  while (!stop_) {
    const int peer = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) return;
    const std::lock_guard lock(mutex_);
    fds_.push_back(peer);
    peers_.emplace_back(&AutoOrigin::serve, this, peer);
  }
}

void AutoOrigin::use_tls(TlsSide side) {
  const std::lock_guard lock(mutex_);
  tls_ = std::move(side);
}

void AutoOrigin::serve(int fd) {
  const int copy = ::dup(fd);
  Peer peer(copy);
  std::optional<TlsSide> tls;
  {
    const std::lock_guard lock(mutex_);
    tls = tls_;
  }
  try {
    if (tls) peer.start_tls(PeerTls::Role::kServer, *tls);
    while (!stop_) {
      if (!readable(copy, std::chrono::milliseconds(100))) continue;
      const Peer::Message request = peer.read_message();
      ++requests_;
      peer.send(handler_(request));
    }
  } catch (const std::exception&) {
    // The proxy closed the connection.
  }
  const std::lock_guard lock(mutex_);
  std::erase(fds_, fd);
  ::close(fd);
}

LoadClients::LoadClients(uint16_t port, int count, Exchange exchange)
    : exchange_(std::move(exchange)) {
  for (int i = 0; i < count; ++i) {
    threads_.emplace_back([this, port] {
      try {
        Peer client = Peer::connect(port);
        while (!stop_) (exchange_(client) ? good_ : bad_)++;
      } catch (const std::exception&) {
        ++bad_;
      }
    });
  }
}

void LoadClients::stop() {
  stop_ = true;
  for (std::thread& each : threads_) {
    if (each.joinable()) each.join();
  }
}

std::string response(std::string_view body, int status, std::string_view headers) {
  return "HTTP/1.1 " + std::to_string(status) +
         " X\r\ncontent-length: " + std::to_string(body.size()) + "\r\n" + std::string(headers) +
         "\r\n" + std::string(body);
}

}  // namespace weir::test
