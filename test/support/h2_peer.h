// Clients and origins of HTTP/2 for tests, on blocking sockets with deadlines. They speak through the codec of the proxy; what
// foreign implementations make of it is the matter of the conformance tests.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/h2/h2.h"
#include "support/test_proxy.h"

namespace weir::test {

using Fields = std::vector<std::pair<std::string, std::string>>;

/// What both sides share: a socket, the codec's output, and a clock for it.
class H2Socket {
 public:
  explicit H2Socket(Peer peer);
  /// Sends what the codec has written.
  void flush();
  /// Reads once and gives it to `decode`; false at the end of the connection or when nothing comes in time.
  bool read_once(std::chrono::milliseconds patience, const std::function<bool(Buffer&)>& decode);
  Peer& peer() noexcept { return peer_; }
  bool ended() const noexcept { return ended_; }
  Buffer out;
  MonotonicTime now;

 private:
  Peer peer_;
  Buffer in_;
  bool ended_ = false;
};

class H2Client;

/// One request of a client and its response.
class H2Exchange final : public http::ResponseReceiver {
 public:
  int status = 0;
  std::vector<int> informational;
  Fields headers, trailers;
  std::string body;
  bool has_head = false, done = false, reset = false, unseen = false;
  bool request_blocked = false;
  std::string header(std::string_view name) const;
  std::string trailer(std::string_view name) const;
  http::RequestWriter* writer = nullptr;

 private:
  ResponseHead& response_head() noexcept override { return head_; }
  HeaderMap& response_trailers() noexcept override { return trailers_; }
  void on_informational() override { informational.push_back(head_.status); }
  void on_response_head(size_t, EndStream end) override;
  void on_response_body(Buffer& data, EndStream end) override;
  void on_response_trailers() override;
  void on_exchange_reset(const Error& error, bool never_seen) override;
  void on_request_blocked() override { request_blocked = true; }
  void on_request_resumed() override { request_blocked = false; }
  ResponseHead head_;
  HeaderMap trailers_;
};

/// A client. Every wait throws when its deadline has passed.
class H2Client {
 public:
  explicit H2Client(Peer peer, const http::h2::Options& options = {});
  ~H2Client();
  /// Begins a request; it is sent at once.
  H2Exchange& start(std::string_view method, std::string_view path, EndStream end = EndStream::kYes,
                    const Fields& fields = {}, std::string_view authority = "test.example");
  void send_body(H2Exchange& exchange, std::string_view text, EndStream end);
  void send_trailers(H2Exchange& exchange, const Fields& fields);
  void reset(H2Exchange& exchange);
  /// Nothing of the response's body is taken any more / it is taken again.
  void hold(H2Exchange& exchange) { exchange.writer->hold_response(); }
  void release(H2Exchange& exchange);
  H2Exchange& get(std::string_view path, const Fields& fields = {});  // the whole response
  void wait(H2Exchange& exchange);
  void wait_until(std::string_view what, const std::function<bool()>& condition);
  /// Takes what has come already.
  void poll();
  bool draining() const noexcept { return codec_->draining(); }
  bool ended() const noexcept { return socket_.ended(); }
  H2Socket& socket() noexcept { return socket_; }

 private:
  bool step(std::chrono::milliseconds patience);
  H2Socket socket_;
  std::unique_ptr<http::ClientConnection> codec_;
  std::vector<std::unique_ptr<H2Exchange>> exchanges_;
};

/// One request at an origin.
class H2Request final : public http::RequestReceiver {
 public:
  explicit H2Request(http::ResponseWriter& response) : writer(&response) {}
  RequestHead head;
  Fields trailers;
  std::string body;
  bool has_head = false, done = false, aborted = false;
  std::string header(std::string_view name) const;
  http::ResponseWriter* writer;

 private:
  RequestHead& request_head() noexcept override { return head; }
  HeaderMap& request_trailers() noexcept override { return trailers_; }
  void on_request_head(Protocol, size_t, EndStream end) override;
  void on_request_body(Buffer& data, EndStream end) override;
  void on_request_trailers() override;
  void on_request_aborted(const Error&) override { aborted = done = true; }
  HeaderMap trailers_;
};

/// An origin's side of one connection.
class H2Origin final : private http::ServerConnectionSink {
 public:
  explicit H2Origin(Peer peer, const http::h2::Options& options = {});
  ~H2Origin() override;
  /// The next request whose head has come (and whose body too, if `whole`).
  H2Request& next(bool whole = true);
  void respond(H2Request& request, int status, std::string_view body = {},
               const Fields& fields = {});
  void send_head(H2Request& request, int status, EndStream end, const Fields& fields = {});
  void send_body(H2Request& request, std::string_view text, EndStream end);
  void send_trailers(H2Request& request, const Fields& fields);
  void informational(H2Request& request, int status, const Fields& fields = {});
  void reset(H2Request& request);
  void goaway();  // both steps at once: streams that come later are not seen
  void wait_until(std::string_view what, const std::function<bool()>& condition);
  void poll();
  /// Serves until the other side closes.
  void serve(const std::function<void(H2Origin&, H2Request&)>& handler);
  bool ended() const noexcept { return socket_.ended(); }
  size_t requests() const noexcept { return requests_.size(); }
  H2Socket& socket() noexcept { return socket_; }

 private:
  http::RequestReceiver& on_new_request(http::ResponseWriter& writer) override;
  void on_exchange_done(http::RequestReceiver& receiver) override;
  void on_hold_reading() override {}
  void on_release_reading() override {}
  bool step(std::chrono::milliseconds patience);
  H2Socket socket_;
  std::unique_ptr<http::ServerConnection> codec_;
  std::vector<std::unique_ptr<H2Request>> requests_;
  size_t taken_ = 0;
};

/// Origins on threads of their own that answer every request with `handler`.
class AutoH2Origin {
 public:
  using Handler = std::function<void(H2Origin&, H2Request&)>;
  explicit AutoH2Origin(Handler handler, http::h2::Options options = {});
  ~AutoH2Origin();
  uint16_t port() const noexcept { return origin_.port(); }
  int connections() const noexcept { return connections_.load(); }

 private:
  void run();
  Origin origin_;
  Handler handler_;
  http::h2::Options options_;
  std::atomic<bool> stop_{false};
  std::atomic<int> connections_{0};
  std::mutex mutex_;
  std::vector<int> fds_;
  std::vector<std::thread> peers_;
  std::thread thread_;
};

/// The `typed_extension_protocol_options` of a cluster (for Yaml::cluster) with these fields of HttpProtocolOptions.
std::string http_protocol_options(std::string_view fields);

}  // namespace weir::test
