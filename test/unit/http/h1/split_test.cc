// How the bytes were cut into reads must not show in what the codec tells.
#include <gtest/gtest.h>

#include "test_upstream.h"

namespace weir::http::h1 {
namespace {

using testing::TestSession;
using testing::TestUpstream;

CodecOptions with_trailers() {
  CodecOptions options;
  options.enable_trailers = true;
  return options;
}

const std::vector<std::string>& request_wires() {
  static const std::vector<std::string> wires = {
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "\r\nGET /a?b=c HTTP/1.1\r\nhost:a:80\r\nX-Empty:\r\nX-Pad: \t v \t\r\nCookie: a=b; "
      "c=d\r\n\r\n",
      "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
      "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
      "Chunked\r\n\r\n5;n=\"v\"\r\nhello\r\n06\r\n world\r\n0\r\n\r\n",
      "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0;e\r\nX-Sum: "
      "1\r\nY: 2\r\n\r\n"
      "GET /next HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: "
      "3\r\n\r\nabc\r\n"
      "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET http://b/x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\nHost: "
      "a\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
  };
  return wires;
}

std::string whole_log(const std::string& wire) {
  TestSession session(with_trailers());
  EXPECT_TRUE(session.feed(wire));
  return session.log();
}

TEST(Split, RequestsAtEveryByte) {
  for (const std::string& wire : request_wires()) {
    const std::string expected = whole_log(wire);
    EXPECT_EQ(expected.find("open"), std::string::npos) << expected;
    for (size_t cut = 0; cut <= wire.size(); ++cut) {
      TestSession session(with_trailers());
      ASSERT_TRUE(session.feed(wire.substr(0, cut)));
      ASSERT_TRUE(session.feed(wire.substr(cut)));
      EXPECT_EQ(session.log(), expected) << "cut at byte " << cut;
      EXPECT_TRUE(session.codec().idle());
    }
  }
}

TEST(Split, RequestsAtEveryPairOfBytes) {
  for (const std::string& wire : request_wires()) {
    const std::string expected = whole_log(wire);
    for (size_t first = 0; first <= wire.size(); first += 3) {
      for (size_t second = first; second <= wire.size(); second += 5) {
        TestSession session(with_trailers());
        ASSERT_TRUE(session.feed(wire.substr(0, first)));
        ASSERT_TRUE(session.feed(wire.substr(first, second - first)));
        ASSERT_TRUE(session.feed(wire.substr(second)));
        ASSERT_EQ(session.log(), expected) << "cut at " << first << " and " << second;
      }
    }
  }
}

/// Each byte in a slice of its own, as the worst transport would deliver.
void append_in_slices(Buffer& in, std::string_view wire) {
  for (const char c : wire) {
    Buffer one(std::string_view(&c, 1));
    in.append(std::move(one));
  }
}

TEST(Split, RequestsByteByByteAndInOneByteSlices) {
  for (const std::string& wire : request_wires()) {
    const std::string expected = whole_log(wire);
    TestSession trickle(with_trailers());
    for (const char c : wire) ASSERT_TRUE(trickle.feed(std::string_view(&c, 1)));
    EXPECT_EQ(trickle.log(), expected);
    TestSession slices(with_trailers());
    append_in_slices(slices.in, wire);
    ASSERT_TRUE(slices.pump());
    EXPECT_EQ(slices.log(), expected);
  }
}

const std::vector<std::string>& response_wires() {
  static const std::vector<std::string> wires = {
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello",
      "HTTP/1.1 204 No Content\r\n\r\n",
      "HTTP/1.0 200\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "
      "OK\r\nContent-Length: 1\r\n\r\nx",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: "
      "9\r\n\r\n",
      "HTTP/1.1 500 \r\nSet-Cookie: a\r\nSet-Cookie: b\r\nTransfer-Encoding: "
      "chunked\r\n\r\n0\r\n\r\n",
  };
  return wires;
}

TEST(Split, ResponsesAtEveryByte) {
  for (const std::string& wire : response_wires()) {
    TestUpstream whole(with_trailers());
    whole.request();
    ASSERT_TRUE(whole.feed(wire));
    const std::string expected = whole.text();
    EXPECT_TRUE(whole.codec().exchange_complete()) << expected;
    for (size_t cut = 0; cut <= wire.size(); ++cut) {
      TestUpstream upstream(with_trailers());
      upstream.request();
      ASSERT_TRUE(upstream.feed(wire.substr(0, cut)));
      EXPECT_EQ(upstream.codec().response_started(), cut > 0);
      if (cut < wire.size()) {
        ASSERT_TRUE(upstream.feed(wire.substr(cut)));
      }
      EXPECT_EQ(upstream.text(), expected) << "cut at byte " << cut;
      EXPECT_EQ(upstream.codec().reusable(), whole.codec().reusable());
    }
    TestUpstream slices(with_trailers());
    slices.request();
    append_in_slices(slices.in, wire);
    ASSERT_TRUE(slices.codec().decode(slices.in));
    EXPECT_EQ(slices.text(), expected);
  }
}

TEST(Split, EveryPrefixOfARequestThatEndsIsAnError) {
  for (const std::string& wire : {request_wires()[0], request_wires()[2], request_wires()[3]}) {
    for (size_t size = 1; size < wire.size(); ++size) {
      TestSession session;
      ASSERT_TRUE(session.feed(wire.substr(0, size)));
      const Result<void> result = session.codec().on_read_end();
      ASSERT_FALSE(result) << size;
      EXPECT_EQ(result.error().code, Code::kClosed);
      EXPECT_TRUE(session.codec().on_read_end()) << "told once";
    }
  }
}

TEST(Split, EveryPrefixOfAResponseThatEndsIsAnError) {
  for (const std::string& wire : {response_wires()[0], response_wires()[3], response_wires()[4]}) {
    for (size_t size = 0; size < wire.size(); ++size) {
      TestUpstream upstream;
      upstream.request();
      ASSERT_TRUE(upstream.feed(wire.substr(0, size)));
      const Result<void> result = upstream.codec().on_read_end();
      ASSERT_FALSE(result) << size;
      EXPECT_EQ(result.error().code, Code::kClosed);
      EXPECT_FALSE(upstream.codec().reusable());
    }
  }
}

}  // namespace
}  // namespace weir::http::h1
