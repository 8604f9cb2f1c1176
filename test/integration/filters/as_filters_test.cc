// Guests written in AssemblyScript: the filter edit_headers with the SDK of today, a guest with the first one.
#include <gtest/gtest.h>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

std::string echo(const Peer::Message& request) {
  return response(request.head, 200, "x-secret: 1\r\nserver-timing: db\r\nx-two: a\r\n");
}

class EditHeaders : public ::testing::Test {
 protected:
  void SetUp() override { NEEDS_FILTER("edit_headers"); }
  static Plugin plugin(std::string configuration) {
    return Plugin{.guest = filter_path("edit_headers"), .configuration = std::move(configuration)};
  }
  AutoOrigin origin_{echo};
};

TEST_F(EditHeaders, SetsAddsAndRemovesOnBothHeads) {
  TestProxy proxy(yaml_with(
      plugin(
          R"({"request": {"remove": ["X-Debug"], "set": {"x-team": "blue", "x-n": 7}, )"
          R"("default": {"x-tenant": "none", "x-user": "nobody"}, "append": {"x-via": ["a", "b"]}}, )"
          R"("response": {"remove": ["x-secret"], "set": {"server-timing": "gone"}, )"
          R"("default": {"x-two": "b", "x-frame-options": "DENY"}, "append": {"x-two": "c"}}})"),
      origin_.port()));
  Peer client = proxy.connect();
  const Peer::Message answer =
      ask(client, "x-debug: 1\r\nx-debug: 2\r\nx-team: red\r\nx-team: green\r\nx-user: ann\r\n");
  ASSERT_EQ(answer.status(), 200) << answer.head;
  EXPECT_FALSE(says(answer.body, "x-debug")) << answer.body;
  EXPECT_TRUE(says(answer.body, "x-team: blue\r\n") && !says(answer.body, "red") &&
              !says(answer.body, "green"))
      << answer.body;
  EXPECT_TRUE(says(answer.body, "x-n: 7\r\n")) << answer.body;
  EXPECT_TRUE(says(answer.body, "x-tenant: none\r\n")) << answer.body;
  EXPECT_TRUE(says(answer.body, "x-user: ann\r\n") && !says(answer.body, "nobody")) << answer.body;
  EXPECT_TRUE(says(answer.body, "x-via: a\r\n") && says(answer.body, "x-via: b\r\n"));
  EXPECT_FALSE(answer.has("x-secret")) << answer.head;
  EXPECT_EQ(answer.header("server-timing"), "gone");
  EXPECT_EQ(answer.header("x-frame-options"), "DENY");
  EXPECT_TRUE(says(answer.head, "x-two: a\r\n") && says(answer.head, "x-two: c\r\n"))
      << answer.head;
}

TEST_F(EditHeaders, ValuesMayNameHeadersAndProperties) {
  TestProxy proxy(yaml_with(
      plugin(
          R"({"request": {"set": {"x-what": "%REQ(:method)% %PROPERTY(request.url_path)% 100%%", )"
          R"("x-none": "%REQ(x-missing)%"}}, "response": {"set": {"x-for": "%REQ(X-User)%/%RESP(x-two)%"}}})"),
      origin_.port()));
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client, "x-user: \xc3\xa4nn\r\nx-none: mine\r\n", "/p?q=1");
  EXPECT_TRUE(says(answer.body, "x-what: GET /p 100%\r\n")) << answer.body;
  // Nothing to set it from: it stays.
  EXPECT_TRUE(says(answer.body, "x-none: mine\r\n")) << answer.body;
  EXPECT_EQ(answer.header("x-for"), "\xc3\xa4nn/a");
  // A header that is no text of UTF-8 does no harm.
  EXPECT_EQ(ask(client, "x-user: \xff\xfe\r\n").status(), 200);
}

TEST_F(EditHeaders, PseudoHeadersMayBeSet) {
  TestProxy proxy(yaml_with(
      plugin(
          R"({"request": {"set": {":path": "/other"}}, "response": {"set": {":status": "203"}}})"),
      origin_.port()));
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client);
  EXPECT_EQ(answer.status(), 203);
  EXPECT_TRUE(says(answer.body, "GET /other HTTP/1.1\r\n")) << answer.body;
}

// The SDK itself knows one plugin for each VM.
TEST_F(EditHeaders, PluginsOfOneVmKeepTheirOwnRules) {
  Yaml yaml;
  yaml.origin_port = origin_.port();
  Plugin one = plugin(R"({"response": {"append": {"x-one": "1"}}})");
  Plugin two = plugin(R"({"response": {"append": {"x-two": "2"}}})");
  one.name = "one";
  two.name = "two";
  yaml.filters = filter(one) + filter(two);
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  EXPECT_EQ(proxy.gauge("wasm.envoy.wasm.runtime.v8.active"), 1);
  Peer client = proxy.connect();
  Peer::Message answer = ask(client);
  EXPECT_EQ(answer.header("x-one"), "1");
  EXPECT_TRUE(says(answer.head, "x-two: 2\r\n")) << answer.head;
  // A root that goes is told so without harm.
  two.configuration = R"({"response": {"append": {"x-two": "3"}}})";
  yaml.filters = filter(one) + filter(two);
  proxy.write_config(yaml.text());
  proxy.wait_for_generation(2);
  Peer next = proxy.connect();
  answer = ask(next);
  EXPECT_TRUE(says(answer.head, "x-two: 3\r\n")) << answer.head;
  proxy.wait_for("the old VM has gone",
                 [&proxy] { return proxy.gauge("wasm.envoy.wasm.runtime.v8.active") == 1; });
  EXPECT_EQ(proxy.counter("wasm.one.traps"), 0u);
  EXPECT_EQ(proxy.counter("wasm.two.traps"), 0u);
}

TEST_F(EditHeaders, BadOptionsAreRefused) {
  TestProxy proxy(yaml_with(plugin(""), origin_.port()),
                  TestProxy::Options{.workers = 1, .from_file = true});
  uint64_t rejections = 0;
  for (const char* bad :
       {"[]", R"({"requests": {}})", R"({"request": []})", R"({"request": {"put": {"a": "b"}}})",
        R"({"request": {"remove": [":path"]}})", R"({"request": {"remove": {"a": "b"}}})",
        R"({"request": {"set": {"a b": "c"}}})", R"({"request": {"append": {":path": "/"}}})",
        R"({"request": {"set": {"a": "b\u0001"}}})", R"({"request": {"set": {"a": {"b": "c"}}}})",
        R"({"request": {"set": {"a": "100%"}}})", R"({"request": {"set": {"a": "%WHAT(b)%"}}})",
        R"({"request")", "remove=a"}) {
    proxy.write_config(yaml_with(plugin(bad), origin_.port()));
    proxy.wait_for_rejection(++rejections);
  }
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).status(), 200);
}

// ---- the first SDK ----------------------------------------------------------------------------------

class FirstAssemblyScriptSdk : public ::testing::Test {
 protected:
  void SetUp() override { NEEDS_GUEST("as_solo"); }
  const Plugin plugin_{.guest = "as_solo", .configuration = "c", .plugin = "root_id: solo"};
};

TEST_F(FirstAssemblyScriptSdk, ReadsChangesAndCallsOut) {
  AutoOrigin origin([](const Peer::Message& request) {
    return says(request.first_line(), "/asked") ? response("no", 403) : response(request.head);
  });
  TestProxy proxy(yaml_with(plugin_, origin.port()));
  Peer client = proxy.connect();
  Peer::Message answer = ask(client, "user-agent: me\r\n");
  EXPECT_EQ(answer.header("x-solo-filter"), "as_solo");
  EXPECT_TRUE(says(answer.body, "x-solo-agent: me\r\n")) << answer.body;
  answer = ask(client, "x-solo-ask: /asked\r\n");
  EXPECT_TRUE(says(answer.body, "x-solo-answer: 403\r\n")) << answer.body;
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 0u);
}

TEST_F(FirstAssemblyScriptSdk, AnAbortIsATrap) {
  AutoOrigin origin([](const Peer::Message&) { return response("origin"); });
  TestProxy proxy(yaml_with(plugin_, origin.port()));
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client, "x-solo-abort: 1\r\n").status(), 503);
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 1u);
  EXPECT_EQ(ask(client).status(), 200);
}

}  // namespace
}  // namespace weir::test
