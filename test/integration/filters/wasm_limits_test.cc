// Limits of guests, what configurations reach them, and what they can ask of the proxy.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/strings.h"
#include "integration/filters/wasm_dialogue.h"
#include "support/log_lines.h"

namespace weir::test {
namespace {

/// Standard alphabet with padding.
std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (; !bytes.empty(); bytes.remove_prefix(std::min<size_t>(3, bytes.size()))) {
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0);
    for (size_t i = 0; i < 4; ++i)
      out += i <= bytes.size() ? kAlphabet[group >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

std::string origin_answer(const Peer::Message&) { return response("origin"); }

/// One request with the actions; what the probe has to say.
std::string probe(TestProxy& proxy, const std::string& actions) {
  Peer client = proxy.connect();
  const Peer::Message answer =
      ask(client, "x-do: " + actions + "\r\nuser-agent: test\r\nx-a: 1\r\n", "/p?q=1");
  EXPECT_EQ(answer.status(), 200) << actions;
  return answer.head;
}

// ---- limits -----------------------------------------------------------------------------------------

TEST(WasmLimits, MemoryThatIsReachedCounts) {
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {max_memory_bytes: 4194304}"}));
  EXPECT_EQ(proxy.counter("wasm.p.limit.memory"), 0u);
  probe(proxy, "request_headers=oom");
  EXPECT_EQ(proxy.counter("wasm.p.limit.memory"), 1u);
  EXPECT_TRUE(says(proxy.admin("/wasm"), "\"memory_bytes\":4194304"));
}

TEST(WasmLimits, LogLinesBeyondTheRateAreDropped) {
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {max_log_lines_per_second: 5}"}));
  proxy.admin("/logging?wasm=info", "POST");
  const std::string head = probe(proxy, "request_headers=log_flood|100");
  EXPECT_TRUE(says(head, "log_flood=ok")) << head;
  EXPECT_GE(proxy.counter("wasm.p.limit.log_lines"), 85u);  // a second may turn meanwhile
}

TEST(WasmLimits, OneThatIsReachedManyTimesIsLoggedOnceASecond) {
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {call_timeout: 0s, max_metrics: 1}"}));
  proxy.admin("/logging?wasm=warning", "POST");
  const LogLines lines;
  const auto began = std::chrono::steady_clock::now();
  probe(proxy, "request_headers=metric_flood|counter|m|500");
  const auto past = std::chrono::steady_clock::now() - began;
  EXPECT_EQ(proxy.counter("wasm.p.limit.metrics"), 500u);
  const size_t told = lines.with("guest reached a limit plugin=p limit=metrics");
  EXPECT_GE(told, 1u);
  EXPECT_LE(told, 1u + static_cast<size_t>(std::chrono::floor<std::chrono::seconds>(past).count()));
}

TEST(WasmLimits, CalloutsBeyondTheLimitAreRefused) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {max_callouts: 1}"}, origin.port()));
  const std::string head = probe(
      proxy, "request_headers=http_call|origin|/a|1000;request_headers=http_call|origin|/b|1000");
  EXPECT_TRUE(says(head, "http_call=status:10")) << head;
  EXPECT_EQ(proxy.counter("wasm.p.limit.callouts"), 1u);
}

TEST(WasmLimits, CalloutsBeyondTheRateAreRefused) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {max_callouts_per_second: 2, call_timeout: 0s}"},
                            origin.port()));
  std::string program = "request_headers=http_call|origin|/a|1000";
  for (int i = 0; i < 5; ++i) program += ";request_headers=http_call|origin|/a|1000";
  const std::string head = probe(proxy, program);
  EXPECT_TRUE(says(head, "http_call=status:10")) << head;
  EXPECT_GE(proxy.counter("wasm.p.limit.callout_rate"), 2u);  // a second may turn meanwhile
}

TEST(WasmLimits, CalloutsGoToAllowedClustersOnly) {
  AutoOrigin origin(origin_answer);
  for (const auto& [list, expected] :
       {std::pair{"[other]", "http_call=status:2"}, std::pair{"[]", "http_call=status:2"},
        std::pair{"[other, origin]", "http_call=ok"}}) {
    TestProxy proxy(
        yaml_with(Plugin{.plugin = std::string("allowed_clusters: ") + list}, origin.port()));
    const std::string head = probe(proxy, "request_headers=http_call|origin|/a|1000");
    EXPECT_TRUE(says(head, expected)) << list << "\n" << head;
    EXPECT_EQ(proxy.counter("wasm.p.limit.clusters"), says(head, "http_call=ok") ? 0u : 1u);
  }
}

// ---- capabilities -----------------------------------------------------------------------------------

constexpr const char* kAllButSharedData =
    "capability_restriction_config: {allowed_capabilities: {proxy_log: {}, "
    "proxy_get_header_map_value: {}, proxy_add_header_map_value: {}, proxy_get_buffer_bytes: {}, "
    "proxy_get_property: {}, proxy_on_context_create: {}, proxy_on_vm_start: {}, "
    "proxy_on_configure: {}, proxy_on_request_headers: {}, proxy_on_response_headers: {}, "
    "proxy_on_done: {}, proxy_on_log: {}, proxy_on_delete: {}}}";

TEST(WasmCapabilities, HoldInTheVmAndInThePlugin) {
  for (const Plugin& plugin :
       {Plugin{.vm = kAllButSharedData}, Plugin{.plugin = kAllButSharedData}}) {
    TestProxy proxy(yaml_with(plugin));
    const std::string head =
        probe(proxy, "request_headers=shared_set|a|b;request_headers=prop|plugin_name");
    EXPECT_TRUE(says(head, "shared_set=status:10")) << head;
    EXPECT_TRUE(says(head, "prop=ok:p")) << head;
  }
}

std::atomic<int> refusals{0};

TEST(WasmCapabilities, ARefusedFunctionIsNamedOnce) {
  TestProxy proxy(yaml_with(Plugin{.vm = kAllButSharedData}));
  proxy.admin("/logging?wasm=warning", "POST");
  refusals = 0;
  base::set_log_output([](std::string_view line) {
    if (line.find("plugin=p function=proxy_set_shared_data") != std::string_view::npos)
      refusals += 1;
    if (line.find("plugin=p function=clock_time_get") != std::string_view::npos) refusals += 100;
  });
  for (int i = 0; i < 3; ++i) {
    const std::string head = probe(proxy, "request_headers=shared_set|a|b;request_headers=clock|0");
    EXPECT_TRUE(says(head, "clock=errno:76")) << head;
  }
  base::set_log_output(nullptr);
  EXPECT_EQ(refusals, 101);
}

TEST(WasmCapabilities, InBothPlacesAreAnError) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  yaml.filters = filter(Plugin{.vm = kAllButSharedData, .plugin = kAllButSharedData});
  proxy.write_config(yaml.text());
  proxy.wait_for_rejection(1);
  const std::string page = proxy.admin("/reload");
  EXPECT_TRUE(says(page, "capability_restriction_config: stands in vm_config already")) << page;
}

TEST(WasmLimits, SharedDataForgetsTheOldest) {
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {max_shared_data_bytes: 30}"}));
  const std::string head = probe(
      proxy,
      "request_headers=shared_set|first|1234567890;request_headers=shared_set|second|1234567890;"
      "request_headers=shared_get|first;request_headers=shared_get|second");
  EXPECT_TRUE(says(head, "shared_get=status:1")) << head;
  EXPECT_TRUE(says(head, "shared_get=ok:1234567890")) << head;
  EXPECT_EQ(proxy.counter("wasm.p.limit.shared_data"), 1u);
}

TEST(WasmLimits, MetricsBeyondTheLimitKeepNothing) {
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {max_metrics: 3}"}));
  const std::string head = probe(proxy, "request_headers=metric_flood|counter|m|10");
  EXPECT_TRUE(says(head, "metric_flood=ok")) << head;
  EXPECT_EQ(proxy.counter("wasm.p.limit.metrics"), 8u);  // the probe defines "m" as well
}

TEST(WasmLimits, CallTimeoutIsForOneCallAndZeroIsNone) {
  {
    TestProxy proxy(yaml_with(Plugin{.vm = "limits: {call_timeout: 0s}"}));
    EXPECT_TRUE(says(probe(proxy, "request_headers=burn|300"), "burn=ok"));
  }
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {call_timeout: 0.2s}"}));
  for (int i = 0; i < 4; ++i)  // together more than the budget
    EXPECT_TRUE(says(probe(proxy, "request_headers=burn|80"), "burn=ok"));
  EXPECT_EQ(proxy.counter("wasm.p.timeouts"), 0u);
}

TEST(WasmLimits, ModulesThatAreTooBigAreRefused) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  uint64_t rejections = 0;
  for (const auto& [guest, why] :
       {std::pair{"table_hog_start", "table"}, std::pair{"memory_hog", "max_memory_bytes"}}) {
    yaml.filters = filter(Plugin{.guest = guest});
    proxy.write_config(yaml.text());
    proxy.wait_for_rejection(++rejections);
    EXPECT_TRUE(says(proxy.admin("/reload"), why)) << guest;
  }
}

// ---- configuration ----------------------------------------------------------------------------------

struct AnyCase {
  const char* name;
  const char* any;
  const char* expected;
};
void PrintTo(const AnyCase& each, std::ostream* out) { *out << each.name; }
class AnyTest : public ::testing::TestWithParam<AnyCase> {};

TEST_P(AnyTest, ReachesTheGuest) {
  TestProxy proxy(yaml_with(Plugin{.any = GetParam().any}));
  const std::string head = probe(proxy, "request_headers=body_get@7");
  EXPECT_TRUE(says(head, std::string("body_get=ok:") + GetParam().expected)) << head;
}
INSTANTIATE_TEST_SUITE_P(
    Kinds, AnyTest,
    ::testing::Values(
        AnyCase{"text",
                "{\"@type\": type.googleapis.com/google.protobuf.StringValue, value: plain}",
                "plain"},
        AnyCase{"bytes",
                "{\"@type\": type.googleapis.com/google.protobuf.BytesValue, value: aGVsbG8=}",
                "hello"},
        AnyCase{"structure",
                "{\"@type\": type.googleapis.com/google.protobuf.Struct, value: {a: [1, true]}}",
                "{\"a\":[1,true]}"},
        AnyCase{"typed",
                "{\"@type\": type.googleapis.com/xds.type.v3.TypedStruct, type_url: x/y, value: "
                "{a: b}}",
                "{\"a\":\"b\"}"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(WasmConfig, OtherTypesAndBadBytesAreErrors) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  uint64_t rejections = 0;
  for (const auto& [any, why] :
       {std::pair{"{\"@type\": type.googleapis.com/google.protobuf.Int32Value, value: 1}",
                  "expected a StringValue"},
        std::pair{"{\"@type\": type.googleapis.com/google.protobuf.BytesValue, value: '*'}",
                  "base64"}}) {
    yaml.filters = filter(Plugin{.any = any});
    proxy.write_config(yaml.text());
    proxy.wait_for_rejection(++rejections);
    EXPECT_TRUE(says(proxy.admin("/reload"), why)) << proxy.admin("/reload");
  }
}

TEST(WasmConfig, CodeMayStandInTheConfiguration) {
  std::ifstream file(guest_path("two_param_headers"), std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  TestProxy proxy(yaml_with(Plugin{.code = "{inline_bytes: " + base64(bytes.str()) + "}"}));
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client).header("x-two"), "2");
}

TEST(WasmConfig, EnvironmentOfTheHostIsPassedWhereNamed) {
  setenv("WEIR_TEST_PASSED", "yes", 1);
  setenv("WEIR_TEST_KEPT", "no", 1);
  TestProxy proxy(
      yaml_with(Plugin{.vm = "environment_variables: {host_env_keys: [WEIR_TEST_PASSED]}"}));
  const std::string head = probe(proxy, "request_headers=environ");
  EXPECT_TRUE(says(head, "WEIR_TEST_PASSED=yes")) << head;
  EXPECT_FALSE(says(head, "WEIR_TEST_KEPT")) << head;
}

TEST(WasmConfig, PluginsOfOneKeyShareAVm) {
  Yaml yaml;
  yaml.routes = kDirect;
  yaml.filters = filter(Plugin{.vm = "vm_id: shared", .name = "one"}) +
                 filter(Plugin{.vm = "vm_id: shared", .name = "two"});
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 2});
  EXPECT_EQ(proxy.gauge("wasm.envoy.wasm.runtime.v8.active"), 2);
  const std::string head = probe(proxy, "request_headers=prop|plugin_name");
  EXPECT_TRUE(says(head, "ok:one") && says(head, "ok:two")) << head;
}

// ---- what guests ask for ----------------------------------------------------------------------------

TEST(WasmCallouts, ATimeOutIsAnAnswer504) {
  AutoOrigin origin([](const Peer::Message& request) {
    return says(request.first_line(), "/never") ? std::string() : response("origin");
  });
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.filters = filter(Plugin{});
  TestProxy proxy(yaml.text());
  const std::string head = probe(proxy, "request_headers=pause_until_call|origin|/never|50");
  EXPECT_TRUE(says(head, "http_call_response.answer=headers:3,body:24,trailers:0,status:504"))
      << head;
}

TEST(WasmCallouts, AFailureHasNoHeadersWhereThePluginWantsThat) {
  const Plugin plugin{.plugin = "callout_failures: NO_HEADERS"};
  constexpr const char* kNothing = "http_call_response.answer=headers:0,body:0,trailers:0";
  AutoOrigin origin([](const Peer::Message& request) {
    return says(request.first_line(), "/never") ? std::string() : response("origin");
  });
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.filters = filter(plugin);
  TestProxy proxy(yaml.text());
  const std::string late = probe(proxy, "request_headers=pause_until_call|origin|/never|50");
  EXPECT_TRUE(says(late, kNothing)) << late;
  const std::string answered = probe(proxy, "request_headers=pause_until_call|origin|/|2000");
  EXPECT_TRUE(says(answered, "status:200")) << answered;

  { yaml.origin_port = Origin().port(); }
  yaml.routes = kDirect;
  TestProxy alone(yaml.text());
  const std::string refused = probe(alone, "request_headers=pause_until_call|origin|/|2000");
  EXPECT_TRUE(says(refused, kNothing)) << refused;
}

TEST(WasmProperties, AreThereInEveryPhase) {
  AutoOrigin origin(origin_answer);
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.routes = "- name: my_route\n  match: {prefix: /}\n  route: {cluster: origin}\n";
  yaml.filters = filter(Plugin{.plugin = "root_id: root_one"});
  TestProxy proxy(yaml.text());
  const std::pair<const char*, const char*> kTexts[] = {
      {"request/path", "ok:/p?q=1"},       {"request/url_path", "ok:/p"},
      {"request/query", "ok:q=1"},         {"request/host", "ok:a"},
      {"request/scheme", "ok:http"},       {"request/method", "ok:GET"},
      {"request/useragent", "ok:test"},    {"request/protocol", "ok:HTTP/1.1"},
      {"request/headers/x-a", "ok:1"},     {"xds/route_name", "ok:my_route"},
      {"route_name", "ok:my_route"},       {"xds/virtual_host_name", "ok:all"},
      {"cluster_name", "ok:origin"},       {"plugin_root_id", "ok:root_one"},
      {"source/address", "ok:127.0.0.1:"}, {"upstream/address", "ok:127.0.0.1:"},
      {"request/referer", "status:1"},     {"connection/requested_server_name", "status:1"},
      {"nothing/of/it", "status:1"}};
  for (const auto& [path, expected] : kTexts) {
    const std::string head = probe(proxy, std::string("response_headers=prop|") + path);
    EXPECT_TRUE(says(head, std::string("prop=") + expected)) << path << "\n" << head;
  }
  for (const char* path :
       {"request/time", "request/size", "request/total_size", "request/headers_bytes",
        "source/port", "destination/port", "connection/id", "connection_id", "response/code",
        "response/size", "response/headers_bytes", "upstream/port", "response/flags",
        "upstream/request_attempt_count", "listener_direction"}) {
    const std::string head = probe(proxy, std::string("response_headers=prop_int|") + path);
    EXPECT_TRUE(says(head, "prop_int=ok:")) << path << "\n" << head;
  }
}

TEST(WasmAdmin, EveryFieldOfTheWasmPage) {
  TestProxy proxy(yaml_with(Plugin{.vm = "vm_id: v"}));
  probe(proxy, "request_headers=log|2|x");
  const std::string page = proxy.admin("/wasm");
  for (const char* field :
       {"\"vms\":", "\"vm_id\":\"v\"", "\"generation\":1", "\"thread\":\"worker_0\"",
        "\"state\":\"running\"", "\"memory_bytes\":", "\"heap_bytes\":", "\"streams\":0",
        "\"calls\":", "\"total_us\":", "\"worst_us\":", "\"traps\":0", "\"timeouts\":0",
        "\"limit_hits\":", "\"generations\":"})
    EXPECT_TRUE(says(page, field)) << field << " in " << page;
}

}  // namespace
}  // namespace weir::test
