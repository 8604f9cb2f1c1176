// Drives the server role of the codec in tests: a session that writes down what it is told.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "http/h1/h1.h"

namespace weir::http::h1::testing {

inline std::string fields_text(const HeaderMap& headers) {
  std::string text;
  for (const HeaderMap::Entry& entry : headers)
    text.append(entry.name).append("=").append(entry.value).append(";");
  return text;
}

/// A session that records requests and, unless told otherwise, answers each when it is complete.
class TestSession : public ServerConnectionSink {
 public:
  enum class Answer : uint8_t { kAtEnd, kAtHead, kNever };

  explicit TestSession(CodecOptions options = {}, Answer answer = Answer::kAtEnd)
      : answer_(answer), codec_(make_server_connection(options, *this, out)) {}

  struct Exchange : RequestReceiver {
    explicit Exchange(TestSession& session) : session(session) {}
    RequestHead& request_head() noexcept override { return head; }
    HeaderMap& request_trailers() noexcept override { return trailers; }
    void on_request_head(Protocol p, size_t bytes, EndStream end) override {
      ++head_events;
      protocol = p;
      wire_bytes = bytes;
      ended = end == EndStream::kYes;
      if (session.on_head) session.on_head(session);
      session.maybe_answer(*this, true);
    }
    void on_request_body(Buffer& data, EndStream end) override {
      ++body_events;
      body += data.to_string();
      ended = end == EndStream::kYes;
      session.maybe_answer(*this, false);
    }
    void on_request_trailers() override {
      saw_trailers = ended = true;
      session.maybe_answer(*this, false);
    }
    void on_request_aborted(const Error&) override { ++aborted; }

    /// Everything that must not depend on how the wire was cut.
    std::string text() const {
      if (head_events == 0) return "(no head)";
      std::string out(head.method());
      out.append(" ").append(head.path()).append(" @").append(head.authority()).append(" ");
      out.append(head.scheme()).append(" ").append(protocol_name(protocol)).append(" {");
      out.append(fields_text(head.headers)).append("} bytes=").append(std::to_string(wire_bytes));
      out.append(" body=[").append(body).append("]");
      if (saw_trailers) out.append(" trailers={").append(fields_text(trailers)).append("}");
      out.append(ended ? " end" : " open");
      return out;
    }

    TestSession& session;
    RequestHead head;
    HeaderMap trailers;
    Protocol protocol = Protocol::kHttp11;
    size_t wire_bytes = 0;
    std::string body;
    int head_events = 0;
    int body_events = 0;
    int aborted = 0;
    bool ended = false;
    bool saw_trailers = false;
    bool done = false;
  };

  RequestReceiver& on_new_request(ResponseWriter& w) override {
    writer = &w;
    exchanges.push_back(std::make_unique<Exchange>(*this));
    return *exchanges.back();
  }
  void on_exchange_done(RequestReceiver& receiver) override {
    static_cast<Exchange&>(receiver).done = true;
    ++done;
  }
  void on_hold_reading() override { ++holds; }
  void on_release_reading() override { ++releases; }
  void on_response_half_closed() override { ++half_closed; }

  void maybe_answer(Exchange& exchange, bool at_head) {
    if ((answer_ == Answer::kAtHead && at_head) || (answer_ == Answer::kAtEnd && exchange.ended))
      answer();
  }
  void answer(int status = 200, std::string_view body = "ok") {
    ResponseHead head;
    head.status = status;
    head.headers.add("content-length", std::to_string(body.size()));
    writer->send_head(head, body.empty() ? EndStream::kYes : EndStream::kNo);
    if (body.empty()) return;
    Buffer data(body);
    writer->send_body(data, EndStream::kYes);
  }

  /// As a session does: the new bytes, then request by request until one is under way.
  Result<void> feed(std::string_view bytes) {
    in.append(bytes);
    return pump();
  }
  Result<void> pump() {
    do {
      const size_t before = in.size();
      Result<void> result = codec_->decode(in);
      if (!result) return result;
      if (in.size() > before) ADD_FAILURE() << "decode added input";
    } while (!in.empty() && codec_->idle() && !codec_->must_close());
    return {};
  }
  std::string take_out() {
    std::string text = out.to_string();
    out.clear();
    return text;
  }
  Exchange& last() { return *exchanges.back(); }
  ServerConnection& codec() { return *codec_; }
  std::string log() const {
    std::string text;
    for (const auto& exchange : exchanges) text.append(exchange->text()).append("\n");
    return text;
  }

  Buffer in;
  Buffer out;
  ResponseWriter* writer = nullptr;
  std::deque<std::unique_ptr<Exchange>> exchanges;
  void (*on_head)(TestSession&) = nullptr;
  int done = 0;
  int holds = 0;
  int releases = 0;
  int half_closed = 0;

 private:
  Answer answer_;
  std::unique_ptr<ServerConnection> codec_;
};

}  // namespace weir::http::h1::testing
