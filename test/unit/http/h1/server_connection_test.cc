#include <gtest/gtest.h>

#include "test_session.h"

namespace weir::http::h1 {
namespace {

using testing::TestSession;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kHead = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kOld = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";
constexpr std::string_view kOldKeep = "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n";

/// One response to one request, as it stands on the wire.
struct Reply {
  std::string_view request = kGet;
  int status = 200;
  std::vector<std::pair<std::string_view, std::string_view>> fields{};
  std::vector<std::string_view> body{};  // none: the head ends the message
};

std::string wire_of(const Reply& reply, bool* must_close = nullptr, CodecOptions options = {}) {
  TestSession session(options, TestSession::Answer::kNever);
  EXPECT_TRUE(session.feed(reply.request));
  ResponseHead head;
  head.status = reply.status;
  for (const auto& [name, value] : reply.fields) head.headers.add(name, value);
  session.writer->send_head(head, reply.body.empty() ? EndStream::kYes : EndStream::kNo);
  for (size_t i = 0; i < reply.body.size(); ++i) {
    Buffer data(reply.body[i]);
    session.writer->send_body(data, i + 1 == reply.body.size() ? EndStream::kYes : EndStream::kNo);
    EXPECT_TRUE(data.empty());
  }
  EXPECT_EQ(session.done, 1);
  EXPECT_TRUE(session.codec().idle());
  if (must_close != nullptr) *must_close = session.codec().must_close();
  return session.take_out();
}

TEST(H1Server, FramesByContentLength) {
  bool close = true;
  EXPECT_EQ(wire_of({kGet, 200, {{"content-length", "5"}, {"x", "y"}}, {"he", "llo"}}, &close),
            "HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 5\r\n\r\nhello");
  EXPECT_FALSE(close);
}

TEST(H1Server, FramesByChunks) {
  EXPECT_EQ(wire_of({kGet, 404, {}, {"hello", "", "0123456789abcdef0"}}),
            "HTTP/1.1 404 Not Found\r\ntransfer-encoding: "
            "chunked\r\n\r\n5\r\nhello\r\n11\r\n0123456789abcdef0\r\n0\r\n\r\n");
  EXPECT_EQ(wire_of({kGet, 200, {}, {"a", ""}}),
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
}

TEST(H1Server, HeadOnlyResponsesHaveALength) {
  EXPECT_EQ(wire_of({kGet, 200, {}, {}}), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  EXPECT_EQ(wire_of({kGet, 200, {{"content-length", "7"}}, {}}),
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  EXPECT_EQ(wire_of({kGet, 204, {{"content-length", "0"}}, {}}), "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(wire_of({kGet, 304, {{"content-length", "7"}}, {}}),
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n");
  EXPECT_EQ(wire_of({kGet, 304, {}, {}}), "HTTP/1.1 304 Not Modified\r\n\r\n");
  EXPECT_EQ(wire_of({kHead, 200, {}, {}}), "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(wire_of({kHead, 200, {{"content-length", "7"}}, {}}),
            "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n");
}

TEST(H1Server, BodiesThatMayNotBeSentAreDropped) {
  EXPECT_EQ(wire_of({kHead, 200, {{"content-length", "5"}}, {"hello"}}),
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
  EXPECT_EQ(wire_of({kHead, 200, {}, {"hello"}}), "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(wire_of({kGet, 204, {}, {"hello"}}), "HTTP/1.1 204 No Content\r\n\r\n");
  EXPECT_EQ(wire_of({kGet, 304, {}, {"hello"}}), "HTTP/1.1 304 Not Modified\r\n\r\n");
}

TEST(H1Server, Http10ResponsesAreDelimitedByCloseOrLength) {
  bool close = false;
  EXPECT_EQ(wire_of({kOld, 200, {}, {"hello", "x"}}, &close),
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhellox");
  EXPECT_TRUE(close);
  EXPECT_EQ(wire_of({kOldKeep, 200, {}, {"hello"}}, &close),
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello");
  EXPECT_TRUE(close);
  EXPECT_EQ(wire_of({kOldKeep, 200, {{"content-length", "5"}}, {"hello"}}, &close),
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\n\r\nhello");
  EXPECT_FALSE(close);
}

TEST(H1Server, NeverSendsMoreOrOtherThanDeclared) {
  bool close = false;
  EXPECT_EQ(wire_of({kGet, 200, {{"content-length", "3"}}, {"hello"}}, &close),
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhel");
  EXPECT_TRUE(close);
  close = false;
  EXPECT_EQ(wire_of({kGet, 200, {{"content-length", "9"}}, {"hello"}}, &close),
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello");
  EXPECT_TRUE(close);
  for (const std::string_view bad : {"x", "-1", "3, 3", ""})
    EXPECT_EQ(wire_of({kGet, 200, {{"content-length", bad}}, {"abc"}}),
              "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  EXPECT_EQ(wire_of({kGet, 200, {{"content-length", "3"}, {"content-length", "3"}}, {"abc"}}),
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
}

TEST(H1Server, HopByHopFieldsOfAResponseAreTheCodecsOwn) {
  bool close = false;
  EXPECT_EQ(wire_of({kGet,
                     200,
                     {{"transfer-encoding", "gzip"},
                      {"connection", "x"},
                      {"keep-alive", "1"},
                      {"proxy-connection", "1"}},
                     {}},
                    &close),
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  EXPECT_FALSE(close);
  EXPECT_EQ(wire_of({kGet, 200, {{"connection", "foo, Close"}}, {}}, &close),
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  EXPECT_TRUE(close);
}

TEST(H1Server, ProperCase) {
  CodecOptions options;
  options.proper_case_words = true;
  EXPECT_EQ(wire_of({kGet, 200, {{"x-envoy_a", "b"}, {"etag", "c"}}, {"x"}}, nullptr, options),
            "HTTP/1.1 200 OK\r\nX-Envoy_A: b\r\nEtag: c\r\nTransfer-Encoding: "
            "chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n");
}

TEST(H1Server, HeadsBeyondABlockAreWrittenWhole) {
  const std::string large(40000, 'v');
  const std::string wire = wire_of({kGet, 200, {{"x", large}, {"y", "z"}}, {"b"}});
  EXPECT_EQ(wire, "HTTP/1.1 200 OK\r\nx: " + large +
                      "\r\ny: z\r\ntransfer-encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n");
}

TEST(H1Server, TrailersAreSentIfEnabledAndAllowed) {
  for (const bool enabled : {false, true}) {
    CodecOptions options;
    options.enable_trailers = enabled;
    TestSession session(options, TestSession::Answer::kNever);
    ASSERT_TRUE(session.feed(kGet));
    ResponseHead head;
    head.status = 200;
    session.writer->send_head(head, EndStream::kNo);
    HeaderMap trailers;
    trailers.add("x-sum", "1");
    trailers.add("content-length", "9");
    session.writer->send_trailers(trailers);
    EXPECT_EQ(session.take_out(),
              std::string("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n") +
                  (enabled ? "x-sum: 1\r\n\r\n" : "\r\n"));
    EXPECT_TRUE(session.codec().idle());
  }
}

TEST(H1Server, KeepAliveRules) {
  struct Row {
    std::string_view request;
    bool close;
  };
  constexpr Row kRows[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", false},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE ,y\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", false},
      {"GET / HTTP/1.0\r\nHost: a\r\n\r\n", true},
      {"GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", false},
      {"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n", true}};
  for (const Row& row : kRows) {
    bool close = !row.close;
    const std::string wire = wire_of({row.request, 200, {}, {}}, &close);
    EXPECT_EQ(close, row.close) << row.request;
    EXPECT_EQ(wire.find("connection: close") != std::string::npos, row.close) << row.request;
  }
}

TEST(H1Server, DrainAndCloseAfterSayClose) {
  TestSession drain({}, TestSession::Answer::kNever);
  drain.codec().start_drain();
  EXPECT_FALSE(drain.codec().must_close());
  ASSERT_TRUE(drain.feed(kGet));
  drain.answer();
  EXPECT_NE(drain.take_out().find("connection: close"), std::string::npos);
  EXPECT_TRUE(drain.codec().must_close());
  EXPECT_FALSE(drain.codec().request_incomplete());

  TestSession after({}, TestSession::Answer::kNever);
  ASSERT_TRUE(after.feed(kGet));
  after.writer->close_after();
  after.answer();
  EXPECT_NE(after.take_out().find("connection: close"), std::string::npos);
  EXPECT_TRUE(after.codec().must_close());
}

TEST(H1Server, Http10NeedsAHostOrADefault) {
  CodecOptions options;
  options.default_host_for_http_10 = "default.example";
  TestSession session(options);
  ASSERT_TRUE(session.feed("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(session.last().head.authority(), "default.example");
  EXPECT_EQ(session.last().protocol, Protocol::kHttp10);
  options.accept_http_10 = false;
  TestSession refusing(options);
  const Result<void> result = refusing.feed("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kBadVersion);
}

TEST(H1Server, LimitsAreExact) {
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\n";
  CodecOptions options;
  options.max_header_bytes = 100;
  const std::string fits = start + "X: " + std::string(100 - start.size() - 7, 'x') + "\r\n\r\n";
  ASSERT_EQ(fits.size(), 100U);
  TestSession bytes_ok(options);
  EXPECT_TRUE(bytes_ok.feed(fits));
  EXPECT_EQ(bytes_ok.last().wire_bytes, 100U);
  TestSession bytes_over(options);
  const Result<void> over = bytes_over.feed(start + "X: x" + fits.substr(start.size() + 3));
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Code::kHeadersTooLarge);
  TestSession endless(options);
  Result<void> result;
  size_t sent = 0;
  for (; sent < 1000 && result; ++sent)
    result = endless.feed(sent < start.size() ? start.substr(sent, 1) : "y");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kHeadersTooLarge);
  EXPECT_EQ(sent, 101U);

  std::string fields;
  for (int i = 0; i < 99; ++i) fields += "a: b\r\n";
  TestSession count_ok;
  EXPECT_TRUE(count_ok.feed(start + fields + "\r\n"));
  TestSession count_over;
  const Result<void> many = count_over.feed(start + fields + "c: d\r\n\r\n");
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().code, Code::kTooManyHeaders);
}

TEST(H1Server, AnswersExpectUnlessTheBodyIsThereOrTheAnswerIs) {
  const std::string head =
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n";
  TestSession body_there({}, TestSession::Answer::kNever);
  ASSERT_TRUE(body_there.feed(head + "a"));
  EXPECT_EQ(body_there.take_out(), "");
  TestSession refused({}, TestSession::Answer::kAtHead);
  ASSERT_TRUE(refused.feed(head));
  EXPECT_EQ(refused.take_out().substr(0, 15), "HTTP/1.1 200 OK");
  TestSession no_body({}, TestSession::Answer::kNever);
  ASSERT_TRUE(no_body.feed("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(no_body.take_out(), "");
  TestSession old({}, TestSession::Answer::kNever);
  ASSERT_TRUE(
      old.feed("POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
  EXPECT_EQ(old.take_out(), "");
  EXPECT_FALSE(old.last().head.headers.has(HeaderId::kExpect));
}

TEST(H1Server, SendsInformationalHeads) {
  TestSession session({}, TestSession::Answer::kNever);
  ASSERT_TRUE(session.feed(kGet));
  ResponseHead hints;
  hints.status = 103;
  hints.headers.add("link", "x");
  hints.headers.add("content-length", "3");
  session.writer->send_informational(hints);
  EXPECT_EQ(session.take_out(), "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n");
  TestSession old({}, TestSession::Answer::kNever);
  ASSERT_TRUE(old.feed(kOld));
  old.writer->send_informational(hints);
  EXPECT_EQ(old.take_out(), "");
}

TEST(H1Server, ALocalReplyToARequestThatIsWhollyReadKeepsTheConnection) {
  TestSession session({}, TestSession::Answer::kAtHead);
  ASSERT_TRUE(
      session.feed("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /2 "
                   "HTTP/1.1\r\nHost: a\r\n\r\n"));
  ASSERT_EQ(session.exchanges.size(), 2U);
  EXPECT_EQ(session.exchanges[0]->body_events, 0);  // nothing after the exchange is done
  EXPECT_EQ(session.done, 2);
  EXPECT_FALSE(session.codec().must_close());
}

TEST(H1Server, HoldsAreCountedAndReleasedWithTheExchange) {
  TestSession session({}, TestSession::Answer::kNever);
  ASSERT_TRUE(session.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"));
  session.writer->hold_request();
  session.writer->hold_request();
  EXPECT_EQ(session.holds, 1);
  session.writer->release_request();
  EXPECT_EQ(session.releases, 0);
  ASSERT_TRUE(session.feed("abcGET "));  // complete, with pipelined bytes: a second reason
  session.writer->release_request();
  session.writer->release_request();  // one too many does no harm
  EXPECT_EQ(session.releases, 0);
  session.answer();
  EXPECT_EQ(session.holds, 1);
  EXPECT_EQ(session.releases, 1);
}

TEST(H1Server, AbortInTheHeadCallbackEndsTheExchange) {
  TestSession session({}, TestSession::Answer::kNever);
  session.on_head = [](TestSession& s) { s.writer->abort(); };
  ASSERT_TRUE(session.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"));
  EXPECT_EQ(session.last().body_events, 0);
  EXPECT_EQ(session.done, 1);
  EXPECT_TRUE(session.codec().must_close());
  EXPECT_EQ(session.take_out(), "");
  session.answer();  // a writer that outlived its exchange does nothing
  EXPECT_EQ(session.take_out(), "");
  EXPECT_EQ(session.done, 1);
}

TEST(H1Server, HalfCloseAfterPipelinedRequestsStillAnswersThem) {
  TestSession session({}, TestSession::Answer::kNever);
  ASSERT_TRUE(
      session.feed("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3"));
  ASSERT_TRUE(session.codec().on_read_end());
  session.answer();
  ASSERT_TRUE(session.pump());
  EXPECT_EQ(session.last().head.path(), "/2");
  session.answer();
  const Result<void> result = session.pump();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kClosed);
}

TEST(H1Server, OneByteChunksDoNotGrowIntoSlices) {
  TestSession session;
  std::string wire = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 5000; ++i) wire += "1\r\nx\r\n";
  ASSERT_TRUE(session.feed(wire + "0\r\n\r\n"));
  EXPECT_EQ(session.last().body, std::string(5000, 'x'));
  EXPECT_EQ(session.last().body_events, 1);
}

TEST(H1Server, BodiesAreMovedNotCopied) {
  TestSession session({}, TestSession::Answer::kNever);
  ASSERT_TRUE(session.feed(kGet));
  ResponseHead head;
  head.status = 200;
  session.writer->send_head(head, EndStream::kNo);
  session.out.clear();
  Buffer data(std::string(8000, 'x'));
  const char* const bytes = data.front().data();
  session.writer->send_body(data, EndStream::kNo);
  bool found = false;
  session.out.for_each_slice(
      [&found, bytes](std::string_view slice) { found = found || slice.data() == bytes; });
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace weir::http::h1
