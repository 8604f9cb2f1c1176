// The client role of HTTP/1: requests out, responses in.
#pragma once

#include <cstdint>
#include <string>

#include "http/connection.h"
#include "http/h1/body_framing.h"
#include "http/h1/head_scanner.h"
#include "http/h1/head_writer.h"
#include "http/h1/parser.h"

namespace weir::http::h1 {

/// One upstream connection's codec; also the RequestWriter of its one exchange at a time.
///
/// Owner: the pool's connection. Thread: its loop's. As on the server side, what one decode() gets is parsed as far as it
/// goes before it is delivered: a broken first read of a response is an error and not half an answer. A callback
/// may detach(), or start() the next exchange once this one is complete.
class H1ClientConnection final : public ClientConnection, public RequestWriter {
 public:
  H1ClientConnection(const CodecOptions& options, Buffer& out) : options_(options), out_(out) {}

  RequestWriter& start(ResponseReceiver& receiver) override;
  Result<void> decode(Buffer& in) override;
  Result<void> on_read_end() override;
  bool exchange_complete() const noexcept override {
    return request_ == RequestPhase::kComplete && response_ == ResponsePhase::kComplete;
  }
  bool reusable() const noexcept override;
  bool response_started() const noexcept override { return response_started_; }
  void detach() override;
  bool tunnel() const noexcept override { return tunnel_; }

  void send_head(const RequestHead& head, EndStream end) override;
  void send_body(Buffer& data, EndStream end) override;
  void send_trailers(const HeaderMap& trailers) override;

 private:
  /// kSwitch: an upgrade or CONNECT waits for its answer and sends nothing.
  enum class RequestPhase : uint8_t { kHead, kBody, kSwitch, kComplete };
  enum class ResponsePhase : uint8_t { kHead, kBody, kComplete };
  enum class HeadState : uint8_t { kIncomplete, kInformational, kFinal };
  struct Due {
    bool head = false;
    bool end = false;
    size_t head_bytes = 0;
  };

  BodyFraming request_framing(const RequestHead& head, EndStream end, const OutgoingFacts& facts,
                              LengthField& length) const;
  void finish_request();
  bool granted(const StatusLine& line, const HeaderMap& headers) const;
  void open_tunnel(HeaderMap& headers);
  Fault advance(Buffer& in);
  Fault read_head(Buffer& in, HeadState& state, size_t& bytes);
  Fault parse_head(char* text, size_t size, HeadState& state);
  void deliver(const Due& due);

  const CodecOptions options_;
  Buffer& out_;
  ResponseReceiver* receiver_ = nullptr;
  RequestPhase request_ = RequestPhase::kComplete;
  ResponsePhase response_ = ResponsePhase::kComplete;
  HeadScanner scanner_;
  BodyDecoder decoder_;
  BodyWriter writer_;
  Buffer body_;

  std::string offered_;  // the value of "upgrade"
  uint64_t serial_ = 0;
  uint8_t informational_ = 0;
  bool head_method_ = false;
  bool connect_ = false;
  bool tunnel_ = false;
  bool response_started_ = false;
  bool keep_alive_ = true;
  bool spoiled_ =
      false;  // an error, surplus bytes, a length mismatch, detach or close: never again
  bool decoding_ = false;
};

}  // namespace weir::http::h1
