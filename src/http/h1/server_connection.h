// The server role of HTTP/1: requests in, responses out.
#pragma once

#include <cstdint>

#include "http/connection.h"
#include "http/h1/body_framing.h"
#include "http/h1/head_scanner.h"
#include "http/h1/head_writer.h"
#include "http/h1/request_head.h"

namespace weir::http::h1 {

/// One downstream connection's codec; also the ResponseWriter of its one exchange at a time.
///
/// Owner: the session. Thread: its loop's. What one decode() gets is parsed as far as it goes before any of it is
/// delivered, so that a request whose fault arrives with its head never begins. Every callback may send the
/// whole response or abort; `serial_` tells that the exchange is over and its receiver gone.
class H1ServerConnection final : public ServerConnection, public ResponseWriter {
 public:
  H1ServerConnection(const CodecOptions& options, ServerConnectionSink& sink, Buffer& out)
      : options_(options), sink_(sink), out_(out) {}

  Result<void> decode(Buffer& in) override;
  Result<void> on_read_end() override;
  bool idle() const noexcept override { return receiver_ == nullptr; }
  bool untouched() const noexcept override {
    return idle() && empty_lines_ == 0 && !half_empty_line_;
  }
  bool must_close() const noexcept override { return must_close_; }
  bool request_incomplete() const noexcept override { return request_incomplete_; }
  void start_drain() override { draining_ = true; }
  bool tunnel() const noexcept override { return receiver_ != nullptr && tunnel_; }

  void send_informational(const ResponseHead& head) override;
  void send_head(const ResponseHead& head, EndStream end) override;
  void send_body(Buffer& data, EndStream end) override;
  void send_trailers(const HeaderMap& trailers) override;
  void abort() override;
  void hold_request() override;
  void release_request() override;
  void close_after() override;

 private:
  /// kSwitch: an upgrade or CONNECT waits for its answer, what follows it for what becomes of the connection. kTunnel: bytes of
  /// the new protocol.
  enum class RequestPhase : uint8_t { kHead, kBody, kSwitch, kTunnel, kComplete };
  enum class ResponsePhase : uint8_t { kHead, kBody, kEnded };  // kEnded: of a tunnel
  enum class HeadState : uint8_t { kIncomplete, kComplete };
  /// What one decode() found that is still to be told to the receiver.
  struct Due {
    bool head = false;
    bool end = false;
    size_t head_bytes = 0;
  };

  Fault skip_empty_lines(Buffer& in);
  void begin_exchange();
  Fault advance(Buffer& in);
  Fault read_head(Buffer& in, HeadState& state, size_t& bytes);
  Fault check_partial_head(Buffer& in);
  void deliver(const Due& due);
  void deliver_tunnel(Buffer& in);
  void end_tunnel_request();
  void maybe_send_continue();
  void add_hold();
  void remove_hold();
  BodyFraming response_framing(const ResponseHead& head, EndStream end, const OutgoingFacts& facts,
                               LengthField& length) const;
  ConnectionField decide_connection(const BodyFraming& framing, EndStream end,
                                    const OutgoingFacts& facts);
  void send_switch(const ResponseHead& head, const OutgoingFacts& facts);
  void release_pipeline();
  void finish_response();
  void end_exchange();

  const CodecOptions options_;
  ServerConnectionSink& sink_;
  Buffer& out_;

  // of the exchange
  RequestReceiver* receiver_ = nullptr;
  RequestPhase request_ = RequestPhase::kHead;
  ResponsePhase response_ = ResponsePhase::kHead;
  bool line_checked_ = false;
  bool continue_sent_ = false;
  bool pipeline_held_ = false;
  bool closing_ = false;  // this response is the last
  bool aborted_ = false;
  bool tunnel_ = false;
  uint32_t holds_ = 0;
  RequestFacts facts_;
  HeadScanner scanner_;
  BodyDecoder decoder_;
  BodyWriter writer_;
  Buffer body_;

  // of the connection
  uint64_t serial_ = 0;
  uint8_t empty_lines_ = 0;
  bool half_empty_line_ = false;  // the CR of an empty line has been taken
  bool decoding_ = false;
  bool broken_ = false;
  bool draining_ = false;
  bool read_ended_ = false;
  bool must_close_ = false;
  bool request_incomplete_ = false;
};

}  // namespace weir::http::h1
