// The seam between codecs and everything above: a connection yields exchanges with a receiving and a sending half.
// HTTP/1 implements it in http/h1, HTTP/2 in http/h2. No I/O here: bytes come in by decode(), bytes for the
// wire are appended to the Buffer that the connection was made with.
//
// Tunnels have one form above the codecs, that of HTTP/1. An upgrade is a request with an "upgrade" field (and no "connection")
// that does not end with its head; a 101 grants it, anything else refuses it and is an ordinary response. CONNECT has an
// authority and an empty path; a 2xx grants it. After that, request and response body are the bytes of the two directions, each
// with its own end. Before it nothing is sent: a server role gives no body before the answer, and the user of a client role
// sends none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <weir/buffer.h>
#include <weir/message.h>
#include <weir/result.h>

namespace weir::http {

/// "headers_with_underscores_action".
enum class UnderscoreAction : uint8_t { kAllow, kRejectRequest, kDropHeader };

/// Limits and choices of a codec; both roles. Connection-scoped: read when a connection is made.
struct CodecOptions {
  size_t max_header_bytes = 60 * 1024;  // request line or status line included
  size_t max_header_count = 100;
  UnderscoreAction underscores = UnderscoreAction::kAllow;
  bool accept_http_10 = true;                   // weir's default; false answers 426
  std::string_view default_host_for_http_10{};  // borrowed: proxy::ConnectionScope::default_host
  bool allow_absolute_url = true;
  bool enable_trailers = false;    // send trailers on (they are always parsed and validated)
  bool proper_case_words = false;  // header_key_format
  bool answer_continue = true;     // false: "expect: 100-continue" is left to the other side
};

// ---- server role -------------------------------------------------------------------------------------------

/// Receives one request. Implemented by the stream. The codec fills head and trailers in place.
/// Order: request_head(), on_request_head, on_request_body*, (request_trailers(), on_request_trailers)?; kYes marks the end;
/// or on_request_aborted at any point, after which nothing comes.
class RequestReceiver {
 public:
  virtual ~RequestReceiver() = default;
  virtual RequestHead& request_head() noexcept = 0;
  virtual HeaderMap& request_trailers() noexcept = 0;
  /// `protocol` is the message's; `wire_bytes` the size of the head as received.
  virtual void on_request_head(Protocol protocol, size_t wire_bytes, EndStream end) = 0;
  /// Takes what it wants from `data`; the codec forgets the rest. On multiplexed connections it also comes while the request is held:
  /// as much as the client's window allows.
  virtual void on_request_body(Buffer& data, EndStream end) = 0;
  virtual void on_request_trailers() = 0;
  virtual void on_request_aborted(const Error& error) = 0;
  /// Multiplexed connections only, in the place of on_request_head: this request alone is refused (limits, Host that is not
  /// :authority). request_head() may be partly filled; nothing else comes of the request. Answer at once what
  /// stream/local_reply.h says of it; otherwise the codec answers with the bare status.
  virtual void on_request_refused(const Error& error) { static_cast<void>(error); }
  /// The client takes no more of this response / takes it again. Alternating; may come from inside send_body().
  virtual void on_response_blocked() {}
  virtual void on_response_resumed() {}
  /// Multiplexed connections only: some more of the response body was sent. Only to be noted.
  virtual void on_response_progress() {}
};

/// Sends the response of one exchange. Implemented by the codec; valid from on_new_request until the response
/// has ended or abort() was called.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;
  virtual void send_informational(const ResponseHead& head) = 0;  // 100, 102, 103
  /// Chooses the framing: content-length if present, else chunked, else close-delimited (HTTP/1.0).
  virtual void send_head(const ResponseHead& head, EndStream end) = 0;
  virtual void send_body(Buffer& data, EndStream end) = 0;  // empties `data`
  virtual void send_trailers(const HeaderMap& trailers) = 0;
  /// Ends the exchange visibly incomplete (h1: the connection must close; h2: RST_STREAM).
  virtual void abort() = 0;
  /// The request body may flow / must wait. h1 maps it to the connection's reading, h2 to window updates.
  virtual void hold_request() = 0;
  virtual void release_request() = 0;
  /// The connection closes after this response; adds "connection: close" if the head is not out yet.
  virtual void close_after() = 0;
};

/// What a server connection tells the session.
class ServerConnectionSink {
 public:
  virtual ~ServerConnectionSink() = default;
  /// First bytes of a request have arrived; on multiplexed connections a whole valid head.
  virtual RequestReceiver& on_new_request(ResponseWriter& writer) = 0;
  /// Request and response of an exchange are both complete (or aborted): the receiver may go. On multiplexed connections it comes
  /// once for each exchange, after the last byte of the response went to the wire's buffer, inside abort(), or right after
  /// on_request_aborted; the writer is dead then. It does not come after an error of decode().
  virtual void on_exchange_done(RequestReceiver& receiver) = 0;
  /// The codec wants reading of the socket stopped / resumed (pipelining, hold_request).
  virtual void on_hold_reading() = 0;
  virtual void on_release_reading() = 0;
  /// HTTP/1 tunnels: the response has ended, the request goes on. FIN after the bytes written so far.
  virtual void on_response_half_closed() {}
};

class ServerConnection {
 public:
  virtual ~ServerConnection() = default;
  /// Consumes what it can of `in`. An error means: answer what stream/local_reply.h says of it if no response has begun
  /// (the receiver's exchange stays open for that), then close; decode() is not called again. On multiplexed connections
  /// nothing can be answered any more: the owner ends every exchange, sends what is in the wire's buffer and closes.
  virtual Result<void> decode(Buffer& in) = 0;
  /// The client half-closed.
  virtual Result<void> on_read_end() = 0;
  /// The connection's unsent bytes went over the limit / fell below it. Multiplexed connections keep the bodies and tell
  /// their receivers; control frames still go out.
  virtual void on_write_blocked() {}
  virtual void on_write_resumed() {}
  /// The connection has switched (101, 2xx to CONNECT) and carries bytes: the client's end is the end of one direction
  /// alone, and on_read_end() is to be called for it.
  virtual bool tunnel() const noexcept { return false; }
  /// Several exchanges may be under way at once.
  virtual bool multiplexed() const noexcept { return false; }
  /// No exchange is under way and no partial request is buffered.
  virtual bool idle() const noexcept = 0;
  /// Idle, and nothing has been read since the last exchange, not even an empty line: a new codec would go on as this one.
  virtual bool untouched() const noexcept { return idle(); }
  /// The connection must close when the bytes written so far are out (after a close_after response, an abort, a
  /// close-delimited body).
  virtual bool must_close() const noexcept = 0;
  /// Something that has come waits for the next decode(), which may be given nothing.
  virtual bool undelivered() const noexcept { return false; }
  /// The last response ended before its request did: close gracefully, the client may still be sending.
  virtual bool request_incomplete() const noexcept = 0;
  /// From now on every response says that the connection closes (drain).
  virtual void start_drain() = 0;
  /// No exchange is begun any more; those under way end in peace (HTTP/2: the second GOAWAY).
  virtual void finish_drain() {}
  /// Writes what writers have left for later (h2::Output).
  virtual void flush() {}
  /// Sends a PING; false if the protocol has none. `pongs()` counts the answers.
  virtual bool ping() { return false; }
  virtual uint64_t pongs() const noexcept { return 0; }
};

// ---- client role -------------------------------------------------------------------------------------------

/// Receives one response. Order: on_informational*, response_head() filled, on_response_head, body*, trailers?. An error of
/// decode() or on_read_end() ends it at any point: nothing comes after it, and the receiver is not told.
class ResponseReceiver {
 public:
  virtual ~ResponseReceiver() = default;
  virtual ResponseHead&
  response_head() noexcept = 0;  // also filled for informational heads, then cleared
  virtual HeaderMap& response_trailers() noexcept = 0;
  virtual void on_informational() = 0;  // response_head() holds a 100, 102 or 103
  virtual void on_response_head(size_t wire_bytes, EndStream end) = 0;
  virtual void on_response_body(Buffer& data, EndStream end) = 0;
  virtual void on_response_trailers() = 0;
  /// This exchange alone has failed; nothing comes after it. `unseen`: the upstream has certainly not acted on the request
  /// (RFC 9113 8.7: REFUSED_STREAM, or above the last stream of a GOAWAY), so it may be sent again. Multiplexed connections only.
  virtual void on_exchange_reset(const Error& error, bool unseen) {
    static_cast<void>(error), static_cast<void>(unseen);
  }
  /// The upstream takes no more of this request / takes it again. Multiplexed connections only; alternating.
  virtual void on_request_blocked() {}
  virtual void on_request_resumed() {}
};

/// Sends the request of one exchange. On multiplexed connections it is dead after abort(), from on_exchange_reset on, and when both
/// the end of the request has been given and the end of the response delivered: an exchange whose response has ended
/// first is either ended or aborted by its owner.
class RequestWriter {
 public:
  virtual ~RequestWriter() = default;
  virtual void send_head(const RequestHead& head, EndStream end) = 0;
  virtual void send_body(Buffer& data, EndStream end) = 0;  // empties `data`
  virtual void send_trailers(const HeaderMap& trailers) = 0;
  /// Multiplexed connections only: ends this exchange (RST_STREAM); its receiver is not told. The writer is dead.
  virtual void abort() {}
  /// Multiplexed connections only: the response body may flow / must wait (windows).
  virtual void hold_response() {}
  virtual void release_response() {}
};

class ClientConnection {
 public:
  virtual ~ClientConnection() = default;
  /// Begins an exchange. Requires: reusable() or new. The writer is valid until exchange end.
  virtual RequestWriter& start(ResponseReceiver& receiver) = 0;
  /// Consumes bytes from the upstream. An error: the response is malformed (or came unasked); the connection must
  /// be closed. The codec does not tell the receiver; the owner does.
  virtual Result<void> decode(Buffer& in) = 0;
  /// Upstream closed. Ok if that ends a close-delimited body (the end is delivered) or nothing was under way.
  virtual Result<void> on_read_end() = 0;
  /// Request sent completely and response received completely.
  virtual bool exchange_complete() const noexcept = 0;
  /// Exchange complete, well-framed, keep-alive on both sides and no surplus byte: may be pooled.
  virtual bool reusable() const noexcept = 0;
  /// Any byte of a response has arrived.
  virtual bool response_started() const noexcept = 0;
  /// Stops telling the receiver (it is going away); the connection must be closed then.
  virtual void detach() = 0;
  /// HTTP/1 alone: the connection has switched and carries bytes; the request's end is a FIN, the connection is never reusable.
  virtual bool tunnel() const noexcept { return false; }
  /// Several exchanges may be under way at once.
  virtual bool multiplexed() const noexcept { return false; }
  /// How many further exchanges may be started now: the peer's limit, ours, GOAWAY, stream ids.
  virtual size_t capacity() const noexcept { return reusable() ? 1 : 0; }
  /// Exchanges under way.
  virtual size_t active() const noexcept { return exchange_complete() ? 0 : 1; }
  /// The peer has said GOAWAY, or no stream id is left: no exchange is started any more.
  virtual bool draining() const noexcept { return false; }
  virtual void on_write_blocked() {}
  virtual void on_write_resumed() {}
  /// As for servers.
  virtual void flush() {}
  virtual bool ping() { return false; }
  virtual uint64_t pongs() const noexcept { return 0; }
};

}  // namespace weir::http
