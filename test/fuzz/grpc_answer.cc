// Fuzzes what a gRPC service answers: the frames go through the client's HTTP/2 codec to a GrpcStream and its handler. Byte 0 is
// what the handler does, byte 1 the sizes of the reads; the rest are parts of the answer, each a shape, flags, and a text up to the next 0xfe.
//
// Properties: head, messages, trailers, end, in this order, the end once and last; nothing after a cancel; no message above the
// limit; the same whatever the reads.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <weir/grpc_client.h>

#include "fuzz/require.h"
#include "http/h2/h2.h"
#include "support/h2_frames.h"

namespace {

using namespace weir;
using namespace weir::http;
using weir::fuzz::Input;
using weir::fuzz::require;
namespace wire = weir::testing::h2;

/// One exchange on the connection, as the router's callouts have it: failures are told later, and nothing after the end.
class Call final : public ResponseReceiver {
 public:
  Call(ClientConnection& connection, const RequestHead& head, StreamedCalloutHandler& handler)
      : handler_(&handler), writer_(&connection.start(*this)) {
    writer_->send_head(head, EndStream::kNo);
  }
  void send(Buffer& data, EndStream end) {
    if (writer_ == nullptr || ended_) return data.clear();
    ended_ = end == EndStream::kYes;
    writer_->send_body(data, end);
  }
  void abandon() {
    handler_ = nullptr;
    if (writer_ != nullptr) std::exchange(writer_, nullptr)->abort();
  }
  void fail(Error error) {
    writer_ = nullptr;
    if (handler_ != nullptr && !failure_) failure_ = std::move(error);
  }
  /// Outside of the codec.
  void tell_failure() {
    if (!failure_ || handler_ == nullptr) return;
    failed = true;
    std::exchange(handler_, nullptr)->on_callout_failed(*failure_);
  }
  bool failed = false;  // the handler was told so

 private:
  ResponseHead& response_head() noexcept override { return head_; }
  HeaderMap& response_trailers() noexcept override { return trailers_; }
  void on_informational() override {}
  void on_response_head(size_t, EndStream end) override {
    if (StreamedCalloutHandler* handler = of(end)) handler->on_callout_head(head_, end);
  }
  void on_response_body(Buffer& data, EndStream end) override {
    if (StreamedCalloutHandler* handler = of(end)) handler->on_callout_data(data, end);
  }
  void on_response_trailers() override {
    if (StreamedCalloutHandler* handler = of(EndStream::kYes))
      handler->on_callout_trailers(trailers_);
  }
  void on_exchange_reset(const Error& error, bool) override { fail(error); }

  StreamedCalloutHandler* of(EndStream end) {
    StreamedCalloutHandler* handler = handler_;
    if (end == EndStream::kNo) return handler;
    if (ended_) writer_ = nullptr;  // both sides have ended: it is dead
    abandon();
    return handler;
  }

  StreamedCalloutHandler* handler_;
  RequestWriter* writer_;
  ResponseHead head_;
  HeaderMap trailers_;
  std::optional<Error> failure_;
  bool ended_ = false;
};

class OneCall final : public Callouts {
 public:
  explicit OneCall(ClientConnection& connection) : connection_(connection) {}
  bool knows_cluster(std::string_view) const override { return true; }
  Result<std::unique_ptr<Callout>> start(CalloutRequest request, CalloutHandler&) override {
    return weir::fail(Code::kNoCluster, Side::kLocal, request.cluster);
  }
  Result<std::unique_ptr<StreamedCallout>> start_stream(StreamedCalloutRequest request,
                                                        StreamedCalloutHandler& handler) override {
    call.emplace(connection_, request.head, handler);
    return std::make_unique<Handle>(*call);
  }
  std::optional<Call> call;

 private:
  struct Handle final : StreamedCallout {
    explicit Handle(Call& call) : call(call) {}
    ~Handle() override { call.abandon(); }
    void send(Buffer& data, EndStream end) override { call.send(data, end); }
    size_t unsent() const noexcept override { return 0; }
    Call& call;
  };
  ClientConnection& connection_;
};

/// What a handler does beside listening: byte 0.
struct Mood {
  bool talks;         // sends in each call
  bool closes;        // its side, at the beginning
  unsigned patience;  // calls until it cancels; 0: it does not
  static Mood of(uint8_t byte) {
    return {(byte & 1) != 0, (byte & 2) != 0, static_cast<unsigned>(byte >> 4)};
  }
};

class Listener final : public GrpcHandler {
 public:
  explicit Listener(Mood mood) : mood_(mood) {}
  GrpcStream stream{*this};
  std::string said;
  bool over = false;  // ended or cancelled

 private:
  void on_grpc_head(ResponseHead& head) noexcept override {
    require(!over && stage_ == Stage::kHead, "one head, first");
    stage_ = Stage::kMessages;
    said += "head " + std::to_string(head.status) + "\n";
    react();
  }
  void on_grpc_message(Buffer& message) noexcept override {
    require(!over && stage_ == Stage::kMessages, "messages behind the head");
    require(message.size() <= GrpcStream::kMaxMessageBytes, "the limit holds");
    said += "message " + message.to_string() + "\n";
    react();
  }
  void on_grpc_trailers(HeaderMap& trailers) noexcept override {
    require(!over && stage_ == Stage::kMessages, "trailers behind the messages");
    stage_ = Stage::kTrailers;
    said += "trailers " + std::to_string(trailers.size()) + "\n";
    react();
  }
  void on_grpc_end(const GrpcStatus& status) noexcept override {
    require(!over, "one end, and none after a cancel");
    require(status.code <= GrpcCode::kUnauthenticated, "a code is one of 17");
    require(!stream.active(), "over for the stream too");
    over = true;
    said += "end " + std::to_string(static_cast<int>(status.code)) + status.message;
    stream.send("late", EndStream::kYes);
  }
  void react() {
    if (mood_.talks) stream.send("and", EndStream::kNo);
    if (++calls_ != mood_.patience) return;
    over = true;
    stream.cancel();
  }

  enum class Stage : uint8_t { kHead, kMessages, kTrailers };
  const Mood mood_;
  Stage stage_ = Stage::kHead;
  unsigned calls_ = 0;
};

// ---- the answer -------------------------------------------------------------------------------------

/// "name=value" a line; a name that is there already is given the value.
wire::Fields fields_of(std::string_view text, wire::Fields fields) {
  Input input(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  while (!input.empty()) {
    const std::string_view line = input.until('\n');
    const size_t equal = line.find('=');
    const std::string name(line.substr(0, equal));
    const std::string value(equal == std::string_view::npos ? "" : line.substr(equal + 1));
    bool replaced = false;
    for (auto& [n, v] : fields)
      if (n == name) v = value, replaced = true;
    if (!replaced) fields.emplace_back(name, value);
  }
  return fields;
}

std::string compose(Input& input) {
  std::string out;
  while (!input.empty()) {
    const uint8_t shape = input.byte() % 6;
    if (shape == 5) return out.append(input.rest());
    const uint8_t flags = input.byte();
    const uint32_t stream = (flags & 0x80) != 0 ? 3 : 1;
    const uint8_t end = flags & wire::kEndStream;
    const std::string_view text = input.until('\xfe');
    if (shape == 0) {
      out += wire::headers(
          stream, fields_of(text, {{":status", "200"}, {"content-type", "application/grpc"}}), end);
    } else if (shape == 1) {
      out += wire::headers(stream, fields_of(text, {{"grpc-status", "0"}}),
                           end == 0 ? wire::kEndStream : uint8_t{0});
    } else if (shape == 2) {
      const auto prefix = grpc_prefix(static_cast<uint32_t>(text.size()));
      out += wire::data(stream, std::string(prefix.data(), prefix.size()).append(text), end);
    } else if (shape == 3) {
      out += wire::data(stream, text, end);
    } else {
      out += wire::frame(flags % 12, flags / 12, stream, text);
    }
  }
  return out;
}

/// What the handler has heard. `intact`: the codec has taken all of it, and no stream was reset.
std::string run(std::string_view bytes, Mood mood, uint32_t seed, bool& intact) {
  Buffer out, in;
  CodecOptions codec;
  codec.max_header_bytes = 4096;
  codec.max_header_count = 20;
  h2::Environment environment;
  environment.output = h2::Output::kAtOnce;
  const auto connection = h2::make_client_connection(codec, h2::Options(), environment, out);
  OneCall callouts(*connection);
  Listener listener(mood);
  GrpcRequest request;
  request.cluster = "service";
  request.path = "/a.Service/Method";
  require(listener.stream.start(callouts, std::move(request)).has_value(), "it starts");
  listener.stream.send("question", mood.closes ? EndStream::kYes : EndStream::kNo);
  intact = true;
  while (!bytes.empty() && intact) {
    if (seed != 0) seed = seed * 1664525 + 1013904223;
    const size_t size = seed == 0 ? bytes.size() : std::min<size_t>(bytes.size(), 1 + (seed >> 28));
    in.append(bytes.substr(0, size));
    bytes.remove_prefix(size);
    intact = connection->decode(in).has_value();
    if (!intact) callouts.call->fail({Code::kProtocol, Side::kUpstream, "malformed"});
    callouts.call->tell_failure();
    out.clear();
  }
  intact = intact && !callouts.call->failed;
  callouts.call->fail({Code::kClosed, Side::kUpstream, "closed"});
  callouts.call->tell_failure();
  require(listener.over, "it ends");
  return listener.said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  Input input(data, size);
  const Mood mood = Mood::of(input.byte());
  const uint8_t seed = input.byte();
  const std::string answer = wire::settings() + compose(input);
  bool intact = false;
  bool intact_in_pieces = false;
  const std::string whole = run(answer, mood, 0, intact);
  const std::string pieces = run(answer, mood, seed + 1u, intact_in_pieces);
  // What is sent meanwhile may change what is taken: only quiet handlers are compared. A stream that is reset may lose what
  // came before in the same read, and of several faults any may be told.
  if (intact && intact_in_pieces && !mood.talks && mood.patience == 0)
    require(whole == pieces, "the same whatever the reads");
  return 0;
}
