// Message-framing attacks that are refused, each with the stated code, before anything of the message is delivered.
#include <gtest/gtest.h>

#include "test_session.h"

namespace weir::http::h1 {
namespace {

using testing::TestSession;
using namespace std::string_literals;

struct Attack {
  const char* what;  // the part of the message that is wrong
  std::string wire;
  Code code = Code::kProtocol;
};

std::string with_field(std::string_view field) {
  return "POST /x HTTP/1.1\r\nHost: a\r\n" + std::string(field) + "\r\n\r\n";
}
std::string with_te(std::string_view value) {
  return with_field("Transfer-Encoding: " + std::string(value));
}
std::string with_cl(std::string_view value) {
  return with_field("Content-Length: " + std::string(value)) + "abc";
}
std::string with_chunks(std::string_view chunks) {
  return with_te("chunked") + std::string(chunks);
}
std::string with_line(std::string_view line) { return std::string(line) + "\r\nHost: a\r\n\r\n"; }
std::string with_host(std::string_view host) {
  return "GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n";
}

std::vector<Attack> framing_attacks() {
  return {
      {"LengthAndCoding",
       with_field("Content-Length: 3\r\nTransfer-Encoding: chunked") + "0\r\n\r\n"},
      {"LengthAndCoding",
       with_field("Transfer-Encoding: chunked\r\nContent-Length: 0") + "0\r\n\r\n"},
      {"TransferCoding", with_te("xchunked"), Code::kNotImplemented},
      {"TransferCoding", with_te("gzip"), Code::kNotImplemented},
      {"TransferCoding", with_te("gzip, chunked"), Code::kNotImplemented},
      {"TransferCoding", with_te("identity, chunked"), Code::kNotImplemented},
      {"TransferCoding", with_te("\"chunked\"")},
      {"TransferCoding", with_te("chunked;x")},
      {"TransferCoding", with_te("\vchunked")},
      {"TransferCoding", with_te("\fchunked")},
      {"TransferCoding", with_te("\xa0"
                                 "chunked")},
      {"TransferCoding", with_te("chunked\r")},
      {"TransferCoding", with_te("chunked, chunked")},
      {"TransferCoding", with_te("chunked, identity")},
      {"TransferCoding", with_te("chunked,")},
      {"TransferCoding", with_te(",chunked")},
      {"TransferCoding", with_te("")},
      {"TransferCoding", with_field("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")},
      {"TransferCoding", with_field("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked")},
      {"SpaceBeforeColon", with_field("Transfer-Encoding : chunked")},
      {"SpaceBeforeColon", with_field("X\t: y")},
      {"ContentLength", with_field("Content-Length: 3\r\nContent-Length: 5") + "abc"},
      {"ContentLength", with_cl("3, 5")},
      {"ContentLength", with_cl("3, 3")},
      {"ContentLength", with_cl("+3")},
      {"ContentLength", with_cl("-3")},
      {"ContentLength", with_cl("0x3")},
      {"ContentLength", with_cl("3 3")},
      {"ContentLength", with_cl("")},
      {"ContentLength", with_cl("3\v")},
      {"ContentLength", with_cl("18446744073709551619")},
      {"ContentLength", with_cl("9223372036854775808")},
      {"ContentLength", with_cl(std::string(30, '3'))},
      {"ContentLength", with_cl("1_0")},
      {"ContentLength", with_cl("3;")},
      {"RepeatedContentLength", with_field("Content-Length: 3\r\nContent-Length: 3") + "abc"},
      {"ChunkedInHttp10",
       "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"FoldedField", with_field("X: a\r\n b")},
      {"FoldedField", with_field("X: a\r\n\tb")},
      {"FoldedField", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
      {"FoldedField", with_field("Transfer-Encoding:\r\n chunked")},
      {"ControlInValue", with_field("X: a\rb")},
      {"ControlInValue", with_field("X: a\0b"s)},
      {"ControlInValue", with_field("X: a\x01")},
      {"ControlInValue", with_field("X: a\x7f")},
      {"ControlInValue", with_field("X: a\x1b")},
      {"ControlInValue", with_field("X: a\r")},
      {"FieldName", with_field(": x")},
      {"FieldName", with_field("nocolon")},
      {"FieldName", with_field("a(b: x")},
      {"FieldName", with_field("a\x80: x")},
      {"FieldName", with_field("a\0: x"s)},
      {"FieldName", with_field("a\"b: x")},
      {"LineEnd", "GET / HTTP/1.1\nHost: a\n\n"},
      {"LineEnd", "GET / HTTP/1.1\r\nHost: a\n\r\n"},
      {"LineEnd", "GET / HTTP/1.1\r\nHost: a\r\n\n"},
      {"LineEnd", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"LineEnd", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"LineEnd", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"Expectation", with_field("Expect: 200-ok"), Code::kExpectationFailed},
      {"Expectation", with_field("Expect: "), Code::kExpectationFailed},
      {"Expectation", with_field("Expect: 100-continue\r\nExpect: 100-continue"),
       Code::kExpectationFailed},
      {"MethodWithTarget", with_line("TRACE / HTTP/1.1")},
      {"MethodWithTarget", with_line("CONNECT / HTTP/1.1")},
      {"MethodWithTarget", with_line("CONNECT a HTTP/1.1")},
      {"MethodWithTarget", with_line("CONNECT http://a:80/ HTTP/1.1")},
      {"MethodWithTarget", with_line("CONNECT [::1] HTTP/1.1")},
      {"MethodWithTarget", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"},
      {"MethodWithTarget",
       "CONNECT a:80 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"MethodWithTarget", with_line("GET * HTTP/1.1")},
  };
}

std::vector<Attack> chunk_attacks() {
  std::vector<Attack> rows = {
      {"ChunkSize", with_chunks("0x3\r\nabc\r\n0\r\n\r\n")},
      {"ChunkSize", with_chunks("+3\r\nabc\r\n0\r\n\r\n")},
      {"ChunkSize", with_chunks(" 3\r\nabc\r\n0\r\n\r\n")},
      {"ChunkSize", with_chunks("3 \r\nabc\r\n0\r\n\r\n")},
      {"ChunkSize", with_chunks("0_3\r\nabc\r\n0\r\n\r\n")},
      {"ChunkSize", with_chunks("3x\r\nabc\r\n0\r\n\r\n")},
      {"ChunkSize", with_chunks("\r\nabc\r\n0\r\n\r\n")},
      {"ChunkSize", with_chunks("-1\r\n")},
      {"ChunkSize", with_chunks(";a\r\n")},
      {"ChunkSizeTooLarge", with_chunks("8000000000000000\r\nabc")},
      {"ChunkSizeTooLarge", with_chunks("10000000000000003\r\nabc")},
      {"ChunkSizeTooLarge", with_chunks("ffffffffffffffff\r\nabc")},
      {"ChunkSizeTooLarge", with_chunks("00000000000000003\r\nabc")},
      {"ChunkLineEnd", with_chunks("3\nabc\r\n0\r\n\r\n")},
      {"ChunkLineEnd", with_chunks("3\r\nabc\n0\r\n\r\n")},
      {"ChunkLineEnd", with_chunks("3\r\nabc\r\n0\n\r\n")},
      {"ChunkLineEnd", with_chunks("3\r\nabc\r\n0\r\n\n")},
      {"ChunkLineEnd", with_chunks("3\r\rabc\r\n0\r\n\r\n")},
      {"ChunkExtension", with_chunks("3;a\nb\r\nabc\r\n0\r\n\r\n")},
      {"ChunkExtension", with_chunks("3;a\rb\r\nabc\r\n0\r\n\r\n")},
      {"ChunkExtension", with_chunks("3;a\0\r\nabc\r\n0\r\n\r\n"s)},
      {"ChunkExtension", with_chunks("3;a=\"x\r\ny\"\r\nabc\r\n0\r\n\r\n")},
      {"ChunkExtension", with_chunks("3;a=\"\n\"\r\nabc\r\n0\r\n\r\n")},
      {"ChunkExtension", with_chunks("3;a=\"\\\r\n\r\nabc\r\n")},
      {"ChunkExtension", with_chunks("3;a{\r\nabc\r\n0\r\n\r\n")},
      {"ChunkTooLongOrShort", with_chunks("3\r\nabcd\r\n0\r\n\r\n")},
      {"ChunkTooLongOrShort", with_chunks("3\r\nabc0\r\n\r\n")},
      {"ChunkTooLongOrShort", with_chunks("3\r\nabc\rX0\r\n\r\n")},
      {"ChunkExtensionsTooLarge",
       with_chunks("3;" + std::string(17 * 1024, 'e') + "\r\nabc\r\n0\r\n\r\n")},
      {"Trailers", with_chunks("0\r\nbad line\r\n\r\n")},
      {"Trailers", with_chunks("0\r\nContent-Length: 3\r\n\r\n")},
      {"Trailers", with_chunks("0\r\nTransfer-Encoding: chunked\r\n\r\n")},
      {"Trailers", with_chunks("0\r\nHost: b\r\n\r\n")},
      {"Trailers", with_chunks("0\r\nAuthorization: b\r\n\r\n")},
      {"Trailers", with_chunks("0\r\nX : b\r\n\r\n")},
      {"Trailers", with_chunks("0\r\nX: a\n\r\n")},
      {"Trailers", with_chunks("0\r\n folded\r\n\r\n")},
      {"Trailers", with_chunks("0\r\nX: a\r\n folded\r\n\r\n")},
      {"Trailers", with_chunks("0\r\nX: " + std::string(61 * 1024, 'x')), Code::kHeadersTooLarge},
  };
  std::string extensions;
  for (int i = 0; i < 2000; ++i) extensions += "1;extension\r\nx\r\n";
  rows.push_back({"ChunkExtensionsTooLarge", with_chunks(extensions + "0\r\n\r\n")});
  std::string trailers = "0\r\n";
  for (int i = 0; i < 10000; ++i) trailers += "a: b\r\n";
  rows.push_back({"Trailers", with_chunks(trailers + "\r\n"), Code::kTooManyHeaders});
  return rows;
}

std::vector<Attack> line_and_host_attacks() {
  return {
      {"RequestLine", with_line("GET\t/\tHTTP/1.1")},
      {"RequestLine", with_line("GET  / HTTP/1.1")},
      {"RequestLine", with_line("GET /  HTTP/1.1")},
      {"RequestLine", with_line("GET /a b HTTP/1.1")},
      {"RequestLine", with_line("GET / HTTP/1.1 ")},
      {"RequestLine", with_line("GET / HTTP/1.01")},
      {"RequestLine", with_line("GET / http/1.1")},
      {"RequestLine", with_line("GET / HTTP/2.0")},
      {"RequestLine", with_line("GET / HTTP/0.9")},
      {"RequestLine", with_line("GET / HTTP/1.2")},
      {"RequestLine", with_line("GET /")},
      {"RequestLine", with_line("GET / ")},
      {"RequestLine", with_line("GET")},
      {"RequestLine", with_line(" GET / HTTP/1.1")},
      {"RequestLine", with_line("G(T / HTTP/1.1")},
      {"RequestLine", with_line("GET /\0 HTTP/1.1"s)},
      {"RequestLine", with_line("GET /\x01 HTTP/1.1")},
      {"RequestLine", with_line("GET /\x7f HTTP/1.1")},
      {"RequestLine", with_line("GET /\xc3\xa9 HTTP/1.1")},
      {"RequestLine", with_line("GET /#f HTTP/1.1")},
      {"RequestLine", with_line("GET / HTTP/1.1\r")},
      {"RequestLine", with_line("GET a HTTP/1.1")},
      {"RequestLine", with_line("GET ftp://a/ HTTP/1.1")},
      {"RequestLine", with_line("GET http:///x HTTP/1.1")},
      {"RequestLine", with_line("GET http://u@a/ HTTP/1.1")},
      {"RequestLine", with_line("GET http://a:b/ HTTP/1.1")},
      {"RequestLine", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"RequestLine",
       "GET /\r\n"},  // HTTP/0.9 is refused without waiting for a head that never comes
      {"RequestLine", "\x16\x03\x01\x02\x00\x01\x00"s},  // a TLS ClientHello
      {"Host", "GET / HTTP/1.1\r\n\r\n"},
      {"Host", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
      {"Host", "GET / HTTP/1.0\r\n\r\n"},
      {"Host", "GET http://a/ HTTP/1.1\r\n\r\n"},
      {"Host", "GET http://a/ HTTP/1.1\r\nHost: b\r\nHost: c\r\n\r\n"},
      {"Host", with_host("a, b")},
      {"Host", with_host("a,b")},
      {"Host", with_host("")},
      {"Host", with_host("a@b")},
      {"Host", with_host("a/")},
      {"Host", with_host("/")},
      {"Host", with_host("a b")},
      {"Host", with_host("a:x")},
      {"Host", with_host("a:")},
      {"Host", with_host("a:99999")},
      {"Host", with_host("[::1")},
      {"Host", with_host("http://a")},
      {"HeadTooLarge", with_field("X: " + std::string(70 * 1024, 'x')), Code::kHeadersTooLarge},
      {"HeadTooLarge", with_line("GET /" + std::string(70 * 1024, 'x') + " HTTP/1.1"),
       Code::kHeadersTooLarge},
  };
}

class Attacks : public ::testing::TestWithParam<Attack> {};

TEST_P(Attacks, IsRefusedBeforeAnythingIsDelivered) {
  TestSession session;
  const Result<void> result = session.feed(GetParam().wire);
  ASSERT_FALSE(result) << session.log();
  EXPECT_EQ(result.error().code, GetParam().code) << result.error().detail;
  EXPECT_EQ(result.error().side, Side::kDownstream);
  ASSERT_EQ(session.exchanges.size(), 1U);
  EXPECT_EQ(session.last().head_events + session.last().body_events, 0);
  EXPECT_EQ(session.last().aborted, 0);
  EXPECT_TRUE(session.out.empty());

  session.answer(400, "Bad Request");
  EXPECT_NE(session.take_out().find("connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(session.codec().must_close());
  EXPECT_TRUE(session.codec().request_incomplete());
  EXPECT_EQ(session.done, 1);
}

TEST_P(Attacks, IsRefusedByteByByteToo) {
  TestSession session;
  Result<void> result;
  for (size_t i = 0; i < GetParam().wire.size() && result; ++i)
    result = session.feed(GetParam().wire.substr(i, 1));
  ASSERT_FALSE(result) << session.log();
  EXPECT_EQ(result.error().code, GetParam().code) << result.error().detail;
  EXPECT_EQ(session.exchanges.size(), 1U);
  EXPECT_FALSE(session.last().ended) << session.log();
}

std::string name_of(const ::testing::TestParamInfo<Attack>& info) {
  return std::string(info.param.what) + "_" + std::to_string(info.index);
}
INSTANTIATE_TEST_SUITE_P(Framing, Attacks, ::testing::ValuesIn(framing_attacks()), name_of);
INSTANTIATE_TEST_SUITE_P(Chunks, Attacks, ::testing::ValuesIn(chunk_attacks()), name_of);
INSTANTIATE_TEST_SUITE_P(LineAndHost, Attacks, ::testing::ValuesIn(line_and_host_attacks()),
                         name_of);

}  // namespace
}  // namespace weir::http::h1
