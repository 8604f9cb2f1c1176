// What GET /wasm and the metrics say of each callback of a plugin.
#include <gtest/gtest.h>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

/// The JSON of one callback in the page's list of plugins.
std::string function_of(const std::string& page, const std::string& name) {
  const size_t at = page.find("\"name\":\"" + name + "\"");
  return at == std::string::npos ? std::string() : page.substr(at, page.find("}}", at) - at);
}

TEST(WasmAccounting, EveryCallbackIsShown) {
  TestProxy proxy(yaml_with(Plugin{}));
  Peer client = proxy.connect();
  for (int i = 0; i < 3; ++i)
    ask(client, "x-do: request_headers=time;request_headers=time;response_headers=leak|300000\r\n");
  proxy.wait_for("the last stream's end", [&proxy] {
    return says(function_of(proxy.admin("/wasm"), "proxy_on_delete"), "\"calls\":3");
  });
  const std::string page = proxy.admin("/wasm");
  const std::string head = function_of(page, "proxy_on_request_headers");
  EXPECT_TRUE(says(head, "\"calls\":3")) << page;
  EXPECT_FALSE(says(head, "\"host_calls\":0,")) << head;
  EXPECT_TRUE(says(head, "\"failures\":0")) << head;
  EXPECT_TRUE(says(head, "\"duration_us\":{\"")) << head;
  EXPECT_FALSE(says(function_of(page, "proxy_on_response_headers"), "\"memory_grown_bytes\":0,"))
      << page;
  for (const char* other : {"proxy_on_context_create", "proxy_on_done", "proxy_on_log"})
    EXPECT_TRUE(says(function_of(page, other), "\"calls\":")) << other;
  EXPECT_FALSE(says(page, "proxy_on_queue_ready")) << "never called";
}

TEST(WasmAccounting, OutlivesTheVm) {
  TestProxy proxy(yaml_with(Plugin{}));
  Peer client = proxy.connect();
  ask(client, "x-do: request_headers=trap\r\n");
  const std::string head = function_of(proxy.admin("/wasm"), "proxy_on_request_headers");
  EXPECT_TRUE(says(head, "\"calls\":1")) << head;
  EXPECT_TRUE(says(head, "\"failures\":1")) << head;
}

TEST(WasmAccounting, IsInPrometheus) {
  TestProxy proxy(yaml_with(Plugin{.name = "acc"}));
  Peer client = proxy.connect();
  ask(client, "x-do: response_headers=burn|2\r\n");
  proxy.wait_for("the metrics", [&proxy] {
    return proxy.counter("wasm.acc.function.proxy_on_response_headers.calls") == 1;
  });
  const std::string text = proxy.admin("/stats/prometheus");
  const std::string tags =
      "{weir_wasm_plugin=\"acc\",weir_wasm_function=\"proxy_on_response_headers\"";
  EXPECT_TRUE(says(text, "envoy_wasm_function_calls" + tags + "} 1")) << text;
  EXPECT_TRUE(says(text, "envoy_wasm_function_duration_us_bucket" + tags + ",le=\"1000\"} 0"));
  EXPECT_TRUE(says(text, "envoy_wasm_function_duration_us_count" + tags + "} 1"));
}

}  // namespace
}  // namespace weir::test
