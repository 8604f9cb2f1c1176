// Every row of the catalogue of message-framing attacks: refused with the stated code before anything of the
// message is delivered, or delivered in exactly one reading.
#include <gtest/gtest.h>

#include "h1_support.h"

namespace weir::http::h1 {
namespace {

using testing::TestSession;
using namespace std::string_literals;

struct Attack {
  const char* id;
  std::string wire;
  Code code = Code::kProtocol;
};

std::string with_field(std::string_view field) {
  return "POST /x HTTP/1.1\r\nHost: a\r\n" + std::string(field) + "\r\n\r\n";
}
std::string with_te(std::string_view value) { return with_field("Transfer-Encoding: " + std::string(value)); }
std::string with_cl(std::string_view value) { return with_field("Content-Length: " + std::string(value)) + "abc"; }
std::string with_chunks(std::string_view chunks) { return with_te("chunked") + std::string(chunks); }
std::string with_line(std::string_view line) { return std::string(line) + "\r\nHost: a\r\n\r\n"; }
std::string with_host(std::string_view host) { return "GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"; }

std::vector<Attack> framing_attacks() {
  return {
      {"H1-01", with_field("Content-Length: 3\r\nTransfer-Encoding: chunked") + "0\r\n\r\n"},
      {"H1-01", with_field("Transfer-Encoding: chunked\r\nContent-Length: 0") + "0\r\n\r\n"},
      {"H1-02", with_te("xchunked"), Code::kNotImplemented},
      {"H1-02", with_te("gzip"), Code::kNotImplemented},
      {"H1-02", with_te("gzip, chunked"), Code::kNotImplemented},
      {"H1-02", with_te("identity, chunked"), Code::kNotImplemented},
      {"H1-02", with_te("\"chunked\"")},
      {"H1-02", with_te("chunked;x")},
      {"H1-02", with_te("\vchunked")},
      {"H1-02", with_te("\fchunked")},
      {"H1-02", with_te("\xa0" "chunked")},
      {"H1-02", with_te("chunked\r")},
      {"H1-02", with_te("chunked, chunked")},
      {"H1-02", with_te("chunked, identity")},
      {"H1-02", with_te("chunked,")},
      {"H1-02", with_te(",chunked")},
      {"H1-02", with_te("")},
      {"H1-02", with_field("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")},
      {"H1-02", with_field("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked")},
      {"H1-03", with_field("Transfer-Encoding : chunked")},
      {"H1-03", with_field("X\t: y")},
      {"H1-04", with_field("Content-Length: 3\r\nContent-Length: 5") + "abc"},
      {"H1-04", with_cl("3, 5")}, {"H1-04", with_cl("3, 3")}, {"H1-04", with_cl("+3")}, {"H1-04", with_cl("-3")},
      {"H1-04", with_cl("0x3")}, {"H1-04", with_cl("3 3")}, {"H1-04", with_cl("")}, {"H1-04", with_cl("3\v")},
      {"H1-04", with_cl("18446744073709551619")}, {"H1-04", with_cl("9223372036854775808")},
      {"H1-04", with_cl(std::string(30, '3'))}, {"H1-04", with_cl("1_0")}, {"H1-04", with_cl("3;")},
      {"H1-05", with_field("Content-Length: 3\r\nContent-Length: 3") + "abc"},
      {"H1-06", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"H1-15", with_field("X: a\r\n b")}, {"H1-15", with_field("X: a\r\n\tb")},
      {"H1-15", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"}, {"H1-15", with_field("Transfer-Encoding:\r\n chunked")},
      {"H1-16", with_field("X: a\rb")}, {"H1-16", with_field("X: a\0b"s)}, {"H1-16", with_field("X: a\x01")},
      {"H1-16", with_field("X: a\x7f")}, {"H1-16", with_field("X: a\x1b")}, {"H1-16", with_field("X: a\r")},
      {"H1-17", with_field(": x")}, {"H1-17", with_field("nocolon")}, {"H1-17", with_field("a(b: x")},
      {"H1-17", with_field("a\x80: x")}, {"H1-17", with_field("a\0: x"s)}, {"H1-17", with_field("a\"b: x")},
      {"H1-18", "GET / HTTP/1.1\nHost: a\n\n"}, {"H1-18", "GET / HTTP/1.1\r\nHost: a\n\r\n"},
      {"H1-18", "GET / HTTP/1.1\r\nHost: a\r\n\n"}, {"H1-18", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"H1-18", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"}, {"H1-18", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"H1-22", with_field("Expect: 200-ok"), Code::kExpectationFailed},
      {"H1-22", with_field("Expect: "), Code::kExpectationFailed},
      {"H1-22", with_field("Expect: 100-continue\r\nExpect: 100-continue"), Code::kExpectationFailed},
      {"H1-27", with_line("TRACE / HTTP/1.1")},
      {"H1-27", with_line("CONNECT / HTTP/1.1")}, {"H1-27", with_line("CONNECT a HTTP/1.1")},
      {"H1-27", with_line("CONNECT http://a:80/ HTTP/1.1")}, {"H1-27", with_line("CONNECT [::1] HTTP/1.1")},
      {"H1-27", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"},
      {"H1-27", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"H1-27", with_line("GET * HTTP/1.1")},
  };
}

std::vector<Attack> chunk_attacks() {
  std::vector<Attack> rows = {
      {"H1-08", with_chunks("0x3\r\nabc\r\n0\r\n\r\n")}, {"H1-08", with_chunks("+3\r\nabc\r\n0\r\n\r\n")},
      {"H1-08", with_chunks(" 3\r\nabc\r\n0\r\n\r\n")}, {"H1-08", with_chunks("3 \r\nabc\r\n0\r\n\r\n")},
      {"H1-08", with_chunks("0_3\r\nabc\r\n0\r\n\r\n")}, {"H1-08", with_chunks("3x\r\nabc\r\n0\r\n\r\n")},
      {"H1-08", with_chunks("\r\nabc\r\n0\r\n\r\n")}, {"H1-08", with_chunks("-1\r\n")}, {"H1-08", with_chunks(";a\r\n")},
      {"H1-09", with_chunks("8000000000000000\r\nabc")}, {"H1-09", with_chunks("10000000000000003\r\nabc")},
      {"H1-09", with_chunks("ffffffffffffffff\r\nabc")}, {"H1-09", with_chunks("00000000000000003\r\nabc")},
      {"H1-10", with_chunks("3\nabc\r\n0\r\n\r\n")}, {"H1-10", with_chunks("3\r\nabc\n0\r\n\r\n")},
      {"H1-10", with_chunks("3\r\nabc\r\n0\n\r\n")}, {"H1-10", with_chunks("3\r\nabc\r\n0\r\n\n")},
      {"H1-10", with_chunks("3\r\rabc\r\n0\r\n\r\n")},
      {"H1-11", with_chunks("3;a\nb\r\nabc\r\n0\r\n\r\n")}, {"H1-11", with_chunks("3;a\rb\r\nabc\r\n0\r\n\r\n")},
      {"H1-11", with_chunks("3;a\0\r\nabc\r\n0\r\n\r\n"s)}, {"H1-11", with_chunks("3;a=\"x\r\ny\"\r\nabc\r\n0\r\n\r\n")},
      {"H1-11", with_chunks("3;a=\"\n\"\r\nabc\r\n0\r\n\r\n")}, {"H1-11", with_chunks("3;a=\"\\\r\n\r\nabc\r\n")},
      {"H1-11", with_chunks("3;a{\r\nabc\r\n0\r\n\r\n")},
      {"H1-12", with_chunks("3\r\nabcd\r\n0\r\n\r\n")}, {"H1-12", with_chunks("3\r\nabc0\r\n\r\n")},
      {"H1-12", with_chunks("3\r\nabc\rX0\r\n\r\n")},
      {"H1-13", with_chunks("3;" + std::string(17 * 1024, 'e') + "\r\nabc\r\n0\r\n\r\n")},
      {"H1-14", with_chunks("0\r\nbad line\r\n\r\n")}, {"H1-14", with_chunks("0\r\nContent-Length: 3\r\n\r\n")},
      {"H1-14", with_chunks("0\r\nTransfer-Encoding: chunked\r\n\r\n")}, {"H1-14", with_chunks("0\r\nHost: b\r\n\r\n")},
      {"H1-14", with_chunks("0\r\nAuthorization: b\r\n\r\n")}, {"H1-14", with_chunks("0\r\nX : b\r\n\r\n")},
      {"H1-14", with_chunks("0\r\nX: a\n\r\n")}, {"H1-14", with_chunks("0\r\n folded\r\n\r\n")},
      {"H1-14", with_chunks("0\r\nX: a\r\n folded\r\n\r\n")},
      {"H1-14", with_chunks("0\r\nX: " + std::string(61 * 1024, 'x')), Code::kHeadersTooLarge},
  };
  std::string extensions;
  for (int i = 0; i < 2000; ++i) extensions += "1;extension\r\nx\r\n";
  rows.push_back({"H1-13", with_chunks(extensions + "0\r\n\r\n")});
  std::string trailers = "0\r\n";
  for (int i = 0; i < 10000; ++i) trailers += "a: b\r\n";
  rows.push_back({"H1-14", with_chunks(trailers + "\r\n"), Code::kTooManyHeaders});
  return rows;
}

std::vector<Attack> line_and_host_attacks() {
  return {
      {"H1-19", with_line("GET\t/\tHTTP/1.1")}, {"H1-19", with_line("GET  / HTTP/1.1")},
      {"H1-19", with_line("GET /  HTTP/1.1")}, {"H1-19", with_line("GET /a b HTTP/1.1")},
      {"H1-19", with_line("GET / HTTP/1.1 ")}, {"H1-19", with_line("GET / HTTP/1.01")},
      {"H1-19", with_line("GET / http/1.1")}, {"H1-19", with_line("GET / HTTP/2.0")},
      {"H1-19", with_line("GET / HTTP/0.9")}, {"H1-19", with_line("GET / HTTP/1.2")},
      {"H1-19", with_line("GET /")}, {"H1-19", with_line("GET / ")}, {"H1-19", with_line("GET")},
      {"H1-19", with_line(" GET / HTTP/1.1")}, {"H1-19", with_line("G(T / HTTP/1.1")},
      {"H1-19", with_line("GET /\0 HTTP/1.1"s)}, {"H1-19", with_line("GET /\x01 HTTP/1.1")},
      {"H1-19", with_line("GET /\x7f HTTP/1.1")}, {"H1-19", with_line("GET /\xc3\xa9 HTTP/1.1")},
      {"H1-19", with_line("GET /#f HTTP/1.1")}, {"H1-19", with_line("GET / HTTP/1.1\r")},
      {"H1-19", with_line("GET a HTTP/1.1")}, {"H1-19", with_line("GET ftp://a/ HTTP/1.1")},
      {"H1-19", with_line("GET http:///x HTTP/1.1")}, {"H1-19", with_line("GET http://u@a/ HTTP/1.1")},
      {"H1-19", with_line("GET http://a:b/ HTTP/1.1")}, {"H1-19", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"H1-19", "GET /\r\n"},                       // HTTP/0.9 is refused without waiting for a head that never comes
      {"H1-19", "\x16\x03\x01\x02\x00\x01\x00"s},  // a TLS ClientHello
      {"H1-20", "GET / HTTP/1.1\r\n\r\n"}, {"H1-20", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
      {"H1-20", "GET / HTTP/1.0\r\n\r\n"}, {"H1-20", "GET http://a/ HTTP/1.1\r\n\r\n"},
      {"H1-20", "GET http://a/ HTTP/1.1\r\nHost: b\r\nHost: c\r\n\r\n"},
      {"H1-20", with_host("a, b")}, {"H1-20", with_host("a,b")}, {"H1-20", with_host("")},
      {"H1-20", with_host("a@b")}, {"H1-20", with_host("a/")}, {"H1-20", with_host("/")}, {"H1-20", with_host("a b")},
      {"H1-20", with_host("a:x")}, {"H1-20", with_host("a:")}, {"H1-20", with_host("a:99999")},
      {"H1-20", with_host("[::1")}, {"H1-20", with_host("http://a")},
      {"LM-04", with_field("X: " + std::string(70 * 1024, 'x')), Code::kHeadersTooLarge},
      {"LM-04", with_line("GET /" + std::string(70 * 1024, 'x') + " HTTP/1.1"), Code::kHeadersTooLarge},
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
  for (size_t i = 0; i < GetParam().wire.size() && result; ++i) result = session.feed(GetParam().wire.substr(i, 1));
  ASSERT_FALSE(result) << session.log();
  EXPECT_EQ(result.error().code, GetParam().code) << result.error().detail;
  EXPECT_EQ(session.exchanges.size(), 1U);
  EXPECT_FALSE(session.last().ended) << session.log();
}

std::string name_of(const ::testing::TestParamInfo<Attack>& info) {
  std::string name = info.param.id;
  std::erase(name, '-');
  return name + "_" + std::to_string(info.index);
}
INSTANTIATE_TEST_SUITE_P(Framing, Attacks, ::testing::ValuesIn(framing_attacks()), name_of);
INSTANTIATE_TEST_SUITE_P(Chunks, Attacks, ::testing::ValuesIn(chunk_attacks()), name_of);
INSTANTIATE_TEST_SUITE_P(LineAndHost, Attacks, ::testing::ValuesIn(line_and_host_attacks()), name_of);

// ---- rows that are served in one reading -------------------------------------------------------------------

TEST(AttackRows, H107GetWithABodyIsFramedExactly) {
  TestSession session;
  ASSERT_TRUE(session.feed("GET /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /HEAD /2 HTTP/1.1\r\nHost: a\r\n"
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
  ASSERT_TRUE(session.feed("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
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
  for (int i = 0; i < 10000; ++i) wire += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
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
  const std::string wire = "GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1\r\nTransfer_Encoding: chunked\r\nB: 2\r\n\r\n";
  TestSession allow;
  ASSERT_TRUE(allow.feed(wire));
  EXPECT_EQ(testing::fields_text(allow.last().head.headers), "x_forwarded_for=1;transfer_encoding=chunked;b=2;");
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
  EXPECT_TRUE(session.last().ended);
  EXPECT_TRUE(session.last().body.empty());
  TestSession options;
  ASSERT_TRUE(options.feed("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"));
  EXPECT_EQ(options.last().head.path(), "*");
}

TEST(AttackRows, UP04H2cUpgradeIsDropped) {
  TestSession session;
  ASSERT_TRUE(session.feed("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
                           "Connection: Upgrade, HTTP2-Settings\r\nB: 2\r\n\r\n"));
  EXPECT_EQ(testing::fields_text(session.last().head.headers), "b=2;");
  ASSERT_TRUE(session.feed("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: H2C, websocket\r\nConnection: upgrade\r\n\r\n"));
  EXPECT_EQ(testing::fields_text(session.last().head.headers), "upgrade=websocket;connection=upgrade;");
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
