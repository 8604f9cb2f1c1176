// Files of config/ for plain HTTP listeners, filters and edits: each serves, and does what its comments promise. One test per
// file, named after it; the last test sees to it that none is missing here, in examples_edge_test.cc and examples_wasm_test.cc.
#include <algorithm>
#include <filesystem>
#include <vector>

#include "support/examples.h"
#include "support/h2_peer.h"
#include "support/redis_server.h"

namespace weir::test {
namespace {

TEST_F(Examples, access_log) {
  start("access_log");
  EXPECT_EQ(ask("/fine").status(), 200);
  Peer::Message answer = ask("/fine?x=1", "x-trace: 1\r\n");
  EXPECT_EQ(answer.status(), 200);
  const std::string path = folder_.path() + "/weir-errors.log";
  EXPECT_EQ(text_of(path), "");  // neither an error nor slow
  proxy_.reset();

  std::string text = example("access_log");
  replace_all(text, "port_value: " + std::to_string(upstream_.port()), "port_value: 1");
  start_text(text);
  EXPECT_EQ(ask("/broken?x=1").status(), 503);
  proxy_.reset();  // writes what is left
  const std::string log = text_of(path);
  EXPECT_TRUE(says(log, R"("request":{"method":"GET","path":"/broken?x=1"})")) << log;
  EXPECT_TRUE(says(log, R"("status":503,)")) << log;
  EXPECT_TRUE(says(log, R"("upstream":"127.0.0.1:1")")) << log;
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
}

TEST_F(Examples, circuit_breakers) {
  std::string text = example("circuit_breakers");
  replace_all(text, "max_requests: 200", "max_requests: 1");
  Origin slow;
  replace_all(text, "port_value: " + std::to_string(upstream_.port()),
              "port_value: " + std::to_string(slow.port()));
  start_text(text);
  Peer first = proxy_->connect();
  first.send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
  Peer origin = slow.accept();
  origin.read_head();
  const Peer::Message beyond = ask("/");
  EXPECT_EQ(beyond.status(), 503);
  EXPECT_EQ(beyond.header("x-envoy-overloaded"), "true");
  // HIGH has thresholds of its own.
  Peer important = proxy_->connect();
  important.send("GET /important HTTP/1.1\r\nhost: a.test\r\n\r\n");
  Peer second = slow.accept();
  second.read_head();
  second.send(response("important"));
  EXPECT_EQ(important.read_message().body, "important");
  origin.send(response("done"));
  EXPECT_EQ(first.read_message().body, "done");
  EXPECT_TRUE(says(proxy_->admin("/clusters"), "max_connections::100\n"));
  EXPECT_TRUE(says(proxy_->admin("/stats?filter=circuit_breakers"), "remaining_rq: "));
}

TEST_F(Examples, direct_response) {
  start("direct_response");
  Peer client = proxy_->connect();
  Peer::Message answer = exchange(client, "/");
  EXPECT_EQ(answer.body, "Welcome.\n");
  EXPECT_EQ(answer.header("cache-control"), "no-store");
  EXPECT_EQ(answer.header("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(exchange(client, "/robots.txt").body, "User-agent: *\nDisallow: /\n");
  EXPECT_EQ(exchange(client, "/private/x").status(), 403);
  answer = exchange(client, "/privately");
  EXPECT_EQ(answer.status(), 404);
  EXPECT_EQ(answer.body, "");
  // An edit of the file that the YAML names takes effect on the connection that is open.
  folder_.write_renamed("welcome.txt", "Welcome back.\n");
  proxy_->wait_for_generation(2);
  EXPECT_EQ(exchange(client, "/").body, "Welcome back.\n");
}

TEST_F(Examples, edge_xff) {
  start("edge_xff");
  const Peer::Message answer =
      ask("//a//b", "host: A.test.:80\r\nx-forwarded-for: 1.2.3.4\r\nx-request-id: mine\r\n");
  EXPECT_EQ(answer.status(), 200);
  EXPECT_TRUE(answer.body.starts_with("GET /a/b HTTP/1.1\r\n")) << answer.body;
  EXPECT_TRUE(says(answer.body, "host: a.test\r\n")) << answer.body;
  EXPECT_TRUE(says(answer.body, "x-forwarded-for: 1.2.3.4,127.0.0.1\r\n")) << answer.body;
  EXPECT_TRUE(says(answer.body, "x-forwarded-proto: http\r\n")) << answer.body;
  EXPECT_TRUE(says(answer.body, "weir\r\n")) << answer.body;  // via
  EXPECT_FALSE(says(answer.body, "x-request-id: mine")) << answer.body;
  EXPECT_TRUE(says(answer.body, "x-request-id: " + answer.header("x-request-id")));
  EXPECT_EQ(answer.header("server"), "edge");
  EXPECT_EQ(ask("/a%2fb").status(), 400);
  EXPECT_EQ(ask("/", "a_b: 1\r\n").status(), 400);
  EXPECT_EQ(ask("/", "x: " + std::string(33 * 1024, 'x') + "\r\n").status(), 431);
}

TEST_F(Examples, header_mutation) {
  start("header_mutation");
  Peer::Message answer = ask("/", "x-debug: 1\r\n");
  EXPECT_EQ(answer.header("x-frame-options"), "DENY");
  EXPECT_FALSE(answer.has("x-upstream"));
  EXPECT_FALSE(answer.has("x-hello"));
  EXPECT_TRUE(says(answer.body, "x-request-start: ")) << answer.body;
  EXPECT_FALSE(says(answer.body, "x-debug")) << answer.body;
  EXPECT_EQ(ask("/hello").header("x-hello"), "yes");
  answer = ask("/raw", "x-debug: 1\r\n");
  EXPECT_EQ(answer.header("x-upstream"), "one");
  EXPECT_TRUE(says(answer.body, "x-debug: 1\r\n"));
  EXPECT_FALSE(says(answer.body, "x-request-start"));
}

TEST_F(Examples, header_operations) {
  start("header_operations");
  Peer::Message answer = ask("/hello", "x-secret: 1\r\nx-client: me\r\nx-protocol: FTP\r\n");
  EXPECT_FALSE(says(answer.body, "x-secret")) << answer.body;
  EXPECT_TRUE(says(answer.body, "x-client: me\r\n")) << answer.body;
  EXPECT_TRUE(says(answer.body, "x-client: 127.0.0.1\r\n")) << answer.body;
  EXPECT_TRUE(says(answer.body, "x-protocol: HTTP/1.1\r\n")) << answer.body;
  EXPECT_FALSE(says(answer.body, "FTP"));
  EXPECT_EQ(answer.header("x-proxy"), "weir/HTTP/1.1");
  EXPECT_FALSE(answer.has("x-upstream"));
  EXPECT_EQ(answer.header("cache-control"), "max-age=60");
  answer = ask("/tenant/7");
  EXPECT_TRUE(answer.body.starts_with("GET /t/7 HTTP/1.1\r\n")) << answer.body;
  EXPECT_TRUE(says(answer.body, "host: inner.example\r\n")) << answer.body;
  EXPECT_TRUE(says(answer.body, "x-forwarded-host: a.test\r\n")) << answer.body;
  EXPECT_TRUE(says(answer.body, "x-original: GET /tenant/7\r\n")) << answer.body;
  EXPECT_TRUE(says(answer.body, "x-route: tenant 100%\r\n")) << answer.body;
  EXPECT_FALSE(says(answer.body, "x-token")) << answer.body;
  EXPECT_EQ(answer.header("cache-control"), "no-store");
}

TEST_F(Examples, health_check) {
  start("health_check");
  EXPECT_EQ(ask("/healthz").status(), 200);
  EXPECT_EQ(upstream_.requests(), 0u);
  EXPECT_EQ(proxy_->admin("/healthcheck/fail", "POST"), "OK\n");
  EXPECT_EQ(ask("/healthz").status(), 503);
  EXPECT_EQ(ask("/other").status(), 200);
  EXPECT_EQ(proxy_->admin("/healthcheck/ok", "POST"), "OK\n");
  EXPECT_EQ(ask("/healthz").status(), 200);
  EXPECT_EQ(upstream_.requests(), 1u);
}

TEST_F(Examples, http1_options) {
  start("http1_options");
  Peer old = proxy_->connect();
  old.send("GET /hello HTTP/1.0\r\n\r\n");
  const std::string answer = old.read_to_end();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_TRUE(says(answer, "host: default.example\r\n")) << answer;
  EXPECT_TRUE(says(answer, "X-Upstream: one\r\n")) << answer;
  EXPECT_FALSE(says(answer, "Server: ")) << answer;
  Peer client = proxy_->connect();
  EXPECT_TRUE(exchange(client, "http://b.test/x").body.starts_with("GET /x HTTP/1.1\r\n"));
  EXPECT_TRUE(says(exchange(client, "http://b.test/x").body, "host: b.test\r\n"));
  std::string many;
  for (int i = 0; i < 51; ++i) many += "x-" + std::to_string(i) + ": 1\r\n";
  EXPECT_EQ(ask("/", many).status(), 431);
  EXPECT_EQ(ask("/", "x: " + std::string(17 * 1024, 'x') + "\r\n").status(), 431);
}

TEST_F(Examples, load_balancing) {
  start("load_balancing");
  std::map<std::string, int> seen;
  for (int i = 0; i < 8; ++i) ++seen[ask("/").header("x-upstream")];
  EXPECT_EQ(seen["one"], 6);  // three to one
  EXPECT_EQ(seen["two"], 2);
  seen.clear();
  for (int i = 0; i < 40; ++i) ++seen[ask("/least").header("x-upstream")];
  EXPECT_GT(seen["one"], 0);
  EXPECT_GT(seen["two"], 0);
  seen.clear();
  for (int i = 0; i < 8; ++i) ++seen[ask("/random").header("x-upstream")];
  EXPECT_EQ(seen["one"], 8);  // priority 0 alone
}

TEST_F(Examples, buffer) {
  start("buffer");
  const std::string much(100000, 'x');
  EXPECT_EQ(ask("/", "", "POST", much).status(), 413);
  EXPECT_EQ(ask("/upload", "", "POST", much).status(), 200);
  EXPECT_EQ(ask("/", "", "POST", "little").status(), 200);
  EXPECT_EQ(upstream_.requests(), 2u);
}

TEST_F(Examples, compression) {
  start("compression");
  const std::string page(1000, 'x');
  const auto coding = [&](const std::string& accepts) {
    return ask("/", "content-type: text/plain\r\naccept-encoding: " + accepts + "\r\n", "POST",
               page)
        .header("content-encoding");
  };
  EXPECT_EQ(coding("gzip, br, zstd"), "zstd");
  EXPECT_EQ(coding("gzip;q=0.8, br"), "br");
  EXPECT_EQ(coding("gzip"), "gzip");
  EXPECT_EQ(coding("identity"), "");
  // "hello" of gzip, without compression.
  const std::string packed(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x01\x05\x00\xfa\xff"
      "hello\x86\xa6\x10\x36\x05\x00\x00\x00",
      28);
  const Peer::Message answer = ask("/", "content-encoding: gzip\r\n", "POST", packed);
  EXPECT_TRUE(answer.body.ends_with("hello")) << answer.body;
  EXPECT_EQ(ask("/", "content-encoding: gzip\r\n", "POST", "no gzip").status(), 400);
}

TEST_F(Examples, cors) {
  start("cors");
  const std::string origin = "origin: https://app.example.com\r\n";
  const std::string preflight = "access-control-request-method: PUT\r\n";
  Peer::Message answer = ask("/api/", origin + preflight, "OPTIONS");
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.header("access-control-allow-origin"), "https://app.example.com");
  EXPECT_EQ(answer.header("access-control-allow-methods"), "GET, PUT, DELETE");
  answer = ask("/api/", "origin: https://example.org\r\n" + preflight, "OPTIONS");
  EXPECT_FALSE(answer.has("access-control-allow-origin"));
  EXPECT_EQ(upstream_.requests(), 0u);
  EXPECT_EQ(ask("/api/", origin).header("access-control-expose-headers"), "x-request-id");
  EXPECT_FALSE(ask("/", origin).has("access-control-allow-origin"));
}

TEST_F(Examples, fault) {
  start("fault");
  EXPECT_EQ(ask("/").status(), 200);
  EXPECT_EQ(ask("/", "x-envoy-fault-delay-request: 1\r\n").status(), 200);
  EXPECT_EQ(proxy_->counter("http.ingress.fault.delays_injected"), 1u);
  EXPECT_EQ(ask("/", "x-envoy-fault-abort-request: 504\r\n").status(), 504);
  EXPECT_EQ(ask("/flaky").status(), 503);
  EXPECT_EQ(upstream_.requests(), 2u);
}

TEST_F(Examples, local_ratelimit) {
  start("local_ratelimit");
  for (int i = 0; i < 5; ++i) {
    const Peer::Message answer = ask("/login");
    EXPECT_EQ(answer.status(), 200) << i;
    EXPECT_TRUE(answer.body.starts_with("GET /hello HTTP/1.1")) << answer.body;
  }
  EXPECT_EQ(ask("/login").status(), 429);
  EXPECT_EQ(ask("/").status(), 200);  // the other bucket is not empty
  EXPECT_EQ(upstream_.requests(), 6u);
}

TEST_F(Examples, local_reply) {
  start("local_reply");
  EXPECT_EQ(ask("/hello").status(), 200);
  Peer::Message answer = ask("/nothing");
  EXPECT_EQ(answer.status(), 404);
  EXPECT_EQ(answer.header("content-type"), "text/html; charset=UTF-8");
  EXPECT_EQ(answer.body, "<h1>404</h1><p>There is nothing here.</p>\n");
  std::string text = example("local_reply");
  replace_all(text, "port_value: " + std::to_string(upstream_.port()), "port_value: 1");
  start_text(text);
  answer = ask("/hello");
  EXPECT_EQ(answer.status(), 502);
  EXPECT_EQ(answer.header("retry-after"), "5");
  EXPECT_EQ(answer.header("content-type"), "application/json");
  EXPECT_TRUE(says(answer.body, R"("message":"The service is away for a moment.")")) << answer.body;
  EXPECT_TRUE(says(answer.body, R"("status":502)")) << answer.body;
}

TEST_F(Examples, quickstart) {
  NEEDS_FILTER("add_header");
  std::string text = example("quickstart");
  start_text(text);
  Peer client = proxy_->connect();
  Peer::Message answer = exchange(client, "/");
  EXPECT_EQ(answer.header("x-weir-filter"), "hello");
  EXPECT_TRUE(says(answer.body, "x-weir-filter: hello\r\n")) << answer.body;
  // As its comment says: the next request has the new header, on the connection that is open.
  replace_all(text, "value=hello", "value=changed");
  proxy_->write_config(text);
  proxy_->wait_for_generation(2);
  EXPECT_EQ(exchange(client, "/").header("x-weir-filter"), "changed");
}

TEST_F(Examples, quickstart_upstream) {
  start("quickstart_upstream");
  const Peer::Message answer = ask("/");
  EXPECT_EQ(answer.body, "Hello from the upstream.\n");
  EXPECT_EQ(answer.header("x-upstream"), "quickstart");
  EXPECT_EQ(ask("/hello").body, "Hello, hello.\n");
}

TEST_F(Examples, redirects) {
  start("redirects");
  const auto location = [this](std::string_view target, int status, std::string_view headers = "") {
    const Peer::Message answer = ask(target, headers);
    EXPECT_EQ(answer.status(), status) << target;
    return answer.header("location");
  };
  EXPECT_EQ(location("/one", 302), "http://a.test/two");
  EXPECT_EQ(location("/old/page?x=1", 301), "http://a.test/new/page");
  EXPECT_EQ(location("/www/x?y=1", 308), "https://www.example:8443/www/x?y=1");
  EXPECT_EQ(location("/item/42", 303), "http://a.test/items?id=42");
  EXPECT_EQ(location("/any?x=1", 301, "host: secure.example\r\n"),
            "https://secure.example/any?x=1");
  EXPECT_EQ(upstream_.requests(), 0u);
  EXPECT_EQ(ask("/other").status(), 200);
}

TEST_F(Examples, reload) {
  std::string text = example("reload");
  start_text(text);
  Peer client = proxy_->connect();
  EXPECT_EQ(exchange(client, "/").body, "first\n");
  EXPECT_EQ(exchange(client, "/other").status(), 200);
  std::string broken = text;
  replace_all(broken, "stat_prefix: ingress", "statprefix: ingress");
  proxy_->write_config(broken);
  proxy_->wait_for_rejection(1);
  const std::string page = proxy_->admin("/reload");
  EXPECT_TRUE(says(page, R"(did you mean \"stat_prefix\"?)")) << page;
  EXPECT_TRUE(says(page, R"("generation":1)")) << page;
  EXPECT_EQ(exchange(client, "/").body, "first\n");
  replace_all(text, "first", "second");
  proxy_->write_config(text);
  proxy_->wait_for_generation(2);
  EXPECT_EQ(exchange(client, "/").body, "second\n");
}

TEST_F(Examples, routing) {
  std::string text = example("routing");
  // The second cluster is the second origin here, and the one in a hundred is left out: this test is no game of chance.
  const size_t other = text.find("- name: other\n    connect_timeout");
  ASSERT_NE(other, std::string::npos);
  text = text.substr(0, other) + [this, tail = text.substr(other)]() mutable {
    replace_all(tail, "port_value: " + std::to_string(upstream_.port()),
                "port_value: " + std::to_string(other_.port()));
    return tail;
  }();
  replace_all(text, "numerator: 1,", "numerator: 0,");
  start_text(text);
  const std::string api = "host: api.example\r\n";
  Peer::Message answer = ask("/status", api);
  EXPECT_EQ(answer.body, "fine\n");
  EXPECT_EQ(answer.header("x-served-by"), "weir");
  EXPECT_EQ(ask("/x", api + "x-version: 2.1\r\n").header("x-upstream"), "two");
  EXPECT_EQ(ask("/x?debug", api).header("x-upstream"), "two");
  answer = ask("/users/7/posts", api + "x-internal: 1\r\n");
  EXPECT_TRUE(answer.body.starts_with("GET /hello/7 HTTP/1.1\r\n")) << answer.body;
  EXPECT_TRUE(says(answer.body, "x-route: regex\r\n")) << answer.body;
  EXPECT_FALSE(says(answer.body, "x-internal")) << answer.body;
  answer = ask("/v1/you", api);
  EXPECT_TRUE(answer.body.starts_with("GET /hello/you HTTP/1.1\r\n")) << answer.body;
  EXPECT_TRUE(says(answer.body, "host: inner.example\r\n")) << answer.body;
  EXPECT_TRUE(says(ask("/v10", "host: x.api.example\r\n").body, "x-route: split\r\n"));
  EXPECT_EQ(ask("/", "host: choose.test\r\nx-cluster: other\r\n").header("x-upstream"), "two");
  EXPECT_EQ(ask("/", "host: choose.test\r\nx-cluster: none\r\n").status(), 404);
  EXPECT_EQ(ask("/").header("x-upstream"), "one");
}

TEST_F(Examples, timeouts) {
  std::string text = example("timeouts");
  replace_all(text, "timeout: 15s", "timeout: 0.1s");
  replace_all(text, "request_headers_timeout: 10s", "request_headers_timeout: 0.1s");
  Origin slow;
  replace_all(text, "port_value: " + std::to_string(upstream_.port()),
              "port_value: " + std::to_string(slow.port()));
  start_text(text);
  Peer download = proxy_->connect();
  download.send("GET /download HTTP/1.1\r\nhost: a.test\r\n\r\n");
  Peer first = slow.accept();
  first.read_head();
  Peer client = proxy_->connect();
  client.send("GET / HTTP/1.1\r\nhost: a.test\r\n\r\n");
  Peer second = slow.accept();
  second.read_head();
  EXPECT_EQ(client.read_message().status(), 504);
  // The download has no limit: it is answered after the other has timed out.
  first.send(response("late"));
  EXPECT_EQ(download.read_message().body, "late");
  Peer slowloris = proxy_->connect();
  slowloris.send("GET / HTTP/1.1\r\n");
  EXPECT_EQ(slowloris.read_message().status(), 408);
}

TEST_F(Examples, wasm_redis_rate_limit) {
  NEEDS_FILTER("redis_rate_limit");
  NEEDS_REDIS();
  RedisServer redis;
  std::string text = example("wasm_redis_rate_limit");
  replace_all(text, "port_value: 6379 ", "port_value: " + std::to_string(redis.port()) + " ");
  start_text(text);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("/", "x-api-key: ann\r\n").status(), 200);
  EXPECT_EQ(ask("/", "x-api-key: ann\r\n").status(), 429);
  EXPECT_EQ(upstream_.requests(), 5u);
  redis.stop();
  EXPECT_EQ(ask("/", "x-api-key: ann\r\n").status(), 200);
}

TEST_F(Examples, wasm_api_key) {
  NEEDS_FILTER("api_key_auth");
  start("wasm_api_key");
  EXPECT_EQ(ask("/").status(), 401);
  EXPECT_EQ(ask("/", "x-api-key: wrong\r\n").status(), 403);
  EXPECT_EQ(upstream_.requests(), 0u);
  EXPECT_EQ(ask("/", "x-api-key: example-key-of-ann\r\n").status(), 200);
  EXPECT_EQ(upstream_.requests(), 1u);
  EXPECT_FALSE(says(proxy_->admin("/config_dump"), "example-key"));
}

TEST_F(Examples, wasm_failure_policy) {
  NEEDS_FILTER("add_header");
  std::string text = example("wasm_failure_policy");
  start_text(text);
  EXPECT_EQ(ask("/").header("x-weir-filter"), "hello");
  proxy_.reset();
  // With a guest that is stopped in every request: FAIL_OPEN goes on without it, the default answers 503.
  NEEDS_GUEST("probe");
  replace_all(text, std::string(WEIR_BINARY_DIR) + "/filters/add_header.wasm", guest_path("probe"));
  start_text(text);
  EXPECT_EQ(ask("/", "x-do: request_headers=trap\r\n").status(), 200);
  replace_all(text, "failure_policy: FAIL_OPEN", "failure_policy: FAIL_CLOSED");
  start_text(text);
  EXPECT_EQ(ask("/", "x-do: request_headers=trap\r\n").status(), 503);
  replace_all(text, "failures: 10", "failures: 1");
  start_text(text);
  EXPECT_EQ(ask("/", "x-do: request_headers=loop\r\n").status(), 503);
  EXPECT_TRUE(says(proxy_->admin("/wasm"), "QUARANTINED: plugin add_header"));
}

TEST_F(Examples, wasm_grpc_auth) {
  NEEDS_FILTER("grpc_auth");
  std::string question;
  AutoH2Origin service([&question](H2Origin& origin, H2Request& request) {
    question = request.body;
    // CheckResponse: ok_response {headers: {header: {key: "x-user", value: "ann"}}}, or status {code: 7} with denied_response
    // {status: {code: 401}, body: "who?"}.
    const std::string_view denied("\x0a\x02\x08\x07\x12\x0b\x0a\x03\x08\x91\x03\x1a\x04who?", 17);
    const std::string_view allowed(
        "\x1a\x11\x12\x0f\x0a\x0d\x0a\x06x-user\x12\x03"
        "ann",
        19);
    const bool known = question.find("ann-token") != std::string::npos;
    const std::string_view answer = known ? allowed : denied;
    origin.send_head(request, 200, EndStream::kNo, {{"content-type", "application/grpc"}});
    origin.send_body(request, std::string(4, '\0') + static_cast<char>(answer.size()),
                     EndStream::kNo);
    origin.send_body(request, answer, EndStream::kNo);
    origin.send_trailers(request, {{"grpc-status", "0"}});
  });
  std::string text = example("wasm_grpc_auth");
  replace_all(text, "port_value: 9191", "port_value: " + std::to_string(service.port()));
  start_text(text);
  const Peer::Message refused = ask("/secret?x=1", "x-user: mallory\r\n");
  EXPECT_EQ(refused.status(), 401);
  EXPECT_EQ(refused.body, "who?");
  EXPECT_EQ(upstream_.requests(), 0u);
  EXPECT_TRUE(says(question, "/secret?x=1")) << question;
  EXPECT_TRUE(says(question, "ingress")) << question;
  const Peer::Message allowed = ask("/", "authorization: ann-token\r\nx-user: mallory\r\n");
  EXPECT_EQ(allowed.status(), 200);
  EXPECT_TRUE(says(allowed.body, "x-user: ann\r\n")) << allowed.body;
  EXPECT_FALSE(says(allowed.body, "mallory")) << allowed.body;
  EXPECT_EQ(proxy_->counter("wasm.grpc_auth.grpc_calls"), 2u);
  // Without the service.
  replace_all(text, "port_value: " + std::to_string(service.port()), "port_value: 1");
  start_text(text);
  EXPECT_EQ(ask("/").status(), 503);
  EXPECT_EQ(proxy_->counter("wasm.grpc_auth.grpc_failures"), 1u);
}

TEST_F(Examples, wasm_limits) {
  NEEDS_FILTER("add_header");
  std::string text = example("wasm_limits");
  start_text(text);
  EXPECT_EQ(ask("/").header("x-weir-filter"), "hello");
  EXPECT_TRUE(says(proxy_->admin("/wasm"), "add_header"));
  // A limit that the module itself does not fit into refuses the edit.
  replace_all(text, "max_memory_bytes: 33554432", "max_memory_bytes: 65536");
  proxy_->write_config(text);
  proxy_->wait_for_rejection(1);
  EXPECT_EQ(ask("/").header("x-weir-filter"), "hello");
}

TEST_F(Examples, wasm_mask_body) {
  NEEDS_FILTER("mask_body");
  start("wasm_mask_body");
  const Peer::Message answer = ask("/", "content-type: application/json\r\n", "POST",
                                   R"({"password": "secret", "name": "ann"})");
  EXPECT_EQ(answer.status(), 200);
  EXPECT_FALSE(says(answer.body, "secret")) << answer.body;
  EXPECT_TRUE(says(answer.body, R"("name": "ann")")) << answer.body;
}

TEST_F(Examples, filter_times) {
  start("filter_times");
  const std::string times = ask("/debug").header("x-weir-filters");
  EXPECT_TRUE(times.starts_with("add_time;dur=")) << times;
  EXPECT_TRUE(says(times, "envoy.filters.http.router;dur=")) << times;
  EXPECT_FALSE(ask("/").has("x-weir-filters"));
}

TEST_F(Examples, wasm_recycle) {
  NEEDS_FILTER("add_header");
  std::string text = example("wasm_recycle");
  replace_all(text, "max_streams: 100000", "max_streams: 5");
  start_text(text);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ask("/").header("x-weir-filter"), "hello");
  proxy_->wait_for("a fresh VM",
                   [this] { return proxy_->counter("wasm.add_header.vm_recycled") >= 1; });
  EXPECT_EQ(ask("/").header("x-weir-filter"), "hello");
}

TEST_F(Examples, wasm_privacy) {
  NEEDS_FILTER("add_header");
  std::string text = example("wasm_privacy");
  start_text(text);
  EXPECT_EQ(ask("/").header("x-weir-filter"), "hello");
  EXPECT_TRUE(says(proxy_->admin("/wasm"), R"("client_address":"MASK")"));
  proxy_.reset();
  // The guest that tells what it sees.
  NEEDS_GUEST("probe");
  replace_all(text, std::string(WEIR_BINARY_DIR) + "/filters/add_header.wasm", guest_path("probe"));
  start_text(text);
  const Peer::Message answer =
      ask("/?access_token=x&a=1",
          "x-do: request_headers=get|authorization;request_headers=get|x-secret-a;"
          "request_headers=get|cookie;request_headers=get|:path\r\nauthorization: Bearer x\r\n"
          "cookie: sid=1; theme=dark\r\nx-secret-a: x\r\n");
  for (const char* seen : {"get=status:1", "get=ok:***", "get=ok:theme=dark", "get=ok:/?a=1"})
    EXPECT_TRUE(says(answer.head, seen)) << seen << "\n" << answer.head;
}

TEST_F(Examples, wasm_shared_vm) {
  NEEDS_FILTER("add_header");
  start("wasm_shared_vm");
  Peer::Message answer = ask("/");
  EXPECT_EQ(answer.header("x-first"), "1");
  EXPECT_EQ(answer.header("x-second"), "2");
  answer = ask("/plain");
  EXPECT_EQ(answer.header("x-first"), "1");
  EXPECT_FALSE(answer.has("x-second"));
  EXPECT_TRUE(says(proxy_->admin("/stats?filter=wasm"), "active: 1\n"))
      << proxy_->admin("/stats?filter=wasm") << proxy_->admin("/wasm");
}

TEST_F(Examples, wasm_network) {
  NEEDS_FILTER("mask_lines");
  start("wasm_network");
  Peer client = proxy_->connect();
  const std::string masked = "HELO a\r\nPASS *******\r\ncard **** **** **** 1111\r\n";
  client.send("HELO a\r\nPASS hunter2\r\ncard 4111 1111 1111 1111\r\n");
  EXPECT_EQ(client.read(masked.size()), masked);
  EXPECT_EQ(proxy_->counter("wasmcustom.mask_lines.masked"), 3u);  // the card on its way back, too
}

TEST_F(Examples, wasm_access_log) {
  NEEDS_FILTER("traffic_sums");
  start("wasm_access_log");
  ask("/a");
  ask("/a");
  ask("/missing");
  proxy_->wait_for("the sums", [this] {
    return proxy_->counter("wasmcustom.traffic_sums.a.requests") == 2 &&
           proxy_->counter("wasmcustom.traffic_sums.missing.errors") == 1;
  });
  EXPECT_EQ(proxy_->counter("wasmcustom.traffic_sums.a.errors"), 0u);
  EXPECT_GT(proxy_->counter("wasmcustom.traffic_sums.a.bytes_sent"), 0u);
}

TEST_F(Examples, wasm_per_route) {
  NEEDS_FILTER("add_header");
  start("wasm_per_route");
  EXPECT_EQ(ask("/").header("x-track"), "stable");
  EXPECT_EQ(ask("/beta").header("x-track"), "beta");
  EXPECT_FALSE(ask("/plain").has("x-track"));
}

TEST_F(Examples, weighted_clusters) {
  start("weighted_clusters");
  std::map<std::string, int> seen;
  for (int i = 0; i < 300; ++i) {
    const Peer::Message answer = ask("/");
    const std::string version = answer.header("x-version");
    ++seen[version];
    EXPECT_EQ(answer.header("x-upstream"), version == "next" ? "two" : "one");
    EXPECT_EQ(says(answer.body, "x-canary: chosen\r\n"), version == "next");
  }
  // 30 of 300 on average; the bounds are missed once in some million runs.
  EXPECT_GT(seen["next"], 5);
  EXPECT_LT(seen["next"], 60);
  EXPECT_EQ(seen["next"] + seen["stable"], 300);
  EXPECT_EQ(ask("/", "x-canary: yes\r\n").header("x-version"), "next");
}

TEST(ExampleFiles, EachHasATestOfItsName) {
  const std::string tests = text_of(source_path("test/integration/examples_test.cc")) +
                            text_of(source_path("test/integration/examples_edge_test.cc")) +
                            text_of(source_path("test/integration/examples_wasm_test.cc"));
  const std::string list = text_of(source_path("config/README.md"));
  for (const auto& file : std::filesystem::directory_iterator(source_path("config"))) {
    if (file.path().extension() != ".yaml") continue;
    const std::string name = file.path().stem();
    EXPECT_TRUE(says(tests, "\nTEST_F(Examples, " + name + ") {")) << "no test of " << file.path();
    EXPECT_TRUE(says(list, "](" + name + ".yaml) | ")) << file.path() << " is not in the list";
    // What to try stands in the comment at the top.
    const std::string text = text_of(file.path());
    EXPECT_TRUE(says(text.substr(0, text.find("admin:")), "#     ")) << file.path();
  }
}

}  // namespace
}  // namespace weir::test
