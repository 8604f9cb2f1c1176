// The native filters in the running server, over two workers.
#include <gtest/gtest.h>

#include "support/test_proxy.h"

namespace weir::test {
namespace {

std::string filter(std::string_view name, std::string_view type, std::string_view fields) {
  return "- name: " + std::string(name) +
         "\n  typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http." +
         std::string(type) + ", " + std::string(fields) + "}\n";
}

/// A request on a connection of its own, so that all workers get some.
Peer::Message get(TestProxy& proxy, std::string_view path) {
  Peer client = proxy.connect();
  client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  return client.read_message();
}

TestProxy::Options two_workers() {
  TestProxy::Options options;
  options.workers = 2;
  return options;
}

constexpr std::string_view kAnswer =
    "- match: {prefix: /}\n  direct_response: {status: 200, body: {inline_string: ok}}\n";

TEST(NativeFilters, BucketIsTheProcesssAndRoutesHaveTheirOwn) {
  const auto limit = [](std::string_view prefix, int tokens, std::string_view more) {
    return "stat_prefix: " + std::string(prefix) +
           ", token_bucket: {max_tokens: " + std::to_string(tokens) +
           ", fill_interval: 3600s}, filter_enabled: {default_value: {numerator: 100}}, "
           "filter_enforced: {default_value: {numerator: 100}}, "
           "enable_x_ratelimit_headers: DRAFT_VERSION_03, response_headers_to_add: "
           "[{header: {key: x-limited, value: " +
           std::string(prefix) + "}}]" + std::string(more);
  };
  Yaml yaml;
  yaml.filters = filter("limit", "local_ratelimit.v3.LocalRateLimit", limit("all", 5, ""));
  yaml.routes =
      "- match: {path: /own}\n"
      "  direct_response: {status: 200}\n"
      "  typed_per_filter_config:\n"
      "    limit: {\"@type\": "
      "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit, " +
      limit("own", 1, ", status: {code: 503}") + "}\n" + std::string(kAnswer);
  TestProxy proxy(yaml.text(), two_workers());
  int passed = 0;
  for (int i = 0; i < 20; ++i) {
    const auto answer = get(proxy, "/");
    EXPECT_EQ(answer.header("x-ratelimit-limit"), "5");
    if (answer.status() == 200) {
      ++passed;
      EXPECT_FALSE(answer.has("x-limited"));
      continue;
    }
    EXPECT_EQ(answer.status(), 429);
    EXPECT_EQ(answer.body, "local_rate_limited");
    EXPECT_EQ(answer.header("x-limited"), "all");
    EXPECT_EQ(answer.header("x-ratelimit-remaining"), "0");
  }
  EXPECT_EQ(passed, 5);
  EXPECT_EQ(proxy.counter("all.http_local_rate_limit.enabled"), 20u);
  EXPECT_EQ(proxy.counter("all.http_local_rate_limit.ok"), 5u);
  EXPECT_EQ(proxy.counter("all.http_local_rate_limit.rate_limited"), 15u);
  EXPECT_EQ(proxy.counter("all.http_local_rate_limit.enforced"), 15u);
  EXPECT_EQ(get(proxy, "/own").status(), 200);
  const auto refused = get(proxy, "/own");
  EXPECT_EQ(refused.status(), 503);
  EXPECT_EQ(refused.header("x-limited"), "own");
}

TEST(NativeFilters, HealthCheckAsksForHealthyClusters) {
  Yaml yaml;
  constexpr std::string_view kType = "health_check.v3.HealthCheck";
  const auto probe = [](std::string_view path, std::string_view cluster, int percent) {
    return "pass_through_mode: false, headers: [{name: ':path', string_match: {exact: " +
           std::string(path) + "}}], cluster_min_healthy_percentages: {" + std::string(cluster) +
           ": {value: " + std::to_string(percent) + "}}";
  };
  yaml.filters = filter("a", kType, probe("/full", "origin", 100)) +
                 filter("b", kType, probe("/empty", "empty", 1)) +
                 filter("c", kType, probe("/zero", "empty", 0)) +
                 filter("d", kType, probe("/unknown", "nobody", 1));
  yaml.more_clusters = "- name: empty\n";
  yaml.routes = kAnswer;
  TestProxy proxy(yaml.text(), two_workers());
  EXPECT_EQ(get(proxy, "/full").status(), 200);
  EXPECT_EQ(get(proxy, "/empty").status(), 503);
  EXPECT_EQ(get(proxy, "/zero").status(), 200);
  EXPECT_EQ(get(proxy, "/unknown").status(), 503);
  EXPECT_EQ(get(proxy, "/other").body, "ok");
  proxy.admin("/healthcheck/fail", "POST");
  proxy.wait_for("the failure", [&proxy] { return get(proxy, "/full").status() == 503; });
  EXPECT_EQ(get(proxy, "/other").header("x-envoy-immediate-health-check-fail"), "true");
}

TEST(NativeFilters, HealthCheckPassesThroughAndRemembers) {
  AutoOrigin origin([](const Peer::Message&) { return response("bad", 503); });
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.filters = filter("a", "health_check.v3.HealthCheck",
                        "pass_through_mode: true, cache_time: 3600s, headers: [{name: ':path', "
                        "string_match: {exact: /hz}}]");
  TestProxy proxy(yaml.text(), two_workers());
  EXPECT_EQ(get(proxy, "/hz").body, "bad");
  for (int i = 0; i < 5; ++i) {
    const auto answer = get(proxy, "/hz");
    EXPECT_EQ(answer.status(), 503);
    EXPECT_EQ(answer.body, "");
  }
  EXPECT_EQ(origin.requests(), 1u);
  EXPECT_EQ(proxy.counter("http.ingress.downstream_rq_completed"), 0u);  // probes are not counted
}

}  // namespace
}  // namespace weir::test
