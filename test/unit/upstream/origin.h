// The origin of a test: scripted sockets on the loopback, in the thread of the loop under test.
#pragma once

#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "event/loop.h"
#include "net/address.h"

namespace weir::test {

constexpr std::chrono::seconds kDeadline{5};

/// Runs the loop until `ready()`; false (and a failure) after the deadline.
template <typename Ready>
bool run_until(event::Loop& loop, const char* what, Ready&& ready) {
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (!ready()) {
    if (std::chrono::steady_clock::now() > deadline) {
      ADD_FAILURE() << "timed out waiting for " << what;
      return false;
    }
    loop.run_once(std::chrono::milliseconds(1));
  }
  return true;
}

/// Turns that have nothing to wait for: gives what must not happen the chance to happen.
inline void run_some_turns(event::Loop& loop) {
  for (int i = 0; i < 10; ++i) loop.run_once(std::chrono::milliseconds(1));
}

/// One accepted connection as the origin plays it.
class OriginPeer {
 public:
  OriginPeer(event::Loop& loop, int fd) : loop_(&loop), fd_(fd) {}
  OriginPeer(OriginPeer&& other) noexcept
      : loop_(other.loop_),
        fd_(std::exchange(other.fd_, -1)),
        got_(std::move(other.got_)),
        ended_(other.ended_) {}
  OriginPeer& operator=(OriginPeer&&) = delete;
  ~OriginPeer() { close(); }

  /// All that was received up to and including `text`, taken away.
  std::string read_until(std::string_view text) {
    run_until(*loop_, std::string(text).c_str(),
              [&] { return receive(), got_.find(text) != std::string::npos || ended_; });
    const size_t at = got_.find(text);
    if (at == std::string::npos) return {};
    std::string result = got_.substr(0, at + text.size());
    got_.erase(0, at + text.size());
    return result;
  }
  std::string read_head() { return read_until("\r\n\r\n"); }
  bool wait_closed() {
    return run_until(*loop_, "the connection's end", [&] { return receive(), ended_; });
  }
  bool closed() { return receive(), ended_; }
  void send(std::string_view text) {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void reset() {
    const linger hard{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  const std::string& received() { return receive(), got_; }

 private:
  void receive() {
    char chunk[65536];
    while (fd_ >= 0) {
      const ssize_t n = recv(fd_, chunk, sizeof chunk, MSG_DONTWAIT);
      if (n > 0) {
        got_.append(chunk, static_cast<size_t>(n));
        continue;
      }
      if (n == 0 || (errno != EAGAIN && errno != EINTR)) ended_ = true;
      return;
    }
  }
  event::Loop* loop_;
  int fd_;
  std::string got_;
  bool ended_ = false;
};

class Origin {
 public:
  explicit Origin(event::Loop& loop)
      : loop_(loop), fd_(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(fd_, 64), 0);
    socklen_t length = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }
  Origin(const Origin&) = delete;
  ~Origin() { stop(); }
  void stop() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  net::Address address() const { return *net::Address::ip("127.0.0.1", port_); }
  uint16_t port() const { return port_; }
  OriginPeer accept() {
    int fd = -1;
    run_until(loop_, "a connection", [&] { return (fd = accept_now()) >= 0; });
    return OriginPeer(loop_, fd);
  }
  std::optional<OriginPeer> try_accept() {
    const int fd = accept_now();
    if (fd < 0) return std::nullopt;
    return OriginPeer(loop_, fd);
  }

 private:
  int accept_now() const { return accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); }
  event::Loop& loop_;
  int fd_;
  uint16_t port_ = 0;
};

}  // namespace weir::test
