// Drives the client role of the codec in tests: a pool's connection that writes down what it is told.
#pragma once

#include "test_session.h"

namespace weir::http::h1::testing {

/// A pool's connection that records responses.
class TestUpstream : public ResponseReceiver {
 public:
  explicit TestUpstream(CodecOptions options = {}) : codec_(make_client_connection(options, out)) {}

  ResponseHead& response_head() noexcept override { return head; }
  HeaderMap& response_trailers() noexcept override { return trailers; }
  void on_informational() override {
    events.append("i").append(std::to_string(head.status)).append(" ");
  }
  void on_response_head(size_t bytes, EndStream end) override {
    ++head_events;
    wire_bytes = bytes;
    ended = end == EndStream::kYes;
    if (detach_at_head) codec_->detach();
  }
  void on_response_body(Buffer& data, EndStream end) override {
    ++body_events;
    body += data.to_string();
    ended = end == EndStream::kYes;
  }
  void on_response_trailers() override { saw_trailers = ended = true; }

  void request(std::string_view method = "GET", EndStream end = EndStream::kYes) {
    RequestHead request;
    request.set_method(method);
    request.set_path("/p");
    request.set_authority("h");
    request.set_scheme("http");
    writer = &codec_->start(*this);
    head.clear();
    trailers.clear();
    body.clear();
    events.clear();
    head_events = body_events = 0;
    ended = saw_trailers = false;
    writer->send_head(request, end);
  }
  Result<void> feed(std::string_view bytes) {
    in.append(bytes);
    return codec_->decode(in);
  }
  std::string text() const {
    std::string text = events;
    if (head_events == 0) return text + "(no head)";
    text.append(std::to_string(head.status))
        .append(" {")
        .append(fields_text(head.headers))
        .append("} bytes=");
    text.append(std::to_string(wire_bytes)).append(" body=[").append(body).append("]");
    if (saw_trailers) text.append(" trailers={").append(fields_text(trailers)).append("}");
    return text.append(ended ? " end" : " open");
  }
  std::string take_out() {
    std::string text = out.to_string();
    out.clear();
    return text;
  }
  ClientConnection& codec() { return *codec_; }

  Buffer in;
  Buffer out;
  RequestWriter* writer = nullptr;
  ResponseHead head;
  HeaderMap trailers;
  std::string body;
  std::string events;
  size_t wire_bytes = 0;
  int head_events = 0;
  int body_events = 0;
  bool ended = false;
  bool saw_trailers = false;
  bool detach_at_head = false;

 private:
  std::unique_ptr<ClientConnection> codec_;
};

}  // namespace weir::http::h1::testing
