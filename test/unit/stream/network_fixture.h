// A network chain over a real socket pair, with filters that the test scripts.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "stream/network_chain.h"

namespace weir::stream {

using namespace std::chrono_literals;

struct NoCallouts final : Callouts {
  bool knows_cluster(std::string_view) const override { return false; }
  Result<std::unique_ptr<Callout>> start(CalloutRequest, CalloutHandler&) override {
    return fail(Code::kNoCluster, Side::kLocal, "none");
  }
};

/// Logs its calls as "<name>:<call>" and does what the test says.
class Scripted : public NetworkFilter {
 public:
  Scripted(std::string name, std::vector<std::string>& log) : name_(std::move(name)), log_(log) {}
  NetworkFlow on_new_connection() override {
    log_.push_back(name_ + ":new");
    return new_connection ? new_connection(*this) : NetworkFlow::kContinue;
  }
  NetworkFlow on_data(Buffer& data, EndStream end) override {
    log_.push_back(name_ + ":data " + data.to_string() + (end == EndStream::kYes ? "$" : ""));
    return read ? read(*this, data, end) : NetworkFlow::kContinue;
  }
  NetworkFlow on_write(Buffer& data, EndStream end) override {
    log_.push_back(name_ + ":write " + data.to_string() + (end == EndStream::kYes ? "$" : ""));
    return written ? written(*this, data, end) : NetworkFlow::kContinue;
  }
  void on_write_blocked() override { log_.push_back(name_ + ":blocked"); }
  void on_write_resumed() override { log_.push_back(name_ + ":resumed"); }
  void on_close(CloseEvent by) noexcept override {
    log_.push_back(name_ + (by == CloseEvent::kLocal ? ":close local" : ":close remote"));
  }
  NetworkFilterCallbacks& callbacks() { return *callbacks_; }

  std::function<NetworkFlow(Scripted&)> new_connection;
  std::function<NetworkFlow(Scripted&, Buffer&, EndStream)> read, written;

 private:
  std::string name_;
  std::vector<std::string>& log_;
};

class NetworkChainTest : public testing::Test, public NetworkChainOwner {
 protected:
  void make(size_t buffer_limit = 64 * 1024) {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    peer_ = fds[1];
    net::ConnectionOptions options;
    options.buffer_limit = buffer_limit;
    connection_ =
        net::Connection::accepted(loop_, fds[0], net::Address::pipe("/tmp/peer").value(), options);
    chain_ = std::make_unique<NetworkChain>(
        NetworkChainDeps{loop_, 0, callouts_, *connection_, info_, &stream_info_, buffer_limit});
  }
  Scripted& add(const std::string& name) {
    auto filter = std::make_unique<Scripted>(name, log_);
    Scripted& added = *filter;
    chain_->add(std::move(filter));
    return added;
  }
  /// The last filter takes everything into `taken_`.
  Scripted& add_terminal() {
    auto filter = std::make_unique<Scripted>("end", log_);
    filter->read = [this](Scripted&, Buffer& data, EndStream) {
      taken_ += data.to_string();
      data.clear();
      return NetworkFlow::kContinue;
    };
    Scripted& added = *filter;
    chain_->add_terminal(std::move(filter));
    chain_->end_in_filter(*this);
    return added;
  }
  void start() {
    chain_->start();
    connection_->start();
  }
  void TearDown() override {
    chain_.reset();
    connection_.reset();
    if (peer_ >= 0) ::close(peer_);
  }
  void on_chain_done(CloseEvent by) override { done_.push_back(by); }
  void log_connection(ConnectionLog) override {}

  template <typename Done>
  bool run_until(Done&& done) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      loop_.run_once(20ms);
    }
    return true;
  }
  void turn() { loop_.run_once(0ms); }
  void send(std::string_view text) {
    ASSERT_EQ(::send(peer_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  std::string read_peer() {
    std::string text;
    char bytes[16384];
    for (;;) {
      const ssize_t n = ::recv(peer_, bytes, sizeof bytes, MSG_DONTWAIT);
      if (n <= 0) {
        peer_end_ |= n == 0 || errno == ECONNRESET;
        return text;
      }
      text.append(bytes, static_cast<size_t>(n));
    }
  }
  bool peer_receives(const std::string& expected) {
    return run_until([this, &expected] {
      received_ += read_peer();
      return received_ == expected;
    });
  }
  bool peer_ends() {
    return run_until([this] {
      received_ += read_peer();
      return peer_end_;
    });
  }
  bool logged(size_t count) {
    return run_until([this, count] { return log_.size() >= count; });
  }
  using Log = std::vector<std::string>;

  event::Loop loop_;
  NoCallouts callouts_;
  ConnectionInfo info_;
  StreamInfo stream_info_;
  Log log_;
  std::unique_ptr<net::Connection> connection_;
  std::unique_ptr<NetworkChain> chain_;
  int peer_ = -1;
  bool peer_end_ = false;
  std::string received_, taken_;
  std::vector<CloseEvent> done_;
};

}  // namespace weir::stream
