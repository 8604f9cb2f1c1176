// Upgrades and CONNECT in both roles of the HTTP/1 codec.
#include <string>

#include "test_session.h"
#include "test_upstream.h"

namespace weir::http::h1 {
namespace {

using testing::fields_text;
using testing::TestSession;
using testing::TestUpstream;

const std::string kUpgrade =
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: "
    "websocket\r\n\r\n";
const std::string kConnect = "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n";
const std::string kNext = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";

void send_head(ResponseWriter& writer, int status, EndStream end = EndStream::kNo) {
  ResponseHead head;
  head.status = status;
  writer.send_head(head, end);
}

void send_body(ResponseWriter& writer, std::string_view text, EndStream end = EndStream::kNo) {
  Buffer data(text);
  writer.send_body(data, end);
}

// ---- server role -----------------------------------------------------------------------------------------------------

TEST(ServerTunnel, UpgradeIsGivenInNormalForm) {
  TestSession session({}, TestSession::Answer::kNever);
  ASSERT_TRUE(session.feed(kUpgrade));
  EXPECT_EQ(fields_text(session.last().head.headers), "connection=keep-alive;upgrade=websocket;");
  EXPECT_FALSE(session.last().ended);
  EXPECT_FALSE(session.codec().tunnel());
}

TEST(ServerTunnel, NothingIsGivenOnBeforeTheSwitch) {
  TestSession session({}, TestSession::Answer::kNever);
  ASSERT_TRUE(session.feed(kUpgrade + "early"));
  EXPECT_EQ(session.last().body, "");
  EXPECT_EQ(session.holds, 1);
  session.last().head.headers.set(HeaderId::kUpgrade, "websocket");
  send_head(*session.writer, 101);
  EXPECT_EQ(
      session.take_out(),
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
  EXPECT_EQ(session.releases, 1);
  EXPECT_TRUE(session.codec().tunnel());
  ASSERT_TRUE(session.pump());
  ASSERT_TRUE(session.feed(" late"));
  EXPECT_EQ(session.last().body, "early late");
  EXPECT_FALSE(session.last().ended);
  EXPECT_TRUE(session.in.empty());
  send_body(*session.writer, "raw");
  EXPECT_EQ(session.take_out(), "raw");
}

TEST(ServerTunnel, ARefusedUpgradeIsAnOrdinaryRequest) {
  for (const int status : {200, 403, 426, 500}) {
    TestSession session({}, TestSession::Answer::kNever);
    ASSERT_TRUE(session.feed(kUpgrade + kNext));
    session.answer(status, "no");
    const std::string out = session.take_out();
    EXPECT_NE(out.find("content-length: 2\r\n"), std::string::npos) << out;
    EXPECT_EQ(out.find("close"), std::string::npos) << out;
    EXPECT_FALSE(session.codec().must_close());
    EXPECT_EQ(session.done, 1);
    ASSERT_TRUE(session.pump());
    ASSERT_EQ(session.exchanges.size(), 2u) << status;
    EXPECT_EQ(session.exchanges[0]->body, "");
    EXPECT_EQ(session.last().head.path(), "/next");
  }
}

TEST(ServerTunnel, AnUpgradeThatDoesNotCountIsNone) {
  const std::string_view wires[] = {
      "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUpgrade: websocket\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: , \r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
      "Content-Length: 1\r\n\r\nx",
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  };
  for (const std::string_view wire : wires) {
    TestSession session;
    ASSERT_TRUE(session.feed(wire)) << wire;
    EXPECT_TRUE(session.last().ended) << wire;
    EXPECT_FALSE(session.last().head.headers.has(HeaderId::kUpgrade)) << wire;
    EXPECT_EQ(session.take_out().find("HTTP/1.1 200"), 0u);
  }
}

TEST(ServerTunnel, ConnectSwitchesWithAnySuccess) {
  for (const int status : {200, 204, 299}) {
    TestSession session({}, TestSession::Answer::kNever);
    ASSERT_TRUE(session.feed(kConnect + "tls"));
    EXPECT_EQ(session.last().body, "");
    ResponseHead head;
    head.status = status;
    head.headers.add("content-length", "5");
    session.writer->send_head(head, EndStream::kNo);
    const std::string out = session.take_out();
    EXPECT_EQ(out.find("content-length"), std::string::npos) << out;
    EXPECT_EQ(out.find("transfer-encoding"), std::string::npos) << out;
    ASSERT_TRUE(session.pump());
    EXPECT_EQ(session.last().body, "tls");
  }
}

TEST(ServerTunnel, AfterARefusedConnectNothingIsRead) {
  TestSession session({}, TestSession::Answer::kNever);
  ASSERT_TRUE(session.feed(kConnect + kNext));
  session.answer(403, "no");
  EXPECT_NE(session.take_out().find("connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(session.codec().must_close());
  ASSERT_TRUE(session.pump());
  EXPECT_EQ(session.exchanges.size(), 1u);
}

TEST(ServerTunnel, OurOwnSuccessToConnectIsNoTunnel) {
  TestSession session({}, TestSession::Answer::kNever);
  ASSERT_TRUE(session.feed(kConnect));
  session.writer->close_after();
  session.answer(200, "ok");
  EXPECT_EQ(session.take_out(), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok");
  EXPECT_EQ(session.done, 1);
  EXPECT_TRUE(session.codec().must_close());
}

TEST(ServerTunnel, EachDirectionEndsByItself) {
  for (const bool client_first : {true, false}) {
    TestSession session({}, TestSession::Answer::kNever);
    ASSERT_TRUE(session.feed(kUpgrade));
    send_head(*session.writer, 101);
    if (client_first) {
      ASSERT_TRUE(session.codec().on_read_end());
      EXPECT_TRUE(session.last().ended);
      EXPECT_EQ(session.done, 0);
      send_body(*session.writer, "answer", EndStream::kYes);
      EXPECT_EQ(session.half_closed, 0);  // the close says it
    } else {
      send_body(*session.writer, "answer", EndStream::kYes);
      EXPECT_EQ(session.half_closed, 1);
      EXPECT_EQ(session.done, 0);
      EXPECT_FALSE(session.codec().must_close());
      ASSERT_TRUE(session.feed("more"));
      EXPECT_EQ(session.last().body, "more");
      ASSERT_TRUE(session.codec().on_read_end());
    }
    EXPECT_TRUE(session.last().ended);
    EXPECT_EQ(session.done, 1);
    EXPECT_TRUE(session.codec().must_close());
    EXPECT_TRUE(session.take_out().ends_with("answer"));
  }
}

TEST(ServerTunnel, AbortEndsBothDirections) {
  TestSession session({}, TestSession::Answer::kNever);
  ASSERT_TRUE(session.feed(kUpgrade));
  send_head(*session.writer, 101);
  session.writer->abort();
  EXPECT_EQ(session.done, 1);
  EXPECT_TRUE(session.codec().must_close());
}

TEST(ServerTunnel, AClientThatLeavesBeforeTheAnswerHasGone) {
  TestSession session({}, TestSession::Answer::kNever);
  ASSERT_TRUE(session.feed(kUpgrade));
  const Result<void> ended = session.codec().on_read_end();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Code::kClosed);
}

TEST(ServerTunnel, BytesOfTheSameReadComeAfterAnAnswerFromTheHead) {
  TestSession session({}, TestSession::Answer::kNever);
  session.on_head = [](TestSession& self) { send_head(*self.writer, 101); };
  ASSERT_TRUE(session.feed(kUpgrade + "first"));
  EXPECT_EQ(session.last().body, "first");
  EXPECT_EQ(session.holds, session.releases);
}

// ---- client role -----------------------------------------------------------------------------------------------------

void ask(TestUpstream& upstream, std::string_view method, std::string_view protocol) {
  RequestHead request;
  request.set_method(method);
  request.set_path("/chat");
  request.set_authority("a:1");
  if (!protocol.empty()) request.headers.add("upgrade", protocol);
  upstream.writer = &upstream.codec().start(upstream);
  upstream.writer->send_head(request, EndStream::kNo);
}

void send(TestUpstream& upstream, std::string_view text, EndStream end = EndStream::kNo) {
  Buffer data(text);
  upstream.writer->send_body(data, end);
}

TEST(ClientTunnel, UpgradeSaysSoAndHasNoFraming) {
  TestUpstream upstream;
  ask(upstream, "GET", "websocket");
  EXPECT_EQ(upstream.take_out(),
            "GET /chat HTTP/1.1\r\nhost: a:1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
  ask(upstream, "CONNECT", "");
  EXPECT_EQ(upstream.take_out(), "CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n");
}

TEST(ClientTunnel, SwitchesToWhatWasOffered) {
  TestUpstream upstream;
  ask(upstream, "GET", "websocket");
  upstream.take_out();
  ASSERT_TRUE(upstream.feed(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n"
      "Content-Length: 3\r\n\r\nhello"));
  EXPECT_EQ(upstream.head.status, 101);
  EXPECT_FALSE(upstream.head.headers.has(HeaderId::kContentLength));
  EXPECT_EQ(upstream.body, "hello");
  EXPECT_TRUE(upstream.codec().tunnel());
  send(upstream, "raw");
  EXPECT_EQ(upstream.take_out(), "raw");
  send(upstream, "", EndStream::kYes);
  EXPECT_FALSE(upstream.codec().exchange_complete());
  ASSERT_TRUE(upstream.codec().on_read_end());
  EXPECT_TRUE(upstream.ended);
  EXPECT_TRUE(upstream.codec().exchange_complete());
  EXPECT_FALSE(upstream.codec().reusable());
}

TEST(ClientTunnel, AnUnaskedSwitchIsAnError) {
  const std::string_view wires[] = {
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket, h2c\r\n\r\n",
      "HTTP/1.0 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
  };
  for (const std::string_view wire : wires) {
    TestUpstream upstream;
    ask(upstream, "GET", "websocket");
    EXPECT_FALSE(upstream.feed(wire)) << wire;
    EXPECT_EQ(upstream.head_events, 0);
  }
  TestUpstream connect;
  ask(connect, "CONNECT", "");
  EXPECT_FALSE(connect.feed("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"));
  TestUpstream plain;
  plain.request();
  EXPECT_FALSE(plain.feed("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"));
}

TEST(ClientTunnel, A200IsNoSwitchAndKeepsItsBody) {
  TestUpstream upstream;
  ask(upstream, "GET", "websocket");
  ASSERT_TRUE(
      upstream.feed("HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: "
                    "upgrade\r\nContent-Length: 2\r\n\r\nhi"));
  EXPECT_EQ(upstream.body, "hi");
  EXPECT_TRUE(upstream.ended);
  EXPECT_FALSE(upstream.codec().tunnel());
  EXPECT_TRUE(upstream.codec().exchange_complete());
  EXPECT_FALSE(upstream.codec().reusable());  // the upstream may have another opinion
  upstream.take_out();
  send(upstream, "late");
  EXPECT_EQ(upstream.take_out(), "");
}

TEST(ClientTunnel, InformationalHeadsComeFirst) {
  TestUpstream upstream;
  ask(upstream, "GET", "websocket");
  ASSERT_TRUE(
      upstream.feed("HTTP/1.1 103 Early Hints\r\n\r\n"
                    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nx"));
  EXPECT_EQ(upstream.events, "i103 ");
  EXPECT_EQ(upstream.body, "x");
}

TEST(ClientTunnel, ConnectSwitchesWithASuccess) {
  TestUpstream upstream;
  ask(upstream, "CONNECT", "");
  ASSERT_TRUE(upstream.feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nbytes"));
  EXPECT_EQ(upstream.body, "bytes");
  EXPECT_FALSE(upstream.ended);
  EXPECT_FALSE(upstream.head.headers.has(HeaderId::kContentLength));
  TestUpstream refused;
  ask(refused, "CONNECT", "");
  ASSERT_TRUE(refused.feed("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_TRUE(refused.ended);
  EXPECT_FALSE(refused.codec().tunnel());
  EXPECT_FALSE(refused.codec().reusable());
}

TEST(ClientTunnel, AnUpgradeFieldOfACompleteRequestIsNotSent) {
  TestUpstream upstream;
  RequestHead request;
  request.set_method("GET");
  request.set_path("/");
  request.set_authority("a");
  request.headers.add("upgrade", "websocket");
  upstream.writer = &upstream.codec().start(upstream);
  upstream.writer->send_head(request, EndStream::kYes);
  EXPECT_EQ(upstream.take_out(), "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
}

TEST(Tunnels, TheSplitPointDoesNotMatter) {
  const std::string request = kUpgrade + "payload";
  for (size_t cut = 0; cut <= request.size(); ++cut) {
    TestSession session({}, TestSession::Answer::kNever);
    session.on_head = [](TestSession& self) { send_head(*self.writer, 101); };
    ASSERT_TRUE(session.feed(request.substr(0, cut)));
    ASSERT_TRUE(session.feed(request.substr(cut)));
    EXPECT_EQ(session.last().body, "payload") << cut;
  }
  const std::string response =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\npayload";
  for (size_t cut = 0; cut <= response.size(); ++cut) {
    TestUpstream upstream;
    ask(upstream, "GET", "websocket");
    ASSERT_TRUE(upstream.feed(response.substr(0, cut)));
    ASSERT_TRUE(upstream.feed(response.substr(cut)));
    EXPECT_EQ(upstream.body, "payload") << cut;
  }
}

}  // namespace
}  // namespace weir::http::h1
