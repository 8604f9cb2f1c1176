#include "net/prefaced_transport.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "net_test_support.h"

namespace weir::net {
namespace {

/// Says "hello" on the socket when it is first asked for anything, and is ready then.
class Greeter final : public Transport {
 public:
  IoResult read(int fd, Buffer&, size_t) override {
    if (!std::exchange(greeted_, true)) {
      EXPECT_EQ(::send(fd, "hello", 5, 0), 5);
    }
    return {IoStatus::kAgain, 0};
  }
  IoResult write(int, Buffer& out) override {
    const size_t size = out.size();
    out.clear();
    return {IoStatus::kOk, size};
  }
  void end_writing(int) noexcept override { ended = true; }
  std::string_view failure() const noexcept override { return {}; }
  bool ready() const noexcept override { return greeted_; }
  bool ended = false;

 private:
  bool greeted_ = false;
};

class PrefacedTransportTest : public ::testing::Test {
 protected:
  PrefacedTransportTest() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends_), 0);
  }
  ~PrefacedTransportTest() override {
    for (const int fd : ends_) ::close(fd);
  }
  int ends_[2] = {-1, -1};
  Buffer in_;
};

TEST_F(PrefacedTransportTest, ThePrefaceComesFirst) {
  PrefacedTransport transport("PROXY", std::make_unique<Greeter>());
  EXPECT_FALSE(transport.ready());
  EXPECT_EQ(transport.read(ends_[0], in_, 1024).status, IoStatus::kAgain);
  EXPECT_EQ(read_now(ends_[1]), "PROXYhello");
  EXPECT_TRUE(transport.ready());
  EXPECT_FALSE(transport.reading_needs_write());
}

TEST_F(PrefacedTransportTest, AFullSocketIsWaitedFor) {
  const std::string preface(4u << 20, 'x');
  auto greeter = std::make_unique<Greeter>();
  const Greeter& then = *greeter;
  PrefacedTransport transport(preface, std::move(greeter));
  std::string got;
  int waits = 0;
  while (!transport.ready()) {
    EXPECT_EQ(transport.read(ends_[0], in_, 1024).status, IoStatus::kAgain);
    if (!transport.ready()) {
      ++waits;
      EXPECT_TRUE(transport.reading_needs_write());
      transport.end_writing(ends_[0]);
      EXPECT_FALSE(then.ended);
    }
    got += read_now(ends_[1]);
  }
  EXPECT_GT(waits, 0);
  EXPECT_EQ(got, preface + "hello");
}

TEST_F(PrefacedTransportTest, ASocketThatHasGoneIsAnError) {
  PrefacedTransport transport("PROXY", std::make_unique<Greeter>());
  ::shutdown(ends_[0], SHUT_WR);
  EXPECT_EQ(transport.read(ends_[0], in_, 1024).status, IoStatus::kError);
  EXPECT_FALSE(transport.ready());
}

}  // namespace
}  // namespace weir::net
