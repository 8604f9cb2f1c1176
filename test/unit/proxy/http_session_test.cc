// Dialogues with one downstream connection.
#include <algorithm>

#include "unit/proxy/session_fixture.h"

namespace weir::proxy::test {
namespace {

constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: a.b\r\n\r\n";

TEST_F(SessionTest, AnswersOnAKeptConnection) {
  Client client = connect();
  for (int i = 0; i < 3; ++i) {
    const std::string answer = exchange(client, kGet);
    EXPECT_EQ(answer.substr(0, 17), "HTTP/1.1 200 OK\r\n");
    EXPECT_TRUE(has(answer, "\r\nserver: weir\r\n")) << answer;
    EXPECT_TRUE(has(answer, "\r\ndate: ")) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\nok")) << answer;
  }
  EXPECT_FALSE(client.closed);
  EXPECT_EQ(count("downstream_rq_total"), 3u);
  EXPECT_EQ(count("downstream_rq_2xx"), 3u);
  EXPECT_EQ(count("downstream_rq_completed"), 3u);
  EXPECT_EQ(gauge("downstream_rq_active"), 0);
  EXPECT_EQ(gauge("downstream_cx_active"), 1);
  EXPECT_EQ(store.counter_value("listener.127.0.0.1_8080.http.test.downstream_rq_2xx"), 3u);
  EXPECT_EQ(store.counter_value("listener.127.0.0.1_8080.downstream_cx_total"), 1u);
  EXPECT_EQ(pool.idle(), 1u) << "one stream object serves them all";
}

TEST_F(SessionTest, PipelinedRequestsAreAnsweredInOrder) {
  int served = 0;
  origin.on_request = [&served](Upstream& upstream) {
    EXPECT_EQ(upstream.head().path(), "/" + std::to_string(served));
    upstream.respond(200, std::string(upstream.head().path()));
    ++served;
  };
  std::string all;
  for (int i = 0; i < 100; ++i) all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  Client client = connect();
  send(client, all);
  EXPECT_TRUE(wait([&] { return served == 100; }));
  EXPECT_EQ(times(receive(client), "HTTP/1.1 200 OK"), 100u);
}

// What a client sends on and on stays in the kernel although every answer is read.
TEST_F(SessionTest, PipelinedInputDoesNotPileUp) {
  for (const bool later : {false, true}) {
    int served = 0;
    origin.on_request = [&](Upstream& upstream) {
      ++served;
      if (!later) upstream.respond(200, "ok");
    };
    Client client = connect();
    std::string all;
    for (int i = 0; i < 1000; ++i) all += "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    size_t sent = 0;
    for (int i = 0; i < 150; ++i) {
      const ssize_t n = ::send(client.fd, all.data(), all.size(), MSG_NOSIGNAL);
      if (n > 0) {
        sent += static_cast<size_t>(n);
        std::rotate(all.begin(), all.begin() + n, all.end());
      }
      if (later && !origin.open.empty()) origin.open[0]->respond(200, "ok");
      receive(client);
    }
    // What was taken from the client and not served: some reads, and what a socket pair holds.
    EXPECT_LT(sent, static_cast<size_t>(served) * 27 + 1024 * 1024) << later;
    EXPECT_GT(served, 100);
    EXPECT_FALSE(client.closed);
    hang_up(client);
  }
}

// The requests that are read and the answers that wait are bounded, and none is lost once the client reads again.
TEST_F(SessionTest, AnswersThatNobodyReadsStopTheReading) {
  constexpr int kRequests = 2000;
  const std::string body(8 * 1024, 'x');
  buffer_limit = 64 * 1024;
  int served = 0;
  origin.on_request = [&](Upstream& upstream) {
    EXPECT_EQ(upstream.head().path(), "/" + std::to_string(served));
    upstream.respond(200, body);
    ++served;
  };
  Client client = connect();
  std::string all;
  for (int i = 0; i < kRequests; ++i)
    all += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n\r\n";
  size_t sent = 0;
  int stalled = 0;
  while (stalled < 20) {
    const ssize_t n = ::send(client.fd, all.data() + sent, all.size() - sent, MSG_NOSIGNAL);
    turn();
    const int before = served;
    turn();
    if (n > 0) sent += static_cast<size_t>(n);
    stalled = n > 0 || served > before ? 0 : stalled + 1;
    if (sent == all.size()) ++stalled;
  }
  EXPECT_LT(served, 200);
  while (sent < all.size() || times(client.in, "HTTP/1.1 200 OK") < kRequests) {
    const size_t had = client.in.size();
    receive(client);
    const ssize_t n = ::send(client.fd, all.data() + sent, all.size() - sent, MSG_NOSIGNAL);
    if (n > 0) sent += static_cast<size_t>(n);
    ASSERT_TRUE(wait([&] { return receive(client).size() > had; })) << served;
  }
  EXPECT_EQ(served, kRequests);
  EXPECT_FALSE(client.closed);
}

TEST_F(SessionTest, PipelinedRequestWaitsForTheAnswerBeforeIt) {
  origin.on_request = nullptr;
  Client client = connect();
  send(client, std::string(kGet) + std::string(kGet));
  ASSERT_EQ(origin.open.size(), 1u);
  origin.open[0]->respond(200, "1");
  turn();
  ASSERT_EQ(origin.open.size(), 1u);
  origin.open[0]->respond(200, "2");
  EXPECT_TRUE(receive(client).ends_with("\r\n\r\n2"));
  EXPECT_EQ(times(client.in, "HTTP/1.1 200"), 2u);
}

TEST_F(SessionTest, BodiesStreamBothWays) {
  origin.on_request = nullptr;
  Client client = connect();
  send(client, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  ASSERT_EQ(origin.open.size(), 1u);
  Upstream& upstream = *origin.open[0];
  EXPECT_EQ(upstream.body, "abc");
  EXPECT_FALSE(upstream.complete);
  upstream.chain->response_head_storage().status = 200;
  upstream.respond_head(false);
  upstream.respond_body("xyz", false);
  EXPECT_TRUE(has(receive(client), "transfer-encoding: chunked\r\n\r\n3\r\nxyz\r\n")) << client.in;
  send(client, "2\r\nde\r\n0\r\n\r\n");
  EXPECT_TRUE(upstream.complete);
  upstream.respond_body("", true);
  EXPECT_TRUE(receive(client).ends_with("0\r\n\r\n"));
  EXPECT_FALSE(client.closed);
}

TEST_F(SessionTest, BadRequestsAreAnsweredAndClosed) {
  struct Case {
    std::string_view bytes;
    std::string_view status, body;
  };
  const Case cases[] = {
      {"GET / HTTP/1.1\r\nbad header\r\n\r\n", "400 Bad Request", "Bad Request"},
      {"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "400", "Bad Request"},
      {"GET / HTTP/1.1\r\n\r\n", "400", "Bad Request"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "501", "Not Implemented"},
      {"GET / HTTP/1.1\r\nHost: a\r\nExpect: fire\r\n\r\n", "417", "Expectation Failed"},
      {"\x16\x03\x01 garbage\r\n\r\n", "400", "Bad Request"},
  };
  uint64_t errors = 0;
  for (const Case& c : cases) {
    Client client = connect();
    const std::string answer = exchange(client, c.bytes);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::string(c.status))) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\n" + std::string(c.body))) << answer;
    EXPECT_TRUE(has(answer, "connection: close\r\n")) << answer;
    EXPECT_TRUE(client.closed);
    EXPECT_EQ(count("downstream_cx_protocol_error"), ++errors);
  }
  EXPECT_EQ(origin.finished, 0) << "nothing of it reaches the router";
  EXPECT_EQ(gauge("downstream_rq_active"), 0);
}

TEST_F(SessionTest, HeadersOverTheLimitGet431) {
  options.codec.max_header_bytes = 1000;
  Client client = connect();
  EXPECT_TRUE(
      exchange(client, "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(2000, 'x') + "\r\n\r\n")
          .starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
  EXPECT_TRUE(client.closed);
}

TEST_F(SessionTest, BadChunkInARunningRequestAbortsIt) {
  origin.on_request = nullptr;
  Client client = connect();
  send(client, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  const std::string answer = exchange(client, "zz\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 Bad Request")) << answer;
  EXPECT_EQ(origin.finished, 1);
  EXPECT_TRUE(origin.open.empty());
  EXPECT_TRUE(client.closed);
}

TEST_F(SessionTest, RefusedTargets) {
  struct Case {
    std::string_view line;
    std::string_view status;
    bool closes;
    std::string_view length = "0";
  };
  const Case cases[] = {
      {"GET /../x HTTP/1.1", "400", true},      {"GET /%00 HTTP/1.1", "400", true},
      {"OPTIONS * HTTP/1.1", "404", false},     {"GET https://a/ HTTP/1.1", "403", true, "9"},
      {"CONNECT a.b:80 HTTP/1.1", "404", true},
  };
  for (const Case& c : cases) {
    Client client = connect();
    const std::string host = c.line.starts_with("CONNECT") ? "a.b:80" : "a";
    const std::string answer =
        exchange(client, std::string(c.line) + "\r\nHost: " + host + "\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::string(c.status))) << c.line << "\n"
                                                                         << answer;
    EXPECT_TRUE(has(answer, "content-length: " + std::string(c.length) + "\r\n")) << answer;
    EXPECT_EQ(client.closed, c.closes) << c.line;
  }
  EXPECT_EQ(count("downstream_rq_non_relative_path"), 1u);  // as Envoy answers "OPTIONS *"
  EXPECT_EQ(origin.finished, 0);
}

TEST_F(SessionTest, UpgradeWithoutARouteIsRefusedAndH2cIgnored) {
  Client client = connect();
  EXPECT_TRUE(
      exchange(client,
               "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
          .starts_with("HTTP/1.1 404 Not Found"));
  EXPECT_TRUE(client.closed);
  Client second = connect();
  origin.on_head = [](Upstream& upstream) {
    EXPECT_FALSE(upstream.head().headers.has(HeaderId::kUpgrade));
    EXPECT_FALSE(upstream.head().headers.has(HeaderId::kHttp2Settings));
  };
  EXPECT_TRUE(exchange(second,
                       "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                       "Upgrade: h2c\r\nHTTP2-Settings: AAAA\r\n\r\n")
                  .starts_with("HTTP/1.1 200"));
}

TEST_F(SessionTest, EarlyAnswerClosesGracefully) {
  origin.on_head = [](Upstream& upstream) { upstream.respond(401, "no"); };
  origin.on_request = nullptr;
  Client client = connect();
  const std::string answer =
      exchange(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart");
  EXPECT_TRUE(answer.ends_with("\r\n\r\nno")) << answer;
  EXPECT_TRUE(client.closed);
  EXPECT_EQ(count("downstream_rq_response_before_rq_complete"), 1u);
  EXPECT_EQ(host->session_count(), 1u) << "still taking what the client sends";
  half_close(client);
  EXPECT_TRUE(wait([&] { return host->session_count() == 0; }));
}

TEST_F(SessionTest, ClientThatGoesEndsTheStream) {
  origin.on_request = nullptr;
  Client client = connect();
  send(client, kGet);
  ASSERT_EQ(origin.open.size(), 1u);
  hang_up(client);
  EXPECT_TRUE(wait([&] { return host->session_count() == 0; }));
  EXPECT_EQ(origin.finished, 1);
  EXPECT_TRUE(origin.open.empty());
  EXPECT_EQ(origin.last_details, "downstream_remote_disconnect");
  EXPECT_EQ(response_flags_text(origin.last_flags), "DC");
  EXPECT_EQ(count("downstream_cx_destroy_remote_active_rq"), 1u);
  EXPECT_EQ(count("downstream_rq_rx_reset"), 1u);
  EXPECT_EQ(gauge("downstream_rq_active"), 0);
  EXPECT_EQ(gauge("downstream_cx_active"), 0);
}

TEST_F(SessionTest, ClientThatGoesInAHeadLeavesNothing) {
  Client client = connect();
  send(client, "GET / HT");
  hang_up(client);
  EXPECT_TRUE(wait([&] { return host->session_count() == 0; }));
  EXPECT_EQ(gauge("downstream_rq_active"), 0);
  EXPECT_EQ(pool.idle(), 1u);
}

TEST_F(SessionTest, AbortedResponseIsCutVisibly) {
  origin.on_request = nullptr;
  Client client = connect();
  send(client, kGet);
  Upstream& upstream = *origin.open.at(0);
  upstream.chain->response_head_storage().status = 200;
  upstream.respond_head(false);
  upstream.respond_body("abc", false);
  upstream.chain->abort_response("upstream_reset_after_response_started");
  EXPECT_TRUE(receive(client).ends_with("3\r\nabc\r\n")) << client.in;
  EXPECT_TRUE(client.closed);
  EXPECT_EQ(count("downstream_rq_tx_reset"), 1u);
  EXPECT_EQ(origin.finished, 1);
}

TEST_F(SessionTest, HeadersTimeout) {
  options.request_headers_timeout = Milliseconds(20);
  Client client = connect();
  send(client, "GET / HTTP/1.1\r\nHost:");
  EXPECT_TRUE(wait([&] { return !receive(client).empty(); }));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 408 Request Timeout")) << client.in;
  EXPECT_TRUE(client.in.ends_with("request header timeout"));
  EXPECT_TRUE(client.closed);
  EXPECT_EQ(count("downstream_rq_header_timeout"), 1u);
}

TEST_F(SessionTest, RequestTimeout) {
  options.request_timeout = Milliseconds(20);
  Client client = connect();
  send(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_TRUE(wait([&] { return !receive(client).empty(); }));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 408")) << client.in;
  EXPECT_TRUE(client.in.ends_with("request timeout"));
  EXPECT_EQ(count("downstream_rq_timeout"), 1u);
}

TEST_F(SessionTest, StreamIdleTimeout) {
  for (const bool complete : {false, true}) {
    options = HcmOptions();
    options.stat_prefix = "test";
    options.stream_idle_timeout = Milliseconds(20);
    options.filters.push_back(
        {"router", "router", std::make_shared<UpstreamFactory>(origin), false});
    origin.on_request = nullptr;
    publish();
    Client client = connect();
    send(client,
         complete ? kGet
                  : std::string_view("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab"));
    EXPECT_TRUE(wait([&] { return !receive(client).empty(); }));
    EXPECT_TRUE(client.in.starts_with(complete ? "HTTP/1.1 504" : "HTTP/1.1 408")) << client.in;
    EXPECT_TRUE(client.in.ends_with("stream timeout"));
    EXPECT_EQ(response_flags_text(origin.last_flags), "SI");
  }
  EXPECT_EQ(count("downstream_rq_idle_timeout"), 2u);
}

TEST_F(SessionTest, MaxStreamDuration) {
  options.max_stream_duration = Milliseconds(20);
  origin.on_request = nullptr;
  Client client = connect();
  send(client, kGet);
  EXPECT_TRUE(wait([&] { return !receive(client).empty(); }));
  EXPECT_TRUE(client.in.starts_with("HTTP/1.1 504")) << client.in;
  EXPECT_TRUE(client.in.ends_with("downstream duration timeout"));
  EXPECT_EQ(count("downstream_rq_max_duration_reached"), 1u);
}

TEST_F(SessionTest, IdleConnectionIsClosed) {
  options.idle_timeout = Milliseconds(20);
  Client client = connect();
  EXPECT_TRUE(has(exchange(client, kGet), "200 OK"));
  EXPECT_TRUE(wait([&] { return receive(client), client.closed; }));
  EXPECT_EQ(count("downstream_cx_idle_timeout"), 1u);
}

TEST_F(SessionTest, ConnectionAtRestServesOn) {
  Client client = connect();
  const auto rest = [this] {
    const MonotonicTime due = loop.now() + HttpSession::kRestAfter + 3 * event::Loop::kTick;
    return wait([this, due] { return loop.now() >= due; });
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(has(exchange(client, kGet), "200 OK"));
    ASSERT_TRUE(rest());
    EXPECT_FALSE(client.closed);
    EXPECT_EQ(gauge("downstream_cx_http1_active"), 1);
  }
  EXPECT_EQ(count("downstream_cx_http1_total"), 1u);
  // It remembers what it has seen: an empty line in two pieces, that it speaks HTTP/1, and that it is to end.
  send(client, "\r");
  ASSERT_TRUE(rest());
  EXPECT_TRUE(has(exchange(client, "\n" + std::string(kGet)), "200 OK"));
  ASSERT_TRUE(rest());
  host->start_drain();
  EXPECT_TRUE(has(exchange(client, kGet), "connection: close\r\n"));
  EXPECT_TRUE(client.closed);
  hang_up(client);
  EXPECT_TRUE(wait([&] { return host->session_count() == 0; }));
  EXPECT_EQ(gauge("downstream_cx_http1_active"), 0);
}

TEST_F(SessionTest, ConnectionAtRestIsNoHttp2Connection) {
  Client client = connect();
  EXPECT_TRUE(has(exchange(client, kGet), "200 OK"));
  const MonotonicTime due = loop.now() + HttpSession::kRestAfter + 3 * event::Loop::kTick;
  ASSERT_TRUE(wait([&] { return loop.now() >= due; }));
  send(client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  EXPECT_TRUE(wait([&] { return has(receive(client), "HTTP/1.1 400 "); })) << client.in;
}

TEST_F(SessionTest, IdleTimeoutGoesOnAtRest) {
  options.idle_timeout = HttpSession::kRestAfter + Milliseconds(40);
  Client client = connect();
  EXPECT_TRUE(has(exchange(client, kGet), "200 OK"));
  EXPECT_TRUE(wait([&] { return receive(client), client.closed; }));
  EXPECT_EQ(count("downstream_cx_idle_timeout"), 1u);
}

TEST_F(SessionTest, LongConnectionEndsWithItsRequest) {
  options.max_connection_duration = Milliseconds(20);
  origin.on_request = nullptr;
  Client client = connect();
  send(client, kGet);
  EXPECT_TRUE(wait([&] { return count("downstream_cx_max_duration_reached") == 1; }));
  ASSERT_EQ(origin.open.size(), 1u);
  origin.open[0]->respond(200, "ok");
  EXPECT_TRUE(has(receive(client), "connection: close\r\n")) << client.in;
  EXPECT_TRUE(client.closed);
}

TEST_F(SessionTest, LongIdleConnectionStillAnswersUntilItIsDrained) {
  options.max_connection_duration = Milliseconds(10);
  options.drain_timeout = Milliseconds(60000);
  Client client = connect();
  EXPECT_TRUE(wait([&] { return count("downstream_cx_max_duration_reached") == 1; }));
  EXPECT_FALSE(client.closed);
  EXPECT_TRUE(has(exchange(client, kGet), "connection: close\r\n")) << client.in;
  EXPECT_TRUE(client.closed);
}

TEST_F(SessionTest, LongIdleConnectionEndsWithTheDrainTimeout) {
  options.max_connection_duration = Milliseconds(10);
  options.drain_timeout = Milliseconds(10);
  Client client = connect();
  EXPECT_TRUE(wait([&] { return receive(client), client.closed; }));
  EXPECT_EQ(count("downstream_cx_max_duration_reached"), 1u);
  EXPECT_EQ(count("downstream_cx_drain_close"), 1u);
}

TEST_F(SessionTest, ConnectionThatTheClientClosesIsCountedAsItsOwn) {
  Client client = connect();
  EXPECT_TRUE(has(exchange(client, kGet), "200 OK"));
  ::shutdown(client.fd, SHUT_WR);
  EXPECT_TRUE(wait([&] { return count("downstream_cx_destroy") == 1; }));
  EXPECT_EQ(count("downstream_cx_destroy_remote"), 1u);
  EXPECT_EQ(count("downstream_cx_destroy_local"), 0u);
}

TEST_F(SessionTest, MaxRequestsPerConnection) {
  options.max_requests_per_connection = 2;
  Client client = connect();
  EXPECT_FALSE(has(exchange(client, kGet), "connection: close"));
  EXPECT_TRUE(has(exchange(client, kGet), "connection: close"));
  EXPECT_TRUE(client.closed);
  EXPECT_EQ(count("downstream_cx_max_requests_reached"), 1u);
}

TEST_F(SessionTest, DrainEndsConnectionsWithTheirNextAnswer) {
  origin.on_request = nullptr;
  Client busy = connect();
  Client idle = connect();
  send(busy, kGet);
  host->start_drain();
  host->close_idle();
  EXPECT_TRUE((receive(idle), idle.closed));
  origin.open.at(0)->respond(200, "ok");
  EXPECT_TRUE(has(receive(busy), "connection: close\r\n"));
  EXPECT_TRUE(busy.closed);
  EXPECT_EQ(count("downstream_cx_drain_close"), 2u);
  hang_up(idle);
  hang_up(busy);
  EXPECT_TRUE(wait([&] { return host->session_count() == 0; }));
}

TEST_F(SessionTest, SlowReaderStopsTheOrigin) {
  buffer_limit = 64 * 1024;
  origin.on_request = nullptr;
  Client client = connect();
  send(client, kGet);
  Upstream& upstream = *origin.open.at(0);
  upstream.chain->response_head_storage().status = 200;
  upstream.respond_head(false);
  const std::string chunk(32 * 1024, 'x');
  size_t sent = 0;
  while (upstream.blocked == 0 && sent < 16 * 1024 * 1024) {
    upstream.respond_body(chunk, false);
    sent += chunk.size();
    loop.run_once(std::chrono::milliseconds(0));
  }
  EXPECT_EQ(upstream.blocked, 1);
  EXPECT_LT(sent, 2u * 1024 * 1024);
  receive(client);
  EXPECT_EQ(upstream.blocked, 0);
  upstream.respond_body("", true);
  EXPECT_TRUE(receive(client).ends_with("0\r\n\r\n"));
}

TEST_F(SessionTest, ClientThatNeverReadsIsCut) {
  options.stream_idle_timeout = Milliseconds(30);
  origin.on_request = [](Upstream& upstream) {
    upstream.respond(200, std::string(8 * 1024 * 1024, 'x'));
  };
  Client client = connect();
  send(client, kGet);
  EXPECT_EQ(origin.finished, 1);
  EXPECT_TRUE(wait([&] { return host->session_count() == 0; }));
}

TEST_F(SessionTest, NextStreamRunsByTheNewestRuntime) {
  origin.on_request = nullptr;
  Client client = connect();
  send(client, kGet);
  const uint32_t users = host->chain(0).current().users();
  EXPECT_EQ(users, 2u) << "the listener and one stream";
  options.stat_prefix = "test";
  options.server_name = "second";
  options.filters.push_back({"router", "router", std::make_shared<UpstreamFactory>(origin), false});
  publish();
  origin.open.at(0)->respond(200, "1");
  EXPECT_TRUE(has(receive(client), "server: weir")) << "a stream keeps what it began with";
  origin.on_request = [](Upstream& upstream) { upstream.respond(200, "2"); };
  EXPECT_TRUE(has(exchange(client, kGet), "server: second"));
  EXPECT_EQ(host->chain(0).current().users(), 1u) << "an idle connection holds no generation";
}

}  // namespace
}  // namespace weir::proxy::test
