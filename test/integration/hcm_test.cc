// HttpConnectionManager: what its fields do to requests, responses and connections, over the wire.
#include <optional>
#include <gtest/gtest.h>

#include "support/test_proxy.h"

namespace weir::test {
namespace {

/// A proxy in front of an origin that answers with the head it has seen.
struct Echo {
  explicit Echo(std::string hcm, std::string routes = {}, TestProxy::Options options = {}) {
    Yaml yaml;
    yaml.hcm = std::move(hcm);
    if (!routes.empty()) yaml.routes = std::move(routes);
    yaml.origin_port = origin.port();
    proxy.emplace(yaml.text(), options);
  }
  Peer::Message ask(std::string_view fields, std::string_view line = "GET / HTTP/1.1",
                    std::string_view host = "a") {
    Peer client = proxy->connect();
    client.send(std::string(line) + "\r\nHost: " + std::string(host) + "\r\n" +
                std::string(fields) + "\r\n");
    return client.read_message();
  }
  /// A field of the request as the origin has got it.
  std::string seen(const Peer::Message& answer, std::string_view name) {
    Peer::Message request;
    request.head = answer.body;
    return request.header(name);
  }
  AutoOrigin origin{[](const Peer::Message& request) {
    return response(request.head, 200, "server: origin\r\n");
  }};
  std::optional<TestProxy> proxy;
};

constexpr std::string_view kForwarded =
    "x-forwarded-for: 1.1.1.1, 2.2.2.2\r\nx-forwarded-proto: https\r\nx-request-id: mine\r\n"
    "x-envoy-external-address: 6.6.6.6\r\nx-envoy-upstream-rq-timeout-ms: 7\r\n";

TEST(Hcm, InTheMeshClientsAreBelieved) {
  Echo echo("via: weir-1\n");
  const auto answer = echo.ask(std::string(kForwarded) + "via: 1.0 x\r\n");
  EXPECT_EQ(echo.seen(answer, "x-forwarded-for"), "1.1.1.1, 2.2.2.2");
  EXPECT_EQ(echo.seen(answer, "x-forwarded-proto"), "https");
  EXPECT_EQ(echo.seen(answer, "x-request-id"), "mine");
  EXPECT_EQ(echo.seen(answer, "x-envoy-expected-rq-timeout-ms"), "15000");
  EXPECT_EQ(echo.seen(answer, "via"), "1.0 x, weir-1");
  EXPECT_EQ(answer.header("via"), "weir-1");
  EXPECT_EQ(answer.header("server"), "weir");
}

TEST(Hcm, AtTheEdgeTheyAreNot) {
  Echo echo("use_remote_address: true\nserver_header_transformation: PASS_THROUGH\n");
  const auto answer = echo.ask(kForwarded);
  EXPECT_EQ(echo.seen(answer, "x-forwarded-for"), "1.1.1.1, 2.2.2.2,127.0.0.1");
  EXPECT_EQ(echo.seen(answer, "x-forwarded-proto"), "http");
  EXPECT_EQ(echo.seen(answer, "x-envoy-external-address"), "127.0.0.1");
  EXPECT_EQ(echo.seen(answer, "x-request-id").size(), 36u);
  EXPECT_EQ(answer.header("server"), "origin");
}

TEST(Hcm, TrustedHopsAreBelievedAtTheEdge) {
  Echo echo(
      "use_remote_address: true\nxff_num_trusted_hops: 1\nskip_xff_append: true\n"
      "preserve_external_request_id: true\nalways_set_request_id_in_response: true\n"
      "server_header_transformation: APPEND_IF_ABSENT\n");
  const auto answer = echo.ask(kForwarded);
  EXPECT_EQ(echo.seen(answer, "x-forwarded-for"), "1.1.1.1, 2.2.2.2");
  EXPECT_EQ(echo.seen(answer, "x-forwarded-proto"), "https");
  EXPECT_EQ(echo.seen(answer, "x-envoy-external-address"), "2.2.2.2");
  EXPECT_EQ(echo.seen(answer, "x-request-id"), "mine");
  EXPECT_EQ(answer.header("x-request-id"), "mine");
  EXPECT_EQ(answer.header("server"), "origin");
}

// ---- connections that end with a response say so -----------------------------------------------------------------------

constexpr std::string_view kNoRoute = "- match: {path: /none}\n  route: {cluster: origin}\n";

TEST(Hcm, AnswerBeforeTheEndOfTheRequestSaysClose) {
  Echo echo("", std::string(kNoRoute));
  Peer client = echo.proxy->connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
  const auto answer = client.read_message();
  EXPECT_EQ(answer.status(), 404);
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(client.closed());
}

TEST(Hcm, AnswerToAWholeRequestKeepsTheConnection) {
  Echo echo("", std::string(kNoRoute));
  Peer client = echo.proxy->connect();
  for (int i = 0; i < 2; ++i) {
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto answer = client.read_message();
    EXPECT_EQ(answer.status(), 404);
    EXPECT_FALSE(answer.has("connection"));
  }
}

TEST(Hcm, RequestTimeoutSaysClose) {
  Echo echo("request_timeout: 0.05s\n");
  Peer client = echo.proxy->connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
  const auto answer = client.read_message();
  EXPECT_EQ(answer.status(), 408);
  EXPECT_EQ(answer.body, "request timeout");
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(client.closed());
}

TEST(Hcm, HalfAHeadIsAnIdleStream) {
  Echo echo("request_headers_timeout: 0s\nstream_idle_timeout: 0.05s\n");
  Peer client = echo.proxy->connect();
  client.send("GET / HTTP/1.1\r\nHo");
  const auto answer = client.read_message();
  EXPECT_EQ(answer.status(), 408);
  EXPECT_EQ(answer.body, "stream timeout");
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(echo.proxy->counter("http.ingress.downstream_rq_idle_timeout"), 1u);
}

TEST(Hcm, RouteIdleTimeoutTakesThePlaceOfTheStreams) {
  Origin silent;
  Yaml yaml;
  yaml.origin_port = silent.port();
  yaml.hcm = "stream_idle_timeout: 60s\n";
  yaml.routes =
      "- match: {prefix: /}\n  route: {cluster: origin, timeout: 0s, idle_timeout: 0.05s}\n";
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = silent.accept();
  const auto request = upstream.read_message();
  EXPECT_FALSE(request.has("x-envoy-expected-rq-timeout-ms"));
  const auto answer = client.read_message();
  EXPECT_EQ(answer.status(), 504);
  EXPECT_EQ(answer.body, "stream timeout");
  EXPECT_TRUE(upstream.closed());
}

TEST(Hcm, LastRequestOfAConnectionSaysClose) {
  Echo echo("common_http_protocol_options: {max_requests_per_connection: 2}\n");
  Peer client = echo.proxy->connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_FALSE(client.read_message().has("connection"));
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read_message().header("connection"), "close");
  EXPECT_TRUE(client.closed());
}

TEST(Hcm, WhoExpectsAContinueGetsItBeforeTheBody) {
  Echo echo("");
  Peer client = echo.proxy->connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.read_head(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi");
  const auto answer = client.read_message();
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(echo.seen(answer, "expect"), "");
}

TEST(Hcm, OriginMayAnswerTheExpectation) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.hcm = "proxy_100_continue: true\n";
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  Peer upstream = origin.accept();
  EXPECT_NE(upstream.read_head().find("expect: 100-continue\r\n"), std::string::npos);
  EXPECT_TRUE(client.quiet());
  upstream.send("HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_TRUE(client.read_head().starts_with("HTTP/1.1 100 Continue\r\n"));
  client.send("hi");
  EXPECT_EQ(upstream.read(2), "hi");
  upstream.send(response("done"));
  EXPECT_EQ(client.read_message().body, "done");
}

// ---- local replies -------------------------------------------------------------------------------------------------------

TEST(Hcm, MapperHasTheLastWordAndFormatsSeeItsFields) {
  Echo echo(
      "local_reply_config:\n"
      "  mappers:\n"
      "  - filter: {response_flag_filter: {flags: [NR]}}\n"
      "    status_code: 410\n"
      "    body: {inline_string: gone}\n"
      "    headers_to_add:\n"
      "    - header: {key: x-lr, value: \"%RESPONSE_CODE%\"}\n"
      "      append_action: OVERWRITE_IF_EXISTS_OR_ADD\n"
      "    body_format_override:\n"
      "      json_format: {body: \"%LOCAL_REPLY_BODY%\", code: \"%RESPONSE_CODE%\",\n"
      "                    field: \"%RESP(x-lr)%\"}\n",
      std::string(kNoRoute));
  const auto answer = echo.ask("");
  EXPECT_EQ(answer.status(), 410);
  EXPECT_EQ(answer.header("x-lr"), "410");
  EXPECT_EQ(answer.header("content-type"), "application/json");
  EXPECT_EQ(answer.body, "{\"body\":\"gone\",\"code\":410,\"field\":\"410\"}\n");
}

TEST(Hcm, EmptyBodyOfALocalReplyIsEmptyInItsFormat) {
  Echo echo(
      "local_reply_config:\n"
      "  body_format:\n"
      "    text_format_source: {inline_string: \"<%RESPONSE_CODE%:%LOCAL_REPLY_BODY%>\"}\n"
      "    content_type: text/html\n",
      "- match: {path: /d}\n  direct_response: {status: 200, body: {inline_string: hi}}\n");
  const auto none = echo.ask("");
  EXPECT_EQ(none.body, "<404:>");
  EXPECT_EQ(none.header("content-type"), "text/html");
  EXPECT_EQ(echo.ask("", "GET /d HTTP/1.1").body, "<200:hi>");
}

TEST(Hcm, TypeThatAMapperSetsIsKept) {
  Echo echo(
      "local_reply_config:\n"
      "  mappers:\n"
      "  - filter: {status_code_filter: {comparison: {op: GE, value: {default_value: 400, "
      "runtime_key: k}}}}\n"
      "    body: {inline_string: \"{}\"}\n"
      "    headers_to_add: [{header: {key: content-type, value: application/problem+json}}]\n",
      std::string(kNoRoute));
  const auto answer = echo.ask("");
  EXPECT_EQ(answer.header("content-type"), "application/problem+json");
  EXPECT_EQ(answer.body, "{}");
}

}  // namespace
}  // namespace weir::test
