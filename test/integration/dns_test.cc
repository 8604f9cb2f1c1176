// Clusters whose hosts a name server knows.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

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
std::string yaml_of(std::string_view name, uint16_t port, const std::string& fields,
                    const std::string& bootstrap = "") {
  Yaml yaml;
  yaml.origin_port = port;
  yaml.cluster = fields;
  yaml.bootstrap = bootstrap;
  std::string text = yaml.text();
  const std::string before = "address: 127.0.0.1, port_value: " + std::to_string(port) + "}";
  const size_t at = text.rfind(before);
  return text.replace(
      at, before.size(),
      "address: " + std::string(name) + ", port_value: " + std::to_string(port) + "}");
}

std::string yaml_of(const DnsServer& server, std::string_view name, uint16_t port,
                    const std::string& fields) {
  return yaml_of(name, port, server.resolver() + fields);
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
  for (const std::string& host : {"127.0.0.1:" + port, "127.0.0.2:" + port})
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

TEST(DnsFamilies, AreAskedForAsTheFieldSays) {
  struct Case {
    std::string_view family, name;
    int hosts;
    uint64_t v4_questions, v6_questions;
  };
  for (const Case& one :
       {Case{"V4_ONLY", "both.test", 1, 1, 0}, Case{"V6_ONLY", "both.test", 2, 0, 1},
        Case{"AUTO", "both.test", 2, 0, 1}, Case{"AUTO", "v4.test", 1, 1, 1},
        Case{"V4_PREFERRED", "both.test", 1, 1, 0}, Case{"V4_PREFERRED", "v6.test", 1, 1, 1},
        Case{"ALL", "both.test", 3, 1, 1}, Case{"ALL", "v4.test", 1, 1, 1},
        Case{"V6_ONLY", "v4.test", 0, 0, 1}}) {
    DnsServer names;
    names.set("both.test", {{"127.0.0.1"}, {"::1", "::2"}, 60, Behaviour::kAnswer, {}});
    names.set("v6.test", {{}, {"::1"}, 60, Behaviour::kAnswer, {}});
    names.set_v4("v4.test", {"127.0.0.1"});
    TestProxy proxy(yaml_of(names, one.name, 9,
                            "type: STRICT_DNS\ndns_refresh_rate: 3600s\ndns_lookup_family: " +
                                std::string(one.family) + "\n"));
    const std::string what = std::string(one.family) + " " + std::string(one.name);
    const std::string name(one.name);
    EXPECT_EQ(proxy.gauge("cluster.origin.membership_total"), one.hosts) << what;
    EXPECT_EQ(names.questions(name, 1), one.v4_questions) << what;
    EXPECT_EQ(names.questions(name, 28), one.v6_questions) << what;
  }
}

TEST(DnsRefresh, AnAnswerHoldsForItsTtlOnlyIfAsked) {
  DnsServer names;
  names.set("long.test", {{"127.0.0.1"}, {}, 3600, Behaviour::kAnswer, {}});
  names.set("zero.test", {{"127.0.0.1"}, {}, 0, Behaviour::kAnswer, {}});
  names.set("one.test", {{"127.0.0.1"}, {}, 1, Behaviour::kAnswer, {}});
  const auto cluster = [&names](const std::string& name, const std::string& fields) {
    std::string resolver = names.resolver();
    for (size_t at = 0; (at = resolver.find('\n', at)) + 1 < resolver.size(); at += 3)
      resolver.insert(at + 1, "  ");
    return "- name: " + name + "\n  type: STRICT_DNS\n  dns_lookup_family: V4_ONLY\n  " + fields +
           "\n  " + resolver + "  load_assignment: {cluster_name: " + name +
           ", endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: " + name +
           ", port_value: 9}}}}]}]}\n";
  };
  Yaml yaml;
  yaml.more_clusters =
      cluster("long.test", "dns_refresh_rate: 0.01s\n  respect_dns_ttl: true") +
      cluster("zero.test",
              "dns_refresh_rate: 0.01s\n  respect_dns_ttl: true\n  dns_jitter: 0.002s") +
      cluster("one.test", "dns_refresh_rate: 3600s\n  respect_dns_ttl: true");
  TestProxy proxy(yaml.text());
  // A second is longer than what the other two would need to ask again.
  proxy.wait_for("the end of the second", [&names] { return names.questions("one.test") >= 2; });
  EXPECT_GE(names.questions("zero.test"), 3u);
  EXPECT_EQ(names.questions("long.test"), 1u);
}

TEST(DnsRefresh, FailuresHaveARateOfTheirOwn) {
  DnsServer names;
  names.set("api.test", {{}, {}, 60, Behaviour::kServerFailure, {}});
  TestProxy proxy(yaml_of(names, "api.test", 9,
                          std::string(kSlow) +
                              "dns_failure_refresh_rate: {base_interval: 0.01s, max_interval: "
                              "0.02s}\n"));
  proxy.wait_for("failures",
                 [&proxy] { return proxy.counter("cluster.origin.update_failure") >= 3; });
  names.set_v4("api.test", {"127.0.0.1"});
  proxy.wait_for("the answer",
                 [&proxy] { return proxy.gauge("cluster.origin.membership_total") == 1; });
}

TEST(DnsResolver, OlderFormsAndTheBootstrapNameServersToo) {
  DnsServer names;
  names.set_v4("api.test", {"127.0.0.1"});
  const std::string server =
      "{socket_address: {address: 127.0.0.1, port_value: " + std::to_string(names.port()) + "}}";
  const std::string none = "{socket_address: {address: 127.0.0.1, port_value: 9}}";
  uint64_t tcp = 0;
  struct Case {
    std::string fields, bootstrap;
    bool over_tcp;
  };
  const std::string resolution = "dns_resolution_config: {resolvers: [" + server + "]";
  for (const Case& one :
       {Case{"dns_resolvers: [" + server + "]\n", "", false},
        Case{"dns_resolvers: [" + server + "]\nuse_tcp_for_dns_lookups: true\n", "", true},
        Case{resolution + "}\n", "", false},
        Case{resolution + ", dns_resolver_options: {use_tcp_for_dns_lookups: true}}\n", "", true},
        Case{"", names.resolver(), false}, Case{"", resolution + "}\n", false},
        // What the cluster says wins.
        Case{names.resolver(", dns_resolver_options: {use_tcp_for_dns_lookups: true, "
                            "no_default_search_domain: true}, rotate_nameservers: true, "
                            "udp_max_queries: 1, edns0_max_payload_size: 1232, "
                            "filter_unroutable_families: true"),
             "dns_resolution_config: {resolvers: [" + none + "]}\n", true}}) {
    TestProxy proxy(yaml_of("api.test", 9, one.fields + kSlow, one.bootstrap));
    EXPECT_EQ(proxy.gauge("cluster.origin.membership_total"), 1) << one.fields << one.bootstrap;
    EXPECT_EQ(names.over_tcp() > tcp, one.over_tcp) << one.fields;
    tcp = names.over_tcp();
  }
}

TEST(DnsCluster, IsTheNewerForm) {
  DnsServer names;
  names.set_v4("api.test", {"127.0.0.1", "127.0.0.2"});
  std::string resolver = names.resolver();
  resolver.insert(0, "    ");
  for (size_t at = 0; (at = resolver.find('\n', at)) + 1 < resolver.size(); at += 5)
    resolver.insert(at + 1, "    ");
  for (const bool logical : {false, true}) {
    TestProxy proxy(yaml_of(
        "api.test", 9,
        std::string("cluster_type:\n  name: envoy.cluster.dns\n  typed_config:\n    \"@type\": "
                    "type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster\n"
                    "    dns_lookup_family: V4_ONLY\n    dns_refresh_rate: 3600s\n") +
            (logical ? "    all_addresses_in_single_endpoint: true\n" : "") + resolver));
    EXPECT_EQ(proxy.gauge("cluster.origin.membership_total"), logical ? 1 : 2);
  }
}

constexpr const char* kLogical =
    "type: LOGICAL_DNS\ndns_lookup_family: V4_ONLY\ndns_refresh_rate: 0.02s\n";

TEST(LogicalDns, NewConnectionsGoToTheNewestAddress) {
  DnsServer names;
  names.set_v4("api.test", {"127.0.0.1"});
  Origin held;
  TestProxy proxy(yaml_of(names, "api.test", held.port(), kLogical));
  Peer busy = proxy.connect();
  busy.send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = held.accept();
  upstream.read_message();
  AutoOrigin two(says("two"), "127.0.0.2", held.port());
  names.set_v4("api.test", {"127.0.0.2"});
  proxy.wait_for("the second answer", [&proxy] {
    return proxy.admin("/clusters").find("::127.0.0.2:") != std::string::npos;
  });
  Peer client = proxy.connect();
  EXPECT_EQ(get(client), "200 two");
  upstream.send(response("one"));
  EXPECT_EQ(busy.read_message().body, "one");
  // The connection to the first address is as good as before.
  busy.send("GET /again HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(upstream.read_message().first_line(), "GET /again HTTP/1.1");
  upstream.send(response("one again"));
  EXPECT_EQ(busy.read_message().body, "one again");
  EXPECT_EQ(proxy.gauge("cluster.origin.membership_total"), 1);
  EXPECT_EQ(proxy.counter("cluster.origin.membership_change"), 1u);
}

TEST(LogicalDns, AddressesAreTriedInTurn) {
  DnsServer names;
  AutoOrigin two(says("two"), "127.0.0.2", 0);
  names.set("api.test", {{"127.0.0.3", "127.0.0.2"}, {"::1"}, 60, Behaviour::kAnswer, {}});
  TestProxy proxy(yaml_of(names, "api.test", two.port(),
                          "type: LOGICAL_DNS\ndns_lookup_family: ALL\ndns_refresh_rate: 3600s\n"));
  Peer client = proxy.connect();
  EXPECT_EQ(get(client), "200 two");
  EXPECT_EQ(proxy.gauge("cluster.origin.membership_total"), 1);
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_cx_connect_fail"), 0u);
}

TEST(HappyEyeballs, AdditionalAddressesOfAnEndpoint) {
  AutoOrigin two(says("two"), "127.0.0.2", 0);
  Yaml yaml;
  yaml.origin_port = two.port();
  yaml.cluster =
      "upstream_connection_options: {happy_eyeballs_config: "
      "{first_address_family_version: V4, first_address_family_count: 2}}\n";
  std::string text = yaml.text();
  const std::string port = std::to_string(two.port());
  const std::string before = "{socket_address: {address: 127.0.0.1, port_value: " + port + "}}";
  const size_t at = text.rfind(before);
  text.insert(
      at + before.size(),
      ", additional_addresses: [{address: {socket_address: {address: '::1', port_value: " + port +
          "}}}, {address: {socket_address: {address: 127.0.0.2, port_value: " + port + "}}}]");
  TestProxy proxy(text);
  Peer client = proxy.connect();
  EXPECT_EQ(get(client), "200 two");
  EXPECT_EQ(proxy.gauge("cluster.origin.membership_total"), 1);
}

TEST(BindConfig, ConnectionsComeFromTheSourceAddress) {
  Origin origin;
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.cluster =
      "upstream_bind_config: {source_address: {address: 127.0.0.7, port_value: 0}, freebind: "
      "true}\n";
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  Peer upstream = origin.accept();
  sockaddr_in from{};
  socklen_t size = sizeof from;
  ASSERT_EQ(::getpeername(upstream.fd(), reinterpret_cast<sockaddr*>(&from), &size), 0);
  EXPECT_EQ(ntohl(from.sin_addr.s_addr), 0x7f000007u);
}

}  // namespace
}  // namespace weir::test
