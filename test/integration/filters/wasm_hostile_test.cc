// Guests that mean harm, in the places beside HTTP filters: on connections, as access loggers, as services of the main thread.
#include <gtest/gtest.h>

#include "integration/filters/wasm_dialogue.h"
#include "support/network_yaml.h"

namespace weir::test {
namespace {

std::string plugin_config(const std::string& configuration, const std::string& vm = "") {
  return "{name: p, configuration: {\"@type\": type.googleapis.com/google.protobuf.StringValue, "
         "value: '" +
         configuration +
         "'}, vm_config: {code: {local: {filename: " + guest_path("hostile_places") + "}}" + vm +
         "}}";
}

bool is_clean(const std::string& text) {
  return text.starts_with("cases=") && text.find(" mismatches=0") != std::string::npos;
}

// ---- connections ------------------------------------------------------------------------------------

class HostileConnections : public ::testing::Test {
 protected:
  HostileConnections()
      : proxy_(NetworkYaml{network_filter("wasm.v3.Wasm", "config: " + plugin_config("") + "\n") +
                               network_filter("echo.v3.Echo"),
                           static_cluster("origin", {Origin().port()})}
                   .text()) {}
  std::string echoed(const std::string& bytes) {
    Peer client = proxy_.connect();
    client.send(bytes);
    client.half_close();
    return client.read_to_end();
  }
  TestProxy proxy_;
};

TEST_F(HostileConnections, EveryAnswerIsThatOfTheAbi) {
  const std::string text = echoed("@check");
  EXPECT_TRUE(is_clean(text)) << text;
}

TEST_F(HostileConnections, RandomCallsAreSurvived) {
  for (int seed = 1; seed <= 5; ++seed)
    EXPECT_EQ(echoed("@fuzz " + std::to_string(seed) + " 2000"), "fuzzed") << seed;
  EXPECT_EQ(proxy_.counter("wasm.p.traps"), 0u);
}

TEST_F(HostileConnections, ClosingTwiceIsClosingOnce) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(echoed("@close"), "");
  EXPECT_EQ(echoed("after"), "after");
}

// ---- access loggers ---------------------------------------------------------------------------------

TEST(HostileLoggers, ChangeNothing) {
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.hcm =
      "access_log:\n- name: wasm\n  typed_config:\n    \"@type\": type.googleapis.com/"
      "envoy.extensions.access_loggers.wasm.v3.WasmAccessLog\n    config: " +
      plugin_config("log") + "\n";
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(client).status(), 200);
  proxy.wait_for("the entries", [&proxy] {
    return proxy.admin("/stats?filter=hostile.log").find(": 3") != std::string::npos;
  });
  const std::string stats = proxy.admin("/stats?filter=hostile.log");
  EXPECT_NE(stats.find(" mismatches=0: 3"), std::string::npos) << stats;
}

// ---- services ---------------------------------------------------------------------------------------

class HostileServices : public ::testing::TestWithParam<std::string> {
 protected:
  static std::string timeout() {
    return std::string(", limits: {call_timeout: ") + (GetParam() == "loop" ? "0.05s}" : "5s}");
  }
  std::string yaml(const std::string& vm, const std::string& fields) {
    Yaml yaml;
    yaml.origin_port = origin_.port();
    yaml.bootstrap =
        "bootstrap_extensions:\n- name: envoy.bootstrap.wasm\n  typed_config:\n    \"@type\": "
        "type.googleapis.com/envoy.extensions.wasm.v3.WasmService\n" +
        fields + "    config: " + plugin_config(GetParam(), vm) + "\n";
    return yaml.text();
  }
  AutoOrigin origin_{[](const Peer::Message&) { return response("origin"); }};
};

bool ends_calls(const std::string& kind) { return kind != "flood" && kind != "fuzz"; }

/// It is ended, replaced and, where it runs out of time again and again, set aside; requests and the admin page go on.
TEST_P(HostileServices, LeaveTheMainThreadToItsOtherDuties) {
  TestProxy proxy(yaml(timeout() + ", quarantine: {failures: 3, base_interval: 1000s}",
                       "    singleton: true\n"),
                  TestProxy::Options{.workers = 1, .from_file = true, .drain_time = {}});
  Peer client = proxy.connect();
  const std::string failures = GetParam() == "loop"     ? "wasm.p.timeouts"
                               : ends_calls(GetParam()) ? "wasm.p.traps"
                                                        : "";
  proxy.wait_for("what it does", [&] {
    EXPECT_EQ(ask(client).body, "origin");
    EXPECT_NE(proxy.admin("/wasm").find("\"name\":\"p\""), std::string::npos);
    return failures.empty() ? proxy.counter("wasmcustom.hostile.ticks") >= 3
                            : proxy.counter(failures) >= 2;
  });
  if (GetParam() == "loop")
    proxy.wait_for("it is set aside", [&] { return proxy.gauge("wasm.p.quarantined") == 1; });
  // The main thread still takes an edit, one that does without the service.
  Yaml without;
  without.origin_port = origin_.port();
  proxy.write_config(without.text());
  proxy.wait_for_generation(2);
  proxy.wait_for("the service's end",
                 [&proxy] { return proxy.admin("/wasm").find("\"vms\":[]") != std::string::npos; });
  EXPECT_EQ(ask(client).body, "origin");
}

TEST_P(HostileServices, OnAWorkerLetItServe) {
  TestProxy proxy(yaml(timeout(), ""));
  Peer client = proxy.connect();
  proxy.wait_for("what it does", [&] {
    EXPECT_EQ(ask(client).body, "origin");
    return ends_calls(GetParam())
               ? proxy.counter("wasm.p.timeouts") + proxy.counter("wasm.p.traps") >= 2
               : proxy.counter("wasmcustom.hostile.ticks") >= 3;
  });
  EXPECT_EQ(ask(client).body, "origin");
}

INSTANTIATE_TEST_SUITE_P(Kinds, HostileServices,
                         ::testing::Values("loop", "trap", "exit", "recurse", "flood", "fuzz"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace weir::test
