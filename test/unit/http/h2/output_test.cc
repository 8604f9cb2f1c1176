// What writers leave to flush().
#include "test_peers.h"

namespace weir::http::h2::testing {
namespace {

struct LateServer : Server {
  LateServer() : Server({}, {}, Output::kWhenFlushed) { answers = false; }
};
struct LateClient : Client {
  LateClient() : Client({}, {}, Output::kWhenFlushed) {}
};

/// "type:stream" of the frames that are no SETTINGS.
std::string order(const std::vector<wire::Frame>& frames) {
  std::string text;
  for (const wire::Frame& frame : frames) {
    if (frame.type == wire::kSettings || frame.type == wire::kWindowUpdate) continue;
    text += std::to_string(frame.type) + ":" + std::to_string(frame.stream) + " ";
  }
  return text;
}

ResponseHead ok() {
  ResponseHead head;
  head.status = 200;
  return head;
}

TEST(H2Output, ResponsesWaitForTheFlush) {
  LateServer server;
  ASSERT_TRUE(server.feed(wire::headers(1, wire::get()) + wire::headers(3, wire::get())));
  server.exchanges[0]->answer();
  server.exchanges[1]->answer();
  EXPECT_EQ(order(server.frames()), "");
  EXPECT_EQ(server.done, 0);
  server.codec->flush();
  EXPECT_EQ(order(server.frames()), "1:1 1:3 0:1 0:3 ");
  EXPECT_EQ(server.done, 2);
  EXPECT_TRUE(server.codec->idle());
}

TEST(H2Output, ReadingSendsWhatWaited) {
  LateServer server;
  ASSERT_TRUE(server.feed(wire::headers(1, wire::get())));
  server.last().answer();
  ASSERT_TRUE(server.feed(wire::headers(3, wire::get())));
  EXPECT_EQ(order(server.frames()), "1:1 0:1 ");
  EXPECT_EQ(server.done, 1);
}

TEST(H2Output, WhatWasGivenBeforeAnAbortGoesBeforeIt) {
  LateServer server;
  ASSERT_TRUE(server.feed(wire::headers(1, wire::get()) + wire::headers(3, wire::get())));
  server.exchanges[0]->writer->send_head(ok(), EndStream::kNo);
  send(*server.exchanges[0]->writer, "part", EndStream::kNo);
  server.exchanges[0]->writer->abort();
  // This one was whole.
  server.exchanges[1]->answer();
  server.exchanges[1]->writer->abort();
  server.codec->flush();
  EXPECT_EQ(order(server.frames()), "1:1 0:1 3:1 1:3 0:3 ");
  EXPECT_EQ(server.done, 2);
}

TEST(H2Output, ABodyOverTheLimitIsSentAtOnce) {
  LateServer server;
  ASSERT_TRUE(server.feed(wire::settings({{4, 1 << 24}}) + wire::window_update(0, 1 << 24) +
                          wire::headers(1, wire::get())));
  server.frames();
  server.last().writer->send_head(ok(), EndStream::kNo);
  send(*server.last().writer, std::string(server.around.environment.stream_buffer_limit, 'x'),
       EndStream::kNo);
  EXPECT_TRUE(server.out.empty());
  send(*server.last().writer, "x", EndStream::kNo);
  EXPECT_GT(server.out.size(), server.around.environment.stream_buffer_limit);
  EXPECT_FALSE(server.last().blocked);
}

TEST(H2Output, RequestsWaitForTheFlush) {
  LateClient client;
  client.feed(wire::settings());
  client.frames();
  client.call();
  client.call(request("POST"), EndStream::kNo);
  send(*client.calls[1]->writer, "body", EndStream::kYes);
  EXPECT_EQ(client.codec->active(), 2U);
  EXPECT_EQ(order(client.frames()), "");
  client.codec->flush();
  EXPECT_EQ(order(client.frames()), "1:1 1:3 0:3 ");
}

TEST(H2Output, ARequestThatIsGivenUpBeforeTheFlushIsNeverSent) {
  LateClient client;
  client.feed(wire::settings());
  client.call();
  client.calls[0]->writer->abort();
  EXPECT_EQ(client.codec->active(), 0U);
  Call& second = client.call();
  client.codec->flush();
  EXPECT_EQ(order(client.frames()), "1:3 ");
  ASSERT_TRUE(client.feed(wire::headers(3, {{":status", "200"}})));
  EXPECT_TRUE(second.ended);
  EXPECT_FALSE(client.calls[0]->reset);
}

TEST(H2Output, RequestsBehindAGoawayAreUnseen) {
  LateClient client;
  client.feed(wire::settings());
  Call& call = client.call();
  ASSERT_TRUE(client.feed(wire::goaway(0, 0)));
  client.codec->flush();
  EXPECT_EQ(order(client.frames()), "");
  EXPECT_TRUE(call.reset && call.unseen);
  EXPECT_EQ(client.codec->active(), 0U);
}

}  // namespace
}  // namespace weir::http::h2::testing
