#include "stream/network_chain.h"

#include "network_fixture.h"

namespace weir::stream {
namespace {

TEST_F(NetworkChainTest, ReadsInOrderAndWritesInReverse) {
  make();
  add("a");
  add("b");
  Scripted& end = add_terminal();
  start();
  EXPECT_EQ(log_, (Log{"a:new", "b:new", "end:new"}));
  send("hi");
  ASSERT_TRUE(logged(6));
  EXPECT_EQ(log_, (Log{"a:new", "b:new", "end:new", "a:data hi", "b:data hi", "end:data hi"}));
  log_.clear();
  end.callbacks().write(Buffer("yo"), EndStream::kNo);
  EXPECT_TRUE(log_.empty());  // not from inside
  ASSERT_TRUE(peer_receives("yo"));
  EXPECT_EQ(log_, (Log{"b:write yo", "a:write yo"}));
  EXPECT_EQ(info_.bytes_received, 2u);
  EXPECT_EQ(info_.bytes_sent, 2u);
}

TEST_F(NetworkChainTest, StoppedDataComesAgainWithMore) {
  make();
  Scripted& a = add("a");
  a.read = [](Scripted&, Buffer& data, EndStream) {
    return data.size() < 4 ? NetworkFlow::kStop : NetworkFlow::kContinue;
  };
  add_terminal();
  start();
  send("ab");
  ASSERT_TRUE(logged(3));
  send("cd");
  ASSERT_TRUE(run_until([this] { return taken_ == "abcd"; }));
  EXPECT_EQ(log_, (Log{"a:new", "end:new", "a:data ab", "a:data abcd", "end:data abcd"}));
}

TEST_F(NetworkChainTest, ContinueStartsTheNextFiltersFirst) {
  make();
  Scripted& a = add("a");
  a.new_connection = [](Scripted&) { return NetworkFlow::kStop; };
  a.read = [](Scripted&, Buffer&, EndStream) { return NetworkFlow::kStop; };
  add_terminal();
  start();
  send("x");
  ::shutdown(peer_, SHUT_WR);
  ASSERT_TRUE(run_until([this] { return log_.back() == "a:data x$" || log_.size() > 2; }));
  a.callbacks().continue_reading();
  ASSERT_TRUE(run_until([this] { return taken_ == "x"; }));
  EXPECT_EQ(log_[log_.size() - 2], "end:new");
  EXPECT_EQ(log_.back(), "end:data x$");
}

TEST_F(NetworkChainTest, FiltersChangeWhatPasses) {
  make();
  Scripted& a = add("a");
  a.read = [](Scripted& self, Buffer& data, EndStream) {
    self.callbacks().inject_read(Buffer("<"), EndStream::kNo);
    data.append(">");
    return NetworkFlow::kContinue;
  };
  a.written = [](Scripted&, Buffer& data, EndStream) {
    data.prepend("[");
    return NetworkFlow::kContinue;
  };
  Scripted& end = add_terminal();
  start();
  send("m");
  ASSERT_TRUE(run_until([this] { return taken_ == "<m>"; }));
  end.callbacks().write(Buffer("r"), EndStream::kNo);
  EXPECT_TRUE(peer_receives("[r"));
}

TEST_F(NetworkChainTest, InjectedDataPassesWithoutStopping) {
  make();
  Scripted& a = add("a");
  a.read = [](Scripted&, Buffer&, EndStream) { return NetworkFlow::kStop; };
  add_terminal();
  start();
  send("kept");
  ASSERT_TRUE(logged(3));
  a.callbacks().inject_read(Buffer("own"), EndStream::kNo);
  ASSERT_TRUE(run_until([this] { return taken_ == "own"; }));
}

TEST_F(NetworkChainTest, InjectingNothingStartsTheNextFiltersAndLeavesWhatIsHeld) {
  make();
  Scripted& a = add("a");
  a.new_connection = [](Scripted&) { return NetworkFlow::kStop; };
  a.read = [](Scripted&, Buffer&, EndStream) { return NetworkFlow::kStop; };
  add_terminal();
  start();
  send("x");
  ::shutdown(peer_, SHUT_WR);
  ASSERT_TRUE(run_until([this] { return chain_->open() && connection_->read_ended(); }));
  log_.clear();
  a.callbacks().inject_read({}, EndStream::kNo);
  turn();
  EXPECT_EQ(log_, Log{"end:new"});
  a.callbacks().continue_reading();
  turn();
  EXPECT_EQ(log_, (Log{"end:new", "end:data x$"}));
}

TEST_F(NetworkChainTest, WritesThatAreStoppedWaitForTheNext) {
  make();
  Scripted& a = add("a");
  a.written = [](Scripted&, Buffer& data, EndStream) {
    return data.size() < 3 ? NetworkFlow::kStop : NetworkFlow::kContinue;
  };
  Scripted& end = add_terminal();
  start();
  end.callbacks().write(Buffer("12"), EndStream::kNo);
  ASSERT_TRUE(logged(3));
  EXPECT_EQ(end.callbacks().unsent(), 2u);
  end.callbacks().write(Buffer("3"), EndStream::kYes);
  ASSERT_TRUE(peer_receives("123"));
  EXPECT_EQ(log_.back(), "a:write 123$");
  EXPECT_TRUE(peer_ends());
}

TEST_F(NetworkChainTest, ContinueWritingSendsWhatIsHeldOn) {
  make();
  Scripted& first = add("f");
  Scripted& a = add("a");
  a.written = [](Scripted&, Buffer&, EndStream) { return NetworkFlow::kStop; };
  Scripted& end = add_terminal();
  start();
  end.callbacks().write(Buffer("12"), EndStream::kYes);
  ASSERT_TRUE(run_until([this] { return log_.back() == "a:write 12$"; }));
  a.callbacks().write(Buffer("0"), EndStream::kNo);  // passes what is held
  ASSERT_TRUE(peer_receives("0"));
  a.callbacks().continue_writing();
  ASSERT_TRUE(peer_receives("012"));
  EXPECT_EQ(log_.back(), "f:write 12$");
  EXPECT_TRUE(peer_ends());
  // There is nothing left to continue.
  const size_t calls = log_.size();
  first.callbacks().continue_writing();
  for (int i = 0; i < 5; ++i) turn();
  for (size_t i = calls; i < log_.size(); ++i) EXPECT_EQ(log_[i].find("write"), std::string::npos);
}

TEST_F(NetworkChainTest, HeldDataPressesBackAtTheLimit) {
  make(16 * 1024);
  Scripted& a = add("a");
  size_t seen = 0;
  bool stop = true;
  a.read = [&seen, &stop](Scripted&, Buffer& data, EndStream) {
    seen = data.size();
    return stop ? NetworkFlow::kStop : NetworkFlow::kContinue;
  };
  add_terminal();
  start();
  const std::string bulk(120 * 1024, 'x');
  send(bulk);
  ASSERT_TRUE(run_until([&seen] { return seen >= 16 * 1024; }));
  for (int i = 0; i < 20; ++i) turn();
  EXPECT_LT(seen, 100 * 1024u);
  stop = false;
  a.callbacks().continue_reading();
  EXPECT_TRUE(run_until([this, &bulk] { return taken_.size() == bulk.size(); }));
}

TEST_F(NetworkChainTest, HoldsOfFiltersStopReading) {
  make();
  Scripted& a = add("a");
  add_terminal();
  start();
  a.callbacks().hold_reading();
  a.callbacks().hold_reading();
  send("x");
  for (int i = 0; i < 5; ++i) turn();
  a.callbacks().release_reading();
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(taken_, "");
  a.callbacks().release_reading();
  EXPECT_TRUE(run_until([this] { return taken_ == "x"; }));
}

TEST_F(NetworkChainTest, WritersHearOfASlowClient) {
  make(16 * 1024);
  Scripted& end = add_terminal();
  start();
  end.callbacks().write(Buffer(std::string(1024 * 1024, 'y')), EndStream::kNo);
  ASSERT_TRUE(logged(2));
  EXPECT_EQ(log_.back(), "end:blocked");
  ASSERT_TRUE(run_until([this] {
    received_ += read_peer();
    return log_.back() == "end:resumed";
  }));
}

TEST_F(NetworkChainTest, HalfClosesGoBothWaysAndEndTheChain) {
  make();
  add("a");
  Scripted& end = add_terminal();
  start();
  ::shutdown(peer_, SHUT_WR);
  ASSERT_TRUE(run_until([this] { return log_.back() == "end:data $"; }));
  EXPECT_TRUE(done_.empty());  // the other direction goes on
  end.callbacks().write(Buffer("tail"), EndStream::kYes);
  ASSERT_TRUE(peer_ends());
  EXPECT_EQ(received_, "tail");
  ASSERT_TRUE(run_until([this] { return done_.size() == 1; }));
  EXPECT_EQ(done_[0], CloseEvent::kRemote);
  EXPECT_EQ(log_[log_.size() - 2], "a:close remote");
  EXPECT_EQ(log_.back(), "end:close remote");
}

TEST_F(NetworkChainTest, ServerMayHalfCloseFirst) {
  make();
  Scripted& end = add_terminal();
  start();
  end.callbacks().write(Buffer("bye"), EndStream::kYes);
  ASSERT_TRUE(peer_ends());
  send("still here");
  ASSERT_TRUE(run_until([this] { return taken_ == "still here"; }));
  ::shutdown(peer_, SHUT_WR);
  ASSERT_TRUE(run_until([this] { return done_.size() == 1; }));
  EXPECT_EQ(done_[0], CloseEvent::kLocal);
}

TEST_F(NetworkChainTest, FilterClosesAfterWhatItWrote) {
  make();
  Scripted& a = add("a");
  a.new_connection = [](Scripted& self) {
    self.callbacks().write(Buffer("go away"), EndStream::kNo);
    self.callbacks().close(CloseHow::kFlush, "denied");
    return NetworkFlow::kStop;
  };
  add_terminal();
  start();
  ASSERT_TRUE(peer_ends());
  EXPECT_EQ(received_, "go away");
  EXPECT_EQ(log_, (Log{"a:new", "a:close local", "end:close local"}));
  ::close(std::exchange(peer_, -1));
  ASSERT_TRUE(run_until([this] { return done_.size() == 1; }));
  EXPECT_EQ(info_.extras().termination_details, "denied");
}

TEST_F(NetworkChainTest, CloseDuringACallbackHappensAfterIt) {
  make();
  Scripted& a = add("a");
  a.read = [this](Scripted& self, Buffer&, EndStream) {
    self.callbacks().close(CloseHow::kNow, "no");
    EXPECT_TRUE(done_.empty());
    EXPECT_FALSE(connection_->closed());
    return NetworkFlow::kContinue;
  };
  add_terminal();
  start();
  send("x");
  ASSERT_TRUE(run_until([this] { return done_.size() == 1; }));
  EXPECT_EQ(log_, (Log{"a:new", "end:new", "a:data x", "a:close local", "end:close local"}));
  EXPECT_TRUE(connection_->closed());
}

TEST_F(NetworkChainTest, ResetByTheClientIsToldOnce) {
  make();
  add_terminal();
  start();
  connection_->cut(net::Connection::How::kFin, Error{Code::kReset, Side::kDownstream, "reset"});
  ASSERT_TRUE(run_until([this] { return done_.size() == 1; }));
  chain_->finish(CloseEvent::kLocal);
  EXPECT_EQ(log_, (Log{"end:new", "end:close remote"}));
  EXPECT_NE(info_.flags & (1u << static_cast<unsigned>(ResponseFlag::kDownstreamRemoteReset)), 0u);
}

TEST_F(NetworkChainTest, NothingIsCalledAfterTheEnd) {
  make();
  Scripted& end = add_terminal();
  start();
  end.callbacks().write(Buffer("late"), EndStream::kNo);
  end.callbacks().continue_reading();
  chain_->finish(CloseEvent::kLocal);
  for (int i = 0; i < 3; ++i) turn();
  EXPECT_EQ(log_, (Log{"end:new", "end:close local"}));
}

// ---- in front of a session ------------------------------------------------------------------------------------------

/// Reads lines from the connection as a session would: takes up to a newline, leaves the rest.
struct Lines : net::ConnectionSink {
  void on_data(Buffer& in, net::ReadEnd end) override {
    const std::string text = in.to_string();
    if (const size_t line = text.find('\n'); line != std::string::npos) {
      lines.push_back(text.substr(0, line));
      in.drain(line + 1);
      if (!in.empty()) connection->offer_again();
    }
    ends += end == net::ReadEnd::kYes;
  }
  void on_error(const Error& error) override { errors.push_back(error.detail); }
  net::Connection* connection = nullptr;
  std::vector<std::string> lines{}, errors{};
  int ends = 0;
};

TEST_F(NetworkChainTest, SessionBehindAChainReadsAndWritesItsConnection) {
  make();
  Scripted& a = add("a");
  a.written = [](Scripted&, Buffer& data, EndStream) {
    data.append("!");
    return NetworkFlow::kContinue;
  };
  Lines lines;
  lines.connection = connection_.get();
  connection_->set_sink(lines);
  chain_->end_in_owner();
  start();
  send("one\ntwo\nthr");
  ASSERT_TRUE(run_until([&lines] { return lines.lines.size() == 2; }));
  send("ee\n");
  ::shutdown(peer_, SHUT_WR);
  ASSERT_TRUE(run_until([&lines] { return lines.ends == 1; }));
  EXPECT_EQ(lines.lines.back(), "three");
  connection_->out().append("answer");
  connection_->written();
  EXPECT_TRUE(peer_receives("answer!"));
  chain_->finish(CloseEvent::kRemote);
  EXPECT_EQ(log_.back(), "a:close remote");
}

TEST_F(NetworkChainTest, FilterInFrontOfASessionMayDenyIt) {
  make();
  Scripted& a = add("a");
  a.read = [](Scripted& self, Buffer&, EndStream) {
    self.callbacks().close(CloseHow::kNow, "rbac");
    return NetworkFlow::kStop;
  };
  Lines lines;
  lines.connection = connection_.get();
  connection_->set_sink(lines);
  chain_->end_in_owner();
  start();
  send("one\n");
  ASSERT_TRUE(run_until([&lines] { return lines.errors.size() == 1; }));
  EXPECT_EQ(lines.errors[0], "rbac");
  EXPECT_TRUE(lines.lines.empty());
  EXPECT_TRUE(peer_ends());
}

}  // namespace
}  // namespace weir::stream
