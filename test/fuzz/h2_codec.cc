// Fuzzes both roles of the HTTP/2 codec. Byte 0 chooses role and options, byte 1 the sizes of the reads; the rest are frames, of which
// the first bytes say how they come about: raw bytes, or a type with its payload.
//
// Properties: no crash; all input is taken; callbacks keep their order, and nothing comes after an exchange is over; an accepted
// request that is forwarded over HTTP/1 is read there as one and the same request.
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "fuzz/require.h"
#include "http/h1/h1.h"
#include "http/h2/h2.h"
#include "http/rules.h"
#include "support/h2_frames.h"

namespace {

using namespace weir;
using namespace weir::http;
using weir::fuzz::require;
namespace wire = weir::testing::h2;

std::string fields_text(const HeaderMap& headers) {
  std::string text;
  for (const HeaderMap::Entry& entry : headers) {
    require(valid_header_name(entry.name) && valid_header_value(entry.value), "field characters");
    if (entry.id == HeaderId::kContentLength) continue;  // may be added on the way
    text.append(entry.name).append(1, '\0').append(entry.value).append(1, '\0');
  }
  return text;
}

/// What a receiver does beside listening.
enum class Mood : uint8_t { kAnswer, kAbort, kHold, kSilent };

class Session;
class Request : public RequestReceiver {
 public:
  Request(Session& session, ResponseWriter& writer) : session(session), writer(&writer) {}
  RequestHead& request_head() noexcept override { return head; }
  HeaderMap& request_trailers() noexcept override { return trailers; }
  void on_request_head(Protocol, size_t, EndStream end) override;
  void on_request_body(Buffer& data, EndStream end) override;
  void on_request_trailers() override;
  void on_request_refused(const Error&) override {
    require(!seen && !over, "refused instead of begun");
    refused = true;
  }
  void on_request_aborted(const Error&) override {
    require(!over, "aborted once");
    over = true;
  }
  void answer() {
    ResponseHead response;
    response.status = 200;
    writer->send_head(response, EndStream::kNo);
    Buffer body(std::string_view("answer"));
    if (writer != nullptr) writer->send_body(body, EndStream::kYes);
  }
  std::string text() const {
    std::string out;
    for (const std::string_view part : {head.method(), head.path(), head.authority()})
      out.append(part).append(1, ' ');
    return out.append(fields_text(head.headers))
        .append(body)
        .append(1, '|')
        .append(fields_text(trailers));
  }

  Session& session;
  ResponseWriter* writer;
  RequestHead head;
  HeaderMap trailers;
  std::string body;
  bool seen = false;
  bool refused = false;
  bool ended = false;
  bool over = false;
};

class Session : public ServerConnectionSink {
 public:
  Session(const CodecOptions& codec_options, const h2::Options& options, Mood mood,
          h2::Output output)
      : mood(mood),
        output(output),
        codec(h2::make_server_connection(codec_options, options, environment(), *this, out)) {}
  h2::Environment environment() {
    h2::Environment made;
    made.now = &now;
    made.output = output;
    return made;
  }
  RequestReceiver& on_new_request(ResponseWriter& writer) override {
    requests.push_back(std::make_unique<Request>(*this, writer));
    return *requests.back();
  }
  void on_exchange_done(RequestReceiver& receiver) override {
    auto& request = static_cast<Request&>(receiver);
    require(request.writer != nullptr, "done once");
    request.writer = nullptr;
  }
  void on_hold_reading() override { require(false, "never held"); }
  void on_release_reading() override {}
  bool feed(std::string_view bytes) {
    in.append(bytes);
    const bool good = codec->decode(in).has_value();
    require(in.empty(), "decode takes everything");
    require(good || codec->must_close(), "an error closes");
    codec->flush();
    out.clear();
    return good;
  }

  Mood mood;
  h2::Output output;
  MonotonicTime now{std::chrono::seconds(1)};
  Buffer in;
  Buffer out;
  std::deque<std::unique_ptr<Request>> requests;
  std::unique_ptr<ServerConnection> codec;
};

void Request::on_request_head(Protocol, size_t, EndStream end) {
  require(!seen && !refused && !over, "one head");
  seen = true;
  ended = end == EndStream::kYes;
  if (session.mood == Mood::kHold) writer->hold_request();
  if (session.mood == Mood::kAbort) return writer->abort();
  if (ended && session.mood == Mood::kAnswer) answer();
}

void Request::on_request_body(Buffer& data, EndStream end) {
  require(seen && !ended && !over && writer != nullptr, "body after head and before end");
  body += data.to_string();
  ended = end == EndStream::kYes;
  if (ended && session.mood == Mood::kAnswer) answer();
}

void Request::on_request_trailers() {
  require(seen && !ended && !over && writer != nullptr, "trailers before end");
  ended = true;
  if (session.mood == Mood::kAnswer) answer();
}

class Response : public ResponseReceiver {
 public:
  ResponseHead& response_head() noexcept override { return head; }
  HeaderMap& response_trailers() noexcept override { return trailers; }
  void on_informational() override { require(!seen && !over, "informational before the head"); }
  void on_response_head(size_t, EndStream end) override {
    require(!seen && !over && (head.status == 101 || head.status >= 200) && head.status <= 599,
            "one final head");
    seen = true;
    ended = end == EndStream::kYes;
  }
  void on_response_body(Buffer& data, EndStream end) override {
    require(seen && !ended && !over, "body after head and before end");
    body += data.to_string();
    ended = end == EndStream::kYes;
  }
  void on_response_trailers() override {
    require(seen && !ended && !over, "trailers before end");
    ended = true;
  }
  void on_exchange_reset(const Error&, bool unseen) override {
    require(!ended && !over && !(unseen && seen), "reset once");
    over = true;
  }
  std::string text() const {
    return std::to_string(head.status) + fields_text(head.headers) + body + "|" +
           fields_text(trailers) +
           (ended  ? "."
            : over ? "!"
                   : "");
  }

  ResponseHead head;
  HeaderMap trailers;
  std::string body;
  bool seen = false;
  bool ended = false;
  bool over = false;
};

/// A request that was accepted is read by an HTTP/1 server as one and the same request.
void check_downgrade(Request& request, CodecOptions options) {
  if (!strip_hop_by_hop(request.head.headers)) return;
  struct Origin : ServerConnectionSink, RequestReceiver {
    RequestReceiver& on_new_request(ResponseWriter&) override {
      ++begun;
      return *this;
    }
    void on_exchange_done(RequestReceiver&) override {}
    void on_hold_reading() override {}
    void on_release_reading() override {}
    RequestHead& request_head() noexcept override { return head; }
    HeaderMap& request_trailers() noexcept override { return trailers; }
    void on_request_head(Protocol, size_t, EndStream end) override {
      ended = end == EndStream::kYes;
    }
    void on_request_body(Buffer& data, EndStream end) override {
      body += data.to_string();
      ended = end == EndStream::kYes;
    }
    void on_request_trailers() override { ended = true; }
    void on_request_aborted(const Error&) override {}
    RequestHead head;
    HeaderMap trailers;
    std::string body;
    int begun = 0;
    bool ended = false;
  } origin;
  Response answer;
  Buffer wire, unused;
  const auto upstream = h1::make_client_connection(options, wire);
  RequestWriter& writer = upstream->start(answer);
  Buffer body(request.body);
  const bool has_body = !request.body.empty();
  writer.send_head(request.head, has_body ? EndStream::kNo : EndStream::kYes);
  if (has_body) writer.send_body(body, EndStream::kYes);
  options.max_header_bytes *= 4;
  options.max_header_count += 8;
  const auto codec = h1::make_server_connection(options, origin, unused);
  require(codec->decode(wire).has_value() && wire.empty(), "what is forwarded is valid HTTP/1");
  require(origin.begun == 1 && origin.ended, "one request stays one request");
  require(origin.body == request.body && origin.head.method() == request.head.method() &&
              origin.head.path() == request.head.path() &&
              fields_text(origin.head.headers) == fields_text(request.head.headers),
          "the upstream reads what weir read");
}

/// Frames out of bytes: a shape, a stream, flags, and a payload up to the next 0xfe.
std::string compose(fuzz::Input& input) {
  std::string wire;
  while (!input.empty()) {
    const uint8_t shape = input.byte();
    if (shape == 0xff) return wire.append(input.rest());
    const uint8_t flags = input.byte();
    const uint32_t stream = input.byte() % 16;
    std::string_view payload = input.until('\xfe');
    if (shape < 96) {
      wire += wire::frame(shape % 12, flags, stream, payload);
    } else {
      wire::Fields fields = shape < 192 ? wire::get() : wire::Fields{{":status", "200"}};
      while (!payload.empty()) {
        const size_t end = payload.find('\n');
        const std::string_view line = payload.substr(0, end);
        payload.remove_prefix(end == std::string_view::npos ? payload.size() : end + 1);
        const size_t equal = line.find('=');
        const std::string name(line.substr(0, equal));
        const std::string value(equal == std::string_view::npos ? std::string_view()
                                                                : line.substr(equal + 1));
        bool replaced = false;
        for (auto& [n, v] : fields) {
          if (n == name && (shape & 1) == 0) v = value, replaced = true;
        }
        if (!replaced) fields.emplace_back(name, value);
      }
      wire += wire::headers(stream | 1, fields, flags & (wire::kEndStream | wire::kEndHeaders));
    }
  }
  return wire;
}

template <typename Feed>
bool feed_in_pieces(std::string_view wire, uint32_t seed, Feed feed) {
  while (!wire.empty()) {
    seed = seed * 1664525 + 1013904223;
    const size_t size =
        std::min<size_t>(wire.size(), 1 + (seed >> 24) % ((seed >> 16) % 8 == 0 ? 200 : 5));
    if (!feed(wire.substr(0, size))) return false;
    wire.remove_prefix(size);
  }
  return true;
}

void fuzz_server(std::string_view wire, const CodecOptions& codec, const h2::Options& options,
                 uint8_t flags, uint32_t seed) {
  const Mood mood = static_cast<Mood>((flags >> 5) & 3);
  Session whole(codec, options, mood, h2::Output::kWhenFlushed);
  const bool accepted = whole.feed(wire);
  Session pieces(codec, options, mood, h2::Output::kAtOnce);
  const bool accepted_in_pieces =
      feed_in_pieces(wire, seed, [&pieces](std::string_view part) { return pieces.feed(part); });
  // Resets that are sent between pieces free streams that are still taken in one piece: no more than acceptance is compared.
  if (mood != Mood::kSilent || accepted != accepted_in_pieces) return;
  for (const auto& request : pieces.requests) {
    if (request->ended && !request->over && request->head.method() != "CONNECT" &&
        request->trailers.empty())
      check_downgrade(*request, codec);
  }
}

void fuzz_client(std::string_view wire, const CodecOptions& codec, const h2::Options& options,
                 uint8_t flags, uint32_t seed) {
  Buffer out, in;
  h2::Environment environment;
  environment.output = (seed & 1) == 0 ? h2::Output::kAtOnce : h2::Output::kWhenFlushed;
  const auto connection = h2::make_client_connection(codec, options, environment, out);
  std::deque<Response> responses;
  RequestHead head;
  head.set_method((flags & 32) != 0 ? "HEAD" : "GET");
  head.set_path("/");
  head.set_authority("h");
  head.set_scheme("http");
  if ((flags & 64) != 0) head.headers.add("upgrade", "websocket");
  std::deque<RequestWriter*> writers;
  for (int i = 0; i < 4; ++i) {
    responses.emplace_back();
    writers.push_back(&connection->start(responses.back()));
    writers.back()->send_head(head, i % 2 == 0 ? EndStream::kYes : EndStream::kNo);
  }
  (void)feed_in_pieces(wire, seed, [&](std::string_view part) {
    in.append(part);
    const bool good = connection->decode(in).has_value();
    require(in.empty(), "decode takes everything");
    out.clear();
    return good;
  });
  for (size_t i = 1; i < writers.size(); i += 2) {
    if (responses[i].over) continue;
    Buffer data(std::string_view("body"));
    writers[i]->send_body(data, EndStream::kYes);
  }
  connection->flush();
  require(connection->active() <= 4, "no more than were begun");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  fuzz::Input input(data, size);
  const uint8_t flags = input.byte();
  const uint8_t seed = input.byte();
  CodecOptions codec;
  codec.max_header_bytes = 4096;
  codec.max_header_count = 20;
  if ((flags & 8) != 0) codec.underscores = UnderscoreAction::kDropHeader;
  h2::Options options;
  options.allow_connect = (flags & 2) != 0;
  options.max_concurrent_streams = 4;
  options.initial_stream_window_size = 65535;
  options.initial_connection_window_size = 65535;
  options.override_stream_error_on_invalid_http_message = (flags & 4) == 0;
  const bool server = (flags & 1) == 0;
  std::string wire = server ? std::string(wire::kPreface) : std::string();
  if ((flags & 16) == 0) wire += wire::settings({{8, 1}});
  wire += compose(input);
  if (server) {
    fuzz_server(wire, codec, options, flags, seed);
  } else {
    fuzz_client(wire, codec, options, flags, seed);
  }
  return 0;
}
