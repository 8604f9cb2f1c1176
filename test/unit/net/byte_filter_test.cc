#include "net/byte_filter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>

#include "net_test_support.h"

namespace weir::net {
namespace {

/// Turns letters into upper case on their way in and into lower case on their way out, or keeps them.
struct CaseFilter : ByteFilter {
  void on_bytes_in(Buffer& fresh, ReadEnd end) override {
    in_log += fresh.to_string();
    ends_in += end == ReadEnd::kYes;
    std::string text = fresh.to_string();
    fresh.clear();
    std::transform(text.begin(), text.end(), text.begin(), ::toupper);
    if (!keep_in) connection->pass_in(Buffer(text), end);
  }
  void on_bytes_out(Buffer& fresh, WriteEnd end) override {
    out_log += fresh.to_string() + "|";
    ends_out += end == WriteEnd::kYes;
    std::string text = fresh.to_string();
    fresh.clear();
    std::transform(text.begin(), text.end(), text.begin(), ::tolower);
    if (keep_out)
      kept += text;
    else
      connection->pass_out(Buffer(text), end);
  }
  void on_bytes_blocked() override { ++blocked; }
  void on_bytes_resumed() override { ++resumed; }
  Connection* connection = nullptr;
  bool keep_in = false, keep_out = false;
  std::string in_log{}, out_log{}, kept{};
  int ends_in = 0, ends_out = 0, blocked = 0, resumed = 0;
};

class ByteFilterTest : public testing::Test {
 protected:
  void SetUp() override {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    peer_ = fds[1];
    ConnectionOptions options;
    options.buffer_limit = 64 * 1024;
    connection_ = Connection::accepted(loop_, fds[0], Address::pipe("/tmp/peer").value(), options);
    connection_->set_sink(sink_);
    connection_->set_byte_filter(filter_);
    filter_.connection = connection_.get();
    connection_->start();
  }
  void TearDown() override {
    connection_.reset();
    ::close(peer_);
  }
  void send(std::string_view text) {
    ASSERT_EQ(::send(peer_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  bool receives(const std::string& expected) {
    return run_until(loop_, [this, &expected] {
      received_ += read_now(peer_);
      return received_ == expected;
    });
  }
  event::Loop loop_;
  RecordingSink sink_;
  CaseFilter filter_;
  std::unique_ptr<Connection> connection_;
  int peer_ = -1;
  std::string received_;
};

TEST_F(ByteFilterTest, SeesBothDirectionsBeforeTheOwnerAndTheSocket) {
  send("ping");
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.data == "PING"; }));
  EXPECT_EQ(filter_.in_log, "ping");
  connection_->write(Buffer("PO"));
  connection_->write(Buffer("NG"));
  EXPECT_TRUE(receives("pong"));
  EXPECT_EQ(filter_.out_log, "PONG|");  // each byte once, gathered
}

TEST_F(ByteFilterTest, OwnerHearsNothingOfWhatIsKept) {
  filter_.keep_in = true;
  send("a");
  ASSERT_TRUE(run_until(loop_, [this] { return filter_.in_log == "a"; }));
  EXPECT_EQ(sink_.data_calls, 0);
  connection_->pass_in(Buffer("later"), ReadEnd::kNo);
  EXPECT_EQ(sink_.data_calls, 0);  // never from inside
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.data == "later"; }));
}

TEST_F(ByteFilterTest, WhatPassesInWaitsForAnOwnerThatHoldsReading) {
  filter_.keep_in = true;
  connection_->hold_reading();
  connection_->pass_in(Buffer("x"), ReadEnd::kNo);
  loop_.run_once(0ms);
  EXPECT_EQ(sink_.data_calls, 0);
  connection_->release_reading();
  EXPECT_TRUE(run_until(loop_, [this] { return sink_.data == "x"; }));
}

TEST_F(ByteFilterTest, EndsPassInOrder) {
  send("bye");
  ::shutdown(peer_, SHUT_WR);
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.ends == 1; }));
  EXPECT_EQ(sink_.data, "BYE");
  EXPECT_EQ(filter_.ends_in, 1);
  filter_.keep_out = true;
  connection_->write(Buffer("REST"));
  connection_->half_close();
  ASSERT_TRUE(run_until(loop_, [this] { return filter_.ends_out == 1; }));
  char byte = 0;
  EXPECT_EQ(::recv(peer_, &byte, 1, MSG_DONTWAIT), -1);  // no FIN before the filter lets it happen
  connection_->pass_out(Buffer(filter_.kept), WriteEnd::kYes);
  EXPECT_TRUE(receives("rest"));
  EXPECT_TRUE(run_until(loop_, [this, &byte] { return ::recv(peer_, &byte, 1, 0) == 0; }));
}

TEST_F(ByteFilterTest, BytesReleasedLateGoBeforeNewerOnes) {
  filter_.keep_out = true;
  connection_->write(Buffer("ONE"));
  ASSERT_TRUE(run_until(loop_, [this] { return filter_.kept == "one"; }));
  filter_.keep_out = false;
  connection_->write(Buffer("TWO"));
  connection_->pass_out(Buffer(filter_.kept), WriteEnd::kNo);
  EXPECT_TRUE(receives("onetwo"));
}

TEST_F(ByteFilterTest, HearsOfBackPressure) {
  connection_->write(Buffer(std::string(1024 * 1024, 'X')));
  ASSERT_TRUE(run_until(loop_, [this] { return filter_.blocked == 1; }));
  EXPECT_EQ(sink_.blocked, 1);
  ASSERT_TRUE(run_until(loop_, [this] {
    received_ += read_now(peer_);
    return filter_.resumed == 1;
  }));
  EXPECT_EQ(sink_.resumed, 1);
}

TEST_F(ByteFilterTest, CutIsAnErrorForTheOwner) {
  connection_->cut(Connection::How::kFin, Error{Code::kClosed, Side::kLocal, "denied"});
  EXPECT_EQ(sink_.errors, 0);
  ASSERT_TRUE(run_until(loop_, [this] { return sink_.errors == 1; }));
  EXPECT_EQ(sink_.detail, "denied");
  EXPECT_TRUE(connection_->closed());
}

}  // namespace
}  // namespace weir::net
