// A listener on a loop of the test's, clients on socket pairs, and an origin that the test plays as terminal filter.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/http_session.h"
#include "proxy/http_stream.h"
#include "proxy/listener_host.h"
#include "proxy/stream_pool.h"
#include "stream/terminal.h"

namespace weir::proxy::test {

class NoCallouts final : public Callouts {
 public:
  bool knows_cluster(std::string_view) const override { return false; }
  Result<std::unique_ptr<Callout>> start(CalloutRequest, CalloutHandler&) override {
    return fail(Code::kNoCluster, Side::kLocal, "none");
  }
};

/// The terminal filter of one stream; the test answers through it.
class Upstream final : public stream::TerminalFilter {
 public:
  struct Origin {
    std::vector<Upstream*> open;
    std::function<void(Upstream&)> on_head;     // at the request's head
    std::function<void(Upstream&)> on_request;  // at the request's end
    int finished = 0;
    std::string last_details;
    uint32_t last_flags = 0;
  };
  explicit Upstream(Origin& origin) : origin_(origin) { origin_.open.push_back(this); }

  stream::TerminalCallbacks* chain = nullptr;
  std::string body;
  bool complete = false;
  int blocked = 0;

  RequestHead& head() { return *callbacks_->request_head(); }
  FilterCallbacks& callbacks() { return *callbacks_; }
  void respond(int status, std::string_view text = {}) {
    ResponseHead& response = chain->response_head_storage();
    response.status = status;
    response.headers.add(HeaderId::kContentLength, std::to_string(text.size()));
    respond_head(text.empty());
    if (!text.empty()) respond_body(text, true);
  }
  void respond_head(bool end) { chain->send_response_head(end ? EndStream::kYes : EndStream::kNo); }
  void respond_body(std::string_view text, bool end) {
    Buffer data(text);
    chain->send_response_body(data, end ? EndStream::kYes : EndStream::kNo);
  }

  void attach_terminal(stream::TerminalCallbacks& callbacks) override { chain = &callbacks; }
  void on_response_blocked() override { ++blocked; }
  void on_response_resumed() override { --blocked; }
  void on_local_reply() override {}
  Flow on_request_head(RequestHead&, EndStream end) override {
    if (origin_.on_head) origin_.on_head(*this);
    if (end == EndStream::kYes) ended();
    return Flow::kContinue;
  }
  Flow on_request_body(Buffer& data, EndStream end) override {
    body += data.to_string();
    if (end == EndStream::kYes) ended();
    return Flow::kContinue;
  }
  Flow on_request_trailers(HeaderMap&) override {
    ended();
    return Flow::kContinue;
  }
  void on_stream_end(const StreamInfo& info) noexcept override {
    ++origin_.finished;
    origin_.last_details = info.response_code_details();
    origin_.last_flags = info.flags;
    std::erase(origin_.open, this);
  }

 private:
  void ended() {
    complete = true;
    if (origin_.on_request) origin_.on_request(*this);
  }
  Origin& origin_;
};

class UpstreamFactory final : public HttpFilterFactory {
 public:
  explicit UpstreamFactory(Upstream::Origin& origin) : origin_(origin) {}
  std::unique_ptr<HttpFilter> create(unsigned) const override {
    return std::make_unique<Upstream>(origin_);
  }
  bool terminal() const noexcept override { return true; }

 private:
  Upstream::Origin& origin_;
};

class SessionTest : public ::testing::Test {
 public:
  SessionTest() {
    options.stat_prefix = "test";
    origin.on_request = [](Upstream& upstream) { upstream.respond(200, "ok"); };
    options.filters.push_back(
        {"router", "router", std::make_shared<UpstreamFactory>(origin), false});
  }
  ~SessionTest() override {
    if (host) host->close_all();
    for (const int fd : fds_) ::close(fd);
    turn();
    host.reset();
    turn();
  }

  /// Publishes `options` as they are now; they are the fixture's no more.
  void publish() {
    auto listener = std::make_shared<ListenerOptions>();
    listener->name = "main";
    listener->connection.buffer_limit = buffer_limit;
    auto hcm = std::make_shared<HcmOptions>(std::move(options));
    options = HcmOptions();
    auto chain = std::make_shared<FilterChainOptions>();
    chain->name = "chain";
    chain->hcm = std::move(hcm);
    listener->filter_chains.push_back(std::move(chain));
    auto runtime = ListenerRuntime::make(listener, local, ++generation, store, logs);
    ASSERT_TRUE(runtime) << runtime.error().detail;
    if (!host) host = std::make_unique<ListenerHost>(deps, local);
    host->adopt(*runtime, nullptr);
  }

  struct Client {
    int fd;
    std::string in;
    bool closed = false;
  };
  Client connect() {
    if (!host) publish();
    int pair[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    fds_.push_back(pair[0]);
    host->on_accept(pair[1], remote);
    return {pair[0], {}, false};
  }
  void send(Client& client, std::string_view bytes) {
    ASSERT_EQ(::send(client.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    turn();
  }
  /// Turns the loop a few times and reads what has come.
  void turn() {
    for (int i = 0; i < 3; ++i) loop.run_once(std::chrono::milliseconds(0));
  }
  const std::string& receive(Client& client) {
    turn();
    char buffer[65536];
    while (true) {
      const ssize_t n = ::recv(client.fd, buffer, sizeof buffer, 0);
      if (n > 0) {
        client.in.append(buffer, static_cast<size_t>(n));
        turn();
        continue;
      }
      if (n == 0 || errno == ECONNRESET) client.closed = true;
      return client.in;
    }
  }
  std::string exchange(Client& client, std::string_view bytes) {
    client.in.clear();
    send(client, bytes);
    return receive(client);
  }
  /// Turns the loop until `done` or two seconds are over (timers are real here, and short).
  template <typename Done>
  bool wait(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (!done() && std::chrono::steady_clock::now() < deadline)
      loop.run_once(std::chrono::milliseconds(5));
    return done();
  }
  void half_close(Client& client) {
    ::shutdown(client.fd, SHUT_WR);
    turn();
  }
  void hang_up(Client& client) {
    ::close(client.fd);
    std::erase(fds_, client.fd);
    turn();
  }
  uint64_t count(std::string_view name) {
    return store.counter_value("http.test." + std::string(name));
  }
  int64_t gauge(std::string_view name) {
    return store.gauge_value("http.test." + std::string(name));
  }

  stats::Store store{1};
  std::unique_ptr<StatsScope> log_stats = store.scope("access_log.");
  event::Loop loop;
  AccessLogWriter logs{*log_stats};
  WorkerLog worker_log{logs, loop};
  NoCallouts callouts;
  StreamPool pool{loop};
  std::atomic<bool> health_check_failed{false};
  SessionDeps deps{loop, 0, callouts, worker_log, pool, health_check_failed};
  net::Address local = *net::Address::ip("127.0.0.1", 8080);
  net::Address remote = *net::Address::ip("10.1.2.3", 5555);
  HcmOptions options;
  uint32_t buffer_limit = 1024 * 1024;
  uint64_t generation = 0;
  Upstream::Origin origin;
  std::unique_ptr<ListenerHost> host;

 private:
  std::vector<int> fds_;
};

inline bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}
inline size_t times(const std::string& text, std::string_view part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace weir::proxy::test
