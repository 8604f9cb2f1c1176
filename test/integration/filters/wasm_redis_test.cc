// Redis callouts of guests, against a server that the test plays: what a guest is told when servers split, refuse, stall or die.
#include <gtest/gtest.h>

#include "integration/filters/redis_dialogue.h"
#include "support/tls_yaml.h"

namespace weir::test {
namespace {

class WasmRedis : public ::testing::Test {
 protected:
  void SetUp() override { NEEDS_GUEST("go_higress"); }
  HigressYaml yaml(std::string configuration) {
    HigressYaml out;
    out.plugin.configuration = std::move(configuration);
    out.origin_port = upstream.port();
    out.redis_port = server.port();
    return out;
  }
  /// A request with a command, of which the server has read all.
  static void send(Peer& client, const std::string& command) {
    client.send("GET / HTTP/1.1\r\nHost: a\r\nx-do: redis=" + command + "\r\n\r\n");
  }
  static void expect(Peer& peer, std::initializer_list<std::string_view> words) {
    const std::string wire = redis_command(words);
    EXPECT_EQ(peer.read(wire.size()), wire);
  }

  AutoOrigin upstream{&echo_head};
  Origin server;
};

TEST_F(WasmRedis, CommandAndReply) {
  TestProxy proxy(yaml("redis - - 1000").text());
  Peer client = proxy.connect();
  send(client, "GET a");
  Peer redis = server.accept();
  expect(redis, {"GET", "a"});
  redis.send("$5\r\na\r");
  EXPECT_TRUE(client.quiet());
  redis.send("\nbc\r\n");
  Peer::Message answer = client.read_message();
  EXPECT_EQ(answer_of(answer), "0|$5~a~bc~");
  EXPECT_EQ(answer_of(answer, "x-call-id"), "7");

  // An error is a reply as any other; the connection is kept.
  send(client, "NO");
  expect(redis, {"NO"});
  redis.send("-ERR unknown\r\n");
  answer = client.read_message();
  EXPECT_EQ(answer_of(answer), "0|-ERR unknown~");
  EXPECT_EQ(answer_of(answer, "x-call-id"), "11");
  EXPECT_EQ(proxy.counter("cluster.redis.redis.replies"), 2u);
  EXPECT_EQ(proxy.counter("cluster.redis.redis.error_replies"), 1u);
}

TEST_F(WasmRedis, GreetingWithUserPasswordAndDatabase) {
  TestProxy proxy(yaml("redis?db=4 ann secret 1000").text());
  Peer client = proxy.connect();
  send(client, "PING");
  Peer redis = server.accept();
  expect(redis, {"AUTH", "ann", "secret"});
  expect(redis, {"SELECT", "4"});
  redis.send("+OK\r\n+OK\r\n");
  expect(redis, {"PING"});
  redis.send("+PONG\r\n");
  EXPECT_EQ(answer_of(client.read_message()), "0|+PONG~");
}

TEST_F(WasmRedis, OverTheTlsOfTheCluster) {
  TempFolder folder;
  TestCa ca;
  folder.write_renamed("ca.pem", ca.pem());
  TlsSide side;
  side.certificate = ca.issue("DNS:redis.test");
  Yaml text;
  text.filters = filter(Plugin{.guest = "go_higress", .configuration = "redis - secret 5000"});
  text.origin_port = upstream.port();
  text.more_clusters = cluster_yaml("redis", server.port()) + "  " +
                       upstream_tls(trusting(folder), "sni: redis.test");
  TestProxy proxy(text.text());
  Peer client = proxy.connect();
  send(client, "PING");
  Peer redis = server.accept();
  redis.start_tls(PeerTls::Role::kServer, side);
  expect(redis, {"AUTH", "secret"});
  redis.send("+OK\r\n");
  expect(redis, {"PING"});
  redis.send("+PONG\r\n");
  EXPECT_EQ(answer_of(client.read_message()), "0|+PONG~");
  EXPECT_EQ(proxy.counter("cluster.redis.ssl.handshake"), 1u);
}

TEST_F(WasmRedis, RefusedPasswordFailsTheCall) {
  TestProxy proxy(yaml("redis - wrong 1000").text());
  Peer client = proxy.connect();
  send(client, "PING");
  Peer redis = server.accept();
  expect(redis, {"AUTH", "wrong"});
  redis.send("-WRONGPASS invalid username-password pair\r\n");
  EXPECT_TRUE(answer_of(client.read_message()).starts_with("1|"));
  EXPECT_TRUE(redis.closed());
  EXPECT_EQ(proxy.counter("cluster.redis.redis.refused_greetings"), 1u);
}

TEST_F(WasmRedis, ClosingInTheMiddleOfAReplyFailsTheCall) {
  TestProxy proxy(yaml("redis - - 1000").text());
  Peer client = proxy.connect();
  for (const bool reset : {false, true}) {
    send(client, "GET a");
    Peer redis = server.accept();
    expect(redis, {"GET", "a"});
    redis.send("$5\r\nab");
    reset ? redis.reset() : redis.close();
    EXPECT_TRUE(answer_of(client.read_message()).starts_with("1|"));
  }
  EXPECT_EQ(proxy.counter("cluster.redis.redis.failed"), 2u);
}

TEST_F(WasmRedis, TimeoutFailsTheCallAndTheNextOneGetsAnotherConnection) {
  TestProxy proxy(yaml("redis - - 50").text());
  Peer client = proxy.connect();
  send(client, "GET a");
  Peer redis = server.accept();
  expect(redis, {"GET", "a"});
  EXPECT_TRUE(answer_of(client.read_message()).starts_with("1|"));
  EXPECT_EQ(proxy.counter("cluster.redis.redis.timeouts"), 1u);
  EXPECT_TRUE(redis.closed());
  send(client, "GET b");
  Peer other = server.accept();
  expect(other, {"GET", "b"});
  other.send("$-1\r\n");
  EXPECT_EQ(answer_of(client.read_message()), "0|$-1~");
}

TEST_F(WasmRedis, NobodyListening) {
  TestProxy proxy(yaml("redis - - 1000").text());
  server.stop_listening();
  Peer client = proxy.connect();
  EXPECT_TRUE(do_it(client, "redis=PING").starts_with("1|"));
  EXPECT_TRUE(do_it(client, "redis=PING").starts_with("1|"));  // and again
}

TEST_F(WasmRedis, BadTargetsAndCommandsAreRefused) {
  TestProxy proxy(yaml("redis - - 1000").text());
  Peer client = proxy.connect();
  const std::string bad = "error status returned by host: bad argument";
  EXPECT_EQ(do_it(client, "init=nowhere"), bad);
  EXPECT_EQ(do_it(client, "init=redis?db=x"), bad);
  EXPECT_EQ(do_it(client, "init=redis?max_buffer_size_before_flush=-1"), bad);
  EXPECT_EQ(do_it(client, "init=redis?db=1&buffer_flush_timeout=3&other=x"), "ok");
  EXPECT_EQ(do_it(client, "redis=SUBSCRIBE news"), bad);
  EXPECT_EQ(do_it(client, "redis=select 1"), bad);
  EXPECT_TRUE(server.quiet());
}

TEST_F(WasmRedis, CountsAgainstTheLimitsOfCallouts) {
  HigressYaml limited = yaml("redis - - 60000");
  limited.plugin.vm = "limits: {max_callouts: 1}";
  TestProxy proxy(limited.text());
  Peer first = proxy.connect();
  send(first, "GET a");
  Peer redis = server.accept();
  expect(redis, {"GET", "a"});
  Peer second = proxy.connect();
  EXPECT_EQ(do_it(second, "redis=GET b"), "error status returned by host: internal failure");
  EXPECT_EQ(proxy.counter("wasm.p.limit.callouts"), 1u);
  redis.send("$-1\r\n");
  EXPECT_EQ(answer_of(first.read_message()), "0|$-1~");
}

TEST_F(WasmRedis, MayReachOnlyTheClustersItIsAllowed) {
  HigressYaml limited = yaml("redis - - 1000");
  limited.plugin.plugin = "allowed_clusters: [origin]";
  TestProxy proxy(limited.text());
  Peer client = proxy.connect();
  EXPECT_EQ(do_it(client, "redis=PING"), "error status returned by host: bad argument");
  EXPECT_EQ(do_it(client, "init=redis"), "error status returned by host: bad argument");
  EXPECT_GE(proxy.counter("wasm.p.limit.clusters"), 2u);
}

TEST_F(WasmRedis, WhatAStartingGuestAsksForIsSentOnceByItsWorker) {
  TestProxy proxy(yaml("redis - - 1000 INCR starts").text());
  Peer redis = server.accept();  // the canary sends nothing
  expect(redis, {"INCR", "starts"});
  redis.send(":1\r\n");
  Peer client = proxy.connect();
  proxy.wait_for("the reply", [&] { return do_it(client, "started") == "0|:1~"; });
  EXPECT_TRUE(server.quiet());
  EXPECT_EQ(proxy.counter("cluster.redis.redis.calls"), 1u);
}

TEST_F(WasmRedis, AFailureAtTheStartIsToldToo) {
  server.stop_listening();
  TestProxy proxy(yaml("redis - - 1000 INCR starts").text());
  Peer client = proxy.connect();
  proxy.wait_for("the failure", [&] { return do_it(client, "started").starts_with("1|"); });
}

TEST_F(WasmRedis, CommandsAreCancelledWithTheirPlugin) {
  HigressYaml before = yaml("redis - - 60000");
  TestProxy proxy(before.text(), TestProxy::Options{.workers = 1, .from_file = true});
  {
    Peer client = proxy.connect();
    send(client, "GET a");
    Peer redis = server.accept();
    expect(redis, {"GET", "a"});
  }
  HigressYaml after = yaml("redis - - 50000");
  proxy.write_config(after.text());
  proxy.wait_for_generation(2);
  proxy.wait_for("the cancellation or the loss", [&] {
    return proxy.counter("cluster.redis.redis.cancelled") +
               proxy.counter("cluster.redis.redis.failed") ==
           1;
  });
  EXPECT_EQ(proxy.gauge("cluster.redis.redis.calls_active"), 0);
}

}  // namespace
}  // namespace weir::test
