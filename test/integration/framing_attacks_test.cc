// Message framing that robs proxies: each request is refused with the right status, the connection closes, and the origin sees not
// one byte of it. The rows follow RFC 9112 and the request-smuggling literature.
#include <gtest/gtest.h>

#include <string>
#include <vector>

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
        Attack{"Quoted", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n")},
        Attack{"FormFeed", post("Transfer-Encoding: \fchunked\r\n", "0\r\n\r\n")},
        Attack{"NoBreakSpace", post("Transfer-Encoding: \xa0"
                                    "chunked\r\n",
                                    "0\r\n\r\n")},
        Attack{"TrailingCr", post("Transfer-Encoding: chunked\r\r\n", "0\r\n\r\n")},
        Attack{"EmptyElement", post("Transfer-Encoding: chunked,\r\n", "0\r\n\r\n")},
        Attack{"FoldedCoding", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n")},
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
        Attack{"HostSpace", get("GET / HTTP/1.1", "Host: a b\r\n")},
        Attack{"HostPortTooLarge", get("GET / HTTP/1.1", "Host: a:65536\r\n")},
        Attack{"TwoHostsWithAbsoluteTarget",
               get("GET http://a/ HTTP/1.1", "Host: a\r\nHost: b\r\n")},
        Attack{"NominatesLength",
               post("Connection: content-length\r\nContent-Length: 3\r\n", "abc")},
        Attack{"NominatesHost", get("GET / HTTP/1.1", "Host: a\r\nConnection: close, host\r\n")},
        Attack{"NominatesForwarded",
               get("GET / HTTP/1.1", "Host: a\r\nConnection: x-forwarded-for\r\n")},
        Attack{"UpgradeAndNext",
               get("GET / HTTP/1.1", "Host: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n") +
                   get("GET /next HTTP/1.1"),
               403},
        Attack{"UnknownExpect", post("Expect: magic\r\nContent-Length: 1\r\n", "a"), 417}),
    [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    RequestLines, FramingAttack,
    ::testing::Values(
        Attack{"Tab", get("GET\t/ HTTP/1.1")}, Attack{"TwoSpaces", get("GET  / HTTP/1.1")},
        Attack{"SpaceInTarget", get("GET /a b HTTP/1.1")},
        Attack{"TrailingSpace", get("GET / HTTP/1.1 ")},
        Attack{"LongVersion", get("GET / HTTP/1.01")},
        Attack{"LowerVersion", get("GET / http/1.1")}, Attack{"Version20", get("GET / HTTP/2.0")},
        Attack{"Version09", "GET /\r\n"}, Attack{"NonAscii", get("GET /\xc3\xa9 HTTP/1.1")},
        Attack{"Trace", get("TRACE / HTTP/1.1")},
        Attack{"Connect", get("CONNECT a:443 HTTP/1.1") + get("GET /next HTTP/1.1"), 404},
        Attack{"AsteriskGet", get("GET * HTTP/1.1")},
        Attack{"ForeignScheme", get("GET ftp://a/ HTTP/1.1")},
        Attack{"UserInfo", get("GET http://u@a/ HTTP/1.1")},
        Attack{"NulInTarget", get("GET /\0 HTTP/1.1"s)},
        Attack{"PercentNul", get("GET /%00 HTTP/1.1")},
        Attack{"AboveRoot", get("GET /a/../../b HTTP/1.1")},
        Attack{"Fragment", get("GET /a#b HTTP/1.1")}),
    [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Chunks, FramingAttack,
    ::testing::Values(
        Attack{"HexPrefix", chunked("0x3\r\nabc\r\n0\r\n\r\n")},
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
        Attack{"LengthInTrailer", chunked("3\r\nabc\r\n0\r\nContent-Length: 1\r\n\r\n")},
        Attack{"HostInTrailer", chunked("3\r\nabc\r\n0\r\nHost: b\r\n\r\n")},
        Attack{"CodingInTrailer", chunked("3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n")},
        Attack{"QuotedCrlf", chunked("3;a=\"\r\n\"\r\nabc\r\n0\r\n\r\n")}),
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

INSTANTIATE_TEST_SUITE_P(
    Chunks, LateFault,
    ::testing::Values(
        Attack{"ManyTrailers",
               [] {
                 std::string trailers = "0\r\n";
                 for (int i = 0; i < 10'000; ++i) trailers += "a: b\r\n";
                 return trailers + "\r\n";
               }(),
               431},
        Attack{"BigExtension", "3;" + std::string(20'000, 'e') + "\r\nabc\r\n0\r\n\r\n"},
        Attack{"Wraps", "10000000000000003\r\nabc\r\n"}, Attack{"BareLf", "3\nabc\r\n0\r\n\r\n"},
        Attack{"Spill", "3\r\nabcd\r\n0\r\n\r\n"}, Attack{"CrInExtension", "3;a\rb\r\nabc\r\n"},
        Attack{"LengthInTrailer", "0\r\nContent-Length: 1\r\n\r\n"},
        Attack{"BadSize", "zz\r\nabc\r\n0\r\n\r\n"}, Attack{"BadTrailer", "0\r\nX Y: 1\r\n\r\n"}),
    [](const auto& info) { return std::string(info.param.name); });

/// What is served although it looks odd: the origin gets one unambiguous request, and what follows it is a request of its own.
struct Served {
  const char* name;
  std::string bytes;
  std::string line;                // what the origin reads
  std::vector<std::string> heads;  // lines that its head has
  std::vector<std::string> lacks;  // parts that it has not
  std::string body;
};
void PrintTo(const Served& each, std::ostream* out) { *out << each.name; }
class OddRequest : public ::testing::TestWithParam<Served> {};

TEST_P(OddRequest, IsFramedExactly) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm = "use_remote_address: true\n";
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send(GetParam().bytes + get("GET /next HTTP/1.1"));
  Peer upstream = origin.accept();
  const Peer::Message asked = upstream.read_message();
  EXPECT_EQ(asked.first_line(), GetParam().line);
  for (const std::string& each : GetParam().heads)
    EXPECT_NE(asked.head.find("\r\n" + each + "\r\n"), std::string::npos) << each << asked.head;
  for (const std::string& each : GetParam().lacks)
    EXPECT_EQ(asked.head.find(each), std::string::npos) << asked.head;
  EXPECT_EQ(asked.body, GetParam().body);
  upstream.send(response("one"));
  EXPECT_EQ(client.read_message().body, "one");
  EXPECT_EQ(upstream.read_message().first_line(), "GET /next HTTP/1.1");
  upstream.send(response("two"));
  EXPECT_EQ(client.read_message().body, "two");
}

INSTANTIATE_TEST_SUITE_P(
    Rows, OddRequest,
    ::testing::Values(
        Served{"GetWithLength",
               get("GET /a HTTP/1.1", "Host: a\r\nContent-Length: 3\r\n") + "abc",
               "GET /a HTTP/1.1",
               {"content-length: 3"},
               {},
               "abc"},
        Served{"GetWithChunks",
               get("GET /a HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked\r\n") +
                   "3;x=\"y\"\r\nabc\r\n0\r\nx-t: 1\r\n\r\n",
               "GET /a HTTP/1.1",
               {"transfer-encoding: chunked"},
               {"x-t"},
               "abc"},
        Served{"AbsoluteTarget",
               get("GET http://B.example:80/x?y HTTP/1.1"),
               "GET /x?y HTTP/1.1",
               {"host: b.example:80"},
               {"host: a\r\n"},
               ""},
        Served{"Nominated",
               get("GET /a HTTP/1.1",
                   "Host: a\r\nConnection: x-request-id, x-secret\r\nX-Request-Id: mine\r\n"
                   "X-Secret: 1\r\n"),
               "GET /a HTTP/1.1",
               {"x-forwarded-for: 127.0.0.1"},
               {"mine", "x-secret"},
               ""},
        Served{"H2cUpgrade",
               get("GET /a HTTP/1.1",
                   "Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                   "HTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
               "GET /a HTTP/1.1",
               {},
               {"upgrade", "settings", "connection"},
               ""},
        Served{"Te",
               get("GET /a HTTP/1.1", "Host: a\r\nTE: gzip, trailers;q=1\r\nConnection: TE\r\n"),
               "GET /a HTTP/1.1",
               {"te: trailers"},
               {"gzip"},
               ""},
        Served{"Dots", get("GET /a/%2e%2e/b/./c HTTP/1.1"), "GET /b/c HTTP/1.1", {}, {}, ""},
        Served{"Underscore",
               get("GET /a HTTP/1.1", "Host: a\r\nContent_Length: 3\r\n"),
               "GET /a HTTP/1.1",
               {"content_length: 3"},
               {},
               ""}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(FramingOutcome, OptionsOfTheWholeServerReachNobody) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send(get("OPTIONS * HTTP/1.1"));
  EXPECT_EQ(client.read_message().status(), 404);
  EXPECT_TRUE(origin.quiet(std::chrono::milliseconds(5)));
}

TEST(FramingOutcome, UnderscoresFollowTheOption) {
  for (const bool reject : {false, true}) {
    Origin origin;
    Yaml yaml;
    yaml.origin_port = origin.port();
    yaml.hcm = std::string("common_http_protocol_options: {headers_with_underscores_action: ") +
               (reject ? "REJECT_REQUEST}\n" : "DROP_HEADER}\n");
    TestProxy proxy(yaml.text());
    Peer client = proxy.connect();
    client.send(get("GET / HTTP/1.1", "Host: a\r\nX_Forwarded_For: 6.6.6.6\r\n"));
    if (reject) {
      EXPECT_EQ(client.read_message().status(), 400);
      EXPECT_TRUE(client.closed());
      EXPECT_TRUE(origin.quiet(std::chrono::milliseconds(5)));
    } else {
      EXPECT_EQ(origin.accept().read_head().find("6.6.6.6"), std::string::npos);
    }
  }
}

// The body that never came, or that is a request, is nobody's request.
TEST(FramingOutcome, AnAnswerBeforeTheBodyEndsBothConnections) {
  for (const char* expect : {"", "Expect: 100-continue\r\n"}) {
    Origin origin;
    Yaml yaml;
    yaml.origin_port = origin.port();
    TestProxy proxy(yaml.text());
    Peer client = proxy.connect();
    client.send(post(std::string(expect) + "Content-Length: 100\r\n"));
    Peer upstream = origin.accept();
    upstream.read_head();
    upstream.send(response("early"));
    if (*expect != '\0') {
      EXPECT_EQ(client.read_message(false).status(), 100);
    }
    const Peer::Message answer = client.read_message();
    EXPECT_EQ(answer.body, "early");
    EXPECT_EQ(answer.header("connection"), "close");
    client.send(get("GET /smuggled HTTP/1.1"));
    EXPECT_EQ(upstream.read_to_end(), "");
    EXPECT_TRUE(origin.quiet(std::chrono::milliseconds(5)));
    EXPECT_TRUE(client.closed());
  }
}

TEST(FramingOutcome, AHundredPipelinedRequestsAreAnsweredInOrder) {
  AutoOrigin origin([](const Peer::Message& asked) { return response(asked.first_line()); });
  Yaml yaml;
  yaml.origin_port = origin.port();
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  std::string all;
  for (int i = 0; i < 100; ++i) all += get("GET /" + std::to_string(i) + " HTTP/1.1");
  client.send(all);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(client.read_message().body, "GET /" + std::to_string(i) + " HTTP/1.1");
}

}  // namespace
}  // namespace weir::test
