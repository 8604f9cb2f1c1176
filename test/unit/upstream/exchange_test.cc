#include "unit/upstream/fixture.h"

namespace weir::test {
namespace {

class ExchangeTest : public UpstreamFixture {
 protected:
  Origin origin{loop};
};

TEST_F(ExchangeTest, SendsHeadBodyAndTrailersAndRelaysTheAnswer) {
  auto& target =
      cluster({origin.address()}, [](auto& options) { options.http.enable_trailers = true; });
  Request request("POST", "/upload?x=1");
  HeaderMap trailers;
  trailers.add("checksum", "7");
  ASSERT_FALSE(request.start(target, EndStream::kNo));
  request.body("one", EndStream::kNo);
  OriginPeer peer = origin.accept();
  const std::string head = peer.read_head();
  EXPECT_TRUE(head.starts_with("POST /upload?x=1 HTTP/1.1\r\n")) << head;
  EXPECT_NE(head.find("host: origin\r\n"), std::string::npos) << head;
  request.body("two", EndStream::kNo);
  request.exchange.send_trailers(trailers);
  const std::string body = peer.read_until("\r\n\r\n");
  EXPECT_NE(body.find("one"), std::string::npos);
  EXPECT_NE(body.find("checksum: 7"), std::string::npos);
  peer.send(
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nkeep-alive: "
      "timeout=5\r\n\r\n3\r\nabc\r\n0\r\nt: v\r\n\r\n");
  finish(request);
  EXPECT_EQ(request.sink.log, "200 trailers end");
  EXPECT_EQ(request.sink.body, "abc");
  EXPECT_FALSE(request.sink.head.headers.has(HeaderId::kTransferEncoding));
  EXPECT_FALSE(request.sink.head.headers.has(HeaderId::kKeepAlive));
}

TEST_F(ExchangeTest, ACloseDelimitedBodyEndsWithTheConnection) {
  auto& target = cluster({origin.address()});
  Request request;
  ASSERT_FALSE(request.start(target));
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.send("HTTP/1.1 200 OK\r\n\r\nall of it");
  peer.close();
  finish(request);
  EXPECT_EQ(request.sink.log, "200 end");
  EXPECT_EQ(request.sink.body, "all of it");
}

struct Loss {
  const char* name;
  const char* sent;  // by the origin before it closes
  const char* outcome;
};
class ExchangeLoses : public ExchangeTest, public testing::WithParamInterface<Loss> {};

TEST_P(ExchangeLoses, AFreshConnectionWithoutSendingAgain) {
  auto& target = cluster({origin.address()});
  Request request;
  ASSERT_FALSE(request.start(target));
  OriginPeer peer = origin.accept();
  peer.read_head();
  if (*GetParam().sent != '\0') peer.send(GetParam().sent);
  peer.close();
  finish(request);
  EXPECT_EQ(request.sink.log, GetParam().outcome);
  EXPECT_EQ(request.sink.attempts, 1);
  run_some_turns(loop);
  EXPECT_FALSE(origin.try_accept());
  EXPECT_EQ(gauge("upstream_cx_active"), 0);
  EXPECT_EQ(gauge("upstream_rq_active"), 0);
  EXPECT_EQ(counter("upstream_cx_destroy_remote_with_active_rq"), 1U);
  EXPECT_EQ(counter("upstream_cx_destroy_local"), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Phases, ExchangeLoses,
    testing::Values(Loss{"BeforeAnyByte", "", "failed: connection termination"},
                    Loss{"InBody", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
                         "200 failed: connection termination"},
                    Loss{"InChunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nha",
                         "200 failed: connection termination"},
                    Loss{"AfterInformational", "HTTP/1.1 103 Early Hints\r\n\r\n",
                         "103? failed: protocol error"}),
    [](const auto& info) { return info.param.name; });

class ExchangeRejects : public ExchangeTest, public testing::WithParamInterface<Loss> {};

TEST_P(ExchangeRejects, AMalformedResponse) {
  auto& target = cluster({origin.address()});
  Request request;
  ASSERT_FALSE(request.start(target));
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.send(GetParam().sent);
  finish(request);
  EXPECT_EQ(request.sink.log, GetParam().outcome);
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_EQ(counter("upstream_cx_protocol_error"), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Responses, ExchangeRejects,
    testing::Values(
        Loss{"Garbage", "SSH-2.0-OpenSSH_9\r\n\r\n", "failed: protocol error"},
        Loss{"SwitchingProtocols",
             "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
             "failed: protocol error"},
        Loss{"TwoFramings",
             "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
             "failed: protocol error"},
        Loss{"BadChunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
             "failed: protocol error"}),
    [](const auto& info) { return info.param.name; });

TEST_F(ExchangeTest, ABadChunkAfterThePassedHeadCutsTheResponse) {
  auto& target = cluster({origin.address()});
  Request request;
  ASSERT_FALSE(request.start(target));
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
  run_until(loop, "the first chunk", [&] { return request.sink.body == "abc"; });
  peer.send("xyz\r\n");
  finish(request);
  EXPECT_EQ(request.sink.log, "200 failed: protocol error");
  EXPECT_TRUE(peer.wait_closed());
}

TEST_F(ExchangeTest, TooManyInformationalHeadsAreAnError) {
  auto& target = cluster({origin.address()});
  Request request;
  ASSERT_FALSE(request.start(target));
  OriginPeer peer = origin.accept();
  peer.read_head();
  for (int i = 0; i < 12; ++i) peer.send("HTTP/1.1 102 Processing\r\n\r\n");
  finish(request);
  EXPECT_TRUE(request.sink.log.ends_with("failed: protocol error")) << request.sink.log;
  EXPECT_TRUE(peer.wait_closed());
}

struct Again {
  const char* name;
  const char* method;
  const char* body;
  bool again;
};
class ExchangeOnAStaleConnection : public ExchangeTest,
                                   public testing::WithParamInterface<Again> {};

/// The origin closes the pooled connection after it has read the request.
TEST_P(ExchangeOnAStaleConnection, IsSentAgainIfThatIsSafe) {
  auto& target = cluster({origin.address()});
  OriginPeer stale = get(target, origin);
  Request request(GetParam().method);
  const std::string body = GetParam().body;
  if (!body.empty())
    request.head.headers.add(HeaderId::kContentLength, std::to_string(body.size()));
  ASSERT_FALSE(request.start(target, body.empty() ? EndStream::kYes : EndStream::kNo));
  if (!body.empty()) request.body(body, EndStream::kYes);
  stale.read_until(body.empty() ? "\r\n\r\n" : body);
  stale.close();
  if (!GetParam().again) {
    finish(request);
    EXPECT_EQ(request.sink.log, "failed: connection termination");
    EXPECT_EQ(counter("upstream_rq_retry"), 0U);
    return;
  }
  OriginPeer fresh = origin.accept();
  const std::string head = fresh.read_head();
  EXPECT_TRUE(head.starts_with(GetParam().method)) << head;
  if (!body.empty()) {
    EXPECT_EQ(fresh.read_until(body), body);
  }
  fresh.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  finish(request);
  EXPECT_EQ(request.sink.log, "200 end");
  EXPECT_EQ(request.sink.attempts, 2);
  EXPECT_EQ(counter("upstream_rq_retry"), 1U);
  EXPECT_EQ(counter("upstream_rq_retry_success"), 1U);
}

INSTANTIATE_TEST_SUITE_P(Requests, ExchangeOnAStaleConnection,
                         testing::Values(Again{"Get", "GET", "", true},
                                         Again{"Put", "PUT", "content", true},
                                         Again{"Delete", "DELETE", "", true},
                                         Again{"Post", "POST", "content", false},
                                         Again{"PostWithoutBody", "POST", "", false},
                                         Again{"Patch", "PATCH", "", false}),
                         [](const auto& info) { return info.param.name; });

TEST_F(ExchangeTest, APostIsSentAgainWhenNothingOfItWasWritten) {
  auto& target = cluster({origin.address()});
  OriginPeer stale = get(target, origin);
  stale.close();  // the loop has not seen it yet; it reads before it writes
  Request request("POST");
  request.head.headers.add(HeaderId::kContentLength, "4");
  ASSERT_FALSE(request.start(target, EndStream::kNo));
  request.body("data", EndStream::kYes);
  EXPECT_EQ(request.sink.attempts, 1);
  OriginPeer fresh = origin.accept();
  EXPECT_TRUE(fresh.read_until("data").ends_with("data"));
  fresh.send("HTTP/1.1 204 No Content\r\n\r\n");
  finish(request);
  EXPECT_EQ(request.sink.log, "204 end");
  EXPECT_EQ(request.sink.attempts, 2);
}

TEST_F(ExchangeTest, IsSentAgainOnlyOnce) {
  auto& target = cluster({origin.address()});
  OriginPeer stale = get(target, origin);
  Request request;
  ASSERT_FALSE(request.start(target));
  stale.read_head();
  stale.close();
  OriginPeer second = origin.accept();
  second.read_head();
  second.reset();
  finish(request);
  EXPECT_EQ(request.sink.log, "failed: connection termination");
  EXPECT_EQ(request.sink.attempts, 2);
  EXPECT_TRUE(request.exchange.retried());
}

TEST_F(ExchangeTest, IsNotSentAgainOnceAByteOfTheResponseHasCome) {
  auto& target = cluster({origin.address()});
  OriginPeer stale = get(target, origin);
  Request request;
  ASSERT_FALSE(request.start(target));
  stale.read_head();
  stale.send("HTTP/1.1 2");
  stale.close();
  finish(request);
  EXPECT_TRUE(request.sink.log.starts_with("failed: ")) << request.sink.log;
  EXPECT_EQ(request.sink.attempts, 1);
}

TEST_F(ExchangeTest, ABodyTooLargeToKeepIsNotSentAgain) {
  auto& target = cluster({origin.address()});
  OriginPeer stale = get(target, origin);
  Request request("PUT");
  const std::string body(upstream::Exchange::kMaxKeptBody + 1, 'x');
  request.head.headers.add(HeaderId::kContentLength, std::to_string(body.size()));
  ASSERT_FALSE(request.start(target, EndStream::kNo));
  request.body(body, EndStream::kYes);
  stale.read_head();
  stale.reset();
  finish(request);
  EXPECT_EQ(request.sink.log, "failed: connection termination");
  EXPECT_EQ(request.sink.attempts, 1);
}

TEST_F(ExchangeTest, HoldsTheBodyBackWhileItWaitsForAConnection) {
  auto& target = cluster({origin.address()}, [](auto& options) { options.buffer_limit = 1000; });
  Request request("POST");
  ASSERT_FALSE(request.start(target, EndStream::kNo));
  request.body(std::string(2000, 'x'), EndStream::kNo);
  EXPECT_EQ(request.sink.log, "blocked ");
  OriginPeer peer = origin.accept();
  run_until(loop, "the body to flow", [&] { return request.sink.log == "blocked resumed "; });
  request.body("end", EndStream::kYes);
  peer.read_until("end");
  peer.send("HTTP/1.1 204 No Content\r\n\r\n");
  finish(request);
  EXPECT_TRUE(request.sink.log.ends_with("204 end")) << request.sink.log;
}

TEST_F(ExchangeTest, ASlowOriginBlocksTheRequest) {
  auto& target = cluster({origin.address()}, [](auto& options) { options.buffer_limit = 4096; });
  Request request("POST");
  ASSERT_FALSE(request.start(target, EndStream::kNo));
  OriginPeer peer = origin.accept();
  // The kernel's buffers grow while they are filled: only a block that stays is one.
  for (int i = 0; i < 200 && !request.sink.log.ends_with("blocked "); ++i) {
    request.body(std::string(256 * 1024, 'x'), EndStream::kNo);
    run_some_turns(loop);
  }
  ASSERT_TRUE(request.sink.log.ends_with("blocked "));
  run_until(loop, "the request to flow again",
            [&] { return peer.received(), request.sink.log.ends_with("resumed "); });
  request.exchange.cancel();
}

TEST_F(ExchangeTest, AHeldResponseIsNotRead) {
  auto& target = cluster({origin.address()});
  Request request;
  ASSERT_FALSE(request.start(target));
  OriginPeer peer = origin.accept();
  peer.read_head();
  peer.send("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf");
  run_until(loop, "the first half", [&] { return request.sink.body == "half"; });
  request.exchange.hold_response();
  peer.send("rest");
  run_some_turns(loop);
  EXPECT_EQ(request.sink.body, "half");
  request.exchange.release_response();
  finish(request);
  EXPECT_EQ(request.sink.body, "halfrest");
  // The hold is gone with the exchange: the connection serves the next one.
  Request second;
  ASSERT_FALSE(second.start(target));
  answer(peer, second);
}

TEST_F(ExchangeTest, TimeOutCountsAndCloses) {
  auto& target = cluster({origin.address()});
  Request request;
  ASSERT_FALSE(request.start(target));
  OriginPeer peer = origin.accept();
  peer.read_head();
  request.exchange.time_out();
  EXPECT_TRUE(peer.wait_closed());
  EXPECT_EQ(counter("upstream_rq_timeout"), 1U);
  EXPECT_FALSE(request.exchange.active());
}

TEST_F(ExchangeTest, DestructionWhileWaitingLeavesThePoolUsable) {
  auto& target = cluster({origin.address()});
  {
    Request request;
    ASSERT_FALSE(request.start(target));
  }
  EXPECT_EQ(gauge("upstream_rq_pending_active"), 0);
  OriginPeer peer = origin.accept();  // the connect goes on and the connection is pooled
  run_until(loop, "the connection to be idle", [&] { return clusters.active_connections() == 1; });
  run_some_turns(loop);
  Request request;
  ASSERT_FALSE(request.start(target));
  answer(peer, request);
}

}  // namespace
}  // namespace weir::test
