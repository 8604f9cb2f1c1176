// Higress' extensions of the ABI, Redis aside, as a module built with Higress' SDK uses them.
#include <gtest/gtest.h>

#include "integration/filters/redis_dialogue.h"

namespace weir::test {
namespace {

class WasmHigress : public ::testing::Test {
 protected:
  void SetUp() override { NEEDS_GUEST("go_higress"); }
  std::string yaml() {
    HigressYaml out;
    out.origin_port = upstream.port();
    return out.text();
  }
  /// The body of the origin's answer after the guest.
  static std::string body(Peer& client, const std::string& what) {
    return ask(client, "x-do: " + what + "\r\n").body;
  }
  AutoOrigin upstream{&echo_head};
};

TEST_F(WasmHigress, HostsOfTheRoutedCluster) {
  TestProxy proxy(yaml());
  Peer client = proxy.connect();
  EXPECT_EQ(do_it(client, "hosts"), "127.0.0.1:" + std::to_string(upstream.port()) + ",");
  EXPECT_EQ(do_it(client, "cluster"), "ok origin");
}

TEST_F(WasmHigress, HostsOfNoCluster) {
  HigressYaml base;
  Yaml none;
  none.routes = kDirect;
  none.filters = filter(base.plugin);
  TestProxy proxy(none.text());
  Peer client = proxy.connect();
  EXPECT_EQ(ask(client, "x-do: hosts\r\n").status(), 200);
}

TEST_F(WasmHigress, OverridesTheHostWhileItIsThere) {
  AutoOrigin one([](const Peer::Message&) { return response("one"); });
  AutoOrigin two([](const Peer::Message&) { return response("two"); });
  HigressYaml base;
  Yaml yaml;
  yaml.filters = filter(base.plugin);
  yaml.routes = "- match: {prefix: /}\n  route: {cluster: both}\n";
  const auto endpoint = [](uint16_t port) {
    return "{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: " +
           std::to_string(port) + "}}}}";
  };
  yaml.more_clusters =
      "- name: both\n  load_assignment: {cluster_name: both, endpoints: "
      "[{lb_endpoints: [" +
      endpoint(one.port()) + ", " + endpoint(two.port()) + "]}]}\n";
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  std::string others;
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(body(client, "override=127.0.0.1:" + std::to_string(one.port())), "one");
    others += body(client, "none");
  }
  EXPECT_NE(others.find("one"), std::string::npos);
  EXPECT_NE(others.find("two"), std::string::npos);
  EXPECT_EQ(body(client, "override=127.0.0.1:1").size(), 3u);  // no such host: whoever is next
}

TEST_F(WasmHigress, WritesToTheHeadMatchTheRouteAnewUnlessToldNotTo) {
  HigressYaml base;
  Yaml yaml;
  yaml.filters = filter(base.plugin);
  yaml.routes =
      "- match: {prefix: /, headers: [{name: x-route, string_match: {exact: other}}]}\n"
      "  direct_response: {status: 200, body: {inline_string: other}}\n"
      "- match: {prefix: /}\n  direct_response: {status: 200, body: {inline_string: first}}\n";
  TestProxy proxy(yaml.text());
  Peer client = proxy.connect();
  EXPECT_EQ(body(client, "none"), "first");
  EXPECT_EQ(body(client, "reroute"), "other");
  EXPECT_EQ(body(client, "reroute=off"), "first");
}

TEST_F(WasmHigress, BufferLimitOfAStream) {
  TestProxy proxy(yaml());
  const std::string large(3000, 'x');
  const auto post = [&](const std::string& limit) {
    Peer client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nx-do: limit=" + limit +
                "\r\ncontent-length: 3000\r\n\r\n" + large.substr(0, 1500));
    if (limit == "1000") return client.read_message().status();
    client.send(large.substr(1500));
    return client.read_message().status();
  };
  EXPECT_EQ(post("1000"), 413);
  EXPECT_EQ(post("10000"), 200);
  Peer client = proxy.connect();
  const std::string bad = "error status returned by host: bad argument";
  EXPECT_EQ(do_it(client, "limit=0"), bad);
  EXPECT_EQ(do_it(client, "limit=much"), bad);
  EXPECT_EQ(do_it(client, "limit=9999999999"), bad);
}

TEST_F(WasmHigress, ForeignFunctionsAndTags) {
  TestProxy proxy(yaml());
  Peer client = proxy.connect();
  const std::string level = do_it(client, "level");
  ASSERT_EQ(level.size(), 1u);
  EXPECT_LE(level[0], '5');
  EXPECT_EQ(do_it(client, "cycle"), "ok");
  EXPECT_EQ(do_it(client, "tag"), "ok error status returned by host: not found");
}

TEST_F(WasmHigress, InjectedDataTakesThePlaceOfTheBody) {
  AutoOrigin origin([](const Peer::Message&) { return response("abc"); });
  HigressYaml base;
  base.origin_port = origin.port();
  TestProxy proxy(base.text());
  Peer client = proxy.connect();
  EXPECT_EQ(body(client, "inject-rewrite"), "ABC|");
  EXPECT_EQ(body(client, "inject-before"), "before|abc");
  EXPECT_EQ(body(client, "inject-head"), "head|abc");
  EXPECT_EQ(body(client, "none"), "abc");  // the connection is as good as before
}

TEST_F(WasmHigress, InjectedPiecesArriveWhileTheResponseIsUnderWay) {
  Origin origin;
  HigressYaml base;
  base.origin_port = origin.port();
  TestProxy proxy(base.text());
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nx-do: inject-rewrite\r\n\r\n");
  Peer server = origin.accept();
  server.read_head();
  server.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n");
  client.read_head();
  EXPECT_EQ(client.read(9), "4\r\nONE|\r\n");
  server.send("3\r\ntwo\r\n");
  EXPECT_EQ(client.read(9), "4\r\nTWO|\r\n");
  server.send("0\r\n\r\n");
  EXPECT_EQ(client.read(11), "1\r\n|\r\n0\r\n\r\n");
}

TEST_F(WasmHigress, InjectedEndEndsTheResponse) {
  Origin origin;
  HigressYaml base;
  base.origin_port = origin.port();
  TestProxy proxy(base.text());
  for (const char* what : {"inject-cut", "inject-head-end"}) {
    Peer client = proxy.connect();
    client.send(std::string("GET / HTTP/1.1\r\nHost: a\r\nx-do: ") + what + "\r\n\r\n");
    Peer server = origin.accept();
    server.read_head();
    server.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n");
    const Peer::Message answer = client.read_message();  // the origin never ends
    EXPECT_EQ(answer.body, std::string(what) == "inject-cut" ? "cut" : "only");
    EXPECT_TRUE(server.closed());  // nobody wants the rest
  }
}

TEST_F(WasmHigress, InjectionLetsAHeadGoThatWaits) {
  AutoOrigin origin([](const Peer::Message&) { return response("abc"); });
  Origin redis;
  HigressYaml base;
  base.origin_port = origin.port();
  base.redis_port = redis.port();
  base.plugin.configuration = "redis - - 10000";
  TestProxy proxy(base.text());
  Peer client = proxy.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nx-do: inject-later\r\n\r\n");
  Peer server = redis.accept();
  server.read(redis_command({"PING"}).size());
  EXPECT_TRUE(client.quiet());
  server.send("+PONG\r\n");
  EXPECT_EQ(client.read_message().body, "0|+PONG~|abc");
}

TEST_F(WasmHigress, AGuestThatWantsAFreshVmGetsOne) {
  Origin slow;
  HigressYaml base;
  base.origin_port = slow.port();
  TestProxy proxy(base.text());
  // A stream that stays in the old VM.
  Peer old = proxy.connect();
  old.send("GET / HTTP/1.1\r\nHost: a\r\nx-do: rebuild\r\n\r\n");
  Peer waiting = slow.accept();
  EXPECT_NE(waiting.read_head().find("x-answer: ok"), std::string::npos);
  proxy.wait_for("a fresh VM", [&] {
    Peer client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nx-do: streams\r\nconnection: close\r\n\r\n");
    Peer server = slow.accept();
    const std::string head = server.read_head();
    server.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    client.read_message();
    return head.find("x-answer: 1\r\n") != std::string::npos;
  });
  EXPECT_EQ(proxy.counter("wasm.p.vm_recycled"), 1u);
  waiting.send(response("late"));
  EXPECT_EQ(old.read_message().body, "late");
}

}  // namespace
}  // namespace weir::test
