// A plugin whose guest keeps running out of time is set aside, under its failure policy.
#include <gtest/gtest.h>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

std::string origin_answer(const Peer::Message&) { return response("origin"); }

Plugin looping(const std::string& quarantine, const std::string& policy = {}) {
  return Plugin{.vm = "limits: {call_timeout: 0.02s}\n        quarantine: " + quarantine,
                .plugin = policy};
}

/// A request that comes while no VM is there does not count.
void time_out(TestProxy& proxy, uint64_t times) {
  proxy.wait_for("so many time-outs", [&proxy, times] {
    Peer client = proxy.connect();
    ask(client, "x-do: request_headers=loop\r\n");
    return proxy.counter("wasm.p.timeouts") >= times;
  });
}

TEST(WasmQuarantine, ClosedAnswersAtOnce) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(looping("{failures: 3, base_interval: 1000s}"), origin.port()));
  time_out(proxy, 3);
  EXPECT_EQ(proxy.gauge("wasm.p.quarantined"), 1);
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).status(), 503);
  const std::string page = proxy.admin("/wasm");
  EXPECT_NE(page.find("QUARANTINED: plugin p on worker_0"), std::string::npos) << page;
  EXPECT_NE(page.find("proxy_on_request_headers: it ran longer than 20 ms"), std::string::npos);
}

TEST(WasmQuarantine, OpenGoesOnWithoutTheFilter) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(
      looping("{failures: 3, base_interval: 1000s}", "failure_policy: FAIL_OPEN"), origin.port()));
  time_out(proxy, 3);
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client, "x-do: request_headers=streams\r\n");
  EXPECT_EQ(answer.status(), 200);
  EXPECT_FALSE(answer.has("x-probe"));
  EXPECT_GE(proxy.counter("wasm.p.bypassed_streams"), 4u);
}

TEST(WasmQuarantine, AnEditOfThePluginEndsIt) {
  AutoOrigin origin(origin_answer);
  Yaml yaml;
  yaml.origin_port = origin.port();
  Plugin plugin = looping("{failures: 2, base_interval: 1000s}");
  yaml.filters = filter(plugin);
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  time_out(proxy, 2);
  EXPECT_EQ(proxy.gauge("wasm.p.quarantined"), 1);
  plugin.configuration = "response_headers=streams";
  yaml.filters = filter(plugin);
  proxy.write_config(yaml.text());
  proxy.wait_for_generation(2);
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).status(), 200);
  EXPECT_EQ(proxy.gauge("wasm.p.quarantined"), 0);
}

TEST(WasmQuarantine, ItComesBackByItself) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(looping("{failures: 2, base_interval: 0.1s}"), origin.port()));
  time_out(proxy, 2);
  EXPECT_EQ(proxy.counter("wasm.p.quarantined_total"), 1u);
  Peer client = proxy.connect();
  proxy.wait_for("the filter", [&client] {
    return ask(client, "x-do: request_headers=streams\r\n").has("x-probe");
  });
  EXPECT_EQ(proxy.gauge("wasm.p.quarantined"), 0);
}

TEST(WasmQuarantine, BadValuesAreErrors) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  uint64_t rejections = 0;
  for (const auto& [quarantine, why] :
       {std::pair{"{failures: -1}", "failures"}, std::pair{"{window: 0s}", "window: must be at"},
        std::pair{"{base_interval: 10s, max_interval: 5s}", "max_interval: must not be less"},
        std::pair{"{interval: 5s}", "interval"}}) {
    yaml.filters = filter(looping(quarantine));
    proxy.write_config(yaml.text());
    proxy.wait_for_rejection(++rejections);
    const std::string page = proxy.admin("/reload");
    EXPECT_NE(page.find(why), std::string::npos) << quarantine << "\n" << page;
  }
}

}  // namespace
}  // namespace weir::test
