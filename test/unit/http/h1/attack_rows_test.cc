// Message-framing attacks that are not refused: one reading, and no more.
#include <gtest/gtest.h>

#include "test_session.h"

namespace weir::http::h1 {
namespace {

using testing::TestSession;

std::string with_chunks(std::string_view chunks) {
  return "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(chunks);
}

TEST(AttackRows, H107GetWithABodyIsFramedExactly) {
  TestSession session;
  ASSERT_TRUE(session.feed(
      "GET /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /HEAD /2 HTTP/1.1\r\nHost: a\r\n"
      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n"));
  ASSERT_EQ(session.exchanges.size(), 3U);
  EXPECT_EQ(session.exchanges[0]->body, "GET /");
  EXPECT_EQ(session.exchanges[1]->body, "abc");
  EXPECT_EQ(session.exchanges[2]->head.path(), "/3");
}

TEST(AttackRows, H113ExtensionsAreDropped) {
  TestSession session;
  ASSERT_TRUE(session.feed(with_chunks("3;a;b=c;d=\"q\\\";\" ; e\r\nabc\r\n0;last\r\n\r\n")));
  EXPECT_EQ(session.last().body, "abc");
  EXPECT_TRUE(session.last().ended);
}

TEST(AttackRows, H114ValidTrailersAreDeliveredOnlyIfEnabled) {
  TestSession off;
  ASSERT_TRUE(off.feed(with_chunks("3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")));
  EXPECT_FALSE(off.last().saw_trailers);
  EXPECT_TRUE(off.last().ended);
  CodecOptions options;
  options.enable_trailers = true;
  TestSession on(options);
  ASSERT_TRUE(on.feed(with_chunks("3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")));
  EXPECT_TRUE(on.last().saw_trailers);
  EXPECT_EQ(testing::fields_text(on.last().trailers), "x-sum=1;");
}

TEST(AttackRows, H121AuthorityOfTheTargetWins) {
  TestSession session;
  ASSERT_TRUE(session.feed("GET HTTP://b:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(session.last().head.authority(), "b:81");
  EXPECT_EQ(session.last().head.path(), "/x?y");
  EXPECT_EQ(session.last().head.scheme(), "http");
  EXPECT_FALSE(session.last().head.headers.has(HeaderId::kHost));
  ASSERT_TRUE(session.feed("GET https://c?q HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(session.last().head.path(), "/?q");
  EXPECT_EQ(session.last().head.scheme(), "https");
  ASSERT_TRUE(session.feed("OPTIONS http://c HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(session.last().head.path(), "*");
  ASSERT_TRUE(session.feed("GET http://c HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(session.last().head.authority(), "c");

  CodecOptions options;
  options.allow_absolute_url = false;
  TestSession strict(options);
  EXPECT_FALSE(strict.feed("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"));
}

TEST(AttackRows, H122FinalAnswerWithoutTheBodyCloses) {
  TestSession session({}, TestSession::Answer::kNever);
  ASSERT_TRUE(session.feed(
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
  EXPECT_EQ(session.take_out(), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_FALSE(session.last().head.headers.has(HeaderId::kExpect));
  session.answer(401, "");
  EXPECT_TRUE(session.codec().must_close());
  EXPECT_TRUE(session.codec().request_incomplete());
  EXPECT_NE(session.take_out().find("connection: close"), std::string::npos);
  ASSERT_TRUE(session.feed("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(session.exchanges.size(), 1U);
}

TEST(AttackRows, H123EarlyAnswerClosesAndForgetsTheBody) {
  TestSession session({}, TestSession::Answer::kAtHead);
  ASSERT_TRUE(session.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 34\r\n\r\n"));
  EXPECT_EQ(session.done, 1);
  EXPECT_TRUE(session.codec().must_close());
  EXPECT_TRUE(session.codec().request_incomplete());
  ASSERT_TRUE(session.feed("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(session.exchanges.size(), 1U);
  EXPECT_TRUE(session.last().body.empty());
}

TEST(AttackRows, H124TenThousandPipelinedRequestsAreAnsweredInOrder) {
  TestSession session;
  std::string wire;
  for (int i = 0; i < 10000; ++i)
    wire += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  ASSERT_TRUE(session.feed(wire));
  ASSERT_EQ(session.exchanges.size(), 10000U);
  EXPECT_EQ(session.done, 10000);
  for (int i = 0; i < 10000; ++i)
    ASSERT_EQ(session.exchanges[static_cast<size_t>(i)]->head.path(), "/" + std::to_string(i));
  EXPECT_TRUE(session.codec().idle());
}

TEST(AttackRows, H124OneRequestIsInFlightAndReadingIsHeld) {
  TestSession session({}, TestSession::Answer::kNever);
  ASSERT_TRUE(session.feed("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(session.exchanges.size(), 1U);
  EXPECT_EQ(session.holds, 1);
  ASSERT_TRUE(session.feed("more"));
  EXPECT_EQ(session.exchanges.size(), 1U);
  EXPECT_EQ(session.holds, 1);
  session.answer();
  EXPECT_EQ(session.releases, 1);
  ASSERT_TRUE(session.pump());
  EXPECT_EQ(session.exchanges.size(), 2U);
  EXPECT_EQ(session.last().head.path(), "/2");
}

TEST(AttackRows, H125UnderscoresFollowTheOption) {
  const std::string wire =
      "GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1\r\nTransfer_Encoding: chunked\r\nB: "
      "2\r\n\r\n";
  TestSession allow;
  ASSERT_TRUE(allow.feed(wire));
  EXPECT_EQ(testing::fields_text(allow.last().head.headers),
            "x_forwarded_for=1;transfer_encoding=chunked;b=2;");
  CodecOptions options;
  options.underscores = UnderscoreAction::kDropHeader;
  TestSession drop(options);
  ASSERT_TRUE(drop.feed(wire));
  EXPECT_EQ(testing::fields_text(drop.last().head.headers), "b=2;");
  options.underscores = UnderscoreAction::kRejectRequest;
  TestSession reject(options);
  EXPECT_FALSE(reject.feed(wire));
}

TEST(AttackRows, H127ConnectAndOptionsReachTheLayersAbove) {
  TestSession session({}, TestSession::Answer::kNever);
  ASSERT_TRUE(session.feed("CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\nearly tunnel data"));
  EXPECT_EQ(session.last().head.authority(), "b:443");
  EXPECT_EQ(session.last().head.path(), "");
  EXPECT_FALSE(session.last().ended);
  EXPECT_TRUE(session.last().body.empty());
  TestSession options;
  ASSERT_TRUE(options.feed("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(options.last().head.path(), "*");
}

TEST(AttackRows, UP04H2cUpgradeIsDropped) {
  TestSession session;
  ASSERT_TRUE(
      session.feed("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
                   "Connection: Upgrade, HTTP2-Settings\r\nB: 2\r\n\r\n"));
  EXPECT_EQ(testing::fields_text(session.last().head.headers), "b=2;");
  ASSERT_TRUE(session.feed(
      "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: H2C, websocket\r\nConnection: upgrade\r\n\r\n"));
  EXPECT_EQ(testing::fields_text(session.last().head.headers), "upgrade=websocket;");
}

TEST(AttackRows, ABrokenBodyThatIsAlreadyStreamingIsAnErrorWithoutAnEnd) {
  TestSession session;
  ASSERT_TRUE(session.feed(with_chunks("3\r\nabc\r\n")));
  EXPECT_EQ(session.last().body, "abc");
  const Result<void> result = session.feed("zz\r\n");
  ASSERT_FALSE(result);
  EXPECT_FALSE(session.last().ended);
  EXPECT_EQ(session.last().aborted, 0);  // the session tells the stream
  session.writer->abort();
  EXPECT_TRUE(session.codec().must_close());
}

}  // namespace
}  // namespace weir::http::h1
