// Message framing that robs proxies: each request is refused with the right status, the connection closes, and the origin sees not
// one byte of it. The rows follow RFC 9112 and the request-smuggling literature.
#include <gtest/gtest.h>

#include "support/test_proxy.h"

namespace weir::test {
namespace {

using namespace std::string_literals;

struct Attack {
  const char* name;
  std::string bytes;
  int status = 400;
};
void PrintTo(const Attack& each, std::ostream* out) { *out << each.name; }

class FramingAttack : public ::testing::TestWithParam<Attack> {
 protected:
  static void SetUpTestSuite() {
    origin_ = new Origin();
    Yaml yaml;
    yaml.origin_port = origin_->port();
    proxy_ = new TestProxy(yaml.text());
  }
  static void TearDownTestSuite() {
    delete proxy_;
    delete origin_;
  }
  static Origin* origin_;
  static TestProxy* proxy_;
};
Origin* FramingAttack::origin_ = nullptr;
TestProxy* FramingAttack::proxy_ = nullptr;

TEST_P(FramingAttack, IsRefusedAndReachesNobody) {
  Peer client = proxy_->connect();
  client.send(GetParam().bytes);
  const Peer::Message answer = client.read_message();
  EXPECT_EQ(answer.status(), GetParam().status) << answer.head;
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(origin_->quiet(std::chrono::milliseconds(5)));
}

std::string post(const std::string& headers, const std::string& body = "") {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n" + body;
}
std::string chunked(const std::string& body) {
  return post("Transfer-Encoding: chunked\r\n", body);
}
std::string get(const std::string& line, const std::string& headers = "Host: a\r\n") {
  return line + "\r\n" + headers + "\r\n";
}

INSTANTIATE_TEST_SUITE_P(
    Lengths, FramingAttack,
    ::testing::Values(
        Attack{"ClAndTe", post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
        Attack{"TeAndCl", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n")},
        Attack{"TwoLengths", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd")},
        Attack{"TwoEqualLengths", post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")},
        Attack{"LengthList", post("Content-Length: 3, 3\r\n", "abc")},
        Attack{"LengthPlus", post("Content-Length: +3\r\n", "abc")},
        Attack{"LengthMinus", post("Content-Length: -3\r\n", "abc")},
        Attack{"LengthHex", post("Content-Length: 0x3\r\n", "abc")},
        Attack{"LengthSpace", post("Content-Length: 3 3\r\n", "abc")},
        Attack{"LengthEmpty", post("Content-Length: \r\n")},
        Attack{"LengthWraps", post("Content-Length: 18446744073709551619\r\n", "abc")},
        Attack{"LengthLong", post("Content-Length: 100000000000000000000000000003\r\n", "abc")}),
    [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Codings, FramingAttack,
    ::testing::Values(
        Attack{"Unknown", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 501},
        Attack{"Identity", post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"), 501},
        Attack{"Twice", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n")},
        Attack{"TwoLines",
               post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
        Attack{"VerticalTab", post("Transfer-Encoding: \x0b"
                                   "chunked\r\n",
                                   "0\r\n\r\n")},
        Attack{"OldVersion",
               "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"}),
    [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Headers, FramingAttack,
    ::testing::Values(
        Attack{"SpaceBeforeColon", post("Content-Length : 3\r\n", "abc")},
        Attack{"Fold", post("X-A: 1\r\n b\r\n")},
        Attack{"FirstLineFolded", get("GET / HTTP/1.1", " Host: a\r\n")},
        Attack{"BareCr", post("X-A: 1\r2\r\n")}, Attack{"Nul", post("X-A: 1\0002\r\n"s)},
        Attack{"Control", post("X-A: 1\x01\r\n")}, Attack{"Delete", post("X-A: 1\x7f\r\n")},
        Attack{"EmptyName", post(": 1\r\n")}, Attack{"NoColon", post("X-A\r\n")},
        Attack{"BadName", post("X(A): 1\r\n")}, Attack{"BareLf", "GET / HTTP/1.1\nHost: a\n\n"},
        Attack{"NoHost", get("GET / HTTP/1.1", "X: 1\r\n")},
        Attack{"TwoHosts", get("GET / HTTP/1.1", "Host: a\r\nHost: a\r\n")},
        Attack{"HostList", get("GET / HTTP/1.1", "Host: a,b\r\n")},
        Attack{"HostEmpty", get("GET / HTTP/1.1", "Host: \r\n")},
        Attack{"HostUserinfo", get("GET / HTTP/1.1", "Host: a@b\r\n")},
        Attack{"HostSlash", get("GET / HTTP/1.1", "Host: a/b\r\n")},
        Attack{"HostPort", get("GET / HTTP/1.1", "Host: a:b\r\n")},
        Attack{"UnknownExpect", post("Expect: magic\r\nContent-Length: 1\r\n", "a"), 417}),
    [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(RequestLines, FramingAttack,
                         ::testing::Values(Attack{"Tab", get("GET\t/ HTTP/1.1")},
                                           Attack{"TwoSpaces", get("GET  / HTTP/1.1")},
                                           Attack{"SpaceInTarget", get("GET /a b HTTP/1.1")},
                                           Attack{"TrailingSpace", get("GET / HTTP/1.1 ")},
                                           Attack{"LongVersion", get("GET / HTTP/1.01")},
                                           Attack{"LowerVersion", get("GET / http/1.1")},
                                           Attack{"NulInTarget", get("GET /\0 HTTP/1.1"s)},
                                           Attack{"PercentNul", get("GET /%00 HTTP/1.1")},
                                           Attack{"AboveRoot", get("GET /a/../../b HTTP/1.1")},
                                           Attack{"Fragment", get("GET /a#b HTTP/1.1")}),
                         [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Chunks, FramingAttack,
    ::testing::Values(Attack{"HexPrefix", chunked("0x3\r\nabc\r\n0\r\n\r\n")},
                      Attack{"Plus", chunked("+3\r\nabc\r\n0\r\n\r\n")},
                      Attack{"Space", chunked(" 3\r\nabc\r\n0\r\n\r\n")},
                      Attack{"Underscore", chunked("0_3\r\nabc\r\n0\r\n\r\n")},
                      Attack{"Letter", chunked("3x\r\nabc\r\n0\r\n\r\n")},
                      Attack{"Empty", chunked("\r\nabc\r\n0\r\n\r\n")},
                      Attack{"Wraps", chunked("10000000000000003\r\nabc\r\n0\r\n\r\n")},
                      Attack{"Negative", chunked("8000000000000000\r\nabc\r\n0\r\n\r\n")},
                      Attack{"LfAfterSize", chunked("3\nabc\r\n0\r\n\r\n")},
                      Attack{"LfAfterData", chunked("3\r\nabc\n0\r\n\r\n")},
                      Attack{"LfAfterLast", chunked("3\r\nabc\r\n0\n\n")},
                      Attack{"LfInExtension", chunked("3;a\nb\r\nabc\r\n0\r\n\r\n")},
                      Attack{"CrInExtension", chunked("3;a\rb\r\nabc\r\n0\r\n\r\n")},
                      Attack{"NulInExtension", chunked("3;a\0b\r\nabc\r\n0\r\n\r\n"s)},
                      Attack{"Spill", chunked("3\r\nabcd\r\n0\r\n\r\n")},
                      Attack{"BadTrailer", chunked("3\r\nabc\r\n0\r\nX Y: 1\r\n\r\n")},
                      Attack{"LengthInTrailer",
                             chunked("3\r\nabc\r\n0\r\nContent-Length: 1\r\n\r\n")}),
    [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Limits, FramingAttack,
    ::testing::Values(Attack{"BigHeader", post("X-A: " + std::string(70'000, 'a') + "\r\n"), 431},
                      Attack{"BigTarget", get("GET /" + std::string(70'000, 'a') + " HTTP/1.1"),
                             431},
                      Attack{"ManyHeaders",
                             [] {
                               std::string headers;
                               for (int i = 0; i < 101; ++i)
                                 headers += "x-" + std::to_string(i) + ": 1\r\n";
                               return post(headers);
                             }(),
                             431}),
    [](const auto& info) { return std::string(info.param.name); });

/// What turns out wrong after the origin has been asked: the origin must never take the request for complete.
class LateFault : public ::testing::TestWithParam<Attack> {};

TEST_P(LateFault, AbortsTheUpstreamRequest) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send(chunked("3\r\nabc\r\n"));
  Peer upstream = origin.accept();
  upstream.read_head();
  client.send(GetParam().bytes);
  EXPECT_EQ(client.read_message().status(), GetParam().status);
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(upstream.read_to_end().find("\r\n0\r\n"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Chunks, LateFault,
                         ::testing::Values(Attack{"BigExtension", "3;" + std::string(20'000, 'e') +
                                                                      "\r\nabc\r\n0\r\n\r\n"},
                                           Attack{"BadSize", "zz\r\nabc\r\n0\r\n\r\n"},
                                           Attack{"BadTrailer", "0\r\nX Y: 1\r\n\r\n"}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace weir::test
