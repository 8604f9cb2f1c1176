// The client role of HTTP/2: requests out, responses in, many at a time.
#pragma once

#include <string>

#include "http/h2/multiplexer.h"

namespace weir::http::h2 {

class H2ClientConnection;

/// One exchange, and the writer of its request.
class ClientStream final : public Stream, public RequestWriter {
 public:
  explicit ClientStream(H2ClientConnection& connection) : connection_(connection) {}

  void send_head(const RequestHead& head, EndStream end) override;
  void send_body(Buffer& data, EndStream end) override;
  void send_trailers(const HeaderMap& trailers) override;
  void abort() override;
  void hold_response() override;
  void release_response() override;

 private:
  friend class H2ClientConnection;
  enum class Phase : uint8_t { kHead, kBody, kEnded };

  H2ClientConnection& connection_;
  ResponseReceiver* receiver_ = nullptr;
  bool in_use_ = false;
  bool closed_ = false;  // nghttp2 knows it no more
  Phase response_ = Phase::kHead;
  bool head_method_ = false;
  bool connect_ = false;
  uint8_t informational_ = 0;
  std::string upgrade_;  // of an extended CONNECT: what was asked for
  std::string websocket_key_;
  std::unique_ptr<RequestHead> waiting_;  // an upgrade, until the peer's SETTINGS are known
};

/// One upstream connection's codec. Owner: the pool's connection. Thread: its loop's.
class H2ClientConnection final : public ClientConnection, private Multiplexer {
 public:
  H2ClientConnection(const CodecOptions& codec, const Options& options,
                     const Environment& environment, Buffer& out);
  ~H2ClientConnection() override { abandon_streams(); }

  RequestWriter& start(ResponseReceiver& receiver) override;
  Result<void> decode(Buffer& in) override { return feed(in); }
  Result<void> on_read_end() override;
  bool exchange_complete() const noexcept override { return active_ == 0; }
  bool reusable() const noexcept override { return capacity() > 0; }
  bool response_started() const noexcept override { return response_started_; }
  void detach() override;
  bool multiplexed() const noexcept override { return true; }
  size_t capacity() const noexcept override;
  size_t active() const noexcept override { return active_; }
  bool draining() const noexcept override;
  void on_write_blocked() override { block_writes(); }
  void on_write_resumed() override { unblock_writes(); }
  void flush() override { pump(); }
  bool ping() override { return send_ping(); }
  uint64_t pongs() const noexcept override { return pongs_; }

 private:
  friend class ClientStream;

  HeadBlock::Kind block_kind(Stream* stream, bool first) override;
  void on_block(int32_t id, Stream* stream, EndStream end) override;
  void on_body(Stream& stream, Buffer& data, EndStream end) override;
  void on_closed(Stream& stream, uint32_t error) override;
  void on_output_sent(Stream& stream) override;
  void on_blocked(Stream& stream) override;
  void on_resumed(Stream& stream) override;
  void on_settings() override;

  void send_head(ClientStream& stream, const RequestHead& head);
  void on_informational(ClientStream& stream);
  void show_switch(ClientStream& stream);
  void end_response(ClientStream& stream);
  void maybe_free(ClientStream& stream);
  void abort(ClientStream& stream);
  void fail_exchange(ClientStream& stream, const Error& error, bool unseen);

  StreamPool<ClientStream> pool_;
  bool settings_seen_ = false;
  bool response_started_ = false;
};

}  // namespace weir::http::h2
