#include "net/listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "net_test_support.h"

namespace weir::net {
namespace {

Address any_port(const char* ip = "127.0.0.1") { return Address::ip(ip, 0).value(); }

TEST(ListenSocket, WorkersShareAnAddress) {
  const auto sockets = ListenSocket::open(any_port(), SocketOptions{}, 3);
  ASSERT_TRUE(sockets) << sockets.error().detail;
  ASSERT_EQ(sockets->size(), 3u);
  EXPECT_NE(sockets->at(0)->local().port(), 0);
  for (const auto& socket : *sockets) EXPECT_EQ(socket->local(), sockets->at(0)->local());
}

TEST(ListenSocket, SecondOwnerIsToldThatTheAddressIsInUse) {
  const auto first = ListenSocket::open(any_port(), SocketOptions{}, 2);
  ASSERT_TRUE(first);
  const Address address = first->front()->local();
  const auto second = ListenSocket::open(address, SocketOptions{}, 2);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kAddressInUse);
  EXPECT_NE(second.error().detail.find(address.to_string()), std::string::npos);
  EXPECT_TRUE(ListenSocket::open(address, SocketOptions{}, 1, Probe::kNo));
}

TEST(ListenSocket, AddressIsFreeAgainDespiteTimeWait) {
  auto first = ListenSocket::open(any_port(), SocketOptions{}, 1);
  ASSERT_TRUE(first);
  const Address address = first->front()->local();
  const int client = connect_to(address);
  const int server = ::accept(first->front()->fd(), nullptr, nullptr);
  ::close(server);  // the closing side keeps the port in TIME_WAIT
  ::close(client);
  first->clear();
  EXPECT_TRUE(ListenSocket::open(address, SocketOptions{}, 2));
}

TEST(ListenSocket, WithoutReusePortThereIsOne) {
  SocketOptions options;
  options.reuse_port = false;
  const auto sockets = ListenSocket::open(any_port(), options, 4);
  ASSERT_TRUE(sockets);
  EXPECT_EQ(sockets->size(), 1u);
  const auto second = ListenSocket::open(sockets->front()->local(), options, 1);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kAddressInUse);
}

TEST(ListenSocket, Ipv6) {
  const auto sockets = ListenSocket::open(any_port("::1"), SocketOptions{}, 1);
  if (!sockets) GTEST_SKIP() << "no IPv6 here: " << sockets.error().detail;
  const int client = connect_to(sockets->front()->local());
  EXPECT_GE(client, 0);
  ::close(client);
}

class UnixSocket : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "weir_net_" + std::to_string(::getpid()) + ".sock";
    ::unlink(path_.c_str());
  }
  void TearDown() override { ::unlink(path_.c_str()); }
  std::string path_;
};

TEST_F(UnixSocket, HasModeAndIsRemovedAtTheEnd) {
  SocketOptions options;
  options.unix_mode = 0600;
  auto sockets = ListenSocket::open(Address::pipe(path_).value(), options, 4);
  ASSERT_TRUE(sockets) << sockets.error().detail;
  EXPECT_EQ(sockets->size(), 1u);
  struct stat info {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const int client = connect_to(sockets->front()->local());
  EXPECT_GE(client, 0);
  ::close(client);
  sockets->clear();
  EXPECT_NE(::stat(path_.c_str(), &info), 0);
}

TEST_F(UnixSocket, StaleFileIsReplacedAndALivingOneIsNot) {
  const Address address = Address::pipe(path_).value();
  {
    const int stale = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(::bind(stale, address.raw(), address.raw_size()), 0);
    ::listen(stale, 1);
    ::close(stale);
  }
  const auto sockets = ListenSocket::open(address, SocketOptions{}, 1);
  ASSERT_TRUE(sockets) << sockets.error().detail;
  const auto second = ListenSocket::open(address, SocketOptions{}, 1);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kAddressInUse);
}

TEST_F(UnixSocket, AnOrdinaryFileIsNeverRemoved) {
  const int fd = ::open(path_.c_str(), O_CREAT | O_WRONLY, 0600);
  ASSERT_GE(fd, 0);
  ::close(fd);
  EXPECT_FALSE(ListenSocket::open(Address::pipe(path_).value(), SocketOptions{}, 1));
  struct stat info {};
  EXPECT_EQ(::stat(path_.c_str(), &info), 0);
}

TEST_F(UnixSocket, ConnectionsWork) {
  event::Loop loop;
  const auto sockets = ListenSocket::open(Address::pipe(path_).value(), SocketOptions{}, 1);
  ASSERT_TRUE(sockets);
  RecordingSink sink;
  auto connection =
      Connection::connect(loop, Address::pipe(path_).value(), 1s, ConnectionOptions{}).value();
  connection->set_sink(sink);
  EXPECT_EQ(sink.connected, 0);
  ASSERT_TRUE(run_until(loop, [&sink] { return sink.connected == 1; }));
  auto nobody =
      Connection::connect(loop, Address::pipe(path_ + "x").value(), 1s, ConnectionOptions{})
          .value();
  RecordingSink failed;
  nobody->set_sink(failed);
  ASSERT_TRUE(run_until(loop, [&failed] { return failed.errors == 1; }));
  EXPECT_EQ(failed.code, Code::kConnectFailed);
}

class ListenerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto sockets = ListenSocket::open(any_port(), SocketOptions{}, 1);
    ASSERT_TRUE(sockets);
    socket_ = std::move(sockets->front());
  }
  void TearDown() override {
    for (const int fd : clients_) ::close(fd);
  }
  void connect(int count) {
    for (int i = 0; i < count; ++i) {
      const int fd = connect_to(socket_->local());
      ASSERT_GE(fd, 0);
      clients_.push_back(fd);
    }
  }
  event::Loop loop_;
  std::unique_ptr<ListenSocket> socket_;
  RecordingAcceptSink sink_;
  std::vector<int> clients_;
};

TEST_F(ListenerTest, AcceptsInBatches) {
  Listener listener(loop_, *socket_, sink_, 4);
  connect(10);
  loop_.run_once(100ms);
  EXPECT_EQ(sink_.fds.size(), 4u);
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.fds.size() == 10; }));
  EXPECT_TRUE(sink_.last.is_loopback());
  EXPECT_NE(::fcntl(sink_.fds[0], F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(sink_.fds[0], F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(ListenerTest, PausesResumesAndDrains) {
  Listener listener(loop_, *socket_, sink_);
  listener.pause();
  connect(3);
  loop_.run_once(10ms);
  EXPECT_EQ(sink_.fds.size(), 0u);
  listener.drain_queue();
  EXPECT_EQ(sink_.fds.size(), 3u);
  connect(1);
  listener.resume();
  EXPECT_TRUE(run_until(loop_, [this] { return sink_.fds.size() == 4; }));
}

// Clients that only connect leave enough fds for what those before them need: connections to upstreams.
TEST_F(ListenerTest, LeavesTheLastFdsToTheClientsItHas) {
  constexpr int kClients = 12;
  connect(kClients);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  rlimit low = old;
  const int next = ::dup(0);  // the fds below are taken
  ASSERT_GE(next, 0);
  ::close(next);
  // The listener's reserve takes one; an eighth of the limit is kept, and three clients fit below.
  low.rlim_cur = static_cast<rlim_t>((next + 4) * 8 / 7 + 1);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  const auto kept = std::max<rlim_t>(low.rlim_cur / 8, 4);
  const size_t fit = low.rlim_cur - kept - static_cast<rlim_t>(next) - 1;
  {
    Listener listener(loop_, *socket_, sink_);
    loop_.run_once(100ms);
    EXPECT_EQ(sink_.fds.size(), fit);
    std::vector<int> free;
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) free.push_back(fd);
    EXPECT_EQ(free.size(), kept);
    for (const int fd : free) ::close(fd);
  }
  {
    Listener listener(loop_, *socket_, sink_, 16, LastFds::kTake);
    ASSERT_TRUE(run_until(loop_, [&] { return sink_.fds.size() + 1 >= fit + kept; }));
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
}

TEST_F(ListenerTest, RunsOutOfFdsWithoutSpinningAndRecovers) {
  // For EMFILE itself.
  Listener listener(loop_, *socket_, sink_, 16, LastFds::kTake);
  connect(4);
  // Every fd below the limit is taken; the four clients wait in the queue.
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  std::vector<int> fill;
  for (int fd = ::dup(0); fd >= 0 && fill.size() < 200; fd = ::dup(0)) fill.push_back(fd);
  rlimit low = old;
  low.rlim_cur = static_cast<rlim_t>(fill.back()) + 1;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  loop_.run_once(100ms);
  EXPECT_EQ(sink_.fds.size(), 0u);
  // One client has been turned away, and no event comes while accepting pauses.
  int closed = 0;
  for (const int fd : clients_) closed += at_end(fd) ? 1 : 0;
  EXPECT_EQ(closed, 1);
  const auto start = std::chrono::steady_clock::now();
  int turns = 0;
  while (std::chrono::steady_clock::now() - start < 60ms) {
    loop_.run_once(60ms);
    ++turns;
  }
  EXPECT_LT(turns, 10);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  for (const int fd : fill) ::close(fd);
  EXPECT_TRUE(run_until(loop_, [this] { return sink_.fds.size() == 3; }));
}

}  // namespace
}  // namespace weir::net
