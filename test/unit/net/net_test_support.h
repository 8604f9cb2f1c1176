// What the tests of net share: a loop with a deadline and a sink that records.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "net/connection.h"
#include "net/listener.h"

namespace weir::net {

using namespace std::chrono_literals;

template <typename Done>
bool run_until(event::Loop& loop, Done&& done) {
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    loop.run_once(50ms);
  }
  return true;
}

/// Takes everything it is given unless `keep` is set, and logs the calls.
struct RecordingSink : ConnectionSink {
  void on_data(Buffer& in, ReadEnd end) override {
    if (!keep) {
      data += in.to_string();
      in.clear();
    }
    ++data_calls;
    if (end == ReadEnd::kYes) ++ends;
  }
  void on_connected() override { ++connected; }
  void on_write_blocked() override { ++blocked; }
  void on_write_resumed() override { ++resumed; }
  void on_drained() override { ++drained; }
  void on_error(const Error& error) override {
    ++errors;
    code = error.code;
    detail = error.detail;
  }
  bool keep = false;
  std::string data{};
  int data_calls = 0;
  int ends = 0;
  int connected = 0;
  int blocked = 0;
  int resumed = 0;
  int drained = 0;
  int errors = 0;
  Code code = Code::kInternal;
  std::string detail{};
};

/// Collects accepted sockets.
struct RecordingAcceptSink : AcceptSink {
  ~RecordingAcceptSink() override { close_all(); }
  void on_accept(int fd, const Address& remote) override {
    fds.push_back(fd);
    last = remote;
  }
  void close_all() {
    for (const int fd : fds) ::close(fd);
    fds.clear();
  }
  std::vector<int> fds{};
  Address last{};
};

inline std::string read_now(int fd) {
  std::string text;
  char bytes[65536];
  for (;;) {
    const ssize_t n = ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n <= 0) return text;
    text.append(bytes, static_cast<size_t>(n));
  }
}

/// True if the other side has ended its stream and all was read.
inline bool at_end(int fd) {
  char byte = 0;
  return ::recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

/// A blocking client socket connected to the address.
inline int connect_to(const Address& address) {
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (::connect(fd, address.raw(), address.raw_size()) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace weir::net
