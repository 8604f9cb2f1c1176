// What an edit leaves alone: state of listeners that it does not concern.
#include <gtest/gtest.h>

#include "support/test_proxy.h"

namespace weir::test {
namespace {

constexpr const char* kDirect =
    "- match: {prefix: /}\n  direct_response: {status: 200, body: {inline_string: ok}}\n";

// One request a minute.
constexpr const char* kLimit =
    "- name: limit\n"
    "  typed_config:\n"
    "    \"@type\": "
    "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit\n"
    "    stat_prefix: limit\n"
    "    token_bucket: {max_tokens: 1, tokens_per_fill: 1, fill_interval: 60s}\n"
    "    filter_enabled: {default_value: {numerator: 100}}\n"
    "    filter_enforced: {default_value: {numerator: 100}}\n";

std::string plugin(std::string_view configuration) {
  return "- name: p\n"
         "  typed_config:\n"
         "    \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n"
         "    config:\n"
         "      name: p\n"
         "      vm_config: {code: {local: {filename: " +
         guest_path("pass") +
         "}}}\n"
         "      configuration: {\"@type\": type.googleapis.com/google.protobuf.StringValue, "
         "value: " +
         std::string(configuration) + "}\n";
}

std::string listener_of(const std::string& yaml) {
  const size_t begin = yaml.find("  - name: main"), end = yaml.find("  clusters:");
  return yaml.substr(begin, end - begin);
}

/// A listener "main" with a rate limit, and a listener "second" with a plugin.
std::string two_listeners(std::string_view configuration, const std::string& limit = kLimit) {
  Yaml main, second;
  main.routes = second.routes = kDirect;
  main.filters = limit;
  second.filters = plugin(configuration);
  std::string text = main.text(), added = listener_of(second.text());
  added.replace(added.find("main"), 4, "second");
  return text.insert(text.find("  clusters:"), added);
}

int get(Peer& client) {
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  return client.read_message().status();
}

TEST(ReloadState, BucketsOfOtherListenersStayAsTheyAre) {
  TestProxy proxy(two_listeners("one"), {.workers = 1, .from_file = true});
  Peer client = proxy.connect("main"), other = proxy.connect("second");
  EXPECT_EQ(get(client), 200);
  EXPECT_EQ(get(client), 429);
  EXPECT_EQ(get(other), 200);
  proxy.write_config(two_listeners("two"));
  proxy.wait_for_generation(2);
  EXPECT_EQ(get(other), 200);
  EXPECT_EQ(get(client), 429);
  // An edit of the filter itself begins anew.
  std::string limit = kLimit;
  limit.replace(limit.find("max_tokens: 1"), 13, "max_tokens: 2");
  proxy.write_config(two_listeners("two", limit));
  proxy.wait_for_generation(3);
  EXPECT_EQ(get(client), 200);
}

}  // namespace
}  // namespace weir::test
