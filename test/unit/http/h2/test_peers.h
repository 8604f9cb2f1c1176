// Both roles of the codec in tests: a session and a pool's connection that write down what they are told, and the two
// joined.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "http/h2/h2.h"
#include "stats/store.h"
#include "support/h2_frames.h"

namespace weir::http::h2::testing {

namespace wire = weir::testing::h2;

inline std::string fields_text(const HeaderMap& headers) {
  std::string text;
  for (const HeaderMap::Entry& entry : headers)
    text.append(entry.name).append("=").append(entry.value).append(";");
  return text;
}

/// Stats that can be asked by name, and a clock that is moved by hand.
struct Surroundings {
  explicit Surroundings(Output output = Output::kAtOnce) : scope(store.scope("s")), stats(*scope) {
    environment.output = output;
    environment.now = &now;
    environment.stats = &stats;
  }
  uint64_t count(std::string_view name) const {
    return store.counter_value("s.http2." + std::string(name));
  }
  int64_t gauge(std::string_view name) const {
    return store.gauge_value("s.http2." + std::string(name));
  }
  stats::Store store{1};
  std::unique_ptr<StatsScope> scope;
  Stats stats;
  MonotonicTime now{std::chrono::seconds(1000)};
  Environment environment;
};

/// A session that records requests and, unless told otherwise, answers each when it is complete.
class Server : public ServerConnectionSink {
 public:
  struct Exchange : RequestReceiver {
    Exchange(Server& server, ResponseWriter& writer) : server(server), writer(&writer) {}
    RequestHead& request_head() noexcept override { return head; }
    HeaderMap& request_trailers() noexcept override { return trailers; }
    void on_request_head(Protocol protocol, size_t, EndStream end) override {
      EXPECT_EQ(protocol, Protocol::kHttp2);
      EXPECT_EQ(heads++, 0);
      ended = end == EndStream::kYes;
      if (server.on_head) server.on_head(*this);
      maybe_answer();
    }
    void on_request_body(Buffer& data, EndStream end) override {
      EXPECT_TRUE(heads == 1 && !ended && !done);
      ++bodies;
      body += data.to_string();
      ended = end == EndStream::kYes;
      if (server.on_body) server.on_body(*this);
      maybe_answer();
    }
    void on_request_trailers() override {
      EXPECT_TRUE(heads == 1 && !ended && !done);
      saw_trailers = ended = true;
      maybe_answer();
    }
    void on_request_aborted(const Error& error) override {
      EXPECT_FALSE(done);
      aborted = error.detail;
      if (server.on_aborted) server.on_aborted(*this);
    }
    void on_request_refused(const Error& error) override {
      refused = error.detail;
      if (server.on_refused) server.on_refused(*this);
    }
    void on_response_blocked() override {
      EXPECT_FALSE(blocked);
      blocked = true;
    }
    void on_response_resumed() override {
      EXPECT_TRUE(blocked);
      blocked = false;
      if (server.on_resumed) server.on_resumed(*this);
    }
    void on_response_progress() override { ++progress; }
    void maybe_answer() {
      if (server.answers && ended && !done) answer();
    }
    void answer(int status = 200, std::string_view text = "ok") {
      ResponseHead response;
      response.status = status;
      response.headers.add("content-type", "text/plain");
      writer->send_head(response, text.empty() ? EndStream::kYes : EndStream::kNo);
      if (text.empty()) return;
      Buffer data(text);
      writer->send_body(data, EndStream::kYes);
    }
    std::string text() const {
      std::string out(head.method());
      out.append(" ").append(head.path()).append(" @").append(head.authority());
      out.append(" ").append(head.scheme()).append(" {").append(fields_text(head.headers));
      out.append("} [").append(body).append("]");
      if (saw_trailers) out.append(" {").append(fields_text(trailers)).append("}");
      return out.append(ended ? "." : "");
    }

    Server& server;
    ResponseWriter* writer;
    RequestHead head;
    HeaderMap trailers;
    std::string body;
    std::string aborted;
    std::string refused;
    int heads = 0;
    int bodies = 0;
    bool ended = false;
    bool saw_trailers = false;
    int progress = 0;
    bool blocked = false;
    bool done = false;
  };

  explicit Server(Options options = {}, CodecOptions codec_options = {},
                  Output output = Output::kAtOnce)
      : around(output),
        codec(make_server_connection(codec_options, options, around.environment, *this, out)) {}

  RequestReceiver& on_new_request(ResponseWriter& writer) override {
    exchanges.push_back(std::make_unique<Exchange>(*this, writer));
    return *exchanges.back();
  }
  void on_exchange_done(RequestReceiver& receiver) override {
    auto& exchange = static_cast<Exchange&>(receiver);
    EXPECT_FALSE(exchange.done);
    exchange.done = true;
    ++done;
  }
  void on_hold_reading() override { ADD_FAILURE() << "an HTTP/2 connection is always read"; }
  void on_release_reading() override {}

  /// Bytes of a client that is written by hand; the preface and empty SETTINGS go first.
  bool feed(std::string_view bytes) {
    if (!std::exchange(greeted, true)) in.append(std::string(wire::kPreface) + wire::settings());
    in.append(bytes);
    return decode();
  }
  bool decode() {
    auto result = codec->decode(in);
    if (!result) error = result.error().detail;
    return result.has_value();
  }
  std::vector<wire::Frame> frames() {
    sent += out.to_string();
    out.clear();
    return wire::parse(sent);
  }
  /// The code of the GOAWAY that was sent, -1 without one.
  int goaway() {
    for (const wire::Frame& frame : frames())
      if (frame.type == wire::kGoaway) return static_cast<int>(frame.code());
    return -1;
  }
  /// The code of the RST_STREAM of a stream, -1 without one.
  int reset(uint32_t stream = 1) {
    for (const wire::Frame& frame : frames())
      if (frame.type == wire::kRstStream && frame.stream == stream)
        return static_cast<int>(frame.code());
    return -1;
  }
  Exchange& last() { return *exchanges.back(); }

  Surroundings around;
  Buffer in;
  Buffer out;
  std::string sent;
  std::string error;
  std::deque<std::unique_ptr<Exchange>> exchanges;
  std::function<void(Exchange&)> on_head, on_body, on_aborted, on_refused, on_resumed;
  bool answers = true;
  bool greeted = false;
  int done = 0;
  std::unique_ptr<ServerConnection> codec;
};

/// One response and who waits for it.
struct Call : ResponseReceiver {
  ResponseHead& response_head() noexcept override { return head; }
  HeaderMap& response_trailers() noexcept override { return trailers; }
  void on_informational() override {
    events += std::to_string(head.status) + "{" + fields_text(head.headers) + "} ";
  }
  void on_response_head(size_t, EndStream end) override {
    EXPECT_EQ(heads++, 0);
    ended = end == EndStream::kYes;
    if (on_head) on_head(*this);
  }
  void on_response_body(Buffer& data, EndStream end) override {
    EXPECT_TRUE(heads == 1 && !ended && !reset);
    body += data.to_string();
    ended = end == EndStream::kYes;
    if (ended && on_end) on_end(*this);
  }
  void on_response_trailers() override {
    EXPECT_TRUE(heads == 1 && !ended && !reset);
    saw_trailers = ended = true;
  }
  void on_exchange_reset(const Error& e, bool not_seen) override {
    EXPECT_FALSE(ended || reset);
    reset = true;
    unseen = not_seen;
    error = e;
  }
  void on_request_blocked() override {
    EXPECT_FALSE(blocked);
    blocked = true;
  }
  void on_request_resumed() override {
    EXPECT_TRUE(blocked);
    blocked = false;
  }
  std::string text() const {
    std::string out = events + std::to_string(head.status) + " {" + fields_text(head.headers) +
                      "} [" + body + "]";
    if (saw_trailers) out += " {" + fields_text(trailers) + "}";
    return out + (ended ? "." : "");
  }

  RequestWriter* writer = nullptr;
  ResponseHead head;
  HeaderMap trailers;
  std::string body;
  std::string events;
  Error error;
  std::function<void(Call&)> on_head, on_end;
  int heads = 0;
  bool ended = false;
  bool saw_trailers = false;
  bool reset = false;
  bool unseen = false;
  bool blocked = false;
};

inline RequestHead request(std::string_view method = "GET", std::string_view path = "/",
                           const wire::Fields& fields = {}) {
  RequestHead head;
  head.set_method(method);
  head.set_path(path);
  head.set_authority("h");
  head.set_scheme("http");
  for (const auto& [name, value] : fields) head.headers.add(name, value);
  return head;
}

class Client {
 public:
  explicit Client(Options options = {}, CodecOptions codec_options = {},
                  Output output = Output::kAtOnce)
      : around(output),
        codec(make_client_connection(codec_options, options, around.environment, out)) {}

  Call& call(const RequestHead& head = request(), EndStream end = EndStream::kYes) {
    calls.push_back(std::make_unique<Call>());
    Call& call = *calls.back();
    call.writer = &codec->start(call);
    call.writer->send_head(head, end);
    return call;
  }
  bool feed(std::string_view bytes) {
    in.append(bytes);
    auto result = codec->decode(in);
    if (!result) error = result.error().detail;
    return result.has_value();
  }
  std::vector<wire::Frame> frames() {
    sent += out.to_string();
    out.clear();
    return wire::parse(sent);
  }
  int reset(uint32_t stream = 1) {
    for (const wire::Frame& frame : frames())
      if (frame.type == wire::kRstStream && frame.stream == stream)
        return static_cast<int>(frame.code());
    return -1;
  }

  Surroundings around;
  Buffer in;
  Buffer out;
  std::string sent;
  std::string error;
  std::deque<std::unique_ptr<Call>> calls;
  std::unique_ptr<ClientConnection> codec;
};

inline void send(RequestWriter& writer, std::string_view text, EndStream end) {
  Buffer data(text);
  writer.send_body(data, end);
}
inline void send(ResponseWriter& writer, std::string_view text, EndStream end) {
  Buffer data(text);
  writer.send_body(data, end);
}

/// A client and a server that read what the other writes.
struct Pair {
  explicit Pair(Options server_options = {}, Options client_options = {}, CodecOptions codec = {})
      : server(server_options, codec), client(client_options, codec) {}
  /// Carries bytes to and fro until both are silent; `piece` is how many at a time.
  void run(size_t piece = SIZE_MAX) {
    while (!client.out.empty() || !server.out.empty()) {
      client.out.move_to(server.in, std::min(piece, client.out.size()));
      if (!server.in.empty()) {
        ASSERT_TRUE(server.decode()) << server.error;
      }
      server.out.move_to(client.in, std::min(piece, server.out.size()));
      if (client.in.empty()) continue;
      auto result = client.codec->decode(client.in);
      ASSERT_TRUE(result) << result.error().detail;
    }
  }
  Server server;
  Client client;
};

}  // namespace weir::http::h2::testing
