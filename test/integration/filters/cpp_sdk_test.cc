// The C++ SDK: a guest written as for the public one, which looks itself at what it is given.
#include <gtest/gtest.h>

#include "integration/filters/wasm_dialogue.h"
#include "support/network_yaml.h"

namespace weir::test {
namespace {

class CppSdk : public ::testing::Test {
 protected:
  void SetUp() override { NEEDS_GUEST("sdk_surface"); }
  static Plugin plugin(const std::string& root_id) {
    return Plugin{.guest = "sdk_surface",
                  .configuration = "plugin text",
                  .vm_configuration = "vm text",
                  .plugin = "root_id: " + root_id};
  }
  static void expect_no_failed_check(const Peer::Message& answer) {
    EXPECT_TRUE(says(answer.head, "x-sdk-checks: checks=") &&
                (answer.header("x-sdk-checks").ends_with("failed=")))
        << answer.head;
  }
  AutoOrigin origin_{[](const Peer::Message& request) {
    if (says(request.first_line(), "/called")) return response("called with " + request.body, 201);
    return response(request.head + request.body);
  }};
};

TEST_F(CppSdk, EverythingOfASurfaceStreamIsAsItShouldBe) {
  TestProxy proxy(yaml_with(plugin("surface"), origin_.port()));
  Peer client = proxy.connect();
  Peer::Message answer = ask(client, "", "/p");
  EXPECT_EQ(answer.status(), 200);
  expect_no_failed_check(answer);
  EXPECT_EQ(answer.header("x-sdk-all"), "1");
  EXPECT_EQ(answer.header("x-sdk-replaced"), "200");
  EXPECT_FALSE(answer.has("x-gone"));
  EXPECT_TRUE(says(answer.body, "x-set: 1\r\n")) << answer.body;
  EXPECT_TRUE(says(answer.header("x-sdk-root"), "vm=vm text plugin=plugin text streams=1"))
      << answer.head;
  proxy.wait_for("tick and queue", [&client] {
    const std::string root = ask(client).header("x-sdk-root");
    return says(root, "ticks=1 ") && !says(root, "queued=0 ");
  });
  EXPECT_GE(proxy.counter("wasmcustom.client.ann.code.200.tls.true.uses"), 3u);
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 0u);
}

TEST_F(CppSdk, CalloutsAndLocalReplies) {
  TestProxy proxy(yaml_with(plugin("surface"), origin_.port()));
  Peer client = proxy.connect();
  Peer::Message answer = ask(client, "x-sdk: call\r\n");
  expect_no_failed_check(answer);
  EXPECT_TRUE(says(answer.body, "x-sdk-answer: 1 201 called with question\r\n")) << answer.body;
  answer = ask(client, "x-sdk: reply\r\n");
  EXPECT_EQ(answer.status(), 418);
  EXPECT_EQ(answer.body, "tea");
  EXPECT_EQ(answer.header("x-tea"), "yes");
  answer = ask(client, "x-sdk: grpc\r\n");
  EXPECT_EQ(answer.status(), 200);
  expect_no_failed_check(answer);
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 0u);
}

TEST_F(CppSdk, BodiesAndTrailers) {
  Yaml yaml;
  yaml.origin_port = origin_.port();
  yaml.filters = filter(plugin("surface"));
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send(
      "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: chunked\r\ntrailer: x-t\r\n\r\n"
      "2\r\nhi\r\n0\r\nx-t: 1\r\n\r\n");
  const Peer::Message answer = client.read_message();
  EXPECT_EQ(answer.status(), 200);
  EXPECT_TRUE(says(answer.body, "hi!")) << answer.body;
  // It is a POST, which one check notices.
  EXPECT_TRUE(says(answer.header("x-sdk-checks"), "failed=text,message,proto")) << answer.head;
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 0u);
}

TEST_F(CppSdk, ARootMayHaveTheLowLevelForItself) {
  TestProxy proxy(yaml_with(plugin("low"), origin_.port()));
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client);
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.header("x-sdk"), "low");
  EXPECT_TRUE(says(answer.body, "headers 1 body ")) << answer.body;
}

// Only a root or only a context is registered for these; the last is registered nowhere.
TEST_F(CppSdk, RootIdsWithoutAFactoryLetTrafficPass) {
  for (const char* root_id : {"connection", "service", "unknown"}) {
    TestProxy proxy(yaml_with(plugin(root_id), origin_.port()));
    Peer client = proxy.connect();
    EXPECT_EQ(ask(client).status(), 200) << root_id;
    EXPECT_EQ(proxy.counter("wasm.p.traps"), 0u) << root_id;
  }
}

TEST_F(CppSdk, ConnectionsGoThroughItsNetworkCallbacks) {
  const std::string wasm =
      network_filter("wasm.v3.Wasm",
                     "config: {name: p, root_id: connection, vm_config: {code: "
                     "{local: {filename: " +
                         guest_path("sdk_surface") + "}}}}\n");
  TestProxy proxy(NetworkYaml{wasm + network_filter("echo.v3.Echo"), ""}.text());
  Peer client = proxy.connect();
  client.send("hi");
  EXPECT_EQ(client.read(4), "> hi");
  client.half_close();
  EXPECT_EQ(client.read_to_end(), "");
  Peer other = proxy.connect();
  other.send("close");
  other.read_to_end();
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 0u);
}

TEST_F(CppSdk, RootsOfOneVmAreToldOfTheirEnd) {
  TestProxy proxy(yaml_with(plugin("surface"), origin_.port()),
                  TestProxy::Options{.workers = 1, .from_file = true});
  Peer client = proxy.connect();
  ask(client);
  Plugin next = plugin("surface");
  next.configuration = "other";
  proxy.write_config(yaml_with(next, origin_.port()));
  proxy.wait_for_generation(2);
  EXPECT_TRUE(says(ask(client).header("x-sdk-root"), "plugin=other"));
  proxy.wait_for("the old VM has gone",
                 [&proxy] { return proxy.gauge("wasm.envoy.wasm.runtime.v8.active") == 1; });
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 0u);
}

}  // namespace
}  // namespace weir::test
