// The client role: limits of the peer, resets, GOAWAY, malformed upstreams, upgrades.
#include "test_peers.h"

namespace weir::http::h2::testing {
namespace {

const wire::Fields kOk{{":status", "200"}};

TEST(H2Client, KeepsToThePeersLimit) {
  Client client;
  EXPECT_EQ(client.codec->capacity(), 100U);
  client.feed(wire::settings({{3, 2}}));
  EXPECT_EQ(client.codec->capacity(), 2U);
  client.call();
  client.call();
  EXPECT_EQ(client.codec->capacity(), 0U);
  EXPECT_FALSE(client.codec->reusable());
  EXPECT_TRUE(client.feed(wire::headers(1, kOk)));
  EXPECT_EQ(client.codec->capacity(), 1U);
  EXPECT_TRUE(client.calls[0]->ended);
  Options options;
  options.max_concurrent_streams = 1;
  Client narrow(options);
  narrow.feed(wire::settings());
  EXPECT_EQ(narrow.codec->capacity(), 1U);
}

TEST(H2Client, RefusedStreamsAreUnseen) {
  Client client;
  Call& refused = client.call();
  Call& reset = client.call();
  Call& begun = client.call();
  EXPECT_TRUE(client.feed(wire::settings() + wire::rst(1, 7) + wire::rst(3, 2) +
                          wire::headers(5, kOk, 0) + wire::rst(5, 7)));
  EXPECT_TRUE(refused.reset && refused.unseen);
  EXPECT_TRUE(reset.reset && !reset.unseen);
  EXPECT_EQ(reset.error.code, Code::kReset);
  EXPECT_TRUE(begun.reset && !begun.unseen);
  EXPECT_EQ(client.codec->active(), 0U);
  EXPECT_EQ(client.around.count("stream_refused_errors"), 2U);
  EXPECT_EQ(client.around.count("rx_reset"), 3U);
}

TEST(H2Client, GoawayDrainsAndSaysWhatWasUnseen) {
  Client client;
  Call& first = client.call();
  Call& second = client.call();
  EXPECT_TRUE(client.feed(wire::settings() + wire::goaway(1, 0)));
  EXPECT_TRUE(client.codec->draining());
  EXPECT_EQ(client.codec->capacity(), 0U);
  EXPECT_TRUE(second.reset && second.unseen);
  EXPECT_FALSE(first.reset);
  EXPECT_TRUE(client.feed(wire::headers(1, kOk, 0) + wire::data(1, "x", wire::kEndStream)));
  EXPECT_EQ(first.text(), "200 {} [x].");
  EXPECT_EQ(client.codec->active(), 0U);
  // Who starts one all the same is told.
  Call& late = client.call();
  EXPECT_TRUE(late.reset && late.unseen);
}

TEST(H2Client, TheTwoStepDrainOfAServer) {
  Pair pair;
  pair.server.answers = false;
  Call& first = pair.client.call();
  pair.run();
  pair.server.codec->start_drain();
  pair.run();
  EXPECT_TRUE(pair.client.codec->draining());
  EXPECT_FALSE(first.reset);
  pair.server.codec->finish_drain();
  pair.server.last().answer();
  pair.run();
  EXPECT_TRUE(first.ended);
}

TEST(H2Client, MalformedResponsesEndTheirExchange) {
  const std::string rows[] = {
      wire::headers(1, {{"x", "y"}}),
      wire::headers(1, {{":status", "20"}}),
      wire::headers(1, {{":status", "101"}}),
      wire::headers(1, {{":status", "200"}, {"X", "y"}}),
      wire::headers(1, {{":status", "200"}, {"x", "a\nb"}}),
      wire::headers(1, {{":status", "200"}, {"connection", "close"}}),
      wire::headers(1, {{":status", "200"}, {"transfer-encoding", "chunked"}}),
      wire::headers(1, {{":status", "200"}, {":path", "/"}}),
      wire::headers(1, {{":status", "200"}, {"content-length", "3"}}, 0) +
          wire::data(1, "ab", wire::kEndStream),
      wire::headers(1, {{":status", "200"}, {"content-length", "3"}}, 0) + wire::data(1, "abcd"),
      wire::headers(1, kOk, 0) + wire::headers(1, {{"t", "1"}}, 0),
      wire::headers(1, kOk, 0) + wire::headers(1, {{":status", "200"}}),
      wire::headers(1, {{":status", "103"}}),
      wire::headers(1, kOk, 0) + wire::window_update(1, 0),
  };
  for (const std::string& bytes : rows) {
    Client client;
    Call& call = client.call();
    Call& other = client.call();
    const bool alive = client.feed(wire::settings() + bytes);
    EXPECT_FALSE(call.ended);
    EXPECT_TRUE(!alive || call.reset) << bytes;
    if (!alive) continue;
    EXPECT_NE(client.reset(), -1);
    EXPECT_FALSE(call.unseen);
    EXPECT_EQ(call.error.code, Code::kProtocol);
    EXPECT_TRUE(client.feed(wire::headers(3, kOk)));
    EXPECT_TRUE(other.ended);
  }
}

TEST(H2Client, MalformedConnections) {
  const std::string rows[] = {
      wire::data(1, "before the head"),
      wire::frame(wire::kPushPromise, 4, 1, wire::number(2, 4) + wire::block(wire::get())),
      wire::headers(2, kOk),
      wire::headers(9, kOk),
      "HTTP/1.1 400 Bad Request\r\n\r\n",
  };
  for (const std::string& bytes : rows) {
    Client client;
    Call& call = client.call();
    const bool alive = client.feed(wire::settings() + bytes);
    EXPECT_TRUE(!alive || call.reset) << ::testing::PrintToString(bytes);
    if (!alive) {
      EXPECT_TRUE(client.codec->draining());
    }
  }
}

TEST(H2Client, HeadsThatAreTooLarge) {
  CodecOptions options;
  options.max_header_count = 10;
  Client client({}, options);
  Call& call = client.call();
  wire::Fields fields = kOk;
  for (int i = 0; i < 11; ++i) fields.emplace_back("a", "b");
  EXPECT_TRUE(client.feed(wire::settings() + wire::headers(1, fields)));
  EXPECT_TRUE(call.reset);
  EXPECT_EQ(call.error.code, Code::kTooManyHeaders);
  EXPECT_EQ(client.around.count("header_overflow"), 1U);
}

TEST(H2Client, InformationalResponses) {
  Client client;
  Call& call = client.call();
  EXPECT_TRUE(client.feed(wire::settings() +
                          wire::headers(1, {{":status", "103"}, {"link", "x"}}, 0) +
                          wire::headers(1, {{":status", "199"}}, 0) + wire::headers(1, kOk)));
  EXPECT_EQ(call.text(), "103{link=x;} 200 {} [].");
  Call& patient = client.call();
  for (int i = 0; i < 11; ++i) EXPECT_TRUE(client.feed(wire::headers(3, {{":status", "102"}}, 0)));
  EXPECT_TRUE(patient.reset);
  Pair pair;
  pair.server.on_head = [](Server::Exchange& exchange) {
    ResponseHead head;
    head.status = 103;
    head.headers.add("link", "y");
    exchange.writer->send_informational(head);
  };
  Call& both = pair.client.call();
  pair.run();
  EXPECT_EQ(both.text(), "103{link=y;} 200 {content-type=text/plain;} [ok].");
}

TEST(H2Client, ResponseThatEndsBeforeTheRequest) {
  Client client;
  Call& call = client.call(request("POST"), EndStream::kNo);
  EXPECT_TRUE(client.feed(wire::settings() + wire::headers(1, kOk) + wire::rst(1, 0)));
  EXPECT_TRUE(call.ended && !call.reset);
  EXPECT_EQ(client.codec->active(), 1U);
  send(*call.writer, "for nobody", EndStream::kNo);
  send(*call.writer, "", EndStream::kYes);
  EXPECT_EQ(client.codec->active(), 0U);
  // Without the reset the sender may give up, or send.
  Call& other = client.call(request("POST"), EndStream::kNo);
  EXPECT_TRUE(client.feed(wire::headers(3, kOk)));
  EXPECT_TRUE(other.ended);
  other.writer->abort();
  EXPECT_EQ(client.reset(3), 8);
  Call& third = client.call(request("POST"), EndStream::kNo);
  EXPECT_TRUE(client.feed(wire::headers(5, kOk)));
  send(*third.writer, "x", EndStream::kYes);
  EXPECT_EQ(client.codec->active(), 0U);
}

TEST(H2Client, AbortTellsNobody) {
  Pair pair;
  pair.server.answers = false;
  Call& call = pair.client.call();
  pair.run();
  call.writer->abort();
  pair.run();
  EXPECT_FALSE(call.reset || call.ended);
  EXPECT_EQ(pair.server.last().aborted, "stream reset by the client");
  EXPECT_TRUE(pair.server.last().done);
  EXPECT_EQ(pair.client.codec->active(), 0U);
  // One that never was sent.
  Call unsent;
  pair.client.codec->start(unsent).abort();
  EXPECT_EQ(pair.client.codec->active(), 0U);
}

TEST(H2Client, ReceiversMayAbortAndStartInsideTheirCallbacks) {
  Pair pair;
  pair.client.call().on_head = [](Call& call) { call.writer->abort(); };
  int started = 0;
  pair.client.call().on_end = [&pair, &started](Call&) {
    ++started;
    pair.client.call();
  };
  pair.run();
  EXPECT_EQ(started, 1);
  ASSERT_EQ(pair.client.calls.size(), 3U);
  EXPECT_FALSE(pair.client.calls[0]->ended);
  EXPECT_TRUE(pair.client.calls[2]->ended);
  EXPECT_EQ(pair.client.codec->active(), 0U);
}

TEST(H2Client, HeldResponsesHoldTheServersSender) {
  Options options;
  options.initial_stream_window_size = 65535;
  Pair pair({}, options);
  pair.server.answers = false;
  Call& slow = pair.client.call();
  slow.on_head = [](Call& call) { call.writer->hold_response(); };
  pair.run();
  ResponseHead head;
  head.status = 200;
  Server::Exchange& exchange = pair.server.last();
  exchange.writer->send_head(head, EndStream::kNo);
  pair.run();
  send(*exchange.writer, std::string(500000, 'x'), EndStream::kNo);
  pair.run();
  EXPECT_TRUE(exchange.blocked);
  EXPECT_EQ(slow.body.size(), 65535U);
  pair.server.answers = true;
  Call& other = pair.client.call();
  pair.run();
  EXPECT_TRUE(other.ended);
  slow.writer->release_response();
  pair.run();
  EXPECT_FALSE(exchange.blocked);
  EXPECT_EQ(slow.body.size(), 500000U);
}

TEST(H2Client, BlockedRequestsAreTold) {
  Options options;
  options.initial_stream_window_size = 65535;
  Pair pair(options);
  pair.server.answers = false;
  pair.server.on_head = [](Server::Exchange& exchange) { exchange.writer->hold_request(); };
  Call& call = pair.client.call(request("POST"), EndStream::kNo);
  pair.run();
  send(*call.writer, std::string(400000, 'x'), EndStream::kNo);
  pair.run();
  EXPECT_TRUE(call.blocked);
  pair.server.last().writer->release_request();
  pair.run();
  EXPECT_FALSE(call.blocked);
  EXPECT_EQ(pair.server.last().body.size(), 400000U);
}

TEST(H2Client, RequestBodyThatIsNotOfItsLength) {
  Pair pair;
  pair.server.answers = false;
  Call& call = pair.client.call(request("POST", "/", {{"content-length", "3"}}), EndStream::kNo);
  pair.run();
  send(*call.writer, "1234", EndStream::kYes);
  EXPECT_TRUE(call.reset && !call.unseen);
  pair.run();
  EXPECT_FALSE(pair.server.last().ended);
  EXPECT_TRUE(pair.server.last().done);
  EXPECT_EQ(pair.client.codec->active(), 0U);
}

TEST(H2Client, ReadEndAndDetach) {
  Client client;
  EXPECT_TRUE(client.codec->on_read_end());
  Call& call = client.call();
  EXPECT_FALSE(client.codec->on_read_end());
  client.codec->detach();
  EXPECT_TRUE(client.feed(wire::settings() + wire::headers(1, kOk)));
  EXPECT_FALSE(call.ended || call.reset);
}

wire::Fields websocket() {
  return {{"connection", "upgrade"},
          {"upgrade", "websocket"},
          {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="},
          {"sec-websocket-version", "13"}};
}

TEST(H2Upgrade, IsCarriedAsExtendedConnect) {
  Options options;
  options.allow_connect = true;
  Pair pair(options, options);
  pair.server.answers = false;
  Call& call = pair.client.call(request("GET", "/chat", websocket()), EndStream::kNo);
  EXPECT_TRUE(pair.server.exchanges.empty());
  pair.run();  // not before the server's SETTINGS are known
  Server::Exchange& exchange = pair.server.last();
  EXPECT_EQ(exchange.head.method(), "GET");
  EXPECT_EQ(exchange.head.path(), "/chat");
  EXPECT_EQ(exchange.head.headers.get("upgrade"), "websocket");
  EXPECT_FALSE(exchange.head.headers.has(HeaderId::kConnection));
  EXPECT_EQ(exchange.head.headers.get("sec-websocket-version"), "13");
  // RFC 8441 does without the key, the HTTP/1 upstream does not.
  EXPECT_EQ(exchange.head.headers.get("sec-websocket-key")->size(), 24U);
  EXPECT_NE(exchange.head.headers.get("sec-websocket-key"), "dGhlIHNhbXBsZSBub25jZQ==");
  ResponseHead head;
  head.status = 101;
  head.headers.add("upgrade", "websocket");
  head.headers.add("connection", "upgrade");
  head.headers.add("sec-websocket-accept", "of the upstream");
  exchange.writer->send_head(head, EndStream::kNo);
  pair.run();
  EXPECT_EQ(call.head.status, 101);
  EXPECT_EQ(call.head.headers.get("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  send(*call.writer, "to", EndStream::kNo);
  send(*exchange.writer, "fro", EndStream::kNo);
  pair.run();
  EXPECT_EQ(exchange.body, "to");
  EXPECT_EQ(call.body, "fro");
  // Each direction ends on its own.
  send(*exchange.writer, "", EndStream::kYes);
  pair.run();
  EXPECT_TRUE(call.ended);
  EXPECT_FALSE(exchange.done);
  send(*call.writer, " late", EndStream::kNo);
  pair.run();
  EXPECT_EQ(exchange.body, "to late");
  send(*call.writer, "", EndStream::kYes);
  pair.run();
  EXPECT_TRUE(exchange.ended && exchange.done && exchange.aborted.empty());
  EXPECT_EQ(pair.client.codec->active(), 0U);
}

TEST(H2Upgrade, NothingIsDeliveredBeforeTheAnswer) {
  for (const int status : {200, 403}) {
    for (const EndStream end : {EndStream::kNo, EndStream::kYes}) {
      Server server;
      server.answers = false;
      const wire::Fields connect{{":method", "CONNECT"}, {":authority", "h:1"}};
      EXPECT_TRUE(server.feed(wire::headers(1, connect, 0) + wire::data(1, "ear") +
                              wire::data(1, "ly", end == EndStream::kYes ? 1 : 0)));
      EXPECT_EQ(server.last().bodies, 0);
      ResponseHead head;
      head.status = status;
      server.last().writer->send_head(head, EndStream::kNo);
      EXPECT_EQ(server.last().bodies, 0);  // not inside the call
      EXPECT_EQ(server.codec->undelivered(), status == 200);
      if (status != 200) continue;
      server.feed("");
      EXPECT_FALSE(server.codec->undelivered());
      EXPECT_EQ(server.last().body, "early");
      EXPECT_EQ(server.last().ended, end == EndStream::kYes);
    }
  }
  Server server;
  const wire::Fields connect{{":method", "CONNECT"}, {":authority", "h:1"}};
  EXPECT_TRUE(
      server.feed(wire::frame(wire::kSettings, wire::kAck, 0) + wire::headers(1, connect, 0)));
  for (int i = 0; i < 30; ++i) server.feed(wire::data(1, std::string(10000, 'x')));
  EXPECT_EQ(server.reset(), 11);
  EXPECT_TRUE(server.last().done);
}

/// Grants a tunnel, and has nothing more to send than "bye".
void grant_and_end(ResponseWriter& writer) {
  ResponseHead head;
  head.status = 200;
  writer.send_head(head, EndStream::kNo);
  Buffer last("bye");
  writer.send_body(last, EndStream::kYes);
}

TEST(H2Upgrade, TheOtherSideMayEndBeforeWhatCameEarlyIsDelivered) {
  Server server;
  server.answers = false;
  const wire::Fields connect{{":method", "CONNECT"}, {":authority", "h:1"}};
  EXPECT_TRUE(server.feed(wire::headers(1, connect, 0) + wire::data(1, "early", 1)));
  auto& exchange = server.last();
  grant_and_end(*exchange.writer);
  EXPECT_FALSE(exchange.done);
  server.feed("");
  EXPECT_EQ(exchange.body, "early");
  EXPECT_TRUE(exchange.ended && exchange.done && exchange.aborted.empty());
}

TEST(H2Upgrade, TrailersOfATunnelAbortItAlsoWhenTheOtherSideHasEnded) {
  Server server;
  server.answers = false;
  const wire::Fields connect{{":method", "CONNECT"}, {":authority", "h:1"}};
  constexpr uint16_t kInitialWindowSize = 4;
  EXPECT_TRUE(
      server.feed(wire::settings({{kInitialWindowSize, 0}}) + wire::headers(1, connect, 0)));
  auto& exchange = server.last();
  grant_and_end(*exchange.writer);
  EXPECT_TRUE(server.feed(wire::headers(1, {{"a", "b"}}, 1) + wire::window_update(1, 100)));
  EXPECT_TRUE(exchange.done);
  EXPECT_FALSE(exchange.ended);
  EXPECT_FALSE(exchange.aborted.empty());
}

TEST(H2Upgrade, ThatIsDeclinedKeepsItsAnswer) {
  Options options;
  options.allow_connect = true;
  Pair pair(options, options);
  pair.server.answers = false;
  Call& call = pair.client.call(request("GET", "/", websocket()), EndStream::kNo);
  pair.run();
  pair.server.last().answer(403, "no");
  pair.run();
  EXPECT_EQ(call.text(), "403 {content-type=text/plain;} [no].");
  // A 200 that switches nothing would look like a yes.
  Call& other = pair.client.call(request("GET", "/", websocket()), EndStream::kNo);
  pair.run();
  pair.server.last().answer(200, "page");
  pair.run();
  EXPECT_EQ(other.head.status, 502);
}

TEST(H2Upgrade, WithoutConsentOfThePeerIsAPlainRequest) {
  Pair pair;
  Call& call = pair.client.call(request("GET", "/", websocket()), EndStream::kYes);
  pair.run();
  EXPECT_EQ(pair.server.last().head.method(), "GET");
  EXPECT_FALSE(pair.server.last().head.headers.has(HeaderId::kUpgrade));
  EXPECT_EQ(call.head.status, 200);
}

TEST(H2Upgrade, PlainConnect) {
  Pair pair;
  pair.server.answers = false;
  RequestHead head;
  head.set_method("CONNECT");
  head.set_authority("h:443");
  Call& call = pair.client.call(head, EndStream::kNo);
  pair.run();
  EXPECT_EQ(pair.server.last().text(), "CONNECT  @h:443 http {} []");
  ResponseHead response;
  response.status = 200;
  pair.server.last().writer->send_head(response, EndStream::kNo);
  pair.run();
  send(*call.writer, "x", EndStream::kNo);
  pair.run();
  EXPECT_EQ(pair.server.last().body, "x");
  EXPECT_EQ(call.head.status, 200);
}

TEST(H2Upgrade, ExtendedConnectThatIsMalformed) {
  Options options;
  options.allow_connect = true;
  const wire::Fields base{{":method", "CONNECT"},
                          {":protocol", "websocket"},
                          {":scheme", "http"},
                          {":path", "/"},
                          {":authority", "h"}};
  for (const char* name : {":scheme", ":path", ":authority", ":method"}) {
    Server server(options);
    wire::Fields fields = base;
    std::erase_if(fields, [name](const auto& field) { return field.first == name; });
    if (std::string_view(name) == ":method") fields.insert(fields.begin(), {":method", "GET"});
    EXPECT_TRUE(server.feed(wire::headers(1, fields, 0)));
    EXPECT_EQ(server.reset(), 1) << name;
    EXPECT_TRUE(server.exchanges.empty());
  }
  Server refusing;  // not announced
  EXPECT_TRUE(refusing.feed(wire::headers(1, base, 0)));
  EXPECT_EQ(refusing.reset(), 1);
  EXPECT_TRUE(refusing.exchanges.empty());
}

}  // namespace
}  // namespace weir::http::h2::testing
