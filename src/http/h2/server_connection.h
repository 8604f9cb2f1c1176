// The server role of HTTP/2: requests in, responses out, many at a time.
#pragma once

#include "http/h2/multiplexer.h"

namespace weir::http::h2 {

class H2ServerConnection;

/// One exchange, and the writer of its response. Calls after its end do nothing until it is used again.
class ServerStream final : public Stream, public ResponseWriter {
 public:
  explicit ServerStream(H2ServerConnection& connection) : connection_(connection) {}

  void send_informational(const ResponseHead& head) override;
  void send_head(const ResponseHead& head, EndStream end) override;
  void send_body(Buffer& data, EndStream end) override;
  void send_trailers(const HeaderMap& trailers) override;
  void abort() override;
  void hold_request() override;
  void release_request() override;
  void close_after() override;

 private:
  friend class H2ServerConnection;
  H2ServerConnection& connection_;
  RequestReceiver* receiver_ = nullptr;
  size_t head_bytes_ = 0;  // of the request, decoded
  bool head_method_ = false;
  bool upgrade_ = false;   // an extended CONNECT that is shown as an upgrade
  bool asks_ = false;      // for a tunnel: nothing is delivered before the answer
  bool tunnel_ = false;    // granted: the directions end on their own
  bool refused_ = false;   // nothing of the request is delivered
  bool end_told_ = false;  // the receiver knows the end of the request
  bool closed_ = false;    // nghttp2 knows it no more
  bool continue_sent_ = false;
  bool closing_ = false;  // close_after()
};

/// One downstream connection's codec. Owner: the session. Thread: its loop's. It must outlive every call that it makes; between two
/// of them it may be destroyed at any time.
class H2ServerConnection final : public ServerConnection, private Multiplexer {
 public:
  H2ServerConnection(const CodecOptions& codec, const Options& options,
                     const Environment& environment, ServerConnectionSink& sink, Buffer& out);
  ~H2ServerConnection() override { abandon_streams(); }

  Result<void> decode(Buffer& in) override { return feed(in); }
  Result<void> on_read_end() override;
  void on_write_blocked() override { block_writes(); }
  void on_write_resumed() override { unblock_writes(); }
  bool multiplexed() const noexcept override { return true; }
  bool idle() const noexcept override {
    return active_ == 0 && !guard_.in_block() && scanner_.between_frames();
  }
  bool must_close() const noexcept override { return finished(); }
  bool undelivered() const noexcept override { return anything_waits(); }
  bool request_incomplete() const noexcept override { return failed(); }
  void start_drain() override;
  void finish_drain() override;
  void flush() override { pump(); }
  bool ping() override { return send_ping(); }
  uint64_t pongs() const noexcept override { return pongs_; }

 private:
  friend class ServerStream;

  HeadBlock::Kind block_kind(Stream* stream, bool first) override;
  void on_block(int32_t id, Stream* stream, EndStream end) override;
  void on_body(Stream& stream, Buffer& data, EndStream end) override;
  void on_closed(Stream& stream, uint32_t error) override;
  void on_output_sent(Stream& stream) override;
  void on_blocked(Stream& stream) override;
  void on_resumed(Stream& stream) override;
  void on_progress(Stream& stream) override;

  void on_request(int32_t id, EndStream end);
  void on_trailers(ServerStream& stream);
  void refuse(ServerStream& stream);
  void answer_tunnel(ServerStream& stream, int status);
  void send_status(ServerStream& stream, int status);
  void send_head(ServerStream& stream, const ResponseHead& head, EndStream end);
  void abort(ServerStream& stream);
  void end_exchange(ServerStream& stream);

  ServerConnectionSink& sink_;
  StreamPool<ServerStream> pool_;
  size_t head_bytes_ = 0;  // of all exchanges under way
  bool draining_ = false;
  bool drained_ = false;
};

}  // namespace weir::http::h2
