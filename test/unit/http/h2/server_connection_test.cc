// The server role: windows, back-pressure, drain, re-entrancy, ends of exchanges.
#include "test_peers.h"

namespace weir::http::h2::testing {
namespace {

int count(const std::vector<wire::Frame>& frames, uint8_t type, uint32_t stream) {
  int n = 0;
  for (const wire::Frame& frame : frames) n += frame.type == type && frame.stream == stream;
  return n;
}

ResponseHead response(int status, const wire::Fields& fields = {}) {
  ResponseHead head;
  head.status = status;
  for (const auto& [name, value] : fields) head.headers.add(name, value);
  return head;
}

TEST(H2Server, HeldRequestKeepsItsOwnWindowOnly) {
  Options options;
  options.initial_stream_window_size = 65535;
  options.initial_connection_window_size = 200000;
  Server server(options);
  server.on_head = [](Server::Exchange& exchange) {
    if (exchange.head.path() == "/slow") exchange.writer->hold_request();
  };
  server.feed(wire::frame(wire::kSettings, wire::kAck, 0));
  server.feed(wire::headers(1, wire::get({}, "/slow"), 0) + wire::headers(3, wire::get(), 0));
  for (int i = 0; i < 6; ++i) server.feed(wire::data(1, std::string(10000, 'x')));
  EXPECT_EQ(count(server.frames(), wire::kWindowUpdate, 1), 0);
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(server.feed(wire::data(3, std::string(10000, 'y'))));
  EXPECT_GT(count(server.frames(), wire::kWindowUpdate, 3), 3);
  EXPECT_GT(count(server.frames(), wire::kWindowUpdate, 0), 2);
  EXPECT_EQ(server.exchanges[1]->body.size(), 400000U);
  server.exchanges[0]->writer->release_request();
  EXPECT_EQ(count(server.frames(), wire::kWindowUpdate, 1), 1);
  EXPECT_EQ(server.frames().back().code(), 60000U);
}

TEST(H2Server, ManyHeldRequestsKeepTheConnectionsWindowToo) {
  Options options;
  options.initial_stream_window_size = 65535;
  options.initial_connection_window_size = 65535;
  Server server(options);
  server.on_head = [](Server::Exchange& exchange) { exchange.writer->hold_request(); };
  uint64_t window = 65535, sent = 0;
  for (uint32_t id = 1; id < 41; id += 2) {
    server.feed(wire::headers(id, wire::get(), 0));
    for (int i = 0; i < 6 && window >= 10000; ++i) {
      ASSERT_TRUE(server.feed(wire::data(id, std::string(10000, 'x')))) << server.error;
      sent += 10000;
      window = 65535 - sent;
      for (const wire::Frame& frame : server.frames())
        if (frame.type == wire::kWindowUpdate && frame.stream == 0) window += frame.code();
    }
  }
  EXPECT_LE(sent, 2U * 65535);
  // Letting go of them gives it back.
  server.sent.clear();
  for (auto& exchange : server.exchanges) exchange->writer->release_request();
  EXPECT_GE(count(server.frames(), wire::kWindowUpdate, 0), 1);
}

TEST(H2Server, AnAbortedRequestGivesTheWindowBack) {
  Options options;
  options.initial_stream_window_size = 65535;
  options.initial_connection_window_size = 65535;
  Server server(options);
  server.on_head = [](Server::Exchange& exchange) { exchange.writer->hold_request(); };
  uint64_t sent = 0, window = 65535;
  for (uint32_t id = 1; id < 200; id += 2) {
    ASSERT_TRUE(server.feed(wire::headers(id, wire::get(), 0)));
    ASSERT_GE(window, 30000U) << id;
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(server.feed(wire::data(id, std::string(10000, 'x'))));
    sent += 30000;
    server.last().writer->abort();
    window = 65535 - sent;
    for (const wire::Frame& frame : server.frames())
      if (frame.type == wire::kWindowUpdate && frame.stream == 0) window += frame.code();
  }
}

TEST(H2Server, WhatTheClientDoesNotTakeIsBoundedByItsSender) {
  Server server;
  server.answers = false;
  server.feed(wire::headers(1, wire::get()) + wire::headers(3, wire::get()));
  Server::Exchange& first = *server.exchanges[0];
  first.writer->send_head(response(200), EndStream::kNo);
  // The window of 65535 bytes goes out, the rest waits.
  for (int i = 0; i < 30; ++i) send(*first.writer, std::string(10000, 'x'), EndStream::kNo);
  EXPECT_FALSE(first.blocked);
  EXPECT_EQ(server.around.gauge("pending_send_bytes"), 300000 - 65535);
  send(*first.writer, std::string(100000, 'x'), EndStream::kNo);
  EXPECT_TRUE(first.blocked);
  // The other stream is not held up, once the connection has a window.
  server.feed(wire::window_update(0, 1000000));
  server.exchanges[1]->answer();
  EXPECT_EQ(count(server.frames(), wire::kData, 3), 1);
  EXPECT_TRUE(first.blocked);
  server.feed(wire::window_update(1, 300000));
  EXPECT_FALSE(first.blocked);
  EXPECT_EQ(server.around.gauge("pending_send_bytes"), 400000 - 65535 - 300000);
  server.feed(wire::rst(1, 8));
  EXPECT_EQ(first.aborted, "stream reset by the client");
  EXPECT_EQ(server.around.gauge("pending_send_bytes"), 0);
  EXPECT_EQ(server.around.gauge("streams_active"), 0);
}

TEST(H2Server, StreamsOfAClientThatOpensNoWindowShareTheLimit) {
  Server server;
  server.answers = false;
  ASSERT_TRUE(server.feed(wire::settings({{4, 0}})));
  for (uint32_t id = 1; id < 200; id += 2) ASSERT_TRUE(server.feed(wire::headers(id, wire::get())));
  size_t held = 0;
  for (const auto& exchange : server.exchanges) {
    exchange->writer->send_head(response(200), EndStream::kNo);
    for (int piece = 0; piece < 30 && !exchange->blocked; ++piece) {
      send(*exchange->writer, std::string(8000, 'x'), EndStream::kNo);
      held += 8000;
    }
    if (exchange == server.exchanges.front()) {
      EXPECT_FALSE(exchange->blocked) << "one alone may have its whole limit";
    }
  }
  EXPECT_TRUE(server.exchanges.back()->blocked);
  EXPECT_EQ(server.around.gauge("pending_send_bytes"), static_cast<int64_t>(held));
  EXPECT_LT(held, 3 * server.around.environment.stream_buffer_limit + 100 * 24000);
  // Who takes its bytes gets more.
  ASSERT_TRUE(server.feed(wire::window_update(199, 60000)));
  EXPECT_FALSE(server.exchanges.back()->blocked);
  EXPECT_EQ(server.exchanges.back()->progress, 1);
}

TEST(H2Server, HeadsOfAllStreamsTogetherAreBounded) {
  Server server;
  server.answers = false;
  auto fields = wire::get();
  fields.emplace_back("x-large", std::string(15000, 'x'));
  uint32_t id = 1;
  for (; id < 1400; id += 2) ASSERT_TRUE(server.feed(wire::headers(id, fields)));
  const size_t taken = server.exchanges.size();
  EXPECT_GT(taken, 500U);
  EXPECT_LT(taken, 600U);
  const auto frames = server.frames();
  EXPECT_EQ(static_cast<size_t>(std::count_if(frames.begin(), frames.end(),
                                              [](const wire::Frame& frame) {
                                                return frame.type == wire::kRstStream &&
                                                       frame.code() == 7;  // REFUSED_STREAM
                                              })),
            700 - taken);
  server.exchanges.front()->answer();
  ASSERT_TRUE(server.feed(wire::headers(id, fields)));
  EXPECT_EQ(server.exchanges.size(), taken + 1);
}

TEST(H2Server, ABlockedConnectionSendsControlFramesOnly) {
  Server server;
  server.answers = false;
  server.feed(wire::headers(1, wire::get()));
  server.codec->on_write_blocked();
  server.last().writer->send_head(response(200), EndStream::kNo);
  send(*server.last().writer, std::string(300000, 'x'), EndStream::kNo);
  EXPECT_TRUE(server.last().blocked);
  server.feed(wire::ping());
  EXPECT_EQ(count(server.frames(), wire::kData, 1), 0);
  EXPECT_EQ(count(server.frames(), wire::kPing, 0), 1);
  server.feed(wire::window_update(0, 1000000) + wire::window_update(1, 1000000));
  EXPECT_EQ(count(server.frames(), wire::kData, 1), 0);
  server.codec->on_write_resumed();
  EXPECT_GT(count(server.frames(), wire::kData, 1), 18);
  EXPECT_FALSE(server.last().blocked);
  send(*server.last().writer, "", EndStream::kYes);
  EXPECT_TRUE(server.last().done);
}

TEST(H2Server, AResumedSenderMaySendAtOnce) {
  Server server;
  server.answers = false;
  int rounds = 0;
  server.on_resumed = [&rounds](Server::Exchange& exchange) {
    ++rounds;
    send(*exchange.writer, std::string(300000, 'x'), rounds < 5 ? EndStream::kNo : EndStream::kYes);
  };
  server.feed(wire::headers(1, wire::get()));
  server.last().writer->send_head(response(200), EndStream::kNo);
  send(*server.last().writer, std::string(400000, 'x'), EndStream::kNo);
  EXPECT_TRUE(server.last().blocked);
  server.feed(wire::window_update(0, 10000000) + wire::window_update(1, 10000000));
  EXPECT_EQ(rounds, 5);
  EXPECT_TRUE(server.last().done);
}

TEST(H2Server, EarlyAnswerEndsTheRequestWithNoError) {
  Server server;
  server.on_head = [](Server::Exchange& exchange) { exchange.answer(413); };
  EXPECT_TRUE(server.feed(wire::headers(1, wire::get(), 0)));
  EXPECT_EQ(server.reset(), 0);
  EXPECT_TRUE(server.last().done);
  EXPECT_TRUE(server.last().aborted.empty());
  EXPECT_TRUE(server.feed(wire::data(1, "late") + wire::data(1, "end", wire::kEndStream)));
  EXPECT_EQ(server.last().bodies, 0);
  EXPECT_TRUE(server.codec->idle());
}

TEST(H2Server, BodylessResponsesStayThat) {
  for (const int status : {200, 204, 304}) {
    Server server;
    server.answers = false;
    wire::Fields fields = wire::get();
    if (status == 200) fields[0].second = "HEAD";
    server.feed(wire::headers(1, fields));
    server.last().writer->send_head(response(status, {{"content-length", "10"}}), EndStream::kNo);
    send(*server.last().writer, "0123456789", EndStream::kYes);
    EXPECT_TRUE(server.last().done);
    for (const wire::Frame& frame : server.frames())
      if (frame.type == wire::kData) {
        EXPECT_TRUE(frame.payload.empty());
      }
  }
}

TEST(H2Server, ABodyThatIsNotOfItsLengthIsCutVisibly) {
  for (const char* body : {"12", "1234"}) {
    Server server;
    server.answers = false;
    server.feed(wire::headers(1, wire::get()));
    server.last().writer->send_head(response(200, {{"content-length", "3"}}), EndStream::kNo);
    send(*server.last().writer, body, EndStream::kYes);
    EXPECT_EQ(server.reset(), 2);
    EXPECT_TRUE(server.last().done);
  }
}

TEST(H2Server, HopByHopFieldsAreNotSent) {
  Pair pair;
  pair.server.answers = false;
  Call& call = pair.client.call(request("GET", "/", {{"connection", "x"}, {"te", "gzip"}}));
  pair.run();
  EXPECT_EQ(pair.server.last().text(), "GET / @h http {} [].");
  pair.server.last().writer->send_head(response(200, {{"transfer-encoding", "chunked"},
                                                      {"keep-alive", "1"},
                                                      {"connection", "x"},
                                                      {"upgrade", "y"},
                                                      {"set-cookie", "a"},
                                                      {"set-cookie", "b"}}),
                                       EndStream::kYes);
  pair.run();
  EXPECT_EQ(call.text(), "200 {set-cookie=a;set-cookie=b;} [].");
}

TEST(H2Server, CallbacksMayDoAnything) {
  // Abort in each callback.
  for (const int where : {0, 1, 2, 3}) {
    Server server;
    server.answers = false;
    const auto abort = [](Server::Exchange& exchange) {
      exchange.writer->abort();
      EXPECT_TRUE(exchange.done);
      exchange.writer->abort();  // the writer is dead
      send(*exchange.writer, "x", EndStream::kYes);
    };
    if (where == 0) server.on_head = abort;
    if (where == 1) server.on_body = abort;
    if (where == 2) server.on_aborted = abort;
    if (where == 3) server.on_refused = abort;
    wire::Fields fields = wire::get();
    if (where == 3) fields.emplace_back("host", "other");
    EXPECT_TRUE(server.feed(wire::headers(1, fields, 0) + wire::data(1, "a") + wire::data(1, "b") +
                            (where == 2 ? wire::rst(1, 8) : wire::headers(3, wire::get()))));
    EXPECT_TRUE(server.exchanges[0]->done);
    EXPECT_EQ(server.reset(), 2);
    if (where != 2) {
      EXPECT_EQ(server.last().head.path(), "/");
    }
  }
}

TEST(H2Server, DecodeInsideACallbackDoesNothing) {
  Server server;
  server.on_head = [](Server::Exchange& exchange) {
    Buffer more(wire::headers(3, wire::get()));
    EXPECT_TRUE(exchange.server.codec->decode(more));
    EXPECT_FALSE(more.empty());
  };
  EXPECT_TRUE(server.feed(wire::headers(1, wire::get())));
  EXPECT_EQ(server.exchanges.size(), 1U);
  EXPECT_TRUE(server.last().done);
}

TEST(H2Server, MayBeDestroyedWithExchangesUnderWay) {
  auto server = std::make_unique<Server>();
  server->answers = false;
  server->feed(wire::headers(1, wire::get()) + wire::headers(3, wire::get(), 0));
  server->exchanges[0]->writer->send_head(response(200), EndStream::kNo);
  send(*server->exchanges[0]->writer, std::string(100000, 'x'), EndStream::kNo);
  server->codec.reset();
  EXPECT_EQ(server->around.gauge("streams_active"), 0);
  EXPECT_EQ(server->around.gauge("pending_send_bytes"), 0);
}

TEST(H2Server, DrainsInTwoSteps) {
  Server server;
  server.answers = false;
  server.feed(wire::headers(1, wire::get()));
  server.codec->start_drain();
  server.codec->start_drain();
  auto frames = server.frames();
  EXPECT_EQ(count(frames, wire::kGoaway, 0), 1);
  EXPECT_EQ(frames.back().payload.substr(0, 4), wire::number(0x7fffffff, 4));
  // What was on its way is served.
  EXPECT_TRUE(server.feed(wire::headers(3, wire::get())));
  ASSERT_EQ(server.exchanges.size(), 2U);
  server.codec->finish_drain();
  server.codec->finish_drain();
  frames = server.frames();
  EXPECT_EQ(count(frames, wire::kGoaway, 0), 2);
  EXPECT_EQ(frames.back().payload.substr(0, 4), wire::number(3, 4));
  EXPECT_EQ(frames.back().code(), 0U);
  EXPECT_TRUE(server.feed(wire::headers(5, wire::get())));
  EXPECT_EQ(server.exchanges.size(), 2U);
  EXPECT_FALSE(server.codec->must_close());
  server.exchanges[0]->answer();
  EXPECT_FALSE(server.codec->must_close());
  server.exchanges[1]->answer();
  EXPECT_TRUE(server.codec->must_close());
  EXPECT_FALSE(server.codec->request_incomplete());
  EXPECT_EQ(server.around.count("goaway_sent"), 2U);
}

TEST(H2Server, CloseAfterDrains) {
  for (const bool by_header : {false, true}) {
    Server server;
    server.answers = false;
    server.feed(wire::headers(1, wire::get()));
    if (!by_header) server.last().writer->close_after();
    server.last().writer->send_head(
        by_header ? response(200, {{"connection", "close"}}) : response(200), EndStream::kYes);
    EXPECT_EQ(count(server.frames(), wire::kGoaway, 0), 2);
    EXPECT_TRUE(server.codec->must_close());
  }
}

TEST(H2Server, GoawayOfTheClientLetsStreamsEnd) {
  Server server;
  server.answers = false;
  EXPECT_TRUE(server.feed(wire::headers(1, wire::get()) + wire::goaway(0, 0)));
  EXPECT_FALSE(server.codec->must_close());
  server.last().answer();
  EXPECT_TRUE(server.codec->must_close());
}

TEST(H2Server, PingsAreCounted) {
  Server server;
  server.feed("");
  EXPECT_TRUE(server.codec->ping());
  EXPECT_EQ(server.frames().back().type, wire::kPing);
  EXPECT_EQ(server.codec->pongs(), 0U);
  server.feed(wire::frame(wire::kPing, wire::kAck, 0, server.frames().back().payload));
  EXPECT_EQ(server.codec->pongs(), 1U);
}

TEST(H2Server, IsIdleBetweenRequestsOnly) {
  Server server;
  EXPECT_TRUE(server.feed(""));
  EXPECT_TRUE(server.codec->idle());
  server.feed(wire::frame(wire::kHeaders, 1, 1, wire::block(wire::get())));
  EXPECT_FALSE(server.codec->idle());
  server.feed(wire::frame(wire::kContinuation, 4, 1));
  EXPECT_TRUE(server.codec->idle());
  server.feed(wire::ping().substr(0, 3));
  EXPECT_FALSE(server.codec->idle());
}

TEST(H2Server, TooManyStreamsAreRefused) {
  Options options;
  options.max_concurrent_streams = 2;
  Server server(options);
  server.answers = false;
  // Before the client can have seen the limit.
  EXPECT_TRUE(server.feed(wire::headers(1, wire::get()) + wire::headers(3, wire::get()) +
                          wire::headers(5, wire::get())));
  EXPECT_EQ(server.exchanges.size(), 2U);
  EXPECT_EQ(server.reset(5), 7);
  // And after it.
  server.feed(wire::frame(wire::kSettings, wire::kAck, 0));
  EXPECT_FALSE(server.feed(wire::headers(7, wire::get())));
  EXPECT_EQ(server.exchanges.size(), 2U);
}

TEST(H2Server, ReadEndWithRequestsUnderWayIsAnError) {
  Server server;
  server.answers = false;
  EXPECT_TRUE(server.codec->on_read_end());
  server.feed(wire::headers(1, wire::get()));
  auto ended = server.codec->on_read_end();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Code::kClosed);
}

}  // namespace
}  // namespace weir::http::h2::testing
