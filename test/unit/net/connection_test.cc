#include "net/connection.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <string>
#include <utility>

#include "net_test_support.h"

namespace weir::net {
namespace {

// A TCP pair over loopback: `connection` is ours, `peer` is played by the test.
class ConnectionTest : public testing::Test {
 protected:
  void SetUp() override {
    auto sockets = ListenSocket::open(Address::ip("127.0.0.1", 0).value(), SocketOptions{}, 1);
    ASSERT_TRUE(sockets) << sockets.error().detail;
    socket_ = std::move(sockets->front());
  }
  void TearDown() override {
    connection_.reset();
    if (peer_ >= 0) ::close(peer_);
  }
  void accept(ConnectionOptions options = {}) {
    peer_ = connect_to(socket_->local());
    ASSERT_GE(peer_, 0);
    int fd = -1;
    ASSERT_TRUE(run_until(loop_, [this, &fd] {
      fd = ::accept4(socket_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      return fd >= 0;
    }));
    connection_ = Connection::accepted(loop_, fd, socket_->local(), options);
    connection_->set_sink(sink_);
    connection_->start();
  }
  void send(std::string_view text) {
    ASSERT_EQ(::send(peer_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  bool peer_receives(const std::string& expected) {
    return run_until(loop_,
                     [this, &expected] {
                       received_ += read_now(peer_);
                       return received_.size() >= expected.size();
                     }) &&
           received_ == expected;
  }
  void reset_peer() {
    const linger option{1, 0};
    ::setsockopt(peer_, SOL_SOCKET, SO_LINGER, &option, sizeof option);
    ::close(std::exchange(peer_, -1));
  }

  event::Loop loop_;
  RecordingSink sink_;
  std::unique_ptr<ListenSocket> socket_;
  std::unique_ptr<Connection> connection_;
  int peer_ = -1;
  std::string received_;
};

TEST_F(ConnectionTest, Dialogue) {
  accept();
  send("ping");
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.data == "ping"; }));
  connection_->write(Buffer("po"));
  connection_->write(Buffer("ng"));
  EXPECT_EQ(connection_->unsent(), 4u);  // nothing is sent from inside write()
  EXPECT_TRUE(peer_receives("pong"));
  EXPECT_EQ(connection_->unsent(), 0u);
  EXPECT_EQ(connection_->local().to_string(), socket_->local().to_string());
  EXPECT_EQ(sink_.errors + sink_.ends + sink_.blocked + sink_.drained, 0);
  int no_delay = 0;
  socklen_t size = sizeof no_delay;
  ASSERT_EQ(::getsockopt(connection_->fd(), IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
  EXPECT_NE(no_delay, 0);
}

TEST_F(ConnectionTest, HalfCloseBothWays) {
  accept();
  send("last words");
  ::shutdown(peer_, SHUT_WR);
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.ends == 1; }));
  EXPECT_EQ(sink_.data, "last words");
  EXPECT_TRUE(connection_->read_ended());
  connection_->write(Buffer("answer"));
  connection_->half_close();
  EXPECT_TRUE(peer_receives("answer"));
  EXPECT_TRUE(run_until(loop_, [this] { return at_end(peer_); }));
  for (int i = 0; i < 5; ++i) loop_.run_once(0ms);
  EXPECT_EQ(sink_.ends, 1);
  EXPECT_EQ(sink_.errors, 0);
}

TEST_F(ConnectionTest, ReadingGoesOnAfterOurHalfClose) {
  accept();
  connection_->half_close();
  ASSERT_TRUE(run_until(loop_, [this] { return at_end(peer_); }));
  send("still here");
  EXPECT_TRUE(run_until(loop_, [this] { return sink_.data == "still here"; }));
}

TEST_F(ConnectionTest, ResetIsReportedOnce) {
  accept();
  reset_peer();
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.errors > 0; }));
  EXPECT_EQ(sink_.code, Code::kReset);
  EXPECT_TRUE(connection_->closed());
  for (int i = 0; i < 5; ++i) loop_.run_once(0ms);
  EXPECT_EQ(sink_.errors, 1);
  connection_->write(Buffer("into the void"));
  connection_->flush();
  loop_.run_once(0ms);
  EXPECT_EQ(connection_->unsent(), 0u);
}

TEST_F(ConnectionTest, WhatWasSaidBeforeAResetIsHeardAfterAFailedWrite) {
  accept();
  connection_->hold_reading();
  send("413 too large");
  loop_.run_once(50ms);
  // Unread bytes at the close make the kernel send a reset.
  connection_->write(Buffer("x"));
  ASSERT_TRUE(run_until(loop_, [this] { return connection_->unsent() == 0; }));
  ::close(std::exchange(peer_, -1));
  connection_->release_reading();
  ASSERT_TRUE(run_until(loop_, [this] {
    if (!connection_->closed() && sink_.errors == 0) connection_->write(Buffer("more"));
    return sink_.errors == 1;
  }));
  EXPECT_EQ(sink_.data, "413 too large");
}

TEST_F(ConnectionTest, BackPressureByWatermarks) {
  ConnectionOptions options;
  options.buffer_limit = 256 * 1024;
  accept(options);
  const std::string chunk(8 * 1024 * 1024, 'x');
  connection_->write(Buffer(chunk));
  EXPECT_EQ(sink_.blocked, 0);  // told by the loop, not from inside write()
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.blocked == 1; }));
  EXPECT_TRUE(connection_->write_blocked());
  EXPECT_GT(connection_->unsent(), options.buffer_limit);
  EXPECT_TRUE(peer_receives(chunk));
  EXPECT_EQ(sink_.blocked, 1);
  EXPECT_EQ(sink_.resumed, 1);
  EXPECT_EQ(sink_.drained, 1);
  EXPECT_FALSE(connection_->write_blocked());
}

TEST_F(ConnectionTest, HeldReadingLeavesBytesInTheKernel) {
  accept();
  connection_->hold_reading();
  connection_->hold_reading();
  send("later");
  for (int i = 0; i < 5; ++i) loop_.run_once(10ms);
  EXPECT_EQ(sink_.data_calls, 0);
  connection_->release_reading();
  loop_.run_once(10ms);
  EXPECT_EQ(sink_.data_calls, 0);
  connection_->release_reading();
  EXPECT_TRUE(run_until(loop_, [this] { return sink_.data == "later"; }));
}

TEST_F(ConnectionTest, LeftInputIsOfferedAgain) {
  accept();
  sink_.keep = true;
  send("abc");
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.data_calls == 1; }));
  sink_.keep = false;
  connection_->offer_again();
  EXPECT_EQ(sink_.data_calls, 1);
  loop_.run_once(0ms);
  EXPECT_EQ(sink_.data, "abc");
  EXPECT_EQ(sink_.data_calls, 2);
}

TEST_F(ConnectionTest, BulkDataArrivesInLargerReads) {
  accept();
  const std::string bulk(4 * 1024 * 1024, 'b');
  size_t sent = 0;
  ASSERT_TRUE(run_until(loop_, [this, &bulk, &sent] {
    const ssize_t n =
        ::send(peer_, bulk.data() + sent, bulk.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) sent += static_cast<size_t>(n);
    return sink_.data.size() == bulk.size();
  }));
  EXPECT_EQ(sink_.data, bulk);
  EXPECT_LT(sink_.data_calls, 4 * 1024 / 16);
}

TEST_F(ConnectionTest, ShortMessagesBetweenDoNotCutTheLargeOnes) {
  accept();
  size_t expected = 0;
  const auto calls_for = [this, &expected](size_t size) {
    const int before = sink_.data_calls;
    send(std::string(size, 'x'));
    expected += size;
    EXPECT_TRUE(run_until(loop_, [this, &expected] { return sink_.data.size() == expected; }));
    return sink_.data_calls - before;
  };
  constexpr size_t kLarge = 40'000;
  int calls = 0;
  for (int i = 0; i < 6; ++i) {
    calls = calls_for(kLarge);
    calls_for(10);
  }
  EXPECT_EQ(calls, 1);
  for (int i = 0; i < 32; ++i) calls_for(10);
  EXPECT_GT(calls_for(kLarge), 1);  // chatter has made the reads small again
}

// Small messages are handled when all ready sockets have been read.
TEST_F(ConnectionTest, DeliversAfterAllReadsAndNotWhileHeld) {
  struct Pair {
    std::unique_ptr<Connection> connection;
    int peer = -1;
    RecordingSink sink{};
  };
  struct HoldingSink : RecordingSink {
    void on_data(Buffer& in, ReadEnd end) override {
      int waiting = -1;
      EXPECT_EQ(::ioctl(other->fd(), FIONREAD, &waiting), 0);
      EXPECT_EQ(waiting, 0);  // read already
      other->hold_reading();
      RecordingSink::on_data(in, end);
    }
    Connection* other = nullptr;
  };
  accept();
  Pair first{std::move(connection_), std::exchange(peer_, -1)};
  accept();
  HoldingSink holding;
  // Whichever is delivered first holds the other one.
  holding.other = connection_.get();
  first.connection->set_sink(holding);
  HoldingSink also;
  also.other = first.connection.get();
  connection_->set_sink(also);
  ASSERT_EQ(::send(first.peer, "one", 3, MSG_NOSIGNAL), 3);
  send("two");
  ASSERT_TRUE(
      run_until(loop_, [&holding, &also] { return holding.data_calls + also.data_calls > 0; }));
  for (int i = 0; i < 5; ++i) loop_.run_once(1ms);
  EXPECT_EQ(holding.data_calls + also.data_calls, 1);
  HoldingSink& later = holding.data_calls == 0 ? holding : also;
  (holding.data_calls == 0 ? first.connection : connection_)->release_reading();
  ASSERT_TRUE(run_until(loop_, [&later] { return later.data_calls == 1; }));
  EXPECT_EQ(later.data.size(), 3u);
  first.connection.reset();
  ::close(first.peer);
}

TEST_F(ConnectionTest, GracefulCloseFlushesThenWaitsForTheOtherSide) {
  accept();
  const std::string text(3 * 1024 * 1024, 'g');
  connection_->write(Buffer(text));
  connection_->close_gracefully(5s);
  send("unread upload");
  EXPECT_TRUE(peer_receives(text));
  EXPECT_TRUE(run_until(loop_, [this] { return at_end(peer_); }));
  EXPECT_EQ(sink_.errors, 0);
  EXPECT_FALSE(connection_->closed());
  ::shutdown(peer_, SHUT_WR);
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.errors == 1; }));
  EXPECT_EQ(sink_.code, Code::kClosed);
  EXPECT_TRUE(connection_->closed());
  EXPECT_EQ(sink_.data_calls, 0);
}

TEST_F(ConnectionTest, LingerEndsBySilence) {
  accept();
  connection_->write(Buffer("bye"));
  connection_->close_gracefully(20ms);
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.errors == 1; }));
  EXPECT_EQ(sink_.code, Code::kClosed);
  EXPECT_EQ(read_now(peer_), "bye");
}

TEST_F(ConnectionTest, GracefulCloseWithoutLingerEndsWhenSent) {
  accept();
  connection_->write(Buffer("bye"));
  connection_->close_gracefully(0ms);
  loop_.run_once(0ms);
  EXPECT_TRUE(connection_->closed());
  EXPECT_EQ(sink_.errors, 1);
  EXPECT_TRUE(peer_receives("bye"));
}

TEST_F(ConnectionTest, CloseByFinAndByReset) {
  accept();
  connection_->close();
  EXPECT_TRUE(connection_->closed());
  EXPECT_TRUE(run_until(loop_, [this] { return at_end(peer_); }));
  ::close(std::exchange(peer_, -1));
  accept();
  connection_->close(Connection::How::kReset);
  char byte = 0;
  EXPECT_EQ(::recv(peer_, &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
  loop_.run_once(0ms);
  EXPECT_EQ(sink_.errors, 0);
}

TEST_F(ConnectionTest, StillAliveSeesEndAndUnaskedBytes) {
  accept();
  EXPECT_TRUE(connection_->still_alive());
  connection_->hold_reading();
  send("?");
  EXPECT_TRUE(run_until(loop_, [this] { return !connection_->still_alive(); }));
  ::close(std::exchange(peer_, -1));
  accept();
  ::close(std::exchange(peer_, -1));
  EXPECT_TRUE(run_until(loop_, [this] { return !connection_->still_alive(); }));
}

TEST_F(ConnectionTest, ConnectsAndReportsFromTheLoop) {
  auto made = Connection::connect(loop_, socket_->local(), 5s, ConnectionOptions{});
  ASSERT_TRUE(made);
  connection_ = std::move(*made);
  connection_->set_sink(sink_);
  connection_->write(Buffer("early"));
  EXPECT_EQ(sink_.connected, 0);
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.connected == 1; }));
  peer_ = ::accept(socket_->fd(), nullptr, nullptr);
  EXPECT_TRUE(peer_receives("early"));
  send("hello");
  EXPECT_TRUE(run_until(loop_, [this] { return sink_.data == "hello"; }));
}

TEST_F(ConnectionTest, RefusedConnectIsAnError) {
  const Address address = socket_->local();
  socket_.reset();
  auto made = Connection::connect(loop_, address, 5s, ConnectionOptions{});
  ASSERT_TRUE(made);
  connection_ = std::move(*made);
  connection_->set_sink(sink_);
  EXPECT_EQ(sink_.errors, 0);
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.errors == 1; }));
  EXPECT_EQ(sink_.code, Code::kConnectFailed);
  EXPECT_EQ(sink_.connected, 0);
}

TEST_F(ConnectionTest, ConnectTimesOut) {
  // A listener whose queue is full answers no further SYN.
  const int full = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Address address = Address::ip("127.0.0.1", 0).value();
  ASSERT_EQ(::bind(full, address.raw(), address.raw_size()), 0);
  ASSERT_EQ(::listen(full, 0), 0);
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  ASSERT_EQ(::getsockname(full, reinterpret_cast<sockaddr*>(&storage), &size), 0);
  address = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), size);
  std::vector<std::unique_ptr<Connection>> connections;
  std::vector<std::unique_ptr<RecordingSink>> sinks;
  for (int i = 0; i < 6; ++i) {
    connections.push_back(Connection::connect(loop_, address, 40ms, ConnectionOptions{}).value());
    sinks.push_back(std::make_unique<RecordingSink>());
    connections.back()->set_sink(*sinks.back());
  }
  ASSERT_TRUE(run_until(loop_, [&sinks] { return sinks.back()->errors == 1; }));
  EXPECT_EQ(sinks.back()->code, Code::kConnectTimeout);
  connections.clear();
  ::close(full);
}

TEST_F(ConnectionTest, DestroyedInsideItsOwnCallback) {
  accept();
  struct Closer : ConnectionSink {
    void on_data(Buffer& in, ReadEnd) override {
      in.clear();
      connection->write(Buffer("gone"));
      connection->close();
      loop->defer_delete(std::move(*owner));
    }
    void on_error(const Error&) override { ADD_FAILURE() << "closed by its owner"; }
    Connection* connection = nullptr;
    event::Loop* loop = nullptr;
    std::unique_ptr<Connection>* owner = nullptr;
  } closer;
  closer.connection = connection_.get();
  closer.loop = &loop_;
  closer.owner = &connection_;
  connection_->set_sink(closer);
  send("x");
  EXPECT_TRUE(run_until(loop_, [this] { return connection_ == nullptr; }));
  loop_.run_once(0ms);
}

// Turns every byte over on its way, as TLS would encrypt it, and holds back what it read until asked again.
class FlippingTransport : public Transport {
 public:
  IoResult read(int fd, Buffer& in, size_t) override {
    char bytes[7];
    const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
    if (n == 0) return {IoStatus::kEnd, 0};
    if (n < 0) return {errno == EAGAIN ? IoStatus::kAgain : IoStatus::kError, 0};
    for (ssize_t i = 0; i < n; ++i) bytes[i] = static_cast<char>(bytes[i] ^ 1);
    in.append(std::string_view(bytes, static_cast<size_t>(n)));
    return {IoStatus::kOk, static_cast<size_t>(n)};
  }
  IoResult write(int fd, Buffer& out) override {
    std::string text(out.front());
    for (char& c : text) c = static_cast<char>(c ^ 1);
    const ssize_t n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n < 0) return {errno == EAGAIN ? IoStatus::kAgain : IoStatus::kError, 0};
    out.drain(static_cast<size_t>(n));
    return {IoStatus::kOk, static_cast<size_t>(n)};
  }
  void end_writing(int) noexcept override {}
  std::string_view failure() const noexcept override { return {}; }
};

TEST_F(ConnectionTest, TransportStandsBetween) {
  accept();
  connection_->set_transport(std::make_unique<FlippingTransport>());
  send("`bcdefghijklmnopqrstuvwx");
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.data.size() == 24; }));
  EXPECT_EQ(sink_.data.substr(0, 4), "acbe");
  connection_->write(Buffer("ace"));
  EXPECT_TRUE(peer_receives("`bd"));
}

}  // namespace
}  // namespace weir::net
