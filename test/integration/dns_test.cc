// Clusters whose hosts a name server knows.
#include <gtest/gtest.h>

#include <set>

#include "support/dns_server.h"
#include "support/test_proxy.h"

namespace weir::test {
namespace {

using Behaviour = DnsServer::Behaviour;

AutoOrigin::Handler says(std::string_view name) {
  return [name](const Peer::Message&) { return response(name); };
}

std::string get(Peer& client, std::string_view path = "/") {
  client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto answer = client.read_message();
  return std::to_string(answer.status()) + " " + answer.body;
}

/// The cluster "origin" of a name and a port; `fields` are further ones.
std::string yaml_of(const DnsServer& server, std::string_view name, uint16_t port,
                    const std::string& fields) {
  Yaml yaml;
  yaml.origin_port = port;
  yaml.cluster = server.resolver() + fields;
  std::string text = yaml.text();
  const std::string before = "address: 127.0.0.1, port_value: " + std::to_string(port) + "}";
  const size_t at = text.rfind(before);
  return text.replace(
      at, before.size(),
      "address: " + std::string(name) + ", port_value: " + std::to_string(port) + "}");
}

constexpr const char* kStrict =
    "type: STRICT_DNS\ndns_lookup_family: V4_ONLY\ndns_refresh_rate: 0.02s\n";
constexpr const char* kSlow =
    "type: STRICT_DNS\ndns_lookup_family: V4_ONLY\ndns_refresh_rate: 3600s\n";

TEST(StrictDns, EveryAddressIsAHost) {
  DnsServer names;
  names.set_v4("api.test", {"127.0.0.1", "127.0.0.2"});
  AutoOrigin one(says("one"));
  AutoOrigin two(says("two"), "127.0.0.2", one.port());
  TestProxy proxy(yaml_of(names, "api.test", one.port(), kSlow), {.workers = 2});
  std::set<std::string> answers;
  for (int i = 0; i < 8; ++i) {
    Peer client = proxy.connect();
    for (int k = 0; k < 2; ++k) answers.insert(get(client));
  }
  EXPECT_EQ(answers, (std::set<std::string>{"200 one", "200 two"}));
  EXPECT_EQ(names.questions("api.test"), 1u);
  EXPECT_EQ(proxy.gauge("cluster.origin.membership_total"), 2);
  EXPECT_EQ(proxy.gauge("cluster.origin.membership_healthy"), 2);
  EXPECT_EQ(proxy.counter("cluster.origin.membership_change"), 1u);
  EXPECT_EQ(proxy.counter("cluster.origin.update_attempt"), 1u);
  EXPECT_EQ(proxy.counter("cluster.origin.update_success"), 1u);
  const std::string shown = proxy.admin("/clusters");
  const std::string port = std::to_string(one.port());
  for (const std::string host : {"127.0.0.1:" + port, "127.0.0.2:" + port})
    EXPECT_NE(shown.find("origin::" + host + "::hostname::api.test\n"), std::string::npos) << shown;
}

TEST(StrictDns, HostsComeAndGoAndWhatIsInUseGoesOn) {
  DnsServer names;
  names.set_v4("api.test", {"127.0.0.1"});
  Origin held;
  TestProxy proxy(yaml_of(names, "api.test", held.port(), kStrict));
  Peer busy = proxy.connect();
  busy.send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = held.accept();
  upstream.read_message();
  AutoOrigin two(says("two"), "127.0.0.2", held.port());
  names.set_v4("api.test", {"127.0.0.2"});
  proxy.wait_for("the second answer",
                 [&proxy] { return proxy.counter("cluster.origin.membership_change") == 2; });
  Peer client = proxy.connect();
  EXPECT_EQ(get(client), "200 two");
  EXPECT_EQ(proxy.gauge("cluster.origin.membership_total"), 1);
  upstream.send(response("still here"));
  EXPECT_EQ(busy.read_message().body, "still here");
  EXPECT_TRUE(upstream.closed());  // nobody asks that host any more
  EXPECT_GT(proxy.counter("cluster.origin.update_success"), 1u);
}

TEST(StrictDns, AnOtherOrderIsNoChange) {
  DnsServer names;
  names.set_v4("api.test", {"127.0.0.1", "127.0.0.2"});
  AutoOrigin one(says("one"));
  TestProxy proxy(yaml_of(names, "api.test", one.port(), kStrict));
  names.set_v4("api.test", {"127.0.0.2", "127.0.0.1"});
  const uint64_t asked = names.questions("api.test");
  proxy.wait_for("two more answers", [&proxy, asked] {
    return proxy.counter("cluster.origin.update_no_rebuild") > asked + 1;
  });
  EXPECT_EQ(proxy.counter("cluster.origin.membership_change"), 1u);
}

TEST(StrictDns, AFailureKeepsTheLastAnswer) {
  for (const Behaviour failure : {Behaviour::kNoSuchName, Behaviour::kServerFailure,
                                  Behaviour::kSilence, Behaviour::kGarbage, Behaviour::kLoop}) {
    DnsServer names;
    names.set_v4("api.test", {"127.0.0.1"});
    AutoOrigin one(says("one"));
    std::string text = yaml_of(names, "api.test", one.port(), kStrict);
    const std::string tries = "query_timeout_seconds: 1, query_tries: 1, resolvers";
    text.replace(text.find("resolvers"), 9, tries);
    TestProxy proxy(text);
    names.set("api.test", {{}, {}, 60, failure, {}});
    proxy.wait_for("a failure", [&proxy] {
      return proxy.counter("cluster.origin.update_failure") +
                 proxy.counter("cluster.origin.update_empty") >=
             2;
    });
    Peer client = proxy.connect();
    EXPECT_EQ(get(client), "200 one") << static_cast<int>(failure);
    EXPECT_EQ(proxy.gauge("cluster.origin.membership_total"), 1);
    EXPECT_EQ(proxy.counter("cluster.origin.membership_change"), 1u);
    names.set_v4("api.test", {"127.0.0.1", "127.0.0.3"});
    proxy.wait_for("the answer after the failure",
                   [&proxy] { return proxy.gauge("cluster.origin.membership_total") == 2; });
  }
}

TEST(StrictDns, ANameThatWasNeverResolvedHasNoHosts) {
  DnsServer names;
  TestProxy proxy(yaml_of(names, "nobody.test", 9, kStrict));
  Peer client = proxy.connect();
  EXPECT_EQ(get(client), "503 no healthy upstream");
  EXPECT_EQ(proxy.gauge("cluster.origin.membership_total"), 0);
  EXPECT_GE(proxy.counter("cluster.origin.update_empty"), 1u);
  AutoOrigin one(says("one"), "127.0.0.1", 0);
  names.set_v4("nobody.test", {"127.0.0.1"});
  proxy.wait_for("the name",
                 [&proxy] { return proxy.gauge("cluster.origin.membership_total") == 1; });
}

TEST(StrictDns, TruncatedAnswersAndAThousandAddressesComeOverTcp) {
  DnsServer names;
  std::vector<std::string> many;
  for (int i = 0; i < 1000; ++i)
    many.push_back("127.1." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1));
  names.set_v4("many.test", many);
  TestProxy proxy(yaml_of(names, "many.test", 9, kSlow));
  EXPECT_EQ(proxy.gauge("cluster.origin.membership_total"), 1000);
  EXPECT_GE(names.over_tcp(), 1u);
  EXPECT_NE(proxy.admin("/clusters").find("127.1.3.250:9::cx_active"), std::string::npos);
}

TEST(StrictDns, AnAliasIsFollowed) {
  DnsServer names;
  names.set("api.test", {{"127.0.0.1"}, {}, 60, Behaviour::kAnswer, "real.test"});
  AutoOrigin one(says("one"));
  TestProxy proxy(yaml_of(names, "api.test", one.port(), kSlow));
  Peer client = proxy.connect();
  EXPECT_EQ(get(client), "200 one");
}

TEST(StrictDns, AnEditThatLeavesTheNameAloneAsksForNothing) {
  DnsServer names;
  names.set_v4("api.test", {"127.0.0.1"});
  AutoOrigin one(says("one"));
  const std::string yaml = yaml_of(names, "api.test", one.port(), kSlow);
  TestProxy proxy(yaml, {.workers = 2, .from_file = true});
  Peer client = proxy.connect();
  EXPECT_EQ(get(client), "200 one");
  std::string edited = yaml;
  edited.replace(edited.find("connect_timeout: 1s"), 19, "connect_timeout: 2s");
  proxy.write_config(edited);
  proxy.wait_for_generation(2);
  for (int i = 0; i < 4; ++i) {
    Peer next = proxy.connect();
    EXPECT_EQ(get(next), "200 one");
  }
  EXPECT_EQ(get(client), "200 one");
  EXPECT_EQ(names.questions("api.test"), 1u);
  EXPECT_EQ(proxy.counter("cluster.origin.membership_change"), 1u);
  // Another rate asks in another way, and the hosts are the same.
  edited.replace(edited.find("3600s"), 5, "3500s");
  proxy.write_config(edited);
  proxy.wait_for_generation(3);
  EXPECT_EQ(get(client), "200 one");
  EXPECT_EQ(names.questions("api.test"), 2u);
}

TEST(StrictDns, AGenerationWaitsForTheFirstAnswer) {
  DnsServer names;
  names.set_v4("api.test", {"127.0.0.1"});
  names.set("late.test", {{"127.0.0.2"}, {}, 60, Behaviour::kSilence, {}});
  AutoOrigin one(says("one"));
  AutoOrigin two(says("two"), "127.0.0.2", one.port());
  const std::string yaml = yaml_of(names, "api.test", one.port(), kSlow);
  TestProxy proxy(yaml, {.workers = 1, .from_file = true});
  std::string edited = yaml;
  edited.replace(edited.find("api.test"), 8, "late.test");
  edited.replace(edited.find("resolvers"), 9, "query_timeout_seconds: 1, resolvers");
  proxy.write_config(edited);
  proxy.wait_for("the question", [&names] { return names.questions("late.test") > 0; });
  Peer client = proxy.connect();
  EXPECT_EQ(get(client), "200 one");  // the old generation serves
  EXPECT_EQ(proxy.generation(), 1u);
  names.set_v4("late.test", {"127.0.0.2"});
  proxy.wait_for_generation(2);
  Peer next = proxy.connect();
  EXPECT_EQ(get(next), "200 two");
}

TEST(StrictDns, WithoutWaitingAGenerationServesAtOnce) {
  DnsServer names;
  names.set("late.test", {{}, {}, 60, Behaviour::kSilence, {}});
  TestProxy proxy(
      yaml_of(names, "late.test", 9, std::string(kSlow) + "wait_for_warm_on_init: false\n"));
  Peer client = proxy.connect();
  EXPECT_EQ(get(client), "503 no healthy upstream");
}

}  // namespace
}  // namespace weir::test
