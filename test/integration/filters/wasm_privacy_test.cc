// Privacy: a guest that looks everywhere and one that does what it is told, with secrets in every place that traffic has.
#include <gtest/gtest.h>

#include <mutex>

#include "integration/filters/wasm_dialogue.h"

namespace weir::test {
namespace {

constexpr const char* kSecret = "s3cr3t";
constexpr const char* kAddress = "203.0.113.77";

constexpr const char* kRules =
    "request_headers: {hide: [{exact: Authorization}, {exact: x-hidden}, {suffix: -secret}], "
    "mask: [{prefix: x-secret-}]}, "
    "response_headers: {hide: [{exact: authorization}, {exact: x-hidden}, {suffix: -secret}]}, "
    "cookies: {hide: [{exact: sid}]}, query_parameters: {hide: [{exact: token}]}, "
    "properties: {hide: [{exact: left}, {exact: node.metadata.secret}]}";

std::string rules(const std::string& address) {
  return std::string("privacy: {") + kRules + ", client_address: " + address + "}";
}

/// What a request and its answer carry, and what of it has come to the other side.
class Traffic {
 public:
  Traffic()
      : origin_([this](const Peer::Message& request) {
          const std::lock_guard lock(mutex_);
          if (says(request.first_line(), "/callout")) callout_ = request.head;
          return std::string(
                     "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-hidden: s3cr3t\r\n") +
                 "set-cookie: sid=s3cr3t; Path=/\r\nset-cookie: a=1\r\n" +
                 "location: /next?token=s3cr3t&a=1\r\ntrailer: x-trailer-secret\r\n\r\n" +
                 "2\r\nok\r\n0\r\nx-trailer-secret: s3cr3t\r\n\r\n";
        }) {}
  std::string yaml(const std::string& privacy) const {
    Yaml yaml;
    yaml.origin_port = origin_.port();
    yaml.bootstrap = "node: {id: n, cluster: c, metadata: {secret: s3cr3t, open: 1}}\n";
    yaml.filters = filter(Plugin{.configuration = "request_headers=set_prop|left/secret|s3cr3t",
                                 .name = "other"}) +
                   filter(Plugin{.guest = "spy",
                                 .configuration = std::string(kSecret) + "," + kAddress,
                                 .vm = "limits: {call_timeout: 0s}",
                                 .plugin = privacy,
                                 .name = "spy"});
    return yaml.text();
  }
  /// One request with everything, and another behind it: when that is answered the first is over.
  static Peer::Message exchange(TestProxy& proxy) {
    Peer client = proxy.connect();
    client.send(
        "POST /p?a=1&token=s3cr3t HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer s3cr3t\r\n"
        "x-hidden: s3cr3t\r\nCookie: sid=s3cr3t; b=2\r\nx-secret-key: s3cr3t\r\n"
        "x-forwarded-for: 203.0.113.77\r\nx-real-ip: 203.0.113.77\r\n"
        "forwarded: for=203.0.113.77\r\nreferer: http://a/?token=s3cr3t\r\nx-visible: 1\r\n"
        "transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-trailer-secret: s3cr3t\r\n\r\n");
    Peer::Message answer = client.read_message();
    EXPECT_EQ(ask(client).status(), 200);
    return answer;
  }
  /// The head of the spy's callout.
  std::string callout() const {
    const std::lock_guard lock(mutex_);
    return callout_;
  }

 private:
  mutable std::mutex mutex_;
  std::string callout_;
  AutoOrigin origin_;
};

TEST(WasmPrivacy, AGuestThatLooksEverywhereFindsNothing) {
  for (const char* address : {"HIDE", "MASK"}) {
    Traffic traffic;
    TestProxy proxy(traffic.yaml(rules(address)));
    Traffic::exchange(proxy);
    proxy.wait_for("callout", [&] { return proxy.counter("wasmcustom.spy_answers") > 0; });
    EXPECT_GT(proxy.counter("wasmcustom.spy_looks"), 1000u);
    EXPECT_EQ(proxy.counter("wasmcustom.spy_found"), 0u) << address << "\n"
                                                         << proxy.admin("/stats?filter=spy_found");
    EXPECT_EQ(proxy.counter("wasmcustom.spy_counts_differ"), 0u);
    EXPECT_GT(proxy.counter("wasm.spy.limit.privacy"), 0u) << "what it may not change is counted";
    EXPECT_EQ(proxy.counter("wasm.spy.traps"), 0u);
    // A mask means what stood there only where it stood: nowhere else can it be sent to.
    EXPECT_TRUE(says(traffic.callout(), "x-guess: ***\r\n")) << traffic.callout();
    EXPECT_FALSE(says(traffic.callout(), kSecret)) << traffic.callout();
  }
}

// The spy sees well: without rules it finds the secrets in each of these places.
TEST(WasmPrivacy, WithoutRulesTheSameGuestFindsThem) {
  Traffic traffic;
  TestProxy proxy(traffic.yaml(""));
  Traffic::exchange(proxy);
  proxy.wait_for("callout", [&] { return proxy.counter("wasmcustom.spy_answers") > 0; });
  for (const char* place : {"header", "pairs", "property"})
    EXPECT_GT(proxy.counter(std::string("wasmcustom.spy_found_") + place), 0u) << place;
  EXPECT_EQ(proxy.counter("wasmcustom.spy_counts_differ"), 0u);
  EXPECT_EQ(proxy.counter("wasm.spy.limit.privacy"), 0u);
}

TEST(WasmPrivacy, WhatIsHiddenComesToTheOtherSideAsItWas) {
  Traffic traffic;
  TestProxy proxy(traffic.yaml(rules("HIDE")));
  const Peer::Message answer = Traffic::exchange(proxy);
  EXPECT_TRUE(says(answer.head, "set-cookie: sid=s3cr3t; Path=/\r\n")) << answer.head;
  EXPECT_FALSE(says(answer.head, "a=1; ")) << answer.head;
  EXPECT_FALSE(says(answer.head, "forged")) << answer.head;
  EXPECT_EQ(answer.header("x-hidden"), "s3cr3t");
  EXPECT_EQ(answer.header("location"), "/next?token=s3cr3t&a=1");
  EXPECT_EQ(answer.body, "ok");
}

TEST(WasmPrivacy, WhatIsHiddenComesToTheUpstreamAsItWas) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.filters = filter(Plugin{.guest = "spy",
                               .configuration = kSecret,
                               .vm = "limits: {call_timeout: 0s}",
                               .plugin = rules("HIDE") + "\n      allowed_clusters: []"});
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send(
      "GET /p?a=1&token=s3cr3t HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer s3cr3t\r\n"
      "x-hidden: s3cr3t\r\nCookie: sid=s3cr3t; b=2\r\nx-secret-key: s3cr3t\r\n"
      "x-forwarded-for: 203.0.113.77\r\nreferer: http://a/?token=s3cr3t\r\n\r\n");
  Peer upstream = origin.accept();
  const Peer::Message seen = upstream.read_message(false);
  upstream.send(response("ok"));
  EXPECT_EQ(client.read_message().status(), 200);
  EXPECT_EQ(seen.first_line(), "GET /spoilt?mine=1&token=s3cr3t HTTP/1.1");
  EXPECT_EQ(seen.header("authorization"), "Bearer s3cr3t");
  EXPECT_EQ(seen.header("x-hidden"), "s3cr3t");
  EXPECT_EQ(seen.header("cookie"), "mine=1; sid=s3cr3t");
  EXPECT_EQ(seen.header("x-secret-key"), "s3cr3t") << "a mask that is written back";
  EXPECT_EQ(seen.header("x-forwarded-for"), "203.0.113.77");
  EXPECT_EQ(seen.header("referer"), "http://a/?token=s3cr3t");
  EXPECT_FALSE(says(seen.head, "forged")) << seen.head;
}

struct Case {
  const char* name;
  const char* script;
  std::vector<const char*> expected;
};
void PrintTo(const Case& each, std::ostream* out) { *out << each.name; }

class PrivacyProbe : public ::testing::TestWithParam<Case> {};

TEST_P(PrivacyProbe, Answers) {
  AutoOrigin origin([](const Peer::Message&) {
    return response("origin", 200, "set-cookie: sid=s3cr3t\r\nset-cookie: a=1\r\n");
  });
  TestProxy proxy(yaml_with(Plugin{.plugin = rules("MASK")}, origin.port()));
  Peer client = proxy.connect();
  const Peer::Message answer =
      ask(client,
          "x-do: " + std::string(GetParam().script) +
              "\r\nauthorization: s3cr3t\r\nx-secret-a: s3cr3t\r\ncookie: sid=s3cr3t; b=2\r\n"
              "x-forwarded-for: 203.0.113.77\r\n",
          "/p?token=s3cr3t&q=1");
  for (const char* expected : GetParam().expected)
    EXPECT_TRUE(says(answer.head, expected)) << expected << "\n" << answer.head;
  for (size_t at = 0; (at = answer.head.find("x-probe: ", at)) != std::string::npos; ++at) {
    const std::string line = answer.head.substr(at, answer.head.find('\r', at) - at);
    EXPECT_FALSE(says(line, kSecret) || says(line, kAddress)) << line;
  }
  EXPECT_EQ(answer.body, "origin");
}

INSTANTIATE_TEST_SUITE_P(
    HostCalls, PrivacyProbe,
    ::testing::Values(
        Case{"hiddenHeaderIsNotFound", "request_headers=get|authorization", {"get=status:1"}},
        Case{"maskedHeader", "request_headers=get|x-secret-a", {"get=ok:***"}},
        Case{"cookie", "request_headers=get|cookie", {"get=ok:b=2"}},
        Case{"path", "request_headers=get|:path", {"get=ok:/p?q=1"}},
        Case{"forwardedFor", "request_headers=get|x-forwarded-for", {"get=ok:203.0.113.0"}},
        Case{"laterCallback", "response_headers=get@0|authorization", {"get=status:1"}},
        Case{"setCookie", "response_headers=pairs", {",set-cookie:a=1"}},
        Case{"writesAreTakenWithoutEffect",
             "request_headers=set|authorization|x;request_headers=add|authorization|y;"
             "request_headers=remove|authorization",
             {"set=ok", "add=ok", "remove=ok"}},
        Case{"sourceAddress", "request_headers=prop|source/address", {"prop=ok:203.0.113.0:0"}},
        Case{"sourcePort", "request_headers=prop_int|source/port", {"prop_int=ok:0"}},
        Case{"hiddenProperty", "request_headers=prop|node/metadata/secret", {"prop=status:1"}},
        Case{"hiddenPropertyIsNotSet",
             "request_headers=set_prop|left/x|v;response_headers=prop|left/x",
             {"set_prop=ok", "prop=status:1"}},
        Case{"otherPropertiesAreSet",
             "request_headers=set_prop|mine/x|v;response_headers=prop|mine/x",
             {"set_prop=ok", "prop=ok:v"}},
        Case{"query", "request_headers=prop|request/query", {"prop=ok:q=1"}}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(WasmPrivacy, HoldsForALocalReplyOfTheGuest) {
  TestProxy proxy(yaml_with(Plugin{.plugin = rules("HIDE")}));
  Peer client = proxy.connect();
  const Peer::Message answer =
      ask(client,
          "x-do: request_headers=reply|200|mine|set-cookie:sid=1,set-cookie:b=2,x-hidden:1,"
          "x-other:1\r\n");
  EXPECT_EQ(answer.body, "mine");
  EXPECT_EQ(answer.header("set-cookie"), "b=2");
  EXPECT_FALSE(answer.has("x-hidden"));
  EXPECT_EQ(answer.header("x-other"), "1");
  EXPECT_EQ(proxy.counter("wasm.p.limit.privacy"), 2u);
}

// Plugins of one VM share its memory: one without rules could tell the other.
TEST(WasmPrivacy, PluginsWithOtherRulesHaveOtherVms) {
  const auto vms = [](const std::string& second) {
    Yaml yaml;
    yaml.routes = kDirect;
    yaml.filters = filter(Plugin{.plugin = rules("HIDE"), .name = "a"}) +
                   filter(Plugin{.plugin = second, .name = "b"});
    TestProxy proxy(yaml.text());
    const std::string state = proxy.admin("/wasm");
    EXPECT_TRUE(says(state, R"("privacy":{"request_headers":{"hide":["exact/i:Authorization")"))
        << state;
    return proxy.gauge("wasm.vms_serving");
  };
  EXPECT_EQ(vms(rules("HIDE")), 1);
  EXPECT_EQ(vms(rules("MASK")), 2);
  EXPECT_EQ(vms(""), 2);
}

TEST(WasmPrivacy, AnEditOfTheRulesHoldsForNewStreams) {
  AutoOrigin origin([](const Peer::Message&) { return response("origin"); });
  const auto yaml = [&origin](const std::string& privacy) {
    return yaml_with(Plugin{.plugin = privacy}, origin.port());
  };
  TestProxy proxy(yaml(""), {.from_file = true});
  const auto look = [&proxy] {
    Peer client = proxy.connect();
    return ask(client, "x-do: request_headers=get|authorization\r\nauthorization: s\r\n").head;
  };
  EXPECT_TRUE(says(look(), "get=ok:s"));
  const uint64_t generation = proxy.generation();
  proxy.write_config(yaml(rules("HIDE")));
  proxy.wait_for_generation(generation + 1);
  EXPECT_TRUE(says(look(), "get=status:1"));
  proxy.write_config(yaml("privacy: {cookies: {hidden: []}}"));
  proxy.wait_for_rejection(1);
  EXPECT_TRUE(says(look(), "get=status:1"));
}

}  // namespace
}  // namespace weir::test
