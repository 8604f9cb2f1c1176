// Floods and bombs: what a peer sends too much of ends its connection, and is counted.
#include "test_peers.h"

namespace weir::http::h2::testing {
namespace {

constexpr int kProtocolError = 1, kFlowControl = 3, kFrameSize = 6, kCompression = 9, kCalm = 11;

/// Feeds `make(i)` until the connection fails; says how many that took, or `most`.
template <typename Make>
int feed_until_failure(Server& server, int most, Make make) {
  for (int i = 0; i < most; ++i) {
    server.out.clear();  // the peer reads
    if (!server.feed(make(i))) return i;
  }
  return most;
}

uint32_t id(int i) { return static_cast<uint32_t>(2 * i + 1); }

TEST(H2Floods, RapidResetEndsAtTheBurst) {
  Options options;
  options.stream_reset_burst = 100;
  Server server(options);
  server.answers = false;
  const int sent = feed_until_failure(
      server, 1000, [](int i) { return wire::headers(id(i), wire::get()) + wire::rst(id(i), 8); });
  EXPECT_EQ(sent, 100);
  EXPECT_EQ(server.goaway(), kCalm);
  EXPECT_EQ(server.around.count("stream_reset_flood"), 1U);
  EXPECT_EQ(server.around.count("rx_reset"), 100U);
  EXPECT_TRUE(server.codec->must_close());
  for (int i = 0; i < 100; ++i)
    EXPECT_FALSE(server.exchanges[static_cast<size_t>(i)]->aborted.empty());
}

TEST(H2Floods, ResetsAtAHonestRateGoOn) {
  Options options;
  options.stream_reset_burst = 10;
  options.stream_reset_rate = 33;
  Server server(options);
  server.answers = false;
  EXPECT_EQ(feed_until_failure(server, 1000,
                               [&server](int i) {
                                 server.around.now += std::chrono::milliseconds(31);
                                 return wire::headers(id(i), wire::get()) + wire::rst(id(i), 8);
                               }),
            1000);
}

TEST(H2Floods, ProvokedResetsCountLikeTheClientsOwn) {
  const std::function<std::string(int)> provoke[] = {
      [](int i) { return wire::headers(id(i), wire::get()) + wire::window_update(id(i), 0); },
      [](int i) {
        return wire::headers(id(i), wire::get(), 0) + wire::window_update(id(i), 0x7fffffff);
      },
      [](int i) {
        return wire::headers(id(i), wire::get({{"content-length", "1"}}), 0) +
               wire::data(id(i), "ab");
      },
      [](int i) {
        return wire::headers(id(i), wire::get(), 0) +
               wire::frame(wire::kPriority, 0, id(i), wire::number(id(i), 4) + "\x10");
      },
      [](int i) {
        return wire::headers(id(i), wire::get({{"connection", "close"}}));
      },
  };
  for (const auto& make : provoke) {
    Options options;
    options.stream_reset_burst = 50;
    Server server(options);
    server.answers = false;
    EXPECT_LE(feed_until_failure(server, 1000, make), 51);
    EXPECT_NE(server.goaway(), -1);
    // What was begun has been given up at once.
    for (const auto& exchange : server.exchanges)
      EXPECT_TRUE(exchange->done || exchange == server.exchanges.back());
  }
}

TEST(H2Floods, RefusedRequestsCountToo) {
  Options options;
  options.stream_reset_burst = 50;
  Server server(options);
  EXPECT_EQ(feed_until_failure(server, 1000,
                               [](int i) {
                                 return wire::headers(id(i), wire::get({{"host", "other"}}));
                               }),
            50);
  EXPECT_EQ(server.goaway(), kCalm);
}

TEST(H2Floods, EarlyAnswersDoNotCount) {
  Options options;
  options.stream_reset_burst = 5;
  Server server(options);
  server.on_head = [](Server::Exchange& exchange) { exchange.answer(404, ""); };
  EXPECT_EQ(
      feed_until_failure(server, 100, [](int i) { return wire::headers(id(i), wire::get(), 0); }),
      100);
}

TEST(H2Floods, ContinuationsAreBoundedWithAndWithoutBytes) {
  for (const std::string& part : {std::string(), wire::field("a", "b"), std::string(16384, '\0')}) {
    Server server;
    EXPECT_TRUE(server.feed(wire::frame(wire::kHeaders, 1, 1, wire::block(wire::get()))));
    EXPECT_LE(
        feed_until_failure(server, 100,
                           [&part](int) { return wire::frame(wire::kContinuation, 0, 1, part); }),
        8);
    EXPECT_NE(server.goaway(), -1);
    EXPECT_TRUE(server.exchanges.empty());
  }
  Server server;
  EXPECT_TRUE(server.feed(wire::frame(wire::kHeaders, 1, 1, wire::block(wire::get()))));
  EXPECT_EQ(feed_until_failure(
                server, 100,
                [](int) { return wire::frame(wire::kContinuation, 0, 1, wire::field("a", "b")); }),
            8);
  EXPECT_EQ(server.goaway(), kCalm);
  EXPECT_EQ(server.around.count("inbound_continuation_frames_flood"), 1U);
}

TEST(H2Floods, ABlockInNineFramesIsServed) {
  Server server;
  std::string bytes = wire::frame(wire::kHeaders, 1, 1, wire::block(wire::get()));
  for (int i = 0; i < 8; ++i)
    bytes += wire::frame(wire::kContinuation, i == 7 ? 4 : 0, 1, wire::field("a", "b"));
  EXPECT_TRUE(server.feed(bytes));
  ASSERT_EQ(server.exchanges.size(), 1U);
  EXPECT_EQ(server.last().head.headers.size(), 8U);
}

TEST(H2Floods, PingsAndSettings) {
  Server server;
  EXPECT_EQ(feed_until_failure(server, 10000, [](int) { return wire::ping(); }), 100);
  EXPECT_EQ(server.goaway(), kCalm);
  EXPECT_EQ(server.around.count("inbound_ping_flood"), 1U);
  Server other;
  EXPECT_EQ(feed_until_failure(other, 10000, [](int) { return wire::settings(); }), 49);
  EXPECT_EQ(other.goaway(), kCalm);
  EXPECT_EQ(other.around.count("inbound_settings_flood"), 1U);
  // An acknowledgement that nothing asked for.
  Server third;
  EXPECT_TRUE(third.feed(wire::frame(wire::kSettings, wire::kAck, 0)));
  EXPECT_LE(feed_until_failure(third, 100,
                               [](int) { return wire::frame(wire::kSettings, wire::kAck, 0); }),
            50);
}

TEST(H2Floods, PingsThatGoWithTrafficAreAnswered) {
  Server server;
  EXPECT_EQ(
      feed_until_failure(server, 1000,
                         [](int i) { return wire::headers(id(i), wire::get()) + wire::ping(); }),
      1000);
}

TEST(H2Floods, ControlFramesDoNotPileUpForAPeerThatDoesNotRead) {
  Options options;
  options.max_outbound_control_frames = 50;
  options.stream_reset_burst = 1000;
  Server server(options);
  server.codec->on_write_blocked();
  int sent = 0;
  while (sent < 1000 && server.feed(wire::headers(id(sent), wire::get({{"te", "x"}})))) ++sent;
  EXPECT_LE(sent, 51);
  EXPECT_EQ(server.goaway(), kCalm);
  EXPECT_EQ(server.around.count("outbound_control_flood"), 1U);
}

TEST(H2Floods, AnswersDoNotPileUpForAPeerThatDoesNotRead) {
  Options options;
  options.max_outbound_frames = 100;
  Server server(options);
  int sent = 0;
  while (sent < 1000 && server.feed(wire::headers(id(sent), wire::get()))) ++sent;
  EXPECT_LT(sent, 60);
  EXPECT_EQ(server.around.count("outbound_flood"), 1U);
}

TEST(H2Floods, SettingsOfManyEntries) {
  Server server;
  std::string payload;
  for (int i = 0; i < 33; ++i) payload += wire::number(0x4242, 2) + wire::number(1, 4);
  EXPECT_FALSE(server.feed(wire::frame(wire::kSettings, 0, 0, payload)));
  EXPECT_EQ(server.goaway(), kCalm);
  EXPECT_EQ(server.around.count("inbound_settings_flood"), 1U);
}

TEST(H2Floods, PriorityFrames) {
  const std::string frame = wire::frame(wire::kPriority, 0, 3, wire::number(0, 4) + "\x10");
  Server server;
  EXPECT_EQ(feed_until_failure(server, 1000, [&frame](int) { return frame; }), 100);
  EXPECT_EQ(server.goaway(), kCalm);
  EXPECT_EQ(server.around.count("inbound_priority_frames_flood"), 1U);
  Server other;
  const std::string update = wire::frame(16, 0, 0, wire::number(1, 4) + "u=1");
  EXPECT_EQ(feed_until_failure(other, 1000, [&update](int) { return update; }), 100);
}

TEST(H2Floods, WindowUpdates) {
  Server server;
  EXPECT_EQ(feed_until_failure(server, 1000, [](int) { return wire::window_update(0, 1); }), 100);
  EXPECT_EQ(server.goaway(), kCalm);
  EXPECT_EQ(server.around.count("inbound_window_update_frames_flood"), 1U);
  // Data that was sent explains them.
  Server other;
  EXPECT_EQ(feed_until_failure(other, 1000,
                               [](int i) {
                                 return wire::headers(id(i), wire::get()) +
                                        wire::window_update(0, 1) + wire::window_update(0, 1);
                               }),
            1000);
}

TEST(H2Floods, EmptyFrames) {
  const std::string empty[] = {wire::data(1, ""),
                               wire::data(1, std::string(1, '\x05') + "12345", wire::kPadded)};
  for (const std::string& frame : empty) {
    Server server;
    EXPECT_TRUE(server.feed(wire::headers(1, wire::get(), 0)));
    EXPECT_EQ(feed_until_failure(server, 100, [&frame](int) { return frame; }), 1);
    EXPECT_EQ(server.goaway(), kCalm);
    EXPECT_EQ(server.around.count("inbound_empty_frames_flood"), 1U);
  }
  // One between others, and one that ends a stream, is nothing unusual.
  Server server;
  EXPECT_TRUE(server.feed(wire::headers(1, wire::get(), 0)));
  for (int i = 0; i < 100; ++i)
    EXPECT_TRUE(server.feed(wire::data(1, "") + wire::data(1, "x") +
                            wire::data(1, std::string(1, '\x01') + "xp", wire::kPadded)));
  EXPECT_TRUE(server.feed(wire::data(1, "", wire::kEndStream)));
  EXPECT_EQ(server.last().body.size(), 200U);
}

TEST(H2Floods, WindowOverflows) {
  Server server;
  EXPECT_FALSE(server.feed(wire::window_update(0, 0x7fffffff)));
  EXPECT_EQ(server.goaway(), kFlowControl);
  EXPECT_EQ(server.around.count("flow_control_errors"), 1U);

  Server stream;
  stream.answers = false;
  EXPECT_TRUE(stream.feed(wire::headers(1, wire::get()) + wire::window_update(1, 0x7fffffff)));
  EXPECT_EQ(stream.reset(), kFlowControl);
  EXPECT_TRUE(stream.last().done);
  EXPECT_EQ(stream.around.count("flow_control_errors"), 1U);

  // By a change of the initial window with a stream that has been given one.
  Server initial;
  initial.answers = false;
  EXPECT_TRUE(initial.feed(wire::headers(1, wire::get()) + wire::window_update(1, 0x7fff0000)));
  const bool alive = initial.feed(wire::settings({{4, 0x7fffffff}}));
  EXPECT_TRUE(!alive || initial.reset() == kFlowControl);
  Server huge;
  EXPECT_FALSE(huge.feed(wire::settings({{4, 0x80000000}})));
  EXPECT_EQ(huge.goaway(), kFlowControl);
}

TEST(H2Floods, ClientThatOverrunsItsWindow) {
  Options options;
  options.initial_stream_window_size = 65535;
  Server server(options);
  server.on_head = [](Server::Exchange& exchange) { exchange.writer->hold_request(); };
  server.feed(wire::headers(1, wire::get(), 0));
  bool alive = true;
  for (int i = 0; i < 10 && alive; ++i) alive = server.feed(wire::data(1, std::string(16384, 'x')));
  EXPECT_TRUE(!alive || server.reset() == kFlowControl);
  EXPECT_LE(server.last().body.size(), 65535U + 16384U);
}

/// A field of 3.8 kB is put into the table once and then referred to with one byte each.
std::string bomb(std::string_view name, size_t size, size_t references) {
  std::string block = wire::block(wire::get());
  std::string entry = wire::field(name, std::string(size, 'x'));
  entry[0] = 0x40;  // with incremental indexing
  return block + entry + std::string(references, static_cast<char>(0x80 | 62));
}

TEST(H2Floods, HpackBombsAreNotStored) {
  for (const char* name : {"a", "cookie"}) {
    Server server;
    EXPECT_TRUE(server.feed(wire::frame(wire::kHeaders, 5, 1, bomb(name, 3800, 100))));
    ASSERT_EQ(server.exchanges.size(), 1U);
    EXPECT_EQ(server.last().refused, "head too large");
    EXPECT_EQ(server.last().heads, 0);
    EXPECT_LE(server.last().head.headers.arena_bytes(), 80U * 1024);
    EXPECT_EQ(server.around.count("header_overflow"), 1U);
    // One that is far over the limits ends the connection while it is decoded.
    Server other;
    EXPECT_FALSE(other.feed(wire::frame(wire::kHeaders, 5, 1, bomb(name, 3800, 12000))));
    EXPECT_EQ(other.goaway(), kCalm);
    EXPECT_TRUE(other.exchanges.empty());
  }
}

TEST(H2Floods, ManyTinyFieldsAreNotStored) {
  for (const char* name : {"a", "cookie"}) {
    for (const char* value : {"", "b"}) {
      Server server;
      wire::Fields fields = wire::get();
      for (int i = 0; i < 101; ++i) fields.emplace_back(name, value);
      EXPECT_TRUE(server.feed(wire::headers(1, fields)));
      ASSERT_EQ(server.exchanges.size(), 1U);
      EXPECT_EQ(server.last().refused, "too many header fields");
      const auto frames = server.frames();
      EXPECT_TRUE(std::any_of(frames.begin(), frames.end(), [](const wire::Frame& frame) {
        return frame.type == wire::kHeaders && frame.stream == 1 &&
               frame.payload.find("431") != std::string::npos;
      })) << "a bare 431, not Huffman coded";
      EXPECT_TRUE(server.last().done);
      // Ninety-nine and the next request are served.
      fields = wire::get();
      for (int i = 0; i < 100; ++i) fields.emplace_back(name, "b");
      EXPECT_TRUE(server.feed(wire::headers(3, fields)));
      EXPECT_EQ(server.last().heads, 1);
    }
  }
}

TEST(H2Floods, CompressionErrors) {
  const std::string bad[] = {
      std::string("\x80", 1),                       // index 0
      std::string("\xff\xff\xff\x7f", 4),           // an index that does not exist
      std::string("\x3f\xe1\xff\x03", 4),           // a table larger than allowed
      std::string("\x00\x81\x00\x81\x00", 5) + "",  // bad padding of a Huffman code
  };
  for (const std::string& block : bad) {
    Server server;
    EXPECT_FALSE(server.feed(wire::frame(wire::kHeaders, 5, 1, block)));
    EXPECT_EQ(server.goaway(), kCompression);
    EXPECT_EQ(server.around.count("protocol_errors"), 1U);
    EXPECT_TRUE(server.exchanges.empty());
  }
}

TEST(H2Floods, AfterAGoawayNothingIsRead) {
  Server server;
  EXPECT_FALSE(server.feed(wire::frame(wire::kData, 0, 0, "x")));
  EXPECT_EQ(server.goaway(), kProtocolError);
  const size_t sent = server.sent.size();
  for (int i = 0; i < 1000; ++i) {
    server.in.append(wire::headers(id(i), wire::get()) + std::string(100, '\xff'));
    EXPECT_TRUE(server.decode());
    EXPECT_TRUE(server.in.empty());
  }
  server.frames();
  EXPECT_EQ(server.sent.size(), sent);
  EXPECT_TRUE(server.exchanges.empty());
}

TEST(H2Floods, FramesThatAreTooLarge) {
  Server server;
  EXPECT_FALSE(server.feed(wire::frame(wire::kHeaders, 5, 1, std::string(16385, '\0'))));
  EXPECT_EQ(server.goaway(), kFrameSize);
}

TEST(H2Floods, GarbageInsteadOfThePreface) {
  for (const std::string_view bytes : {"GET / HTTP/1.1\r\nhost: h\r\n\r\n", "PRI * HTTP/1.0\r\n"}) {
    Server server;
    server.greeted = true;
    EXPECT_FALSE(server.feed(bytes));
    EXPECT_TRUE(server.codec->must_close());
    EXPECT_TRUE(server.exchanges.empty());
  }
}

}  // namespace
}  // namespace weir::http::h2::testing
