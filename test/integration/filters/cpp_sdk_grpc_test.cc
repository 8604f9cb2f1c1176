// The C++ SDK's gRPC handlers, against a scripted service.
#include <gtest/gtest.h>
#include <weir/grpc.h>

#include "integration/filters/wasm_dialogue.h"
#include "support/h2_peer.h"

namespace weir::test {
namespace {

std::string frame(std::string_view message) {
  const auto prefix = grpc_prefix(static_cast<uint32_t>(message.size()));
  return std::string(prefix.data(), prefix.size()).append(message);
}

class CppSdkGrpc : public ::testing::Test {
 protected:
  void SetUp() override { NEEDS_GUEST("sdk_surface"); }
  static std::string yaml(uint16_t port) {
    Yaml yaml;
    yaml.filters = filter(Plugin{.guest = "sdk_surface", .plugin = "root_id: surface"});
    yaml.routes = kDirect;
    yaml.origin_port = port;
    yaml.cluster = http_protocol_options("explicit_http_config: {http2_protocol_options: {}}");
    return yaml.text();
  }
  /// What the handlers have been told so far.
  void wait_for_events(TestProxy& proxy, Peer& client, const std::string& events) {
    std::string seen;
    proxy.wait_for(events, [&] {
      seen = ask(client).header("x-sdk-grpc");
      return seen.find(events) != std::string::npos;
    });
  }
  Origin origin_;
};

TEST_F(CppSdkGrpc, ACallHasOneAnswer) {
  TestProxy proxy(yaml(origin_.port()));
  Peer client = proxy.connect();
  EXPECT_TRUE(ask(client, "x-sdk: unary\r\n").header("x-sdk-checks").ends_with("failed="));
  H2Origin service(origin_.accept());
  H2Request& request = service.next(false);
  service.wait_until("the question", [&] { return request.done; });
  EXPECT_EQ(request.body, frame("ask"));
  service.send_head(request, 200, EndStream::kNo, {{"content-type", "application/grpc"}});
  service.send_body(request, frame("yes"), EndStream::kNo);
  service.send_trailers(request, {{"grpc-status", "0"}});
  wait_for_events(proxy, client, "call:3");
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 0u);
}

TEST_F(CppSdkGrpc, AStreamGoesBothWaysAndEnds) {
  TestProxy proxy(yaml(origin_.port()));
  Peer client = proxy.connect();
  EXPECT_TRUE(ask(client, "x-sdk: stream\r\n").header("x-sdk-checks").ends_with("failed="));
  H2Origin service(origin_.accept());
  H2Request& request = service.next(false);
  service.send_head(request, 200, EndStream::kNo, {{"content-type", "application/grpc"}});
  service.send_body(request, frame("hello"), EndStream::kNo);
  service.wait_until("the guest's message", [&] { return request.done; });
  EXPECT_EQ(request.body, frame("more"));
  service.send_trailers(request, {{"grpc-status", "5"}});
  wait_for_events(proxy, client, "initial message:5 trailing closed:5");
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 0u);
}

}  // namespace
}  // namespace weir::test
