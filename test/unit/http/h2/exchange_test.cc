// Requests and responses between the two roles.
#include "test_peers.h"

namespace weir::http::h2::testing {
namespace {

TEST(H2Exchange, CarriesARequestAndItsResponse) {
  Pair pair;
  Call& call = pair.client.call(request("GET", "/a?b", {{"x", "1"}}));
  pair.run();
  EXPECT_EQ(pair.server.last().text(), "GET /a?b @h http {x=1;} [].");
  EXPECT_EQ(call.text(), "200 {content-type=text/plain;} [ok].");
  EXPECT_TRUE(pair.server.last().done);
  EXPECT_TRUE(pair.server.codec->idle());
  EXPECT_TRUE(pair.client.codec->exchange_complete());
  EXPECT_TRUE(pair.client.codec->reusable());
  EXPECT_FALSE(pair.server.codec->must_close());
}

TEST(H2Exchange, CarriesBodiesAndTrailersBothWays) {
  Pair pair;
  pair.server.answers = false;
  Call& call = pair.client.call(request("POST"), EndStream::kNo);
  send(*call.writer, "one ", EndStream::kNo);
  pair.run();
  send(*call.writer, "two", EndStream::kNo);
  HeaderMap trailers;
  trailers.add("t", "1");
  trailers.add("content-length", "3");  // has no place there
  call.writer->send_trailers(trailers);
  pair.run();
  EXPECT_EQ(pair.server.last().text(), "POST / @h http {} [one two] {t=1;}.");
  ResponseHead head;
  head.status = 200;
  ResponseWriter& writer = *pair.server.last().writer;
  writer.send_head(head, EndStream::kNo);
  send(writer, "answer", EndStream::kNo);
  trailers.clear();
  trailers.add("grpc-status", "0");
  writer.send_trailers(trailers);
  pair.run();
  EXPECT_EQ(call.text(), "200 {} [answer] {grpc-status=0;}.");
  EXPECT_TRUE(pair.client.codec->exchange_complete());
  EXPECT_EQ(pair.server.done, 1);
}

TEST(H2Exchange, TrailersMayComeWithoutABody) {
  Pair pair;
  pair.server.answers = false;
  Call& call = pair.client.call(request("POST"), EndStream::kNo);
  HeaderMap trailers;
  trailers.add("a", "1");
  call.writer->send_trailers(trailers);
  pair.run();
  EXPECT_EQ(pair.server.last().text(), "POST / @h http {} [] {a=1;}.");
  ResponseHead head;
  head.status = 200;
  pair.server.last().writer->send_head(head, EndStream::kNo);
  pair.server.last().writer->send_trailers(trailers);
  pair.run();
  EXPECT_EQ(call.text(), "200 {} [] {a=1;}.");
  // None that may be sent: the end alone.
  HeaderMap forbidden;
  forbidden.add("content-length", "1");
  Call& other = pair.client.call(request("POST"), EndStream::kNo);
  send(*other.writer, "x", EndStream::kNo);
  other.writer->send_trailers(forbidden);
  pair.run();
  EXPECT_EQ(pair.server.last().text(), "POST / @h http {} [x].");
}

TEST(H2Exchange, LargeBodiesArriveWhole) {
  Pair pair;
  pair.server.answers = false;
  std::string text;
  for (int i = 0; i < 300000; ++i) text += static_cast<char>('a' + i % 23);
  Call& call = pair.client.call(request("POST"), EndStream::kNo);
  pair.run();
  send(*call.writer, text, EndStream::kYes);
  pair.run();
  EXPECT_EQ(pair.server.last().body, text);
  ResponseHead head;
  head.status = 200;
  pair.server.last().writer->send_head(head, EndStream::kNo);
  // As a proxy: the slices that came are those that go, with the room that frame headers left.
  Buffer first(text), second;
  first.drain(100);
  first.move_to(second, 20000);
  pair.server.last().writer->send_body(second, EndStream::kNo);
  pair.server.last().writer->send_body(first, EndStream::kYes);
  pair.run();
  EXPECT_EQ(call.body, text.substr(100));
}

TEST(H2Exchange, HoldsForAnyCutOfTheBytes) {
  for (size_t piece = 1; piece < 40; ++piece) {
    Pair pair;
    Call& call = pair.client.call(request("POST", "/p", {{"cookie", "a=1"}}), EndStream::kNo);
    send(*call.writer, std::string(3000, 'x'), EndStream::kYes);
    Call& other = pair.client.call();
    pair.run(piece);
    ASSERT_EQ(pair.server.exchanges.size(), 2U);
    EXPECT_EQ(pair.server.exchanges[0]->text(),
              "POST /p @h http {cookie=a=1;} [" + std::string(3000, 'x') + "].");
    EXPECT_TRUE(call.ended && other.ended) << piece;
  }
}

TEST(H2Exchange, ManyAtATimeEndInAnyOrder) {
  Pair pair;
  pair.server.answers = false;
  std::vector<Call*> calls;
  for (int i = 0; i < 50; ++i) calls.push_back(&pair.client.call());
  pair.run();
  ASSERT_EQ(pair.server.exchanges.size(), 50U);
  EXPECT_EQ(pair.client.codec->active(), 50U);
  for (size_t i = 50; i-- > 0;) pair.server.exchanges[i]->answer(200, std::to_string(i));
  pair.run();
  for (size_t i = 0; i < 50; ++i) EXPECT_EQ(calls[i]->body, std::to_string(i));
  EXPECT_EQ(pair.client.codec->active(), 0U);
  EXPECT_TRUE(pair.server.codec->idle());
}

}  // namespace
}  // namespace weir::http::h2::testing
