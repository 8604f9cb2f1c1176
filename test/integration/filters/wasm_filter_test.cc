// Really compiled guests in the running server: what filters see and change, how they fail, and how they are swapped.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

TEST(WasmFilter, RustSdkModuleReadsAndChangesHeaders) {
  AutoOrigin origin(
      [](const Peer::Message& request) { return response(request.header("x-rust-agent")); });
  TestProxy proxy(yaml_with(Plugin{.guest = "rust_headers"}, origin.port()));
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client, "user-agent: me/1\r\n");
  EXPECT_EQ(answer.body, "me/1");
  EXPECT_EQ(answer.header("x-rust-filter"), "rust_headers");
}

TEST(WasmFilter, AddHeaderExample) {
  Plugin plugin{.guest = std::string(WEIR_BINARY_DIR) + "/filters/add_header.wasm"};
  TestProxy proxy(yaml_with(plugin));
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).header("x-weir-filter"), "hello");
}

TEST(WasmFilter, MaskBodyExampleMasksStreamedJson) {
  AutoOrigin origin([](const Peer::Message&) {
    return response(R"({"user":"ann","password":"secret","n":1})", 200,
                    "content-type: application/json\r\n");
  });
  Plugin plugin{.guest = std::string(WEIR_BINARY_DIR) + "/filters/mask_body.wasm",
                .configuration = R"({"fields":"password"})"};
  TestProxy proxy(yaml_with(plugin, origin.port()));
  Peer client = proxy.connect();
  const std::string body = ask(client).body;
  EXPECT_EQ(body.find("secret"), std::string::npos) << body;
  EXPECT_NE(body.find("\"ann\""), std::string::npos) << body;
}

TEST(WasmFilter, ApiKeyAuthExampleAnswersItself) {
  Plugin plugin{.guest = std::string(WEIR_BINARY_DIR) + "/filters/api_key_auth.wasm",
                .configuration = R"({"keys":{"ann":"k1"}})"};
  TestProxy proxy(yaml_with(plugin));
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).status(), 401);
  EXPECT_EQ(ask(client, "x-api-key: wrong\r\n").status(), 403);
  EXPECT_EQ(ask(client, "x-api-key: k1\r\n").status(), 200);
}

/// What a probe's action answers at the response head.
struct ProbeCase {
  const char* name;
  const char* script;
  const char* expected;
};
void PrintTo(const ProbeCase& each, std::ostream* out) { *out << each.name; }

class ProbeTest : public ::testing::TestWithParam<ProbeCase> {};

TEST_P(ProbeTest, Answers) {
  AutoOrigin origin([](const Peer::Message&) { return response("origin"); });
  TestProxy proxy(yaml_with(Plugin{.vm = "environment_variables: {key_values: {MODE: strict}}"},
                            origin.port()));
  Peer client = proxy.connect();
  const Peer::Message answer =
      ask(client, "x-do: " + std::string(GetParam().script) + "\r\nx-a: 1\r\n", "/p?q=1");
  EXPECT_NE(answer.head.find(GetParam().expected), std::string::npos) << answer.head;
  EXPECT_EQ(answer.body, "origin");
}

INSTANTIATE_TEST_SUITE_P(
    HostCalls, ProbeTest,
    ::testing::Values(
        ProbeCase{"get", "request_headers=get|x-a", "request_headers.get=ok:1"},
        ProbeCase{"missing", "request_headers=get|x-none", "request_headers.get=status:1"},
        ProbeCase{"path", "request_headers=get|:path", "request_headers.get=ok:/p?q=1"},
        ProbeCase{"requestInResponse", "response_headers=get@0|x-a", "response_headers.get=ok:1"},
        ProbeCase{"removeWhatThereCannotBe", "response_headers=remove|:path",
                  "response_headers.remove=ok"},
        ProbeCase{"property", "request_headers=prop|request/url_path",
                  "request_headers.prop=ok:/p"},
        ProbeCase{"trailingNul", "request_headers=prop_nul|request/method", "ok:GET"},
        ProbeCase{"code", "response_headers=prop_int|response/code", "ok:200"},
        ProbeCase{"pluginName", "request_headers=prop|plugin_name", "ok:p"},
        ProbeCase{"clusterName", "response_headers=prop|cluster_name", "ok:origin"},
        ProbeCase{"setProperty", "request_headers=set_prop|a/b|v;response_headers=prop|a/b",
                  "response_headers.prop=ok:v"},
        ProbeCase{"sharedData", "request_headers=shared_set|k|v;response_headers=shared_get|k",
                  "response_headers.shared_get=ok:v"},
        ProbeCase{"metric",
                  "request_headers=metric_inc|counter|m|3;response_headers=metric_get|counter|m",
                  "ok:"},
        ProbeCase{"environment", "request_headers=environ", "MODE=strict"},
        ProbeCase{"clock", "request_headers=clock|0", "request_headers.clock=ok"},
        ProbeCase{"random", "request_headers=random|8", "request_headers.random=ok"},
        ProbeCase{"unknownForeign", "request_headers=foreign|nothing|", "status:1"},
        ProbeCase{"clearRouteCache", "request_headers=foreign|clear_route_cache|",
                  "request_headers.foreign=ok"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(WasmFilter, EveryHostFunctionSurvivesHostileArguments) {
  AutoOrigin origin([](const Peer::Message&) { return response("origin"); });
  TestProxy proxy(yaml_with(Plugin{.guest = "hostile", .configuration = "c"}, origin.port()));
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client);
  EXPECT_NE(answer.header("x-hostile").find("mismatches=0"), std::string::npos) << answer.head;
  for (int seed = 1; seed <= 5; ++seed) {
    const Peer::Message fuzzed =
        ask(client, "x-hostile: fuzz:" + std::to_string(seed) + ":2000\r\n");
    EXPECT_NE(fuzzed.header("x-hostile").find("fuzz="), std::string::npos) << fuzzed.head;
  }
}

class HostileAllocatorTest : public ::testing::TestWithParam<std::string> {};
TEST_P(HostileAllocatorTest, NeverHurtsTheHost) {
  TestProxy proxy(yaml_with(Plugin{.guest = "hostile_alloc", .configuration = GetParam()}));
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client);
  if (GetParam() == "trap" || GetParam() == "loop") {
    EXPECT_EQ(answer.status(), 503);
  } else {
    EXPECT_EQ(answer.status(), 200);
    EXPECT_NE(answer.head.find("x-hostile-alloc: " + GetParam()), std::string::npos) << answer.head;
  }
}
INSTANTIATE_TEST_SUITE_P(Modes, HostileAllocatorTest,
                         ::testing::Values("zero", "out_of_range", "edge", "wild", "grow",
                                           "reenter", "trap", "loop"));

class FailureTest : public ::testing::TestWithParam<std::string> {};

TEST_P(FailureTest, EndsTheStreamAndTheNextOneIsServed) {
  AutoOrigin origin([](const Peer::Message&) { return response("origin"); });
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {call_timeout: 0.05s}"}, origin.port()));
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).status(), 200);
  EXPECT_EQ(ask(client, "x-do: request_headers=" + GetParam() + "\r\n").status(), 503);
  Peer other = proxy.connect();
  EXPECT_EQ(ask(other).status(), 200);
}
INSTANTIATE_TEST_SUITE_P(Ways, FailureTest,
                         ::testing::Values("trap", "loop", "recurse", "exit|1", "out_of_bounds",
                                           "divide_by_zero"));

class TrapPlaceTest : public ::testing::TestWithParam<std::string> {};

TEST_P(TrapPlaceTest, NeverStopsTheProcess) {
  AutoOrigin origin([](const Peer::Message&) { return response("origin"); });
  TestProxy proxy(yaml_with(Plugin{}, origin.port()));
  Peer client = proxy.connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nx-do: " + GetParam() +
              "=trap\r\ncontent-length: 2\r\n\r\nhi");
  try {
    client.read_message();
  } catch (const std::exception&) {
    // A stream that is half answered is cut visibly.
  }
  Peer other = proxy.connect();
  EXPECT_EQ(ask(other).status(), 200);
}
INSTANTIATE_TEST_SUITE_P(Callbacks, TrapPlaceTest,
                         ::testing::Values("request_headers", "request_body", "response_headers",
                                           "response_body", "done", "log", "delete"));

TEST(WasmFilter, FailOpenGoesOnWithoutTheFilter) {
  AutoOrigin origin([](const Peer::Message&) { return response("origin"); });
  TestProxy proxy(yaml_with(Plugin{.plugin = "failure_policy: FAIL_OPEN"}, origin.port()));
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client, "x-do: request_headers=trap\r\n");
  EXPECT_EQ(answer.status(), 200);
  EXPECT_EQ(answer.body, "origin");
}

TEST(WasmFilter, OneRequestsPanicDoesNotSwitchTheFilterOffForOthers) {
  AutoOrigin origin([](const Peer::Message&) { return response("origin"); });
  TestProxy proxy(yaml_with(Plugin{.guest = "rust_panic"}, origin.port()));
  for (int i = 0; i < 5; ++i) {
    Peer bad = proxy.connect();
    EXPECT_EQ(ask(bad, "x-text: \xff\xfe\r\n").status(), 503);
    Peer good = proxy.connect();
    EXPECT_EQ(ask(good, "x-text: abc\r\n").header("x-text-length"), "3");
  }
  // Its stack goes through the standard library, the SDK and the guest; which of their frames are shown is the compiler's to say.
  const std::string page = proxy.admin("/wasm");
  EXPECT_NE(page.find(".rs:"), std::string::npos) << page;
}

TEST(WasmFilter, MemoryIsBounded) {
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {max_memory_bytes: 4194304}"}));
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client, "x-do: request_headers=oom\r\n");
  EXPECT_NE(answer.head.find("request_headers.oom=pages:64"), std::string::npos) << answer.head;
}

TEST(WasmFilter, LocalReplyFirstOneCounts) {
  TestProxy proxy(yaml_with(Plugin{}));
  Peer client = proxy.connect();
  const Peer::Message answer = ask(client, "x-do: request_headers=reply_twice\r\n");
  EXPECT_EQ(answer.status(), 201);
  EXPECT_EQ(answer.body, "first");
}

TEST(WasmFilter, LocalReplyIsSentWhateverItsNumbersAndFields) {
  TestProxy proxy(yaml_with(Plugin{}));
  for (const auto& [number, status] :
       {std::pair{"600", 600}, std::pair{"999", 999}, std::pair{"1000", 500}, std::pair{"199", 500},
        std::pair{"0", 500}}) {
    Peer client = proxy.connect();
    const Peer::Message answer = ask(client, std::string("x-do: request_headers=reply|") + number +
                                                 "|text|x-a:1,a b:2,:c:3\r\n");
    EXPECT_EQ(answer.status(), status) << number;
    EXPECT_EQ(answer.body, "text");
    EXPECT_EQ(answer.header("x-a"), "1");
    EXPECT_EQ(answer.head.find("a b"), std::string::npos) << answer.head;
    EXPECT_EQ(answer.head.find(":c"), std::string::npos) << answer.head;
  }
}

TEST(WasmFilter, FieldsOfOneNameAreReadAsOneWhereThatIsWanted) {
  for (const auto& [field, expected] :
       {std::pair{"", "get=ok:1\r\n"},
        std::pair{"join_header_values: true", "get=ok:1,%202\r\n"}}) {
    TestProxy proxy(yaml_with(Plugin{.plugin = field}));
    Peer client = proxy.connect();
    const Peer::Message answer =
        ask(client, "x-do: request_headers=get|x-a\r\nx-a: 1\r\nx-a: 2\r\n");
    EXPECT_NE(answer.head.find(expected), std::string::npos) << answer.head;
  }
}

TEST(WasmFilter, PauseUntilTickResumes) {
  TestProxy proxy(yaml_with(Plugin{}));
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client, "x-do: request_headers=pause_until_tick|20\r\n").status(), 200);
}

TEST(WasmFilter, CalloutDecidesTheAnswer) {
  AutoOrigin origin([](const Peer::Message&) { return response("verdict"); });
  TestProxy proxy(yaml_with(Plugin{}, origin.port()));
  Peer client = proxy.connect();
  const Peer::Message answer =
      ask(client, "x-do: request_headers=reply_from_call|origin|/check|1000\r\n");
  EXPECT_EQ(answer.body, "verdict");
  const Peer::Message unknown =
      ask(client, "x-do: request_headers=http_call|nobody|/check|1000\r\n");
  EXPECT_NE(unknown.head.find("request_headers.http_call=status:2"), std::string::npos)
      << unknown.head;
}

TEST(WasmFilter, BodiesAreChangedWithRightFraming) {
  AutoOrigin origin([](const Peer::Message& request) { return response(request.body); });
  TestProxy proxy(yaml_with(Plugin{}, origin.port()));
  Peer client = proxy.connect();
  client.send(
      "POST / HTTP/1.1\r\nHost: a\r\nx-do: "
      "request_headers=remove|content-length;request_body=pause_until_end;"
      "request_body=body_append|-tail\r\ncontent-length: 4\r\n\r\nbody");
  EXPECT_NE(client.read_message().body.find("body-tail"), std::string::npos);
  client.send(
      "GET / HTTP/1.1\r\nHost: a\r\nx-do: response_headers=remove|content-length;"
      "response_body=body_replace|new\r\n\r\n");
  EXPECT_EQ(client.read_message().status(), 200);
}

/// What writes to the request's head, and the route that it leads to.
class RerouteTest : public ::testing::TestWithParam<std::pair<std::string, std::string>> {};

TEST_P(RerouteTest, WritesToTheHeadMatchTheRouteAnew) {
  const auto route = [](const std::string& match, const std::string& body) {
    return "- match: {" + match +
           "}\n  direct_response: {status: 200, body: {inline_string: " + body + "}}\n";
  };
  Yaml yaml;
  yaml.filters = filter(Plugin{.configuration = "request_headers=prop|xds/route_name"});
  yaml.routes = route("prefix: /elsewhere", "path") +
                route("prefix: /, headers: [{name: x-to, string_match: {exact: a}}]", "header") +
                route("prefix: /, headers: [{name: x-from, present_match: true}]", "from") +
                route("prefix: /", "none");
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client, "x-from: 1\r\n").body, "from");
  EXPECT_EQ(ask(client, "x-from: 1\r\nx-do: request_headers=" + GetParam().first + "\r\n").body,
            GetParam().second);
}
INSTANTIATE_TEST_SUITE_P(
    Writes, RerouteTest,
    ::testing::Values(std::pair{"set|x-to|a", "header"}, std::pair{"add|x-to|a", "header"},
                      std::pair{"set|:path|/elsewhere", "path"}, std::pair{"remove|x-from", "none"},
                      std::pair{"set_pairs|x-to:a", "header"},
                      std::pair{"set_prop|clear_route_cache|off;request_headers=set|x-to|a",
                                "from"},
                      std::pair{"set|x-to|a;request_headers=pause_until_tick", "header"},
                      std::pair{"get|x-to", "from"}));

class RefusedModuleTest : public ::testing::TestWithParam<std::pair<std::string, std::string>> {};

TEST_P(RefusedModuleTest, IsARejectedEdit) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).status(), 200);
  yaml.filters = filter(Plugin{.guest = GetParam().first, .vm = "limits: {start_timeout: 0.2s}"});
  proxy.write_config(yaml.text());
  proxy.wait_for_rejection(1);
  EXPECT_EQ(ask(client).status(), 200);
  const std::string reload = proxy.admin("/reload");
  EXPECT_NE(reload.find(GetParam().second), std::string::npos) << reload;
}
INSTANTIATE_TEST_SUITE_P(
    Modules, RefusedModuleTest,
    ::testing::Values(
        std::pair{"start_trap", "start"}, std::pair{"start_loop", "start"},
        std::pair{"start_exit1", "exit"}, std::pair{"init_trap", "p"},
        std::pair{"init_loop", "_initialize"}, std::pair{"vm_start_false", "vm_start"},
        std::pair{"wrong_import_type", "import"}, std::pair{"import_memory", "import"},
        std::pair{"no_memory", "memory"}, std::pair{"bad_callback_type", "proxy_on_"},
        std::pair{"marker_is_global", "abi"}, std::pair{"configure_false", "configure"},
        std::pair{"unknown_import", "import"}, std::pair{"no_marker", "abi"},
        std::pair{"no_allocator", "malloc"}, std::pair{"memory_hog", "memory"}),
    [](const auto& info) { return info.param.first; });

class AcceptedModuleTest : public ::testing::TestWithParam<std::string> {};
TEST_P(AcceptedModuleTest, Serves) {
  TestProxy proxy(yaml_with(Plugin{.guest = GetParam()}));
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).status(), 200);
}
INSTANTIATE_TEST_SUITE_P(Modules, AcceptedModuleTest,
                         ::testing::Values("pass", "two_param_headers", "void_callbacks",
                                           "start_exit0", "start_order", "allocator_names",
                                           "unknown_wasi", "wasi_unstable", "memory_high_maximum",
                                           "table_hog", "table_hog_many"));

TEST(WasmModules, UnknownImportsMayBeAllowed) {
  TestProxy proxy(
      yaml_with(Plugin{.guest = "unknown_import", .vm = "allow_unknown_imports: true"}));
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).status(), 200);
}

TEST(WasmContexts, AnotherContextLastsForItsCallbackOnly) {
  Origin origin;
  TestProxy proxy(yaml_with(Plugin{.guest = "joint_context"}, origin.port()));
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = origin.accept();
  EXPECT_EQ(upstream.read_message().header("x-joint"), "1");
}

TEST(WasmSwap, ConfigurationEditReachesTheNextRequest) {
  Plugin plugin{.configuration = "response_headers=add|x-version|1"};
  TestProxy proxy(yaml_with(plugin), TestProxy::Options{.workers = 2, .from_file = true});
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).header("x-version"), "1");
  plugin.configuration = "response_headers=add|x-version|2";
  proxy.write_config(yaml_with(plugin));
  proxy.wait_for_generation(2);
  EXPECT_EQ(ask(client).header("x-version"), "2");
}

TEST(WasmSwap, ReplacedModuleFileReachesTheNextRequest) {
  TempFolder folder;
  namespace fs = std::filesystem;
  const std::string file = folder.path() + "/f.wasm";
  fs::copy_file(guest_path("pass"), file);
  AutoOrigin origin([](const Peer::Message&) { return response("origin"); });
  TestProxy proxy(yaml_with(Plugin{.guest = file}, origin.port()),
                  TestProxy::Options{.workers = 2, .from_file = true});
  Peer client = proxy.connect();
  EXPECT_FALSE(ask(client).has("x-rust-filter"));
  fs::copy_file(guest_path("rust_headers"), file, fs::copy_options::overwrite_existing);
  proxy.wait_for_generation(2);
  EXPECT_EQ(ask(client).header("x-rust-filter"), "rust_headers");
  std::ofstream(file, std::ios::trunc) << "garbage";
  proxy.wait_for_rejection(1);
  EXPECT_EQ(ask(client).header("x-rust-filter"), "rust_headers");
}

TEST(WasmSwap, WhatACanaryWritesGoesWithARejectedEdit) {
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.filters = filter(Plugin{.vm = "vm_id: v"});
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  const auto probe = [&proxy](const std::string& actions) {
    Peer client = proxy.connect();
    return ask(client, "x-do: " + actions + "\r\n").header("x-probe");
  };
  EXPECT_EQ(probe("request_headers=shared_set|kept|real"), "request_headers.shared_set=ok");
  yaml.filters = filter(Plugin{.configuration =
                                   "configure=shared_set|kept|tried;configure=shared_set|new|tried;"
                                   "configure=queue_register|tried;configure=queue_put|tried|item;"
                                   "configure=metric_inc|counter|tried|1;configure=return|0",
                               .vm = "vm_id: v"});
  proxy.write_config(yaml.text());
  proxy.wait_for_rejection(1);
  EXPECT_EQ(probe("request_headers=shared_get|kept"), "request_headers.shared_get=ok:real");
  EXPECT_EQ(probe("request_headers=shared_get|new"), "request_headers.shared_get=status:1");
  EXPECT_EQ(probe("request_headers=queue_get|tried"), "request_headers.queue_get=status:1");
  EXPECT_EQ(proxy.counter("wasmcustom.tried"), 0u);
  EXPECT_EQ(proxy.generation(), 1u);
}

TEST(WasmSwap, GaugesTellServingFromDraining) {
  Origin origin;
  Plugin plugin{.configuration = "response_headers=add|x-version|1"};
  TestProxy proxy(yaml_with(plugin, origin.port()), TestProxy::Options{.from_file = true});
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = origin.accept();
  upstream.read_message();
  plugin.configuration = "response_headers=add|x-version|2";
  proxy.write_config(yaml_with(plugin, origin.port()));
  proxy.wait_for_generation(2);
  proxy.wait_for("the old VM is seen with its stream", [&proxy] {
    return proxy.gauge("wasm.vms_serving") == 1 && proxy.gauge("wasm.vms_draining") == 1 &&
           proxy.gauge("wasm.streams_draining") == 1;
  });
  upstream.send(response("late"));
  EXPECT_EQ(client.read_message().header("x-version"), "1");
  proxy.wait_for("the old VM has gone", [&proxy] {
    return proxy.gauge("wasm.vms_serving") == 1 && proxy.gauge("wasm.vms_draining") == 0 &&
           proxy.gauge("wasm.streams_draining") == 0;
  });
}

TEST(WasmSwap, UnderLoadLosesNothingAndFreesOldVms) {
  Plugin plugin{.configuration = "response_headers=add|x-version|0"};
  TestProxy proxy(yaml_with(plugin), TestProxy::Options{.workers = 2, .from_file = true});
  LoadClients clients(proxy.port(), 4, [](Peer& client) { return ask(client).has("x-version"); });
  for (int edit = 1; edit <= 10; ++edit) {
    plugin.configuration = "response_headers=add|x-version|" + std::to_string(edit);
    proxy.write_config(yaml_with(plugin));
    proxy.wait_for_generation(static_cast<uint64_t>(edit) + 1);
  }
  clients.stop();
  EXPECT_EQ(clients.bad(), 0u);
  EXPECT_GT(clients.good(), 50u);
  proxy.wait_for("old VMs gone",
                 [&proxy] { return proxy.gauge("wasm.envoy.wasm.runtime.v8.active") <= 2; });
}

TEST(WasmAdmin, WasmPageTellsOfPluginsAndVms) {
  TestProxy proxy(yaml_with(Plugin{}));
  Peer client = proxy.connect();
  ask(client);
  const std::string page = proxy.admin("/wasm");
  for (const char* word : {"\"p\"", "generation", "memory", "calls", "traps"})
    EXPECT_NE(page.find(word), std::string::npos) << word << " in " << page;
}

}  // namespace
}  // namespace weir::test
