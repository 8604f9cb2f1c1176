#include <gtest/gtest.h>

#include "test_upstream.h"

namespace weir::http::h1 {
namespace {

using testing::TestUpstream;
using namespace std::string_literals;

struct Request {
  std::string_view method = "GET";
  std::vector<std::pair<std::string_view, std::string_view>> fields{};
  std::vector<std::string_view> body{};
  std::string_view path = "/p";
};

std::string wire_of(const Request& request, CodecOptions options = {}) {
  TestUpstream upstream(options);
  RequestHead head;
  head.set_method(request.method);
  head.set_path(request.path);
  head.set_authority("h:80");
  head.set_scheme("http");
  for (const auto& [name, value] : request.fields) head.headers.add(name, value);
  RequestWriter& writer = upstream.codec().start(upstream);
  writer.send_head(head, request.body.empty() ? EndStream::kYes : EndStream::kNo);
  for (size_t i = 0; i < request.body.size(); ++i) {
    Buffer data(request.body[i]);
    writer.send_body(data, i + 1 == request.body.size() ? EndStream::kYes : EndStream::kNo);
  }
  return upstream.take_out();
}

TEST(H1Client, WritesRequests) {
  EXPECT_EQ(wire_of({"GET", {{"a", "b"}, {"accept", "*/*"}}}),
            "GET /p HTTP/1.1\r\nhost: h:80\r\na: b\r\naccept: */*\r\n\r\n");
  EXPECT_EQ(wire_of({"POST", {}}), "POST /p HTTP/1.1\r\nhost: h:80\r\ncontent-length: 0\r\n\r\n");
  EXPECT_EQ(wire_of({"DELETE", {}}), "DELETE /p HTTP/1.1\r\nhost: h:80\r\n\r\n");
  EXPECT_EQ(wire_of({"GET", {{"content-length", "0"}}}),
            "GET /p HTTP/1.1\r\nhost: h:80\r\ncontent-length: 0\r\n\r\n");
  EXPECT_EQ(wire_of({"POST", {{"content-length", "5"}}, {"he", "llo"}}),
            "POST /p HTTP/1.1\r\nhost: h:80\r\ncontent-length: 5\r\n\r\nhello");
  EXPECT_EQ(
      wire_of({"GET", {}, {"hello"}}),
      "GET /p HTTP/1.1\r\nhost: h:80\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  EXPECT_EQ(wire_of({"OPTIONS", {}, {}, "*"}), "OPTIONS * HTTP/1.1\r\nhost: h:80\r\n\r\n");
}

TEST(H1Client, OwnsFramingAndConnectionFields) {
  EXPECT_EQ(
      wire_of({"POST",
               {{"host", "evil"},
                {"transfer-encoding", "gzip"},
                {"connection", "close"},
                {"http2-settings", "x"},
                {"content-length", "3"},
                {"content-length", "4"}},
               {"abc"}}),
      "POST /p HTTP/1.1\r\nhost: h:80\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
}

TEST(H1Client, EscapesWhatCannotStandInARequestLine) {
  EXPECT_EQ(wire_of({"GET", {}, {}, "/a b\r\nX: \xc3#"}),
            "GET /a%20b%0D%0AX:%20%C3%23 HTTP/1.1\r\nhost: h:80\r\n\r\n");
}

TEST(H1Client, ProperCase) {
  CodecOptions options;
  options.proper_case_words = true;
  EXPECT_EQ(wire_of({"GET", {{"x-a", "b"}}}, options),
            "GET /p HTTP/1.1\r\nHost: h:80\r\nX-A: b\r\n\r\n");
}

TEST(H1Client, RequestsNeverExceedTheirLengthAndSpoilTheConnection) {
  EXPECT_EQ(wire_of({"POST", {{"content-length", "3"}}, {"hello"}}),
            "POST /p HTTP/1.1\r\nhost: h:80\r\ncontent-length: 3\r\n\r\nhel");
  TestUpstream upstream;
  RequestHead head;
  head.set_method("POST");
  head.set_path("/");
  head.headers.add("content-length", "3");
  RequestWriter& writer = upstream.codec().start(upstream);
  writer.send_head(head, EndStream::kNo);
  Buffer data("hello");
  writer.send_body(data, EndStream::kYes);
  ASSERT_TRUE(upstream.feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_TRUE(upstream.codec().exchange_complete());
  EXPECT_FALSE(upstream.codec().reusable());
}

// ---- responses ---------------------------------------------------------------------------------------------

TEST(H1Client, ReusesTheConnection) {
  TestUpstream upstream;
  for (int i = 0; i < 3; ++i) {
    upstream.request();
    EXPECT_FALSE(upstream.codec().reusable());
    EXPECT_FALSE(upstream.codec().response_started());
    ASSERT_TRUE(upstream.feed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
    EXPECT_EQ(upstream.body, "hi");
    EXPECT_TRUE(upstream.ended);
    EXPECT_TRUE(upstream.codec().reusable());
  }
}

struct ResponseRow {
  std::string wire;
  std::string_view method = "GET";
  std::string_view body = "";
  bool complete = true;
  bool reusable = true;
};

TEST(H1Client, FramingOfResponses) {
  const std::vector<ResponseRow> rows = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "GET", "hi"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", "GET", "h", false, false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiX", "GET", "hi", true, false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: "
       "1\r\n\r\nX",
       "GET", "hi", true, false},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", "GET", "hi"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n!", "GET", "hi",
       true, false},
      {"HTTP/1.1 200 OK\r\n\r\nhi", "GET", "hi", false, false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "GET", "hi", true, false},
      {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", "GET", "hi"},
      {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", "GET", "hi", true,
       false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "HEAD"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HEAD"},
      {"HTTP/1.1 200 OK\r\n\r\n", "HEAD"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "HEAD", "", true, false},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", "GET", "", true, false},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", "GET", "", true, false},
      {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", "GET", "", true, false},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", "GET"},
      {"HTTP/1.1 204 No Content\r\n\r\n", "GET"},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", "GET"},
  };
  for (const ResponseRow& row : rows) {
    TestUpstream upstream;
    upstream.request(row.method);
    ASSERT_TRUE(upstream.feed(row.wire)) << row.wire;
    EXPECT_EQ(upstream.body, row.body) << row.wire;
    EXPECT_EQ(upstream.codec().exchange_complete(), row.complete) << row.wire;
    EXPECT_EQ(upstream.ended, row.complete) << row.wire;
    EXPECT_EQ(upstream.codec().reusable(), row.reusable) << row.wire;
    EXPECT_TRUE(upstream.in.empty()) << row.wire;
  }
}

TEST(H1Client, HostileResponsesAreErrorsBeforeAnythingIsDelivered) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  std::vector<std::string> wires = {
      ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      ok + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
      ok + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
      ok + "Content-Length: x\r\n\r\n",
      ok + "Content-Length: -1\r\n\r\n",
      ok + "Content-Length:\r\n\r\n",
      ok + "Content-Length: 18446744073709551619\r\n\r\n",
      ok + "Transfer-Encoding: gzip\r\n\r\n",
      ok + "Transfer-Encoding: chunked, chunked\r\n\r\n",
      ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
      ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n",
      "HTTP/1.1 000 X\r\n\r\n",
      "HTTP/1.1 2 X\r\n\r\n",
      "HTTP/1.1 9999 X\r\n\r\n",
      "HTTP/1.1 600 X\r\n\r\n",
      "HTTP/1.1 099 X\r\n\r\n",
      "HTTP/1.1 2x0 X\r\n\r\n",
      "HTTP/1.1 -20 X\r\n\r\n",
      "HTTP/1.1  200 X\r\n\r\n",
      "HTTP/1.1\r\n\r\n",
      "HTTP/1.1 \r\n\r\n",
      "HTTP/2.0 200 OK\r\n\r\n",
      "HTTP/1.01 200 OK\r\n\r\n",
      "http/1.1 200 OK\r\n\r\n",
      "ICY 200 OK\r\n\r\n",
      "<html>no head</html>",
      "\r\nHTTP/1.1 200 OK\r\n\r\n",
      " ",
      "HTTP/1.1 200 O\0K\r\n\r\n"s,
      "HTTP/1.1 200 O\rK\r\n\r\n",
      "HTTP/1.1 200 OK\n\n",
      ok + "X: a\0b\r\n\r\n"s,
      ok + "X: a\rb\r\n\r\n",
      ok + "X : a\r\n\r\n",
      ok + "X: a\r\n b\r\n\r\n",
      ok + ": a\r\n\r\n",
      ok + "nocolon\r\n\r\n",
      ok + "X: a\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
      ok + "X: " + std::string(61 * 1024, 'x'),
  };
  std::string many = ok;
  for (int i = 0; i < 5000; ++i) many += "a: b\r\n";
  wires.push_back(many + "\r\n");
  for (const std::string& wire : wires) {
    TestUpstream upstream;
    upstream.request();
    const Result<void> result = upstream.feed(wire);
    ASSERT_FALSE(result) << wire.substr(0, 100);
    EXPECT_EQ(result.error().side, Side::kUpstream);
    EXPECT_EQ(upstream.head_events + upstream.body_events, 0) << wire.substr(0, 100);
    EXPECT_FALSE(upstream.codec().reusable());
    EXPECT_TRUE(upstream.codec().response_started());
  }
}

TEST(H1Client, InformationalResponses) {
  TestUpstream upstream;
  upstream.request();
  ASSERT_TRUE(upstream.feed(
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 X\r\n\r\nHTTP/1.1 103 X\r\nLink: a\r\n\r\n"
      "HTTP/1.1 150 Odd\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(upstream.text(), "i100 i102 i103 200 {content-length=0;} bytes=38 body=[] end");
  EXPECT_TRUE(upstream.codec().reusable());

  for (const int count : {10, 11}) {
    TestUpstream flood;
    flood.request();
    Result<void> result;
    for (int i = 0; i < count; ++i) result = flood.feed("HTTP/1.1 102 Processing\r\n\r\n");
    EXPECT_EQ(result.has_value(), count == 10);
  }
  TestUpstream cut;
  cut.request();
  ASSERT_TRUE(cut.feed("HTTP/1.1 100 Continue\r\n\r\n"));
  EXPECT_FALSE(cut.codec().on_read_end());
}

TEST(H1Client, CloseDelimitedBodyEndsWithTheConnection) {
  TestUpstream upstream;
  upstream.request();
  ASSERT_TRUE(upstream.feed("HTTP/1.1 200 OK\r\n\r\nab"));
  ASSERT_TRUE(upstream.feed("cd"));
  EXPECT_FALSE(upstream.ended);
  ASSERT_TRUE(upstream.codec().on_read_end());
  EXPECT_TRUE(upstream.ended);
  EXPECT_EQ(upstream.body, "abcd");
  EXPECT_TRUE(upstream.codec().exchange_complete());
  EXPECT_FALSE(upstream.codec().reusable());
}

TEST(H1Client, UnaskedBytesAreErrors) {
  TestUpstream fresh;
  EXPECT_FALSE(fresh.feed("HTTP/1.1 200 OK\r\n\r\n"));
  TestUpstream idle;
  idle.request();
  ASSERT_TRUE(idle.feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_TRUE(idle.codec().reusable());
  EXPECT_FALSE(idle.feed("H"));
  EXPECT_FALSE(idle.codec().reusable());
  TestUpstream before_request;
  before_request.codec().start(before_request);
  EXPECT_FALSE(before_request.feed("HTTP/1.1 200 OK\r\n\r\n"));
}

TEST(H1Client, EarlyResponseIsNotReusableUntilTheRequestIsSent) {
  TestUpstream upstream;
  upstream.request("POST", EndStream::kNo);
  ASSERT_TRUE(upstream.feed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"));
  EXPECT_TRUE(upstream.ended);
  EXPECT_FALSE(upstream.codec().exchange_complete());
  EXPECT_FALSE(upstream.codec().reusable());
  Buffer data("x");
  upstream.writer->send_body(data, EndStream::kYes);
  EXPECT_TRUE(upstream.codec().exchange_complete());
  EXPECT_TRUE(upstream.codec().reusable());
}

TEST(H1Client, DetachSilencesTheReceiver) {
  TestUpstream upstream;
  upstream.request();
  upstream.detach_at_head = true;
  ASSERT_TRUE(upstream.feed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
  EXPECT_EQ(upstream.head_events, 1);
  EXPECT_EQ(upstream.body_events, 0);
  ASSERT_TRUE(upstream.codec().on_read_end());
  EXPECT_FALSE(upstream.codec().reusable());

  TestUpstream waiting;
  waiting.request();
  waiting.codec().detach();
  ASSERT_TRUE(waiting.feed("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(waiting.in.empty());
  EXPECT_EQ(waiting.head_events, 0);
}

TEST(H1Client, ReadEndWhileIdleIsNoError) {
  TestUpstream upstream;
  EXPECT_TRUE(upstream.codec().on_read_end());
  EXPECT_FALSE(upstream.codec().reusable());
}

}  // namespace
}  // namespace weir::http::h1
