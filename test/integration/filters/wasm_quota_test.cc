// Limits that streams feel: how many, how much of their bodies, how much of the worker; and those of a whole vm_id.
#include <gtest/gtest.h>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

constexpr const char* kOpen = "failure_policy: FAIL_OPEN";

std::string origin_answer(const Peer::Message&) { return response("origin"); }

std::string post(const std::string& actions, size_t body) {
  return "POST / HTTP/1.1\r\nHost: a\r\nx-do: " + actions +
         "\r\ncontent-length: " + std::to_string(body) + "\r\n\r\n" + std::string(body, 'b');
}

// ---- streams ----------------------------------------------------------------------------------------

TEST(WasmQuota, StreamsBeyondTheLimitGetThePolicy) {
  for (const bool open : {false, true}) {
    AutoOrigin origin(origin_answer);
    TestProxy proxy(yaml_with(Plugin{.vm = "limits: {max_streams: 2}", .plugin = open ? kOpen : ""},
                              origin.port()));
    std::vector<Peer> held;
    for (int i = 0; i < 2; ++i) {
      held.push_back(proxy.connect());
      held.back().send("GET / HTTP/1.1\r\nHost: a\r\nx-do: request_headers=pause\r\n\r\n");
    }
    proxy.wait_for("two streams", [&proxy] {
      return proxy.admin("/wasm").find("\"streams\":2") != std::string::npos;
    });
    Peer client = proxy.connect();
    EXPECT_EQ(ask(client).status(), open ? 200 : 503);
    EXPECT_EQ(proxy.counter("wasm.p.limit.streams"), 1u) << "once for a stream";
    EXPECT_EQ(proxy.counter(open ? "wasm.p.bypassed_streams" : "wasm.p.failed_streams"), 1u);
    EXPECT_EQ(proxy.counter("wasm.p.vm_reload"), 0u);
    held.pop_back();
    Peer later = proxy.connect();
    proxy.wait_for("room", [&later] {
      return ask(later, "x-do: request_headers=streams\r\n").has("x-probe");
    });
  }
}

// ---- bodies -----------------------------------------------------------------------------------------

TEST(WasmQuota, ARequestBodyThatTheGuestHolds) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {max_body_bytes: 1000}"}, origin.port()));
  Peer client = proxy.connect();
  client.send(post("request_body=pause_until_end", 1000));
  EXPECT_EQ(client.read_message().status(), 200);
  EXPECT_EQ(proxy.counter("wasm.p.limit.body"), 0u);
  Peer other = proxy.connect();
  other.send(
      "POST / HTTP/1.1\r\nHost: a\r\nx-do: request_body=pause_until_end\r\n"
      "content-length: 5000\r\n\r\n" +
      std::string(1001, 'b'));
  EXPECT_EQ(other.read_message().status(), 413);
  EXPECT_EQ(proxy.counter("wasm.p.limit.body"), 1u);
  EXPECT_EQ(proxy.counter("wasm.p.failed_streams"), 0u);
}

TEST(WasmQuota, AResponseBodyThatTheGuestHolds) {
  Origin origin;
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {max_body_bytes: 1000}"}, origin.port()));
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nx-do: response_body=pause_until_end\r\n\r\n");
  Peer upstream = origin.accept();
  upstream.read_head();
  upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n" + std::string(1001, 'b'));
  // The head has gone on: all that is left is to cut the response.
  EXPECT_EQ(client.read_head().substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_EQ(proxy.counter("wasm.p.limit.body"), 1u);
}

TEST(WasmQuota, WhatIsNotHeldMayBeOfAnySize) {
  AutoOrigin origin(origin_answer);
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {max_body_bytes: 1000}"}, origin.port()));
  Peer client = proxy.connect();
  client.send(post("request_body=params", 100'000));
  EXPECT_EQ(client.read_message().status(), 200);
  // A head that waits holds the body before the filter, with back-pressure.
  client.send(post("request_headers=pause_until_tick", 100'000));
  EXPECT_EQ(client.read_message().status(), 200);
  EXPECT_EQ(proxy.counter("wasm.p.limit.body"), 0u);
}

// ---- the worker's time ------------------------------------------------------------------------------

TEST(WasmQuota, AShareOfTheWorkerBeyondTheLimitGetsThePolicyUntilItFalls) {
  for (const bool open : {false, true}) {
    AutoOrigin origin(origin_answer);
    TestProxy proxy(yaml_with(Plugin{.vm = "limits: {max_cpu_percent: 10, call_timeout: 0s}",
                                     .plugin = open ? kOpen : ""},
                              origin.port()));
    Peer client = proxy.connect();
    EXPECT_EQ(ask(client, "x-do: request_headers=burn|300\r\n").status(), 200);
    const Peer::Message answer = ask(client, "x-do: request_headers=streams\r\n");
    EXPECT_EQ(answer.status(), open ? 200 : 503);
    EXPECT_FALSE(answer.has("x-probe"));
    EXPECT_EQ(proxy.counter("wasm.p.limit.cpu"), 1u);
    proxy.wait_for("the share to fall", [&client] {
      return ask(client, "x-do: request_headers=streams\r\n").has("x-probe");
    });
    EXPECT_EQ(proxy.counter("wasm.p.vm_reload"), 0u) << "it keeps its VM";
  }
}

// ---- header maps, queues ----------------------------------------------------------------------------

TEST(WasmQuota, HeaderMapsAreBoundedByTheConfiguration) {
  TestProxy proxy(yaml_with(Plugin{.vm = "limits: {max_header_map_bytes: 2048}"}));
  Peer client = proxy.connect();
  const std::string big(1500, 'v');
  const std::string head =
      ask(client, "x-do: response_headers=add|x-one|1;response_headers=add|x-two|" + big +
                      ";response_headers=add|x-three|" + big + "\r\n")
          .head;
  EXPECT_NE(head.find("add=ok"), std::string::npos) << head;
  EXPECT_NE(head.find("add=status:2"), std::string::npos) << head;
  EXPECT_EQ(proxy.counter("wasm.p.limit.headers"), 1u);
}

// ---- shared data ------------------------------------------------------------------------------------

TEST(WasmQuota, SharedDataIsForgottenAfterItsTime) {
  TestProxy proxy(yaml_with(Plugin{
      .vm = "vm_id: old\n        limits: {shared_data_ttl: 0.02s, max_shared_data_keys: 2}"}));
  Peer client = proxy.connect();
  ask(client,
      "x-do: request_headers=shared_set|a|1;request_headers=shared_set|b|2;"
      "request_headers=shared_set|c|3\r\n");
  EXPECT_EQ(proxy.counter("wasm_shared_data.old.evicted"), 1u);
  proxy.wait_for("the end of their time", [&client] {
    const std::string text =
        ask(client, "x-do: request_headers=shared_get|b;request_headers=shared_get|c\r\n").head;
    return text.find("shared_get=ok") == std::string::npos;
  });
  EXPECT_EQ(proxy.counter("wasm_shared_data.old.expired"), 2u);
  EXPECT_EQ(proxy.counter("wasm_shared_data.old.writes"), 3u);
  EXPECT_EQ(
      proxy.counter("wasm_shared_data.old.reads"),
      proxy.counter("wasm_shared_data.old.hits") + proxy.counter("wasm_shared_data.old.misses"));
  const std::string page = proxy.admin("/wasm");
  EXPECT_NE(page.find("\"vm_id\":\"old\",\"keys\":0,\"bytes\":0,\"max_bytes\":16777216,"
                      "\"max_keys\":2,\"ttl_ms\":20,"),
            std::string::npos)
      << page;
  const std::string metrics = proxy.admin("/stats/prometheus");
  EXPECT_NE(metrics.find("envoy_wasm_shared_data_expired{weir_wasm_vm_id=\"old\"} 2"),
            std::string::npos);
}

TEST(WasmQuota, QueuesAreBoundedByTheConfiguration) {
  TestProxy proxy(yaml_with(
      Plugin{.vm = "vm_id: quota_queues\n        limits: {max_queues: 1, max_queue_bytes: 10}"}));
  Peer client = proxy.connect();
  const std::string head =
      ask(client,
          "x-do: request_headers=queue_register|one;request_headers=queue_register|two;"
          "request_headers=queue_put|one|1234567890;request_headers=queue_put|one|last;"
          "request_headers=queue_get|one\r\n")
          .header("x-probe");
  EXPECT_EQ(proxy.counter("wasm.p.limit.queue"), 2u)
      << "one queue too many, one item that had to go";
  for (const char* counted : {"enqueued", "dropped", "dequeued"})
    EXPECT_EQ(proxy.counter(std::string("wasm_queues.quota_queues.") + counted),
              std::string_view(counted) == "enqueued" ? 2u : 1u)
        << counted;
  EXPECT_NE(proxy.admin("/wasm").find("\"vm_id\":\"quota_queues\",\"queues\":1,\"length\":0"),
            std::string::npos);
}

TEST(WasmQuota, LimitsOfOneVmIdHaveToBeEqual) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  uint64_t rejections = 0;
  for (const char* limit : {"max_shared_data_bytes", "max_shared_data_keys", "shared_data_ttl",
                            "max_queue_bytes", "max_queues"}) {
    const bool is_time = std::string_view(limit) == "shared_data_ttl";
    yaml.filters = filter(Plugin{.vm = "vm_id: v", .name = "one"}) +
                   filter(Plugin{.vm = std::string("vm_id: v\n        limits: {") + limit + ": " +
                                       (is_time ? "0.005s}" : "5}"),
                                 .name = "two"});
    proxy.write_config(yaml.text());
    proxy.wait_for_rejection(++rejections);
    const std::string page = proxy.admin("/reload");
    EXPECT_NE(page.find(std::string("vm_config: limits.") + limit + " is 5" +
                        (is_time ? "ms" : "") + " here and "),
              std::string::npos)
        << page;
    EXPECT_NE(page.find("for the plugin"), std::string::npos) << page;
  }
  yaml.filters =
      filter(Plugin{.vm = "vm_id: v\n        limits: {max_queues: 5}", .name = "one"}) +
      filter(Plugin{.vm = "vm_id: w", .name = "two"}) +
      filter(Plugin{.vm = "vm_id: w\n        limits: {max_streams: 5}", .name = "three"});
  proxy.write_config(yaml.text());
  proxy.wait_for_generation(2);
}

TEST(WasmQuota, BadValuesAreErrors) {
  Yaml yaml;
  yaml.routes = kDirect;
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = 1, .from_file = true});
  uint64_t rejections = 0;
  for (const char* limit :
       {"max_cpu_percent: 101", "max_header_map_bytes: 10", "max_streams: -1", "max_body_bytes: x",
        "max_requests: 1", "max_shared_data_keys: -1", "shared_data_ttl: 0.0001s"}) {
    yaml.filters = filter(Plugin{.vm = std::string("limits: {") + limit + "}"});
    proxy.write_config(yaml.text());
    proxy.wait_for_rejection(++rejections);
    const std::string name = std::string(limit).substr(0, std::string_view(limit).find(':'));
    const std::string page = proxy.admin("/reload");
    EXPECT_NE(page.find(name), std::string::npos) << page;
  }
}

}  // namespace
}  // namespace weir::test
