// HttpSession: the HTTP state of one downstream connection.
#pragma once

#include <memory>
#include <string>

#include "http/connection.h"
#include "net/connection.h"
#include "proxy/hcm_runtime.h"
#include "proxy/listener_host.h"
#include "proxy/session_deps.h"

namespace weir::proxy {

class HttpStream;

/// Owner: its ListenerHost. Thread: its loop's. Reads bytes from the connection into the codec, which yields exchanges; each
/// gets an HttpStream that runs by the newest runtime. Connection-scoped options are those of the runtime at accept.
/// Death: finish() detaches it from connection and timers, then ListenerHost::remove defers its deletion.
class HttpSession final : public event::Deferrable,
                          public net::ConnectionSink,
                          public http::ServerConnectionSink {
 public:
  HttpSession(SessionDeps& deps, ListenerHost& host, std::unique_ptr<net::Connection> connection);
  ~HttpSession() override;
  void start();

  // net::ConnectionSink
  void on_data(Buffer& in, net::ReadEnd end) override;
  void on_write_blocked() override;
  void on_write_resumed() override;
  void on_drained() override;
  void on_error(const Error& error) override;

  // http::ServerConnectionSink
  http::RequestReceiver& on_new_request(http::ResponseWriter& writer) override;
  void on_exchange_done(http::RequestReceiver& receiver) override;
  void on_hold_reading() override;
  void on_release_reading() override;

  /// From now on responses say "connection: close".
  void start_drain();
  bool idle() const noexcept;
  /// Closes gracefully if idle.
  void close_if_idle();
  /// Cuts the connection and its stream.
  void abort();

  // For HttpStream.
  SessionDeps& deps() noexcept { return deps_; }
  net::Connection& connection() noexcept { return *connection_; }
  const HcmRuntime& connection_runtime() const noexcept { return *runtime_; }
  const std::string& remote_text() const noexcept { return remote_text_; }
  const std::string& remote_ip() const noexcept { return remote_ip_; }
  const std::string& local_text() const noexcept { return host_.local_text(); }
  /// Response bytes stand in connection().out(): have them sent at the end of the turn.
  void response_written();
  /// Bytes went either way: the stream is not idle.
  void note_activity() noexcept;
  /// Arms the stream timers of the current stream as its runtime and route say.
  void set_stream_idle_timeout(Milliseconds timeout) noexcept;
  /// The connection closes once what is written is out.
  void close_when_written();

 private:
  friend class ListenerHost;
  enum class State : uint8_t { kOpen, kClosing, kFinished };
  enum class Ended : uint8_t { kLocal, kRemote };

  static void on_idle_timer(void* self);
  static void on_duration_timer(void* self);
  static void on_stream_idle_timer(void* self);
  static void on_head_timer(void* self);
  void decode(Buffer& in);
  void on_codec_error(const Error& error);
  void on_client_gone(const Error& error);
  void after_io();
  void close_now(Ended ended);
  void finish(Ended ended);
  void arm_head_timer();

  SessionDeps& deps_;
  ListenerHost& host_;
  RuntimeRef runtime_;  // the one at accept; holds connection-scoped options
  std::unique_ptr<net::Connection> connection_;
  std::unique_ptr<http::ServerConnection> codec_;
  std::unique_ptr<HttpStream> stream_;
  std::string remote_text_;
  std::string remote_ip_;
  event::Timer idle_timer_;
  event::Timer stream_idle_timer_;
  event::Timer head_timer_;
  event::Timer duration_timer_;
  MonotonicTime started_{};
  Milliseconds stream_idle_timeout_{0};
  uint32_t requests_ = 0;
  size_t index_ = 0;  // in ListenerHost::sessions_
  State state_ = State::kOpen;
  bool decoding_ = false;
  bool draining_ = false;
  bool delayed_close_ = false;
  bool remote_closed_ = false;
};

}  // namespace weir::proxy
