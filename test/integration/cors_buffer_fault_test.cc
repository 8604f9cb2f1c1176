// cors, buffer and fault in the running server.
#include <gtest/gtest.h>

#include <tuple>

#include <fstream>
#include <sstream>

#include "support/test_proxy.h"

namespace weir::test {
namespace {

constexpr std::string_view kTypes = "type.googleapis.com/envoy.extensions.filters.http.";

std::string any(std::string_view type, std::string_view fields) {
  return "{\"@type\": " + std::string(kTypes) + std::string(type) +
         (fields.empty() ? "" : ", " + std::string(fields)) + "}";
}
std::string filter(std::string_view name, std::string_view type, std::string_view fields = {}) {
  return "- name: " + std::string(name) + "\n  typed_config: " + any(type, fields) + "\n";
}
std::string per_route(std::string_view name, std::string_view type, std::string_view fields) {
  return "  typed_per_filter_config:\n    " + std::string(name) + ": " + any(type, fields) + "\n";
}

Peer::Message ask(TestProxy& proxy, const std::string& request) {
  Peer client = proxy.connect();
  client.send(request);
  return client.read_message();
}

TEST(PerRoute, AMessageOfAnotherTypeIsAnError) {
  Yaml yaml;
  yaml.filters =
      filter("buffer", "buffer.v3.Buffer", "max_request_bytes: 3") + filter("cors", "cors.v3.Cors");
  const std::string good = "- match: {prefix: /}\n  direct_response: {status: 200}\n";
  yaml.routes = good;
  TestProxy proxy(yaml.text(), TestProxy::Options{.from_file = true});
  uint64_t rejected = 0;
  for (const auto& [name, type, fields, expected] :
       {std::tuple{"buffer", "buffer.v3.Buffer", "max_request_bytes: 3",
                   "buffer.v3.BufferPerRoute"},
        std::tuple{"buffer", "cors.v3.CorsPolicy", "disabled: true", "buffer.v3.BufferPerRoute"},
        std::tuple{"cors", "cors.v3.Cors", "", "cors.v3.CorsPolicy"}}) {
    yaml.routes = good + per_route(name, type, fields);
    proxy.write_config(yaml.text());
    proxy.wait_for_rejection(++rejected);
    const std::string page = proxy.admin("/reload");
    EXPECT_NE(
        page.find(std::string("@type: expected \\\"envoy.extensions.filters.http.") + expected),
        std::string::npos)
        << page;
  }
}

TEST(Cors, PreflightsAreAnsweredAndResponsesMarked) {
  AutoOrigin origin([](const Peer::Message& request) {
    return response(request.first_line(), 200, "access-control-allow-origin: nobody\r\n");
  });
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.filters = filter("cors", "cors.v3.Cors");
  yaml.routes =
      "- match: {prefix: /}\n  route: {cluster: origin}\n" +
      per_route("cors", "cors.v3.CorsPolicy",
                "allow_origin_string_match: [{suffix: .example}], allow_methods: 'GET, PUT', "
                "allow_headers: x-a, max_age: '600', allow_credentials: true, expose_headers: x-b, "
                "forward_not_matching_preflights: false");
  TestProxy proxy(yaml.text());
  const auto preflight = [&proxy](std::string_view from) {
    return ask(proxy, "OPTIONS / HTTP/1.1\r\nHost: a\r\nOrigin: " + std::string(from) +
                          "\r\nAccess-Control-Request-Method: PUT\r\n\r\n");
  };
  auto answer = preflight("https://a.example");
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(answer.header("access-control-allow-origin"), "https://a.example");
  EXPECT_EQ(answer.header("access-control-allow-credentials"), "true");
  EXPECT_EQ(answer.header("access-control-allow-methods"), "GET, PUT");
  EXPECT_EQ(answer.header("access-control-allow-headers"), "x-a");
  EXPECT_EQ(answer.header("access-control-max-age"), "600");
  answer = preflight("https://other");
  EXPECT_EQ(answer.status(), 200);
  EXPECT_FALSE(answer.has("access-control-allow-origin"));
  EXPECT_FALSE(answer.has("access-control-allow-methods"));
  EXPECT_EQ(origin.requests(), 0u);

  answer = ask(proxy, "GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://a.example\r\n\r\n");
  EXPECT_EQ(answer.body, "GET / HTTP/1.1");
  EXPECT_EQ(answer.header("access-control-allow-origin"), "https://a.example");
  EXPECT_EQ(answer.header("access-control-expose-headers"), "x-b");
  answer = ask(proxy, "GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://other\r\n\r\n");
  EXPECT_EQ(answer.header("access-control-allow-origin"), "nobody");  // the upstream's own
  EXPECT_EQ(proxy.counter("http.ingress.cors.origin_valid"), 2u);
  EXPECT_EQ(proxy.counter("http.ingress.cors.origin_invalid"), 2u);
}

TEST(BufferFilter, TheUpstreamSeesWholeRequestsAlone) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.filters = filter("buffer", "buffer.v3.Buffer", "max_request_bytes: 20");
  yaml.routes = "- match: {path: /more}\n  route: {cluster: origin}\n" +
                per_route("buffer", "buffer.v3.BufferPerRoute", "buffer: {max_request_bytes: 40}") +
                "- match: {path: /off}\n  route: {cluster: origin}\n" +
                per_route("buffer", "buffer.v3.BufferPerRoute", "disabled: true") +
                "- match: {prefix: /}\n  route: {cluster: origin}\n";
  TestProxy proxy(yaml.text());
  const auto post = [](std::string_view path) {
    return "POST " + std::string(path) +
           " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n";
  };
  {
    Peer client = proxy.connect();
    client.send(post("/"));
    EXPECT_TRUE(origin.quiet());
    client.send("3\r\nfgh\r\n0\r\n\r\n");
    Peer upstream = origin.accept();
    const auto request = upstream.read_message();
    EXPECT_EQ(request.header("content-length"), "8");
    EXPECT_EQ(request.body, "abcdefgh");
    upstream.send(response("ok"));
    EXPECT_EQ(client.read_message().body, "ok");
  }
  const std::string rest = "10\r\n0123456789abcdef\r\n";
  Peer over = proxy.connect();
  over.send(post("/") + rest);
  const auto refused = over.read_message();
  EXPECT_EQ(refused.status(), 413);
  EXPECT_EQ(refused.body, "Payload Too Large");
  {
    Peer client = proxy.connect();
    client.send(post("/more") + rest + "0\r\n\r\n");
    Peer upstream = origin.accept();
    EXPECT_EQ(upstream.read_message().body, "abcde0123456789abcdef");
    upstream.send(response("ok"));
    EXPECT_EQ(client.read_message().body, "ok");
  }
  Peer client = proxy.connect();
  client.send(post("/off"));
  Peer upstream = origin.accept();
  EXPECT_EQ(upstream.read_head().find("content-length"), std::string::npos);
  EXPECT_EQ(upstream.read(10), "5\r\nabcde\r\n");  // not held
}

TEST(Fault, DelaysAndAborts) {
  AutoOrigin origin([](const Peer::Message&) { return response("ok"); });
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm =
      "access_log:\n- name: log\n  typed_config: {\"@type\": "
      "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: LOG, "
      "log_format: {text_format_source: {inline_string: \"%RESPONSE_FLAGS% "
      "%RESPONSE_CODE_DETAILS%\\n\"}}}\n";
  TempFolder folder;
  const std::string log = folder.path() + "/access.log";
  yaml.hcm.replace(yaml.hcm.find("LOG"), 3, log);
  yaml.filters = filter("fault", "fault.v3.HTTPFault",
                        "delay: {fixed_delay: 0.001s, percentage: {numerator: 100}}, "
                        "headers: [{name: ':path', string_match: {exact: /delay}}], "
                        "upstream_cluster: origin") +
                 filter("more", "fault.v3.HTTPFault",
                        "abort: {header_abort: {}, percentage: {numerator: 100}}, "
                        "delay: {header_delay: {}, percentage: {numerator: 100}}");
  TestProxy proxy(yaml.text());
  EXPECT_EQ(ask(proxy, "GET /delay HTTP/1.1\r\nHost: a\r\n\r\n").body, "ok");
  EXPECT_EQ(proxy.counter("http.ingress.fault.delays_injected"), 1u);
  EXPECT_EQ(ask(proxy, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").body, "ok");
  const auto aborted = ask(proxy,
                           "GET / HTTP/1.1\r\nHost: a\r\nx-envoy-fault-abort-request: 418\r\n"
                           "x-envoy-fault-delay-request: 1\r\n\r\n");
  EXPECT_EQ(aborted.status(), 418);
  EXPECT_EQ(aborted.body, "fault filter abort");
  const auto grpc = ask(proxy,
                        "POST / HTTP/1.1\r\nHost: a\r\ncontent-type: application/grpc\r\n"
                        "content-length: 0\r\nx-envoy-fault-abort-grpc-request: 8\r\n\r\n");
  EXPECT_EQ(grpc.status(), 200);
  EXPECT_EQ(grpc.header("grpc-status"), "8");
  EXPECT_EQ(grpc.header("grpc-message"), "fault filter abort");
  EXPECT_EQ(origin.requests(), 2u);
  EXPECT_EQ(proxy.counter("http.ingress.fault.delays_injected"), 2u);
  EXPECT_EQ(proxy.counter("http.ingress.fault.aborts_injected"), 2u);
  proxy.wait_for("all faults to end",
                 [&proxy] { return proxy.gauge("http.ingress.fault.active_faults") == 0; });
  proxy.stop();
  std::ifstream lines(log);
  std::stringstream text;
  text << lines.rdbuf();
  EXPECT_EQ(text.str(),
            "DI via_upstream\n- via_upstream\nDI,FI fault_filter_abort\nFI fault_filter_abort\n");
}

TEST(Fault, AClientThatLeavesEndsItsDelay) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.filters = filter("fault", "fault.v3.HTTPFault",
                        "delay: {fixed_delay: 3600s, percentage: {numerator: 100}}");
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  proxy.wait_for("the delay",
                 [&proxy] { return proxy.gauge("http.ingress.fault.active_faults") == 1; });
  client.close();
  proxy.wait_for("its end",
                 [&proxy] { return proxy.gauge("http.ingress.fault.active_faults") == 0; });
  EXPECT_TRUE(origin.quiet());
}

TEST(Fault, SlowResponsesAreWhole) {
  const std::string body(20000, 'x');
  AutoOrigin origin([&body](const Peer::Message& request) {
    if (request.first_line().find("/trailers") == std::string::npos) return response(body);
    return std::string(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nx-t: 1\r\n\r\n");
  });
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.cluster = "per_connection_buffer_limit_bytes: 4096\n";
  yaml.filters = filter("fault", "fault.v3.HTTPFault",
                        "response_rate_limit: {fixed_limit: {limit_kbps: 100}, "
                        "percentage: {numerator: 100}}");
  TestProxy proxy(yaml.text());
  EXPECT_EQ(ask(proxy, "GET / HTTP/1.1\r\nHost: a\r\n\r\n").body, body);
  EXPECT_EQ(ask(proxy, "GET /trailers HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n").body, "abcde");
  EXPECT_EQ(proxy.counter("http.ingress.fault.response_rl_injected"), 2u);
}

}  // namespace
}  // namespace weir::test
