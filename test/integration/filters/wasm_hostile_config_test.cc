// Configurations that mean harm, a route's that does, and guests whose SDK hides that they fail.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

constexpr const char* kOpen = "failure_policy: FAIL_OPEN";

std::string origin_answer(const Peer::Message&) { return response("origin"); }

// ---- configurations ---------------------------------------------------------------------------------

class HostileConfigurations : public ::testing::Test {
 protected:
  HostileConfigurations() { yaml_.routes = kDirect; }
  void start() {
    proxy_.emplace(yaml_.text(), TestProxy::Options{.workers = 1, .from_file = true});
    client_ = proxy_->connect();
  }
  /// The one before serves on.
  std::string rejection(const std::string& text) {
    proxy_->write_config(text);
    proxy_->wait_for_rejection(++rejections_);
    EXPECT_EQ(ask(client_).status(), 200);
    return proxy_->admin("/reload");
  }
  Yaml yaml_;
  std::optional<TestProxy> proxy_;
  Peer client_;
  uint64_t rejections_ = 0;
};

TEST_F(HostileConfigurations, FiftyMegabytesAreRefused) {
  start();
  Yaml large = yaml_;
  large.filters = filter(Plugin{.configuration = std::string(50u << 20, 'x')});
  EXPECT_NE(rejection(large.text()).find("larger than"), std::string::npos);
}

TEST_F(HostileConfigurations, OneThatFitsReachesTheGuestWhole) {
  start();
  yaml_.filters = filter(Plugin{.configuration = "configure=params;response_headers=add|x-on|1;" +
                                                 std::string(1u << 20, ' ')});
  proxy_->write_config(yaml_.text());
  proxy_->wait_for_generation(2);
  EXPECT_EQ(ask(client_).header("x-on"), "1");
}

TEST_F(HostileConfigurations, BytesThatAreNoUtf8AreBytesOrAnError) {
  start();
  // "response_headers=add|x-raw|\xff\xfe!", as bytes.
  yaml_.filters =
      filter(Plugin{.any = "{\"@type\": type.googleapis.com/google.protobuf.BytesValue, value: "
                           "\"cmVzcG9uc2VfaGVhZGVycz1hZGR8eC1yYXd8//4h\"}"});
  proxy_->write_config(yaml_.text());
  proxy_->wait_for_generation(2);
  EXPECT_EQ(ask(client_).header("x-raw"), "\xff\xfe!");
  Yaml raw = yaml_;
  raw.filters = filter(Plugin{.configuration = "response_headers=add|x-raw|\xff\xfe\xc3"});
  EXPECT_NE(rejection(raw.text()), "");
}

TEST_F(HostileConfigurations, AModuleOfAHundredMegabytesIsRefused) {
  start();
  const std::string path = proxy_->folder().path() + "/large.wasm";
  std::ofstream(path) << std::string("\0asm\1\0\0\0", 8);
  std::filesystem::resize_file(path, 100u << 20);
  yaml_.filters = filter(Plugin{.guest = path});
  EXPECT_NE(rejection(yaml_.text()).find("the module is larger than"), std::string::npos);
}

// ---- a route's configuration ------------------------------------------------------------------------

class HostileRouteTest : public ::testing::TestWithParam<std::string> {
 protected:
  /// "/bad" has a configuration that fails; what `fields` says holds there, what `base` says elsewhere.
  std::string yaml(const std::string& fields, const std::string& base) const {
    Yaml yaml;
    yaml.origin_port = origin_.port();
    yaml.filters = filter(Plugin{.configuration = "response_headers=add|x-base|1",
                                 .vm = "limits: {call_timeout: 0.05s}",
                                 .plugin = base});
    yaml.routes =
        "- match: {path: /bad}\n  route: {cluster: origin}\n  typed_per_filter_config: {wasm_p: "
        "{\"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, config: "
        "{name: bad, configuration: {\"@type\": type.googleapis.com/google.protobuf.StringValue, "
        "value: '" +
        GetParam() + "'}, " + fields + "}}}\n- match: {prefix: /}\n  route: {cluster: origin}\n";
    return yaml.text();
  }
  AutoOrigin origin_{origin_answer};
};

TEST_P(HostileRouteTest, FailsItsOwnStreamsAlone) {
  TestProxy proxy(yaml("failure_policy: FAIL_CLOSED", kOpen));
  for (int i = 1; i <= 3; ++i) {
    Peer bad = proxy.connect();
    EXPECT_EQ(ask(bad, "", "/bad").status(), 503);
    Peer good = proxy.connect();
    const Peer::Message answer = ask(good, "", "/good");
    EXPECT_EQ(answer.body, "origin");
    EXPECT_EQ(answer.header("x-base"), "1") << "with its filter";
  }
  EXPECT_EQ(proxy.counter("wasm.bad.failed_streams"), 3u);
  EXPECT_EQ(proxy.counter("wasm.bad.traps") + proxy.counter("wasm.bad.timeouts"), 3u);
  for (const char* count : {"failed_streams", "bypassed_streams", "traps", "timeouts"})
    EXPECT_EQ(proxy.counter(std::string("wasm.p.") + count), 0u) << count;
}

TEST_P(HostileRouteTest, FollowsThePolicyOfTheRoute) {
  TestProxy proxy(yaml(kOpen, "failure_policy: FAIL_CLOSED"));
  Peer client = proxy.connect();
  for (int i = 1; i <= 3; ++i) {
    const Peer::Message answer = ask(client, "", "/bad");
    EXPECT_EQ(answer.body, "origin");
    EXPECT_FALSE(answer.has("x-base"));
    EXPECT_EQ(ask(client, "", "/good").header("x-base"), "1");
  }
  EXPECT_EQ(proxy.counter("wasm.bad.bypassed_streams"), 3u);
  EXPECT_EQ(proxy.counter("wasm.p.failed_streams"), 0u);
}

INSTANTIATE_TEST_SUITE_P(Ways, HostileRouteTest,
                         ::testing::Values("request_headers=trap", "request_headers=loop",
                                           "request_headers=recurse", "request_headers=exit|1",
                                           "context_create=trap"));

// ---- panics -----------------------------------------------------------------------------------------

TEST(RecoveredPanics, AreFailuresWhereThePluginSaysHowTheyAreLogged) {
  AutoOrigin origin(origin_answer);
  const std::string panic = "x-do: request_headers=log|4|[p] recovered from panic: cookie\r\n";
  {
    TestProxy proxy(yaml_with(Plugin{}, origin.port()));
    Peer client = proxy.connect();
    EXPECT_EQ(ask(client, panic).status(), 200) << "a log line like any other";
  }
  for (const bool open : {false, true}) {
    TestProxy proxy(yaml_with(
        Plugin{.plugin = std::string("fail_on_log: [{contains: recovered from panic}]\n      ") +
                         (open ? kOpen : "failure_policy: FAIL_CLOSED")},
        origin.port()));
    Peer client = proxy.connect();
    EXPECT_EQ(ask(client, "x-do: request_headers=log|4|nothing of it\r\n").status(), 200);
    EXPECT_EQ(ask(client, panic).status(), open ? 200 : 503);
    EXPECT_EQ(proxy.counter("wasm.p.traps"), 1u);
    EXPECT_NE(proxy.admin("/wasm").find("it logged: [p] recovered from panic: cookie"),
              std::string::npos);
    EXPECT_EQ(ask(client).status(), 200) << "in a fresh VM";
  }
}

TEST(RecoveredPanics, CountWhereverTheyAreWritten) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(Plugin{.plugin = "fail_on_log: [{prefix: panic}]"}, origin.port()));
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client, "x-do: request_headers=write_line|2|panic: here\r\n").status(), 503);
  EXPECT_EQ(ask(client, "x-do: request_headers=log|0|panic at trace\r\n").status(), 503);
  EXPECT_EQ(ask(client).status(), 200);
}

TEST(RecoveredPanics, InAStartRejectTheEdit) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  const auto failing_on = [](const std::string& line) {
    return filter(Plugin{.configuration = "configure=log|4|panic",
                         .plugin = "fail_on_log: [{exact: " + line + "}]"});
  };
  yaml.filters = failing_on("panic");
  proxy.write_config(yaml.text());
  proxy.wait_for_rejection(1);
  EXPECT_NE(proxy.admin("/reload").find("it logged: panic"), std::string::npos);
  yaml.filters = failing_on("another");
  proxy.write_config(yaml.text());
  proxy.wait_for_generation(2);
}

}  // namespace
}  // namespace weir::test
