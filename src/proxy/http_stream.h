// HttpStream: one request/response exchange of a downstream connection.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "http/connection.h"
#include "proxy/chain_runtime.h"
#include "proxy/request_prep.h"
#include "proxy/session_deps.h"
#include "stream/chain.h"

namespace weir::router {
class Route;
}

namespace weir::proxy {

class HttpSession;

/// Runs one exchange: prepares the request, drives it through the filters, sends the response, counts and logs.
///
/// Owner: its session; between exchanges the worker's StreamPool, which uses it again. Thread: the worker's loop.
/// Order: begin(), calls of the codec (RequestReceiver) and of the chain (ChainHost), finish() in any case, exactly once;
/// recycle() at the end of the turn, when nothing of it is on the stack. It runs by the runtime it began with.
class HttpStream final : public http::RequestReceiver, public stream::ChainHost {
 public:
  HttpStream() = default;
  ~HttpStream() override;
  HttpStream(const HttpStream&) = delete;
  HttpStream& operator=(const HttpStream&) = delete;

  void begin(HttpSession& session, http::ResponseWriter& writer, const RuntimeRef& runtime,
             uint64_t id);
  void recycle() noexcept;

  // From the session.
  /// The codec has let go of the exchange: the writer is gone.
  void on_writer_gone() noexcept {
    writer_ = nullptr;
    if (idle_timer_) idle_timer_->cancel();
  }
  /// Bytes that are no request: answered if the response has not begun, else cut.
  void on_bad_request(const Error& error);
  void on_client_gone(std::string_view details);
  void on_header_timeout();
  void on_idle_timeout();
  /// HTTP/2: the connection has ended by an error of the client's.
  void on_connection_error(std::string_view details);
  void abort(std::string_view details);
  bool head_received() const noexcept { return head_received_; }
  bool finished() const noexcept { return finished_; }
  bool request_complete() const noexcept { return request_complete_; }
  // The streams of a session: each owns the one that is older.
  HttpStream* next() noexcept { return next_.get(); }
  void link_before(std::unique_ptr<HttpStream> next) noexcept {
    next_ = std::move(next);
    next_->prev_ = this;
  }
  /// Takes this one, which follows another, out of the list.
  std::unique_ptr<HttpStream> unlink() noexcept;
  /// Takes the ones behind this one, which is the first, from it.
  std::unique_ptr<HttpStream> take_next() noexcept {
    if (next_ != nullptr) next_->prev_ = nullptr;
    return std::move(next_);
  }

  // http::RequestReceiver
  RequestHead& request_head() noexcept override { return exchange_.request; }
  HeaderMap& request_trailers() noexcept override { return exchange_.request_trailers; }
  void on_request_head(Protocol protocol, size_t wire_bytes, EndStream end) override;
  void on_request_body(Buffer& data, EndStream end) override;
  void on_request_trailers() override;
  void on_request_aborted(const Error& error) override;
  void on_request_refused(const Error& error) override;
  void on_response_blocked() override { chain_.on_response_blocked(); }
  void on_response_resumed() override;
  void on_response_progress() override { note_activity(); }

  // stream::ChainHost
  const stream::RouteRef* match_route() override;
  void send_informational(const ResponseHead& head) override;
  void send_response_head(EndStream end) override;
  void send_response_body(Buffer& data, EndStream end) override;
  void send_response_trailers() override;
  void prepare_reply(LocalReply& reply, Buffer& body) override;
  void abort_response(std::string_view details) override;
  void hold_request() override;
  void release_request() override;
  void on_chain_done() override { finish(); }

 private:
  class SentBytes;
  static void on_request_timer(void* self);
  static void on_duration_timer(void* self);
  static void on_idle_timer(void* self);
  void note_activity() noexcept;
  void apply_route_idle_timeout();
  void apply_route_duration();
  void set_idle_timeout(Milliseconds timeout) noexcept;
  void end_early(ResponseFlag flag, std::string_view code_details, std::string_view details);
  void begin_chain(size_t filters);
  void build_chain(const std::vector<ConfiguredFilter>& filters);
  // Upgrades and CONNECT (tunnels.cc).
  void begin_tunnel(EndStream end);
  bool offers(std::string_view protocol, const UpgradeOptions*& configured) const;
  void refuse_tunnel();
  void answer_tunnel(EndStream end);
  void request_ended();
  void finish();
  void count_response();
  void write_logs();
  std::string_view path_without_query() const noexcept;
  void log_begin() const;
  void log_end() const;
  stream::FormatContext format_context() const;
  const HcmOptions& hcm() const noexcept { return runtime_->hcm(); }

  HttpSession* session_ = nullptr;
  http::ResponseWriter* writer_ = nullptr;
  RuntimeRef runtime_;
  stream::Exchange exchange_;
  stream::FilterChain chain_;
  PrepScratch scratch_;
  std::optional<event::Timer> request_timer_;
  std::optional<event::Timer> duration_timer_;
  std::optional<event::Timer> idle_timer_;  // HTTP/2; with HTTP/1 the session's serves
  Milliseconds idle_timeout_{0};
  std::unique_ptr<HttpStream> next_;
  HttpStream* prev_ = nullptr;
  const router::Route* route_ = nullptr;
  bool idle_by_route_ = false;               // the idle timeout is a route's own
  const router::Route* timed_by_ = nullptr;  // whose max_stream_duration the timer has
  uint64_t random_ = 0;
  bool random_drawn_ = false;
  bool head_received_ = false;
  bool request_complete_ = false;
  bool request_held_ = false;
  bool own_answer_ = false;  // the response is a local reply
  bool upgrade_counted_ = false;
  bool finished_ = true;
};

}  // namespace weir::proxy
