// The client for Redis against a server that the test plays.
#include "upstream/redis/client.h"

#include <gtest/gtest.h>

#include "unit/upstream/fixture.h"

namespace weir::test {
namespace {

using upstream::redis::Client;

std::string command(std::initializer_list<std::string_view> arguments) {
  std::string out;
  upstream::redis::append_command(out, arguments);
  return out;
}

/// One command and what came of it: the reply, or "failed".
struct Asked final : RedisHandler {
  void on_redis_done(Result<std::string> reply) noexcept override {
    ++completions;
    answer = reply ? *reply : "failed";
    if (then) then();
  }
  std::unique_ptr<Callout> callout;
  std::string answer;
  int completions = 0;
  std::function<void()> then;
};

class RedisClient : public UpstreamFixture {
 protected:
  bool start(Asked& asked, std::initializer_list<std::string_view> arguments,
             const RedisSettings& settings = {}) {
    auto callout = client.start("c", settings, command(arguments), asked);
    if (callout) asked.callout = std::move(*callout);
    return callout.has_value();
  }
  bool finish(Asked& asked) {
    return run_until(loop, "a reply", [&] { return asked.completions > 0; });
  }
  Origin server{loop};
  Client client{clusters};
};

TEST_F(RedisClient, SendsACommandAndHandsTheReplyOnAsItCame) {
  cluster({server.address()});
  Asked get;
  ASSERT_TRUE(start(get, {"GET", "a"}));
  OriginPeer peer = server.accept();
  EXPECT_EQ(peer.read_until("a\r\n"), "*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
  peer.send("$2\r\nhi\r\n");
  finish(get);
  EXPECT_EQ(get.answer, "$2\r\nhi\r\n");
  EXPECT_EQ(counter("redis.calls"), 1u);
  EXPECT_EQ(counter("redis.replies"), 1u);
  EXPECT_EQ(gauge("redis.calls_active"), 0);

  // The connection is kept; an error of the server's is a reply.
  Asked again;
  ASSERT_TRUE(start(again, {"NO"}));
  peer.read_until("NO\r\n");
  peer.send("-ERR unknown\r\n");
  finish(again);
  EXPECT_EQ(again.answer, "-ERR unknown\r\n");
  EXPECT_EQ(counter("redis.error_replies"), 1u);
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
}

TEST_F(RedisClient, RepliesMayBeSplitAtEveryByte) {
  cluster({server.address()});
  std::optional<OriginPeer> peer;
  const std::string wire = "*2\r\n$4\r\na\r\nb\r\n:7\r\n+OK\r\n";
  for (size_t cut = 1; cut < wire.size(); ++cut) {
    Asked first, second;
    ASSERT_TRUE(start(first, {"ONE"}));
    ASSERT_TRUE(start(second, {"TWO"}));
    if (!peer) peer.emplace(server.accept());
    peer->read_until("TWO\r\n");
    peer->send(wire.substr(0, cut));
    run_some_turns(loop);
    peer->send(wire.substr(cut));
    finish(second);
    EXPECT_EQ(first.answer, "*2\r\n$4\r\na\r\nb\r\n:7\r\n") << "cut at byte " << cut;
    EXPECT_EQ(second.answer, "+OK\r\n") << "cut at byte " << cut;
  }
}

TEST_F(RedisClient, CommandsFollowEachOtherWithoutWaiting) {
  cluster({server.address()});
  Asked one, two, three;
  start(one, {"ONE"});
  start(two, {"TWO"});
  start(three, {"THREE"});
  OriginPeer peer = server.accept();
  peer.read_until("THREE\r\n");
  peer.send(":1\r\n:2\r\n:3\r\n");
  finish(three);
  EXPECT_EQ(one.answer + two.answer + three.answer, ":1\r\n:2\r\n:3\r\n");
}

TEST_F(RedisClient, GreetsBeforeItSendsCommands) {
  cluster({server.address()});
  Asked get;
  start(get, {"GET", "a"}, {.user = "u", .password = "secret", .database = 3});
  OriginPeer peer = server.accept();
  EXPECT_EQ(peer.read_until("\r\n3\r\n"),
            command({"AUTH", "u", "secret"}) + "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n");
  run_some_turns(loop);
  EXPECT_EQ(peer.received(), "");
  peer.send("+OK\r\n");
  run_some_turns(loop);
  EXPECT_EQ(peer.received(), "");  // SELECT is not granted yet
  peer.send("+OK\r\n");
  EXPECT_EQ(peer.read_until("a\r\n"), command({"GET", "a"}));
  peer.send("$-1\r\n");
  finish(get);
  EXPECT_EQ(get.answer, "$-1\r\n");
}

TEST_F(RedisClient, RefusedGreetingFailsAllThatWait) {
  cluster({server.address()});
  Asked one, two;
  const RedisSettings settings{.password = "wrong"};
  start(one, {"ONE"}, settings);
  start(two, {"TWO"}, settings);
  OriginPeer peer = server.accept();
  EXPECT_EQ(peer.read_until("wrong\r\n"), command({"AUTH", "wrong"}));
  peer.send("-WRONGPASS invalid\r\n");
  finish(two);
  EXPECT_EQ(one.answer + two.answer, "failedfailed");
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_EQ(peer.received(), "");  // no command was sent
  EXPECT_EQ(counter("redis.refused_greetings"), 1u);
  EXPECT_EQ(counter("redis.failed"), 2u);
}

TEST_F(RedisClient, UsersWithOtherSettingsHaveOtherConnections) {
  cluster({server.address()});
  Asked one, two;
  start(one, {"ONE"}, {.database = 1});
  OriginPeer first = server.accept();
  start(two, {"TWO"}, {.database = 2});
  OriginPeer second = server.accept();
  first.read_until("\r\n1\r\n");
  second.read_until("\r\n2\r\n");
  first.send("+OK\r\n");
  EXPECT_EQ(first.read_until("ONE\r\n"), command({"ONE"}));
}

TEST_F(RedisClient, LosingTheConnectionFailsWhatWasAsked) {
  cluster({server.address()});
  Asked one, two;
  start(one, {"ONE"});
  start(two, {"TWO"});
  {
    OriginPeer peer = server.accept();
    peer.read_until("TWO\r\n");
    peer.send("$10\r\nhalf");
    run_some_turns(loop);
  }
  finish(two);
  EXPECT_EQ(one.answer + two.answer, "failedfailed");
  EXPECT_EQ(counter("redis.failed"), 2u);
  EXPECT_EQ(client.connections(), 0u);

  Asked later;  // the next one connects anew
  start(later, {"PING"});
  OriginPeer peer = server.accept();
  peer.read_until("PING\r\n");
  peer.send("+PONG\r\n");
  finish(later);
  EXPECT_EQ(later.answer, "+PONG\r\n");
}

TEST_F(RedisClient, FailingToConnectIsToldFromTheLoop) {
  cluster({server.address()});
  server.stop();
  Asked asked;
  ASSERT_TRUE(start(asked, {"PING"}));
  EXPECT_EQ(asked.completions, 0);
  finish(asked);
  EXPECT_EQ(asked.answer, "failed");
  EXPECT_EQ(counter("redis.failed"), 1u);
}

TEST_F(RedisClient, WhoTriesAgainAtOnceDoesNotKeepTheLoopBusy) {
  // Connecting to a path where nothing is fails in the turn in which it begins.
  cluster({*net::Address::pipe("/nonexistent/redis.sock")});
  Asked asked;
  asked.then = [&] {
    if (asked.completions < 100) start(asked, {"PING"});
  };
  start(asked, {"PING"});
  int told = 0;
  run_until(loop, "three failures", [&] {
    EXPECT_LE(asked.completions - told, 1) << "in one turn";
    told = asked.completions;
    return told >= 3;
  });
  EXPECT_GE(counter("redis.failed"), 3u);
}

TEST_F(RedisClient, WhatFailedToConnectMayBeAbandonedBeforeItIsTold) {
  cluster({*net::Address::pipe("/nonexistent/redis.sock")});
  Asked asked;
  start(asked, {"PING"});
  loop.run_once(std::chrono::milliseconds(0));
  EXPECT_EQ(client.connections(), 0u);
  EXPECT_EQ(gauge("redis.calls_active"), 1);
  asked.callout.reset();
  run_some_turns(loop);
  EXPECT_EQ(asked.completions, 0);
  EXPECT_EQ(gauge("redis.calls_active"), 0);
}

TEST_F(RedisClient, ATimeoutEndsTheCallAndTheConnectionTakesNoMore) {
  cluster({server.address()});
  Asked slow, patient, later;
  start(slow, {"SLOW"}, {.timeout = std::chrono::milliseconds(20)});
  OriginPeer peer = server.accept();
  peer.read_until("SLOW\r\n");
  finish(slow);
  EXPECT_EQ(slow.answer, "failed");
  EXPECT_EQ(counter("redis.timeouts"), 1u);
  EXPECT_TRUE(peer.wait_closed());  // nobody else waits on it
  start(later, {"PING"}, {.timeout = std::chrono::milliseconds(20)});
  OriginPeer other = server.accept();
  other.read_until("PING\r\n");
}

TEST_F(RedisClient, OthersOnTheConnectionStillGetTheirReplies) {
  cluster({server.address()});
  Asked slow, patient;
  const RedisSettings settings{.timeout = std::chrono::milliseconds(300)};
  start(slow, {"SLOW"}, settings);
  OriginPeer peer = server.accept();
  peer.read_until("SLOW\r\n");
  run_until(loop, "time", [&, until = loop.now() + std::chrono::milliseconds(200)] {
    return loop.now() >= until;
  });
  start(patient, {"PATIENT"}, settings);
  peer.read_until("PATIENT\r\n");
  finish(slow);
  EXPECT_EQ(slow.answer, "failed");
  EXPECT_EQ(patient.completions, 0);
  peer.send(":1\r\n:2\r\n");
  finish(patient);
  EXPECT_EQ(patient.answer, ":2\r\n");  // not the late one of the other
  EXPECT_EQ(slow.completions, 1);
  EXPECT_TRUE(peer.wait_closed());
}

TEST_F(RedisClient, AServerThatDoesNotGreetIsGivenUp) {
  cluster({server.address()},
          [](auto& options) { options.connect_timeout = std::chrono::milliseconds(30); });
  Asked asked;
  start(asked, {"PING"}, {.password = "p", .timeout = std::chrono::seconds(60)});
  OriginPeer peer = server.accept();
  finish(asked);
  EXPECT_EQ(asked.answer, "failed");
}

TEST_F(RedisClient, ACancelledCallIsNeverToldAndItsReplyIsDropped) {
  cluster({server.address()});
  Asked gone, unsent, kept;
  start(gone, {"GONE"});
  OriginPeer peer = server.accept();
  peer.read_until("GONE\r\n");
  start(kept, {"KEPT"});
  gone.callout.reset();
  peer.read_until("KEPT\r\n");
  peer.send(":1\r\n:2\r\n");
  finish(kept);
  EXPECT_EQ(kept.answer, ":2\r\n");
  EXPECT_EQ(gone.completions, 0);
  EXPECT_EQ(counter("redis.cancelled"), 1u);
  EXPECT_EQ(gauge("redis.calls_active"), 0);
}

TEST_F(RedisClient, WhatWasNotSentYetIsNotSentAfterItsCancellation) {
  cluster({server.address()});
  const RedisSettings settings{.password = "p"};
  Asked gone, kept;
  start(gone, {"GONE"}, settings);
  start(kept, {"KEPT"}, settings);
  gone.callout.reset();
  OriginPeer peer = server.accept();
  peer.read_until("\r\np\r\n");
  peer.send("+OK\r\n");
  EXPECT_EQ(peer.read_until("KEPT\r\n"), command({"KEPT"}));
}

TEST_F(RedisClient, UsersMayAskAgainFromInsideTheirCompletion) {
  cluster({server.address()});
  Asked first, second, other;
  first.then = [&] {
    start(second, {"SECOND"});
    other.callout.reset();
  };
  start(first, {"FIRST"});
  start(other, {"OTHER"});
  OriginPeer peer = server.accept();
  peer.read_until("OTHER\r\n");
  peer.send("+1\r\n+x\r\n");
  peer.read_until("SECOND\r\n");
  peer.send("+2\r\n");
  finish(second);
  EXPECT_EQ(first.answer + second.answer + other.answer, "+1\r\n+2\r\n");
}

TEST_F(RedisClient, UnaskedOrBrokenRepliesEndTheConnection) {
  cluster({server.address()});
  for (const std::string_view wire : {"+OK\r\n+MORE\r\n", "HTTP/1.1 400 no\r\n"}) {
    Asked asked;
    start(asked, {"PING"});
    OriginPeer peer = server.accept();
    peer.read_until("PING\r\n");
    peer.send(wire);
    finish(asked);
    EXPECT_TRUE(peer.wait_closed());
  }
  EXPECT_EQ(counter("redis.protocol_errors"), 2u);
}

TEST_F(RedisClient, SmallCommandsMayWaitForOthers) {
  cluster({server.address()});
  const RedisSettings settings{.flush_bytes = 60, .flush_timeout = std::chrono::hours(1)};
  Asked zero, one, two;
  start(zero, {"ZERO"}, settings);  // what has waited for the connection has waited enough
  OriginPeer peer = server.accept();
  peer.read_until("ZERO\r\n");
  start(one, {"ONE", "0123456789"}, settings);  // 33 bytes
  run_some_turns(loop);
  EXPECT_EQ(peer.received(), "");
  start(two, {"TWO", "0123456789"}, settings);
  peer.read_until("TWO\r\n");
}

TEST_F(RedisClient, OrForAWhile) {
  cluster({server.address()});
  const RedisSettings settings{.flush_bytes = 1000, .flush_timeout = std::chrono::milliseconds(5)};
  Asked zero, one;
  start(zero, {"ZERO"}, settings);
  OriginPeer peer = server.accept();
  peer.read_until("ZERO\r\n");
  start(one, {"ONE"}, settings);
  peer.read_until("ONE\r\n");
}

TEST_F(RedisClient, RefusesWhatCannotBeSent) {
  upstream::Cluster& target =
      cluster({server.address()}, [](auto& options) { options.thresholds.max_requests = 1; });
  Asked asked, more;
  EXPECT_EQ(client.start("none", {}, command({"PING"}), asked).error().code, Code::kNoCluster);
  EXPECT_EQ(client.start("c", {}, "PING\r\n", asked).error().code, Code::kInvalidArgument);
  EXPECT_EQ(client.start("c", {}, command({"MONITOR"}), asked).error().code,
            Code::kInvalidArgument);
  start(asked, {"PING"});
  EXPECT_EQ(client.start("c", {}, command({"PING"}), more).error().code, Code::kOverflow);
  asked.callout.reset();
  EXPECT_TRUE(start(more, {"PING"}));
  more.callout.reset();
  static_cast<void>(target);
  cluster({});
  EXPECT_EQ(client.start("c", {}, command({"PING"}), more).error().code, Code::kNoHealthyHost);
}

TEST_F(RedisClient, EverNewSettingsDoNotGetAConnectionEach) {
  cluster({server.address()});
  std::vector<std::unique_ptr<Asked>> all;
  size_t started = 0;
  for (uint32_t i = 1; i <= 100; ++i) {
    all.push_back(std::make_unique<Asked>());
    started += start(*all.back(), {"PING"}, {.database = i}) ? 1 : 0;
  }
  EXPECT_EQ(started, 64u);
  EXPECT_EQ(client.connections(), 64u);
}

/// Different ones, with which nothing happens by itself.
RedisSettings other_settings(size_t number) {
  return {.timeout = std::chrono::milliseconds(0), .flush_bytes = number};
}

TEST_F(RedisClient, NewSettingsTakeThePlaceOfThoseThatHaveRestedLongest) {
  cluster({server.address()});
  std::vector<std::unique_ptr<Asked>> all;
  std::vector<OriginPeer> peers;
  const auto ask = [&](size_t number) {
    all.push_back(std::make_unique<Asked>());
    return start(*all.back(), {"PING"}, other_settings(number));
  };
  for (size_t i = 1; i <= 64; ++i) {
    ASSERT_TRUE(ask(i));
    peers.push_back(server.accept());
  }
  // Nobody waits on the third and the second any more; the third has been asked first.
  all[2]->callout.reset();
  all[1]->callout.reset();
  ASSERT_TRUE(ask(2));
  all.back()->callout.reset();
  EXPECT_TRUE(ask(100));
  EXPECT_EQ(client.connections(), 64u);
  EXPECT_TRUE(peers[2].wait_closed());
  EXPECT_FALSE(peers[1].closed());
  EXPECT_TRUE(ask(101));
  EXPECT_TRUE(peers[1].wait_closed());
  EXPECT_FALSE(ask(102));  // commands are on their way in all
  EXPECT_FALSE(peers[0].closed());
}

TEST_F(RedisClient, AGroupMayLeaveWhileItsReplyIsTold) {
  cluster({server.address()});
  std::vector<std::unique_ptr<Asked>> all;
  std::vector<OriginPeer> peers;
  for (size_t i = 1; i <= 63; ++i) {
    all.push_back(std::make_unique<Asked>());
    start(*all.back(), {"PING"}, other_settings(i));
    peers.push_back(server.accept());
  }
  Asked last, other;
  start(last, {"PING"}, other_settings(64));
  OriginPeer peer = server.accept();
  last.then = [&] { EXPECT_TRUE(start(other, {"PING"}, other_settings(65))); };
  peer.read_until("PING\r\n");
  peer.send("+PONG\r\n+NOBODY\r\n");
  finish(last);
  EXPECT_EQ(last.answer, "+PONG\r\n");
  EXPECT_TRUE(peer.wait_closed());
}

TEST_F(RedisClient, AConnectionWhoseRepliesNobodyAwaitsIsClosedInTheEnd) {
  cluster({server.address()});
  Asked gone;
  start(gone, {"GONE"}, other_settings(1));
  OriginPeer peer = server.accept();
  peer.read_until("GONE\r\n");
  gone.callout.reset();
  const MonotonicTime then = loop.now();
  client.close_stale(then + std::chrono::seconds(5));
  run_some_turns(loop);
  EXPECT_FALSE(peer.closed());  // the reply may still come
  client.close_stale(then + std::chrono::seconds(10));
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_EQ(client.connections(), 0u);
}

TEST_F(RedisClient, AConnectionOnWhichSomebodyWaitsStays) {
  cluster({server.address()});
  Asked gone, kept;
  start(gone, {"GONE"}, other_settings(1));
  start(kept, {"KEPT"}, other_settings(1));
  OriginPeer peer = server.accept();
  peer.read_until("KEPT\r\n");
  gone.callout.reset();
  client.close_stale(loop.now() + std::chrono::hours(2));
  peer.send(":1\r\n:2\r\n");
  finish(kept);
  EXPECT_EQ(kept.answer, ":2\r\n");
  client.close_stale(loop.now() +
                     std::chrono::hours(2));  // idle for longer than the cluster allows
  EXPECT_TRUE(peer.wait_closed());
}

TEST_F(RedisClient, EachCommandGoesToTheHostThatIsPicked) {
  Origin other(loop);
  cluster({server.address(), other.address()});
  Asked one, two;
  start(one, {"PING"});
  start(two, {"PING"});
  OriginPeer first = server.accept();
  OriginPeer second = other.accept();
  first.read_until("PING\r\n");
  second.read_until("PING\r\n");
  EXPECT_EQ(client.connections(), 2u);
}

TEST_F(RedisClient, ConnectionsToHostsThatHaveGoneAreClosed) {
  cluster({server.address()});
  Asked one;
  start(one, {"PING"});
  OriginPeer peer = server.accept();
  peer.read_until("PING\r\n");
  Origin other(loop);
  cluster({other.address()});
  peer.send("+PONG\r\n");  // what was asked before is answered
  finish(one);
  EXPECT_EQ(one.answer, "+PONG\r\n");
  EXPECT_TRUE(peer.wait_closed());
}

TEST_F(RedisClient, DyingTellsNobody) {
  cluster({server.address()});
  Asked one;
  {
    Client own(clusters);
    auto callout = own.start("c", {}, command({"PING"}), one);
    ASSERT_TRUE(callout);
    one.callout = std::move(*callout);
    OriginPeer peer = server.accept();
    peer.read_until("PING\r\n");
  }
  one.callout.reset();
  run_some_turns(loop);
  EXPECT_EQ(one.completions, 0);
}

}  // namespace
}  // namespace weir::test
