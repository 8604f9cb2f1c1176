// grpc_web and grpc_stats in the running server. The upstream speaks gRPC over HTTP/1.1, with trailers.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "support/test_proxy.h"

namespace weir::test {
namespace {

using namespace std::string_literals;

const std::string kMessage = "\0\0\0\0\2ab"s;
const std::string kTrailers = "\x80\0\0\0\x0fgrpc-status:0\r\n"s;

std::string filter(std::string_view name, std::string_view type, std::string_view fields = "") {
  return "- name: " + std::string(name) +
         "\n  typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http." +
         std::string(type) + (fields.empty() ? "" : ", " + std::string(fields)) + "}\n";
}

/// A service that answers what it was sent, and wrongly on some paths.
std::string serve(const Peer::Message& request) {
  if (request.first_line().find("/plain") != std::string::npos)
    return response("not here", 503, "content-type: text/plain\r\n");
  if (request.first_line().find("/fails") != std::string::npos)
    return "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 5\r\n"
           "content-length: 0\r\n\r\n";
  EXPECT_EQ(request.header("content-type"), "application/grpc");
  std::ostringstream out;
  out << "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n\r\n"
      << std::hex << request.body.size() << "\r\n"
      << request.body << "\r\n0\r\ngrpc-status: 0\r\n\r\n";
  return out.str();
}

Yaml yaml_for(const AutoOrigin& origin) {
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.cluster =
      "typed_extension_protocol_options:\n"
      "  envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
      "    \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
      "    explicit_http_config: {http_protocol_options: {enable_trailers: true}}\n";
  return yaml;
}

Peer::Message call(TestProxy& proxy, std::string_view path, std::string_view type,
                   std::string_view body) {
  Peer client = proxy.connect();
  client.send(
      "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\ncontent-type: " + std::string(type) +
      "\r\naccept: " + std::string(type) + "\r\ncontent-length: " + std::to_string(body.size()) +
      "\r\n\r\n" + std::string(body));
  return client.read_message();
}

TEST(GrpcWeb, BothFormsThroughTheProxy) {
  AutoOrigin origin(&serve);
  Yaml yaml = yaml_for(origin);
  yaml.filters = filter("web", "grpc_web.v3.GrpcWeb");
  TestProxy proxy(yaml.text());
  auto answer = call(proxy, "/s/m", "application/grpc-web+proto", kMessage);
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.header("content-type"), "application/grpc-web+proto");
  EXPECT_EQ(answer.body, kMessage + kTrailers);
  answer = call(proxy, "/s/m", "application/grpc-web-text", "AAAAAAJhYg==");
  EXPECT_EQ(answer.header("content-type"), "application/grpc-web-text+proto");
  EXPECT_EQ(answer.body, "AAAAAAJhYg==gAAAAA9ncnBjLXN0YXR1czowDQo=");
  EXPECT_EQ(origin.requests(), 2u);
}

TEST(GrpcWeb, AnswersThatAreNoneOfAService) {
  AutoOrigin origin(&serve);
  Yaml yaml = yaml_for(origin);
  yaml.filters = filter("web", "grpc_web.v3.GrpcWeb");
  yaml.routes =
      "- match: {prefix: /s}\n  route: {cluster: origin}\n"
      "- match: {prefix: /nobody}\n  direct_response: {status: 403}\n";
  TestProxy proxy(yaml.text());
  auto answer = call(proxy, "/s/plain", "application/grpc-web", kMessage);
  EXPECT_EQ(answer.header("grpc-status"), "14");
  EXPECT_EQ(answer.header("grpc-message"), "not here");
  EXPECT_EQ(answer.header("content-type"), "application/grpc-web+proto");
  EXPECT_EQ(answer.body, "");
  answer = call(proxy, "/s/fails", "application/grpc-web", kMessage);
  EXPECT_EQ(answer.header("grpc-status"), "5");
  EXPECT_EQ(answer.header("content-type"), "application/grpc-web+proto");
  // weir's own answers are gRPC's, since the request is by then.
  answer = call(proxy, "/nobody", "application/grpc-web", kMessage);
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.header("grpc-status"), "7");
  EXPECT_EQ(answer.header("content-type"), "application/grpc-web+proto");
  answer = call(proxy, "/s/m", "application/grpc-web-text", "!!!!");
  EXPECT_EQ(answer.header("grpc-status"), "13");
  EXPECT_EQ(answer.header("grpc-message"), "Bad gRPC-web request, invalid base64 data.");
}

TEST(GrpcStats, CountsBehindGrpcWeb) {
  AutoOrigin origin(&serve);
  Yaml yaml = yaml_for(origin);
  TempFolder folder;
  const std::string log = folder.path() + "/access.log";
  yaml.hcm =
      "access_log:\n- name: log\n  typed_config: {\"@type\": "
      "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: " +
      log +
      ", log_format: {text_format_source: {inline_string: "
      "\"%FILTER_STATE(envoy.filters.http.grpc_stats:PLAIN)%\\n\"}}}\n";
  yaml.filters = filter("web", "grpc_web.v3.GrpcWeb") +
                 filter("stats", "grpc_stats.v3.FilterConfig",
                        "emit_filter_state: true, enable_upstream_stats: true, "
                        "individual_method_stats_allowlist: {services: [{name: a.B, method_names: "
                        "[Get]}]}");
  TestProxy proxy(yaml.text());
  EXPECT_EQ(call(proxy, "/a.B/Get", "application/grpc-web", kMessage + kMessage).status(), 200);
  EXPECT_EQ(call(proxy, "/a.B/Put", "application/grpc-web", kMessage).status(), 200);
  EXPECT_EQ(call(proxy, "/fails", "application/grpc", kMessage).status(), 200);
  EXPECT_EQ(proxy.counter("cluster.origin.grpc.a.B.Get.success"), 1u);
  EXPECT_EQ(proxy.counter("cluster.origin.grpc.a.B.Get.request_message_count"), 2u);
  EXPECT_EQ(proxy.counter("cluster.origin.grpc.a.B.Get.response_message_count"), 2u);
  EXPECT_EQ(proxy.counter("cluster.origin.grpc.success"), 1u);
  EXPECT_EQ(proxy.counter("cluster.origin.grpc.failure"), 1u);
  EXPECT_EQ(proxy.counter("cluster.origin.grpc.5"), 1u);
  EXPECT_EQ(proxy.counter("cluster.origin.grpc.total"), 2u);
  proxy.stop();
  std::ifstream file(log);
  std::string first;
  std::getline(file, first);
  EXPECT_EQ(first, "request_message_count=2,response_message_count=2");
}

}  // namespace
}  // namespace weir::test
