// What may be smuggled through a downgrade: malformed messages are reset and never begin, wrong ones are answered.
#include "test_peers.h"

namespace weir::http::h2::testing {
namespace {

constexpr int kProtocolError = 1, kStreamClosed = 5;

wire::Fields with(std::string_view name, std::string_view value) {
  wire::Fields fields = wire::get();
  for (auto& [n, v] : fields) {
    if (n == name) {
      v = value;
      return fields;
    }
  }
  fields.emplace_back(name, value);
  return fields;
}

wire::Fields without(std::string_view name) {
  wire::Fields fields = wire::get();
  std::erase_if(fields, [name](const auto& field) { return field.first == name; });
  return fields;
}

void expect_reset(const wire::Fields& fields, uint8_t flags = wire::kEndStream) {
  Server server;
  EXPECT_TRUE(server.feed(wire::headers(1, fields, flags)));
  EXPECT_EQ(server.reset(), kProtocolError) << wire::block(fields);
  EXPECT_TRUE(server.exchanges.empty()) << wire::block(fields);
  EXPECT_EQ(server.around.count("rx_messaging_error"), 1U);
  // The connection goes on.
  EXPECT_TRUE(server.feed(wire::headers(3, wire::get())));
  EXPECT_EQ(server.exchanges.size(), 1U);
}

void expect_refused(const wire::Fields& fields, std::string_view why,
                    const CodecOptions& options = {}) {
  Server server({}, options);
  EXPECT_TRUE(server.feed(wire::headers(1, fields)));
  ASSERT_EQ(server.exchanges.size(), 1U) << why;
  EXPECT_EQ(server.last().refused, why);
  EXPECT_EQ(server.last().heads, 0);
  EXPECT_TRUE(server.last().done);
  EXPECT_EQ(server.reset(), -1);
}

TEST(H2Messages, ControlCharactersAnywhere) {
  for (const char bad : {'\r', '\n', '\0', '\x01', '\x7f'}) {
    const std::string text = std::string("a") + bad + "b";
    expect_reset(with("x", text));
    expect_reset(with(text, "x"));
    for (const char* name : {":method", ":path", ":authority", ":scheme"})
      expect_reset(with(name, (std::string_view(name) == ":path" ? "/" : "") + text));
    expect_reset(with("cookie", text));
    expect_reset(with("host", text));
  }
}

TEST(H2Messages, NamesThatAreNoNames) {
  for (const char* name : {"", " x", "x ", "x y", "x:", "X", "Content-Length", "tr\xc3\xa4", "(x)"})
    expect_reset(with(name, "1"));
}

TEST(H2Messages, ConnectionSpecificFields) {
  for (const char* name :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"})
    expect_reset(with(name, "chunked"));
  expect_reset(with("te", "gzip"));
  expect_reset(with("te", "trailers, gzip"));
  Server server;
  EXPECT_TRUE(server.feed(wire::headers(1, with("te", "trailers"))));
  EXPECT_EQ(server.last().text(), "GET / @h http {te=trailers;} [].");
}

TEST(H2Messages, Targets) {
  for (const char* path : {"", "x", "//\x20", "/a b", "http://h/", "/a#b", "*", "/\xc3\xa4"})
    expect_reset(with(":path", path));
  for (const char* method : {"", "G ET", "G\tET", "GET ", "G(T"})
    expect_reset(with(":method", method));
  for (const char* name : {":method", ":path", ":scheme"}) expect_reset(without(name));
  wire::Fields fields = wire::get();
  fields.emplace_back(":path", "/b");
  expect_reset(fields);
  expect_reset(wire::get({{"x", "y"}, {":authority", "h"}}));
  expect_reset(with(":status", "200"));
  expect_reset(with(":unknown", "1"));
  expect_reset(with(":protocol", "websocket"));  // not announced
  expect_refused(with(":method", "TRACE"), "TRACE is not served");
}

TEST(H2Messages, Schemes) {
  Server server;
  EXPECT_TRUE(server.feed(wire::headers(1, with(":scheme", "HTTPS"))));
  EXPECT_EQ(server.last().head.scheme(), "https");
  expect_refused(with(":scheme", "javascript"), "unknown scheme in the request target");
}

TEST(H2Messages, Authorities) {
  Server server;
  EXPECT_TRUE(server.feed(wire::headers(1, with("host", "H"))));
  EXPECT_EQ(server.last().text(), "GET / @h http {} [].");
  wire::Fields fields = without(":authority");
  fields.emplace_back("host", "other");
  EXPECT_TRUE(server.feed(wire::headers(3, fields)));
  EXPECT_EQ(server.last().text(), "GET / @other http {} [].");
  expect_refused(with("host", "other"), "host that is not :authority");
  expect_refused(with(":authority", "a@h"), "invalid host");
  expect_reset(wire::get({{"host", "h"}, {"host", "h"}}));
  expect_reset(without(":authority"));
}

TEST(H2Messages, LengthsThatAreNotThoseOfTheData) {
  for (const char* length : {"+3", "-3", "3, 3", "0x3", "", "3 3", "99999999999999999999"})
    expect_reset(with("content-length", length), 0);
  expect_reset(wire::get({{"content-length", "3"}, {"content-length", "3"}}), 0);
  expect_reset(with("content-length", "3"));  // with the end of the stream
  for (const char* body : {"ab", "abcd"}) {
    Server server;
    EXPECT_TRUE(server.feed(wire::headers(1, with("content-length", "3"), 0) +
                            wire::data(1, body, wire::kEndStream)));
    EXPECT_EQ(server.reset(), kProtocolError);
    EXPECT_FALSE(server.last().ended);
    EXPECT_EQ(server.last().aborted, "malformed request");
    EXPECT_TRUE(server.last().done);
    EXPECT_LE(server.last().body.size(), 3U);
  }
}

TEST(H2Messages, Trailers) {
  for (const auto& [name, value] : wire::Fields{{"content-length", "1"},
                                                {"transfer-encoding", "chunked"},
                                                {"host", "h"},
                                                {":path", "/"},
                                                {"X", "y"},
                                                {"x", "a\nb"},
                                                {"connection", "close"}}) {
    Server server;
    EXPECT_TRUE(server.feed(wire::headers(1, wire::get(), 0) + wire::data(1, "b") +
                            wire::headers(1, {{name, value}})));
    EXPECT_EQ(server.reset(), kProtocolError) << name;
    EXPECT_FALSE(server.last().ended);
    EXPECT_TRUE(server.last().done);
  }
  Server endless;  // trailers without END_STREAM
  EXPECT_TRUE(endless.feed(wire::headers(1, wire::get(), 0) + wire::headers(1, {{"x", "y"}}, 0)));
  EXPECT_EQ(endless.reset(), kProtocolError);
  Server many;
  wire::Fields fields;
  for (int i = 0; i < 101; ++i) fields.emplace_back("t", "v");
  EXPECT_TRUE(many.feed(wire::headers(1, wire::get(), 0) + wire::headers(1, fields)));
  EXPECT_EQ(many.reset(), 11);
  EXPECT_EQ(many.around.count("header_overflow"), 1U);
  EXPECT_TRUE(many.last().done);
}

TEST(H2Messages, CookiesAreJoined) {
  Server server;
  EXPECT_TRUE(server.feed(wire::headers(
      1, wire::get({{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}, {"cookie", "c"}}))));
  EXPECT_EQ(server.last().text(), "GET / @h http {x=y;cookie=a=1; b=2; c;} [].");
  EXPECT_TRUE(server.feed(wire::headers(
      3, wire::get({{"cookie", ""}, {"cookie", "a=1"}, {"cookie", ""}, {"cookie", "b=2"}}))));
  EXPECT_EQ(server.last().text(), "GET / @h http {cookie=a=1; b=2;} [].");
  EXPECT_TRUE(server.feed(wire::headers(5, wire::get({{"cookie", ""}, {"cookie", ""}}))));
  EXPECT_EQ(server.last().text(), "GET / @h http {cookie=;} [].");
}

TEST(H2Messages, Underscores) {
  CodecOptions options;
  options.underscores = UnderscoreAction::kRejectRequest;
  expect_refused(with("x_y", "1"), "underscore in a field name", options);
  options.underscores = UnderscoreAction::kDropHeader;
  Server server({}, options);
  EXPECT_TRUE(server.feed(wire::headers(1, wire::get({{"x_y", "1"}, {"x-y", "2"}}))));
  EXPECT_EQ(server.last().text(), "GET / @h http {x-y=2;} [].");
  EXPECT_EQ(server.around.count("dropped_headers_with_underscores"), 1U);
}

TEST(H2Messages, ExpectContinue) {
  Server server;
  server.answers = false;
  EXPECT_TRUE(server.feed(wire::headers(1, with("expect", "100-continue"), 0)));
  const auto frames = server.frames();
  EXPECT_EQ(frames.back().type, wire::kHeaders);
  EXPECT_EQ(frames.back().flags, wire::kEndHeaders);
  EXPECT_EQ(server.last().text(), "GET / @h http {} []");
  server.on_head = [](Server::Exchange& exchange) { exchange.answer(413, ""); };
  EXPECT_TRUE(server.feed(wire::headers(3, with("expect", "100-continue"), 0)));
  EXPECT_EQ(server.frames().size(), frames.size() + 2);  // the answer and its reset, no 100
  EXPECT_EQ(server.reset(3), 0);
  expect_refused(with("expect", "miracles"), "unknown expectation");
  CodecOptions options;
  options.answer_continue = false;
  Server other({}, options);
  EXPECT_TRUE(other.feed(wire::headers(1, with("expect", "100-continue"), 0)));
  EXPECT_EQ(other.last().text(), "GET / @h http {expect=100-continue;} []");
}

TEST(H2Messages, HeadsThatAreTooLarge) {
  expect_refused(with("x", std::string(14000, 'x')), "head too large", [] {
    CodecOptions options;
    options.max_header_bytes = 10000;
    return options;
  }());
}

TEST(H2Messages, AMalformedMessageEndsTheConnectionIfAsked) {
  Options options;
  options.override_stream_error_on_invalid_http_message = false;
  for (const wire::Fields& fields :
       {with("connection", "x"), with(":path", "x y"), with("X", "y")}) {
    Server server(options);
    EXPECT_FALSE(server.feed(wire::headers(1, fields)));
    EXPECT_EQ(server.goaway(), kProtocolError);
    EXPECT_TRUE(server.exchanges.empty());
  }
}

TEST(H2Messages, FramesOnStreamsThatAreOver) {
  const std::string get = wire::headers(1, wire::get());
  const std::string post = wire::headers(1, wire::get(), 0);
  const struct {
    std::string bytes;
    int error;
  } rows[] = {
      {post + wire::rst(1, 8) + wire::data(1, "x"), kStreamClosed},
      {post + wire::rst(1, 8) + get, kStreamClosed},
      {get + wire::data(1, "x"), kStreamClosed},
      {get + get, kStreamClosed},
      {wire::headers(5, wire::get()) + wire::headers(3, wire::get()), kProtocolError},
      {wire::headers(5, wire::get()) + wire::data(3, "x"), kStreamClosed},
      {wire::headers(2, wire::get()), kProtocolError},
      {wire::data(1, "x"), kProtocolError},
      {wire::rst(1, 8), kProtocolError},
      {wire::window_update(1, 1), kProtocolError},
  };
  for (const auto& row : rows) {
    for (const size_t piece : {SIZE_MAX, size_t{1}}) {
      Server server;
      bool alive = server.feed("");
      for (size_t at = 0; at < row.bytes.size() && alive; at += std::min(piece, row.bytes.size()))
        alive = server.feed(row.bytes.substr(at, piece));
      EXPECT_FALSE(alive);
      EXPECT_EQ(server.goaway(), row.error);
    }
  }
}

TEST(H2Messages, FramesOnTheirWayToAStreamThatWasResetHereAreForgiven) {
  Server server;
  server.on_head = [](Server::Exchange& exchange) { exchange.writer->abort(); };
  EXPECT_TRUE(server.feed(wire::headers(1, wire::get(), 0)));
  EXPECT_EQ(server.reset(), 2);
  EXPECT_TRUE(server.feed(wire::data(1, "x") + wire::headers(1, {{"t", "1"}}) + wire::rst(1, 8) +
                          wire::window_update(1, 10)));
  server.on_head = nullptr;
  EXPECT_TRUE(server.feed(wire::headers(3, wire::get())));
  EXPECT_EQ(server.last().heads, 1);
}

TEST(H2Messages, StreamsOlderThanWhatIsRemembered) {
  Options options;
  options.max_concurrent_streams = 5000;
  Server server(options);
  server.answers = false;
  EXPECT_TRUE(server.feed(wire::headers(1, wire::get(), 0)));
  server.answers = true;
  for (uint32_t id = 3; id < 6001; id += 2) {
    ASSERT_TRUE(server.feed(wire::headers(id, wire::get()))) << server.error;
    server.out.clear();
  }
  EXPECT_TRUE(server.feed(wire::data(1, "x") + wire::headers(1, {{"t", "1"}})));
  EXPECT_EQ(server.exchanges.front()->text(), "GET / @h http {} [x] {t=1;}.");
  EXPECT_FALSE(server.feed(wire::headers(3, wire::get())));
  EXPECT_EQ(server.goaway(), kProtocolError);
}

}  // namespace
}  // namespace weir::http::h2::testing
