// Hosts of several addresses: which of them a connection ends up with.
#include <netinet/in.h>

#include "unit/net/net_test_support.h"

namespace weir::net {
namespace {

Address local_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size), 0);
  return Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), size);
}

class Listening {
 public:
  explicit Listening(const char* ip, int backlog = 16) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const Address any = Address::ip(ip, 0).value();
    EXPECT_EQ(::bind(fd_, any.raw(), any.raw_size()), 0);
    if (backlog >= 0) {
      EXPECT_EQ(::listen(fd_, backlog), 0);
    }
    address_ = local_of(fd_);
  }
  ~Listening() {
    for (const int each : fillers_) ::close(each);
    ::close(fd_);
  }
  /// A listener whose queue is full answers no further SYN.
  void fill() {
    for (int i = 0; i < 4; ++i) {
      fillers_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      static_cast<void>(::connect(fillers_.back(), address_.raw(), address_.raw_size()));
    }
  }
  const Address& address() const { return address_; }

 private:
  int fd_;
  Address address_;
  std::vector<int> fillers_;
};

class ConnectRaceTest : public testing::Test {
 protected:
  void connect(const Address& to, std::vector<Address> more, std::chrono::milliseconds timeout = 9s,
               std::chrono::milliseconds head_start = 9s) {
    ConnectPlan plan;
    plan.more = more;
    plan.head_start = head_start;
    connection_ = Connection::connect(loop_, to, timeout, ConnectionOptions{}, plan).value();
    more.assign(more.size(), Address());  // the plan is read by connect() alone
    connection_->set_sink(sink_);
    ASSERT_TRUE(run_until(loop_, [this] { return sink_.connected + sink_.errors > 0; }));
    loop_.run_once(1ms);
  }
  event::Loop loop_;
  RecordingSink sink_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(ConnectRaceTest, ARefusedAddressIsFollowedByTheNextAtOnce) {
  Listening closed("127.0.0.1", -1), also("127.0.0.1", -1), open("127.0.0.1");
  connect(closed.address(), {also.address(), open.address()});
  EXPECT_EQ(sink_.connected, 1);
  EXPECT_EQ(sink_.errors, 0);
  EXPECT_EQ(connection_->remote(), open.address());
}

TEST_F(ConnectRaceTest, AnAddressThatCannotBeTriedCostsNothing) {
  Listening open("127.0.0.1");
  const Address nowhere = Address::ip("255.255.255.255", 9).value();
  connect(nowhere, {nowhere, open.address()});
  EXPECT_EQ(sink_.connected, 1);
  EXPECT_EQ(connection_->remote(), open.address());
}

TEST_F(ConnectRaceTest, ASlowAddressIsJoinedByTheNext) {
  Listening slow("127.0.0.1", 0), slow_too("127.0.0.1", 0), open("127.0.0.1");
  slow.fill();
  slow_too.fill();
  connect(slow.address(), {slow_too.address(), open.address()}, 9s, 10ms);
  EXPECT_EQ(sink_.connected, 1);
  EXPECT_EQ(sink_.errors, 0);
  EXPECT_EQ(connection_->remote(), open.address());
}

TEST_F(ConnectRaceTest, ARefusalAmongSlowOnesEndsNothing) {
  Listening slow("127.0.0.1", 0), closed("127.0.0.1", -1), open("127.0.0.1");
  slow.fill();
  connect(slow.address(), {closed.address(), open.address()}, 9s, 10ms);
  EXPECT_EQ(sink_.connected, 1);
  EXPECT_EQ(connection_->remote(), open.address());
}

TEST_F(ConnectRaceTest, WhenAllRefuseItIsOneError) {
  Listening one("127.0.0.1", -1), two("127.0.0.1", -1);
  connect(one.address(), {two.address()});
  EXPECT_EQ(sink_.errors, 1);
  EXPECT_EQ(sink_.code, Code::kConnectFailed);
  EXPECT_EQ(sink_.connected, 0);
}

TEST_F(ConnectRaceTest, TheTimeoutIsForAllOfThem) {
  Listening one("127.0.0.1", 0), two("127.0.0.1", 0);
  one.fill();
  two.fill();
  connect(one.address(), {two.address()}, 60ms, 10ms);
  EXPECT_EQ(sink_.errors, 1);
  EXPECT_EQ(sink_.code, Code::kConnectTimeout);
}

TEST_F(ConnectRaceTest, MayBeGivenUpAtAnyTime) {
  Listening one("127.0.0.1", 0), open("127.0.0.1");
  one.fill();
  ConnectPlan plan;
  const std::vector<Address> more{open.address()};
  plan.more = more;
  plan.head_start = 5ms;
  connection_ = Connection::connect(loop_, one.address(), 9s, ConnectionOptions{}, plan).value();
  connection_->set_sink(sink_);
  connection_->close();
  for (int i = 0; i < 5; ++i) loop_.run_once(10ms);
  EXPECT_EQ(sink_.connected + sink_.errors, 0);
}

TEST_F(ConnectRaceTest, ASourceAddressIsBoundToWhereTheFamilyIsTheSame) {
  Listening closed("127.0.0.1", -1), open("127.0.0.1");
  const Address source = Address::ip("127.0.0.5", 0).value();
  ConnectPlan plan;
  const std::vector<Address> more{open.address()};
  plan.more = more;
  plan.source = &source;
  connection_ = Connection::connect(loop_, closed.address(), 9s, ConnectionOptions{}, plan).value();
  connection_->set_sink(sink_);
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.connected > 0; }));
  EXPECT_EQ(connection_->local().ip_text(), "127.0.0.5");
  const Address v6 = Address::ip("::1", 0).value();
  plan = {};
  plan.source = &v6;
  connection_ = Connection::connect(loop_, open.address(), 9s, ConnectionOptions{}, plan).value();
  connection_->set_sink(sink_);
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.connected > 1; }));
  EXPECT_EQ(connection_->local().ip_text(), "127.0.0.1");
}

}  // namespace
}  // namespace weir::net
