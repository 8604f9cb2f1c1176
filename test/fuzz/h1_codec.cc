// Fuzzes both roles of the HTTP/1 codec. Byte 0 chooses role and options, byte 1 the sizes of the reads.
//
// Properties: no crash; input is consumed, never invented; how it is cut changes neither what is accepted nor what is
// delivered; an accepted request that is forwarded parses to exactly the same request again (nothing is smuggled).
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "fuzz/require.h"
#include "http/h1/h1.h"
#include "http/rules.h"

namespace {

using namespace weir;
using namespace weir::http;
using weir::fuzz::require;

std::string fields_text(const HeaderMap& headers) {
  std::string text;
  for (const HeaderMap::Entry& entry : headers) {
    require(valid_header_name(entry.name) && valid_header_value(entry.value), "field characters");
    if (entry.id == HeaderId::kContentLength)
      continue;  // may be added or replaced by chunks on the way
    text.append(entry.name).append(1, '\0').append(entry.value).append(1, '\0');
  }
  return text;
}

class Request : public RequestReceiver {
 public:
  RequestHead& request_head() noexcept override { return head; }
  HeaderMap& request_trailers() noexcept override { return trailers; }
  void on_request_head(Protocol, size_t, EndStream end) override {
    seen = true;
    ended = end == EndStream::kYes;
  }
  void on_request_body(Buffer& data, EndStream end) override {
    require(seen && !ended, "body after head and before end");
    body += data.to_string();
    ended = end == EndStream::kYes;
  }
  void on_request_trailers() override {
    require(seen && !ended, "trailers before end");
    ended = true;
  }
  void on_request_aborted(const Error&) override { require(false, "the codec does not abort"); }
  std::string text() const {
    std::string out;
    for (const std::string_view part : {head.method(), head.path(), head.authority()})
      out.append(part).append(1, ' ');
    return out.append(fields_text(head.headers))
        .append(body)
        .append(1, '|')
        .append(fields_text(trailers));
  }

  bool asks_to_switch() const {
    return seen && (head.method() == "CONNECT" || head.headers.has(HeaderId::kUpgrade));
  }

  RequestHead head;
  HeaderMap trailers;
  std::string body;
  bool seen = false;
  bool ended = false;
};

class Session : public ServerConnectionSink {
 public:
  explicit Session(const CodecOptions& options, bool grants = false)
      : grants(grants), codec(h1::make_server_connection(options, *this, out)) {}
  RequestReceiver& on_new_request(ResponseWriter& w) override {
    writer = &w;
    requests.push_back(std::make_unique<Request>());
    return *requests.back();
  }
  void on_exchange_done(RequestReceiver&) override {}
  void on_hold_reading() override {
    require(!held, "held once");
    held = true;
  }
  void on_release_reading() override {
    require(held, "released once");
    held = false;
  }

  bool feed(std::string_view bytes) {
    in.append(bytes);
    do {
      const size_t before = in.size();
      if (!codec->decode(in)) return false;
      require(in.size() <= before, "decode consumes");
      if (codec->idle() || codec->tunnel()) continue;
      if (requests.back()->ended)
        answer();
      else if (requests.back()->asks_to_switch())
        answer_switch();
    } while (!in.empty() && (codec->idle() || codec->tunnel()) && !codec->must_close());
    return true;
  }
  void answer_switch() {
    require(requests.back()->body.empty(), "nothing before the switch");
    if (!grants) return answer();
    ResponseHead head;
    head.status = requests.back()->head.method() == "CONNECT" ? 200 : 101;
    writer->send_head(head, EndStream::kNo);
    require(codec->tunnel(), "what is granted is a tunnel");
  }
  void answer() {
    ResponseHead head;
    head.status = 200;
    writer->send_head(head, EndStream::kYes);
    require(codec->idle(), "idle after the exchange");
  }

  Buffer in;
  Buffer out;
  bool held = false;
  bool grants;
  ResponseWriter* writer = nullptr;
  std::deque<std::unique_ptr<Request>> requests;
  std::unique_ptr<ServerConnection> codec;
};

class Response : public ResponseReceiver {
 public:
  explicit Response(const CodecOptions& options)
      : codec(h1::make_client_connection(options, out)) {}
  ResponseHead& response_head() noexcept override { return head; }
  HeaderMap& response_trailers() noexcept override { return trailers; }
  void on_informational() override { ++informational; }
  void on_response_head(size_t, EndStream end) override {
    require(!seen && (head.status >= 200 || codec->tunnel()) && head.status <= 599,
            "one final head");
    seen = true;
    ended = end == EndStream::kYes;
  }
  void on_response_body(Buffer& data, EndStream end) override {
    require(seen && !ended, "body after head and before end");
    body += data.to_string();
    ended = end == EndStream::kYes;
  }
  void on_response_trailers() override {
    require(seen && !ended, "trailers before end");
    ended = true;
  }
  std::string text() const {
    return std::to_string(informational) + " " + std::to_string(head.status) +
           fields_text(head.headers) + body + "|" + fields_text(trailers) + (ended ? "." : "");
  }

  Buffer out;
  ResponseHead head;
  HeaderMap trailers;
  std::string body;
  int informational = 0;
  bool seen = false;
  bool ended = false;
  std::unique_ptr<ClientConnection> codec;
};

CodecOptions options_from(uint8_t flags) {
  CodecOptions options;
  options.max_header_bytes = 4096;
  options.max_header_count = 20;
  options.enable_trailers = (flags & 2) != 0;
  options.accept_http_10 = (flags & 4) != 0;
  if ((flags & 8) != 0) options.underscores = UnderscoreAction::kDropHeader;
  if ((flags & 16) != 0) options.default_host_for_http_10 = "default";
  return options;
}

/// Sends what was received to an upstream and reads it there.
void check_forwarding(Request& request, CodecOptions options) {
  if (!strip_hop_by_hop(request.head.headers)) return;
  Response upstream(options);
  RequestWriter& writer = upstream.codec->start(upstream);
  Buffer body(request.body);
  const bool has_body = !request.body.empty();
  const bool has_trailers = !request.trailers.empty();
  // A declared length belongs to a body without trailers.
  if (has_trailers) request.head.headers.remove(HeaderId::kContentLength);
  writer.send_head(request.head, has_body || has_trailers ? EndStream::kNo : EndStream::kYes);
  if (has_body) writer.send_body(body, has_trailers ? EndStream::kNo : EndStream::kYes);
  if (has_trailers) writer.send_trailers(request.trailers);

  options.max_header_bytes *= 2;
  options.max_header_count += 4;
  options.accept_http_10 = true;
  Session origin(options);
  require(origin.feed(upstream.out.to_string()), "what is forwarded is valid");
  require(origin.requests.size() == 1 && origin.requests.front()->ended,
          "one request stays one request");
  require(origin.requests.front()->text() == request.text(), "the upstream reads what weir read");
}

/// Cuts `wire` into reads of sizes drawn from a small generator.
template <typename Feed>
bool feed_in_pieces(std::string_view wire, uint32_t seed, Feed feed) {
  while (!wire.empty()) {
    seed = seed * 1664525 + 1013904223;
    const size_t size = 1 + (seed >> 24) % ((seed >> 16) % 8 == 0 ? 200 : 5);
    if (!feed(wire.substr(0, size))) return false;
    wire.remove_prefix(size < wire.size() ? size : wire.size());
  }
  return true;
}

void fuzz_server(std::string_view wire, const CodecOptions& options, uint32_t seed, bool grants) {
  Session whole(options, grants);
  const bool accepted = whole.feed(wire);
  Session pieces(options, grants);
  const bool accepted_in_pieces =
      feed_in_pieces(wire, seed, [&pieces](std::string_view part) { return pieces.feed(part); });
  require(accepted == accepted_in_pieces, "cuts do not decide about acceptance");
  require(whole.requests.size() == pieces.requests.size(),
          "cuts do not change the number of requests");
  for (Session* session : {&whole, &pieces})
    if (accepted && session->codec->tunnel())
      require(session->codec->on_read_end().has_value(), "a tunnel ends");
  for (size_t i = 0; i < whole.requests.size(); ++i) {
    Request& request = *whole.requests[i];
    if (!request.ended) continue;
    require(pieces.requests[i]->ended && pieces.requests[i]->text() == request.text(),
            "cuts do not change requests");
    if (!request.asks_to_switch()) check_forwarding(request, options);
  }
  if (accepted) (void)whole.codec->on_read_end();
}

void fuzz_client(std::string_view wire, const CodecOptions& options, uint32_t seed,
                 std::string_view method, EndStream end) {
  RequestHead request;
  request.set_method(method);
  request.set_path("/");
  request.set_authority("a:1");
  if (end == EndStream::kNo) request.headers.add("upgrade", "websocket");
  Response whole(options);
  whole.codec->start(whole).send_head(request, end);
  Buffer in(wire);
  const bool accepted = whole.codec->decode(in).has_value();

  Response pieces(options);
  pieces.codec->start(pieces).send_head(request, end);
  Buffer waiting;
  const bool accepted_in_pieces =
      feed_in_pieces(wire, seed, [&pieces, &waiting](std::string_view part) {
        if (pieces.ended) return true;  // surplus is an error of its own
        waiting.append(part);
        return pieces.codec->decode(waiting).has_value();
      });
  require(accepted == accepted_in_pieces, "cuts do not decide about acceptance");
  if (!accepted) return;
  require(whole.text() == pieces.text(), "cuts do not change responses");
  require(!whole.codec->reusable() || whole.ended, "only complete exchanges are reusable");
  if (whole.codec->on_read_end())
    require(whole.ended || wire.empty() || !whole.seen || whole.codec->exchange_complete(), "end");
  require(!whole.codec->reusable(), "a closed connection is not reusable");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view wire(reinterpret_cast<const char*>(data) + 2, size - 2);
  const CodecOptions options = options_from(data[0]);
  if ((data[0] & 1) == 0) {
    fuzz_server(wire, options, data[1], (data[0] & 64) != 0);
  } else {
    const bool asks = (data[0] & 64) != 0;
    const std::string_view other = asks ? "CONNECT" : "HEAD";
    fuzz_client(wire, options, data[1], (data[0] & 32) != 0 ? other : "GET",
                asks ? EndStream::kNo : EndStream::kYes);
  }
  return 0;
}
