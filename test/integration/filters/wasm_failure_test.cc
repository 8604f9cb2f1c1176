// What a failing guest does to streams: to its own, to the others in its VM, and to those that come later.
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "integration/filters/wasm_dialogue.h"
#include "support/log_lines.h"

namespace weir::test {
namespace {

constexpr const char* kOpen = "failure_policy: FAIL_OPEN";
constexpr const char* kReload = "failure_policy: FAIL_RELOAD";

std::string origin_answer(const Peer::Message&) { return response("origin"); }

void trap(TestProxy& proxy) {
  Peer bad = proxy.connect();
  ask(bad, "x-do: request_headers=trap\r\n");
}

void wait_for_streams(TestProxy& proxy, size_t count) {
  proxy.wait_for("streams in the VM", [&proxy, count] {
    return proxy.admin("/wasm").find("\"streams\":" + std::to_string(count)) != std::string::npos;
  });
}

TEST(WasmAdmin, TheLastFailureIsShown) {
  TestProxy proxy(yaml_with(Plugin{.vm = "vm_id: v"}));
  EXPECT_EQ(proxy.admin("/wasm").find("last_failure"), std::string::npos);
  trap(proxy);
  const std::string page = proxy.admin("/wasm");
  const size_t at = page.find("\"last_failure\":{\"time\":\"20");
  ASSERT_NE(at, std::string::npos) << page;
  const std::string failure = page.substr(at, page.find("]}", at) - at);
  for (const char* part :
       {"\"callback\":\"proxy_on_request_headers\"", "\"vm_id\":\"v\"", "\"thread\":\"worker_0\"",
        "\"why\":\"RuntimeError: unreachable\"", "\"stack\":[\"", "on_request_headers ("})
    EXPECT_NE(failure.find(part), std::string::npos) << part << " in " << failure;
}

class StackTest : public ::testing::TestWithParam<const char*> {};

TEST_P(StackTest, IsShownAndLogged) {
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {call_timeout: 0.05s}"}));
  proxy.admin("/logging?wasm=error", "POST");
  const LogLines lines;
  // Such lines are few: another test's may stand in the way of the first.
  proxy.wait_for("the line", [&proxy, &lines] {
    Peer bad = proxy.connect();
    ask(bad, std::string("x-do: request_headers=") + GetParam() + "\r\n");
    return lines.with("guest failed", "(wasm://") > 0;
  });
  const std::string page = proxy.admin("/wasm");
  const size_t at = page.find("\"stack\":[\"");
  ASSERT_NE(at, std::string::npos) << page;
  const std::string stack = page.substr(at, page.find("]}", at) - at);
  // Recursion fills the frames that are kept with one function.
  const bool deep = std::string_view(GetParam()) == "recurse";
  EXPECT_NE(stack.find(deep ? "recurse" : "on_request_headers ("), std::string::npos) << stack;
  EXPECT_NE(stack.find("(wasm://"), std::string::npos) << stack;
  EXPECT_NE(stack.find(") test/data/guests/probe"), std::string::npos) << stack;
}

/// The text of a line of a source of the probe's, by the place ("file:line") that a stack has at `at`.
std::string source_line(std::string_view stack, size_t at) {
  const std::string_view place = stack.substr(at, stack.find('"', at) - at);
  const size_t colon = place.rfind(':');
  if (colon == std::string_view::npos) return "no line in " + std::string(place);
  std::ifstream source(source_path(place.substr(0, colon)));
  std::string line;
  for (int left = std::stoi(std::string(place.substr(colon + 1))); left > 0; --left)
    if (!std::getline(source, line)) return "no such line: " + std::string(place);
  return line;
}

TEST(WasmStack, SourceLinesAreThoseOfTheModulesDebugInformation) {
  TestProxy proxy(yaml_with(Plugin{}));
  trap(proxy);
  const std::string page = proxy.admin("/wasm");
  const size_t stack = page.find("\"stack\":[\"");
  ASSERT_NE(stack, std::string::npos) << page;
  const size_t at = page.find("test/data/guests/", stack);
  ASSERT_NE(at, std::string::npos) << page;
  EXPECT_NE(source_line(page, at).find("__builtin_trap()"), std::string::npos)
      << source_line(page, at) << "\n"
      << page.substr(stack, 1000);
}

INSTANTIATE_TEST_SUITE_P(Ways, StackTest,
                         ::testing::Values("trap", "loop", "log_loop", "recurse", "exit|3",
                                           "out_of_bounds", "divide_by_zero"));

class PausedStreamTest : public ::testing::TestWithParam<std::string> {};

TEST_P(PausedStreamTest, GetsThePolicyWhenItsVmDies) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(Plugin{.plugin = GetParam()}, origin.port()));
  Peer held = proxy.connect();
  held.send("GET / HTTP/1.1\r\nHost: a\r\nx-do: request_headers=pause\r\n\r\n");
  wait_for_streams(proxy, 1);
  trap(proxy);
  const Peer::Message answer = held.read_message();
  if (GetParam() == kOpen) {
    EXPECT_EQ(answer.status(), 200);
    EXPECT_EQ(answer.body, "origin");
    EXPECT_EQ(proxy.counter("wasm.p.bypassed_streams"), 2u);
  } else {
    EXPECT_EQ(answer.status(), 503);
    EXPECT_EQ(proxy.counter("wasm.p.failed_streams"), 2u);
  }
  EXPECT_EQ(proxy.counter("wasm.p.traps"), 1u);
}

TEST_P(PausedStreamTest, HalfAnsweredIsCutOrGoesOn) {
  Origin origin;
  TestProxy proxy(yaml_with(Plugin{.plugin = GetParam()}, origin.port()));
  Peer held = proxy.connect();
  held.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = origin.accept();
  upstream.read_head();
  upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst");
  held.read_head();
  EXPECT_EQ(held.read(5), "first");
  Peer bad = proxy.connect();
  bad.send("GET / HTTP/1.1\r\nHost: a\r\nx-do: request_headers=trap\r\n\r\n");
  if (GetParam() == kOpen) {
    Peer second = origin.accept();
    second.read_head();
    second.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    EXPECT_EQ(bad.read_message().status(), 200);
    upstream.send("later");
    EXPECT_EQ(held.read(5), "later");
  } else {
    EXPECT_EQ(bad.read_message().status(), 503);
    EXPECT_EQ(held.read_to_end(), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, PausedStreamTest,
                         ::testing::Values("failure_policy: FAIL_CLOSED", kOpen, kReload),
                         [](const auto& info) { return info.param.substr(16); });

class OpenTest : public ::testing::TestWithParam<std::string> {};

TEST_P(OpenTest, EveryWayToFailLetsTheStreamPass) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(
      yaml_with(Plugin{.vm = "limits: {call_timeout: 0.05s}", .plugin = kOpen}, origin.port()));
  Peer client = proxy.connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 2\r\nx-do: " + GetParam() +
              "\r\n\r\nhi");
  const Peer::Message answer = client.read_message();
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.body, "origin");
  EXPECT_EQ(proxy.counter("wasm.p.bypassed_streams"), 1u);
  const Peer::Message next = ask(client, "x-do: request_headers=streams\r\n");
  EXPECT_NE(next.header("x-probe").find("streams=ok:1"), std::string::npos) << next.head;
}

INSTANTIATE_TEST_SUITE_P(Ways, OpenTest,
                         ::testing::Values("request_headers=trap", "request_headers=loop",
                                           "request_headers=exit|3", "request_headers=recurse",
                                           "request_body=trap", "response_headers=trap",
                                           "response_body=trap"));

TEST(WasmFailure, RepeatedFailuresBackOff) {
  AutoOrigin origin(origin_answer);
  const Plugin plugin{.vm = "limits: {call_timeout: 0.3s}",
                      .plugin = "reload_config: {backoff: {base_interval: 2s, max_interval: 2s}}"};
  TestProxy proxy(yaml_with(plugin, origin.port()));
  Peer client = proxy.connect();
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(ask(client, "x-do: request_headers=loop\r\n").status(), 503);
  // More than 5 % of ten seconds is gone: there is no VM now, and nobody waits for one.
  EXPECT_EQ(ask(client).status(), 503);
  EXPECT_EQ(proxy.counter("wasm.p.vm_reload_backoff"), 1u);
  EXPECT_EQ(proxy.counter("wasm.p.timeouts"), 2u);
  proxy.wait_for("the VM is back", [&client] { return ask(client).status() == 200; });
}

TEST(WasmFailure, OtherVmsAndPluginsAreNotDisturbed) {
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.filters = filter(Plugin{.configuration = "response_headers=streams", .name = "one"}) +
                 filter(Plugin{.guest = "rust_panic", .name = "two"});
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client, "x-text: \xff\r\n").status(), 503);
  const Peer::Message answer = ask(client, "x-text: abc\r\n");
  EXPECT_EQ(answer.header("x-text-length"), "3");
  EXPECT_NE(answer.header("x-probe").find("streams=ok:2"), std::string::npos) << answer.head;
  EXPECT_EQ(proxy.counter("wasm.one.traps"), 0u);
  EXPECT_EQ(proxy.counter("wasm.one.vm_reload"), 0u);
  EXPECT_EQ(proxy.counter("wasm.two.traps"), 1u);
}

TEST(WasmFailure, TrapsInTicksDoNotStopTheFilter) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(Plugin{.configuration = "configure=tick|30;tick=trap"}, origin.port()));
  proxy.wait_for("three traps", [&proxy] { return proxy.counter("wasm.p.traps") >= 3; });
  Peer client = proxy.connect();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask(client).status(), 200) << i;
}

TEST(WasmFailure, StreamsThatArriveTogetherWithATrapAreServed) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(Plugin{}, origin.port()));
  for (int round = 0; round < 5; ++round) {
    std::vector<Peer> others;
    Peer bad = proxy.connect();
    for (int i = 0; i < 8; ++i) others.push_back(proxy.connect());
    bad.send("GET / HTTP/1.1\r\nHost: a\r\nx-do: request_headers=trap\r\n\r\n");
    EXPECT_EQ(bad.read_message().status(), 503);
    for (Peer& each : others)
      each.send("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 2\r\n\r\nhi");
    for (Peer& each : others) EXPECT_EQ(each.read_message().status(), 200) << round;
  }
  EXPECT_EQ(proxy.counter("wasm.p.failed_streams"), 5u);
}

}  // namespace
}  // namespace weir::test
