// Bytes through tcp_proxy: both directions and their ends, resets, failures, limits, edits, the access log.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "support/network_yaml.h"
#include "support/test_proxy.h"

namespace weir::test {
namespace {

std::string tcp_proxy(std::string_view fields = "cluster: origin\n") {
  return network_filter("tcp_proxy.v3.TcpProxy", "stat_prefix: db\n" + std::string(fields));
}

std::string with_log(const std::string& path, std::string_view fields = "cluster: origin\n",
                     std::string_view format = "%RESPONSE_FLAGS% %UPSTREAM_CLUSTER%") {
  return tcp_proxy(std::string(fields) +
                   "access_log:\n- name: file\n  typed_config:\n"
                   "    \"@type\": type.googleapis.com/"
                   "envoy.extensions.access_loggers.file.v3.FileAccessLog\n"
                   "    path: " +
                   path + "\n    log_format: {text_format_source: {inline_string: \"" +
                   std::string(format) + "\\n\"}}\n");
}

std::string file_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class TcpProxyTest : public ::testing::Test {
 protected:
  TestProxy& start(const std::string& filters, const std::string& cluster_fields = "",
                   TestProxy::Options options = {}) {
    NetworkYaml yaml{filters, static_cluster("origin", {origin_.port()}, cluster_fields)};
    proxy_ = std::make_unique<TestProxy>(yaml.text(), options);
    return *proxy_;
  }
  void wait_counter(std::string_view name, uint64_t value) {
    proxy_->wait_for(name, [this, name, value] { return proxy_->counter(name) >= value; });
  }
  void wait_gauge(std::string_view name, int64_t value) {
    proxy_->wait_for(name, [this, name, value] { return proxy_->gauge(name) == value; });
  }
  void wait_log(const std::string& path, const std::string& line) {
    proxy_->wait_for(line + " in the access log",
                     [&path, &line] { return file_text(path).find(line) != std::string::npos; });
  }

  Origin origin_;
  TempFolder folder_;
  std::unique_ptr<TestProxy> proxy_;
};

TEST_F(TcpProxyTest, CarriesBytesBothWays) {
  start(tcp_proxy());
  Peer client = proxy_->connect();
  Peer origin = origin_.accept();
  client.send("question");
  EXPECT_EQ(origin.read(8), "question");
  origin.send("answer");
  EXPECT_EQ(client.read(6), "answer");
  EXPECT_EQ(proxy_->counter("tcp.db.downstream_cx_total"), 1u);
  EXPECT_EQ(proxy_->counter("tcp.db.downstream_cx_rx_bytes_total"), 8u);
  EXPECT_EQ(proxy_->counter("tcp.db.downstream_cx_tx_bytes_total"), 6u);
  EXPECT_EQ(proxy_->counter("cluster.origin.upstream_cx_total"), 1u);
  EXPECT_EQ(proxy_->gauge("cluster.origin.upstream_cx_active"), 1);
  client.close();
  EXPECT_TRUE(origin.closed());
  origin.close();
  wait_gauge("cluster.origin.upstream_cx_active", 0);
}

TEST_F(TcpProxyTest, ServerMaySpeakFirst) {
  start(tcp_proxy());
  Peer client = proxy_->connect();
  Peer origin = origin_.accept();
  origin.send("220 hello");
  EXPECT_EQ(client.read(9), "220 hello");
}

TEST_F(TcpProxyTest, HalfCloseOfTheClientLeavesTheAnswerOpen) {
  start(tcp_proxy());
  Peer client = proxy_->connect();
  client.send("all I have");
  client.half_close();
  Peer origin = origin_.accept();
  EXPECT_EQ(origin.read_to_end(), "all I have");
  origin.send("and the answer");
  EXPECT_EQ(client.read(14), "and the answer");
  origin.close();
  EXPECT_TRUE(client.closed());
  wait_gauge("cluster.origin.upstream_cx_active", 0);
}

TEST_F(TcpProxyTest, HalfCloseOfTheServerLeavesTheRequestOpen) {
  start(tcp_proxy());
  Peer client = proxy_->connect();
  Peer origin = origin_.accept();
  origin.send("done talking");
  origin.half_close();
  EXPECT_EQ(client.read_to_end(), "done talking");
  client.send("listening?");
  EXPECT_EQ(origin.read(10), "listening?");
  client.close();
  EXPECT_TRUE(origin.closed());
  wait_gauge("cluster.origin.upstream_cx_active", 0);
}

TEST_F(TcpProxyTest, WhatTheClientSentLastArrivesAfterTheServerHasEnded) {
  start(tcp_proxy());
  Peer client = proxy_->connect();
  Peer origin = origin_.accept();
  origin.half_close();
  EXPECT_TRUE(client.closed());
  const std::string bulk(1024 * 1024, 'z');
  std::thread sender([&client, &bulk] {
    client.send(bulk);
    client.close();
  });
  EXPECT_EQ(origin.read_to_end(), bulk);
  sender.join();
}

TEST_F(TcpProxyTest, ResetOfEitherSideFreesBothLegs) {
  start(tcp_proxy());
  {
    Peer client = proxy_->connect();
    Peer origin = origin_.accept();
    client.send("x");
    EXPECT_EQ(origin.read(1), "x");
    client.reset();
    EXPECT_TRUE(origin.closed());
    wait_gauge("cluster.origin.upstream_cx_active", 0);
  }
  Peer client = proxy_->connect();
  Peer origin = origin_.accept();
  origin.send("y");
  EXPECT_EQ(client.read(1), "y");
  origin.reset();
  EXPECT_TRUE(client.closed());
  wait_gauge("cluster.origin.upstream_cx_active", 0);
  const std::string active = "listener.127.0.0.1_" + std::to_string(proxy_->port());
  wait_gauge(active + ".downstream_cx_active", 0);
}

TEST_F(TcpProxyTest, SlowReadersHoldTheOtherSideBack) {
  start(tcp_proxy(), "per_connection_buffer_limit_bytes: 65536\n");
  const std::string bulk(48 * 1024 * 1024, 'b');
  for (const bool down : {true, false}) {
    Peer client = proxy_->connect();
    Peer origin = origin_.accept();
    Peer& sender = down ? origin : client;
    Peer& reader = down ? client : origin;
    std::thread sending([&sender, &bulk] {
      sender.send(bulk);
      sender.half_close();
    });
    const std::string counter = down ? "cluster.origin.upstream_flow_control_paused_reading_total"
                                     : "tcp.db.downstream_flow_control_paused_reading_total";
    wait_counter(counter, down ? 1 : 3);
    const std::string got = reader.read_to_end();
    EXPECT_TRUE(got == bulk) << got.size();
    sending.join();
  }
}

// ---- failures -----------------------------------------------------------------------------------------------------------

TEST_F(TcpProxyTest, RefusedConnectionClosesTheClient) {
  const std::string log = folder_.path() + "/log";
  origin_.stop_listening();
  start(with_log(log));
  Peer client = proxy_->connect();
  EXPECT_TRUE(client.closed());
  wait_log(log, "UF,URX origin");
  EXPECT_EQ(proxy_->counter("cluster.origin.upstream_cx_connect_fail"), 1u);
  EXPECT_EQ(proxy_->counter("cluster.origin.upstream_cx_connect_attempts_exceeded"), 1u);
}

TEST_F(TcpProxyTest, NextAttemptGoesToTheNextHost) {
  Origin dead;
  dead.stop_listening();
  NetworkYaml yaml{tcp_proxy("cluster: pair\nmax_connect_attempts: 2\n"
                             "backoff_options: {base_interval: 0.001s, max_interval: 0.002s}\n"),
                   static_cluster("pair", {dead.port(), origin_.port()})};
  proxy_ = std::make_unique<TestProxy>(yaml.text());
  for (int i = 0; i < 4; ++i) {
    Peer client = proxy_->connect();
    Peer origin = origin_.accept();
    origin.send("here");
    EXPECT_EQ(client.read(4), "here");
  }
  EXPECT_GT(proxy_->counter("cluster.pair.upstream_cx_connect_fail"), 0u);
}

TEST_F(TcpProxyTest, NoAttemptGoesToAHostThatHasFailed) {
  Origin dead;
  Origin also_dead;
  dead.stop_listening();
  also_dead.stop_listening();
  for (const std::string_view fields :
       {"lb_policy: LEAST_REQUEST\n", "lb_policy: RANDOM\n", "lb_policy: ROUND_ROBIN\n"}) {
    for (const std::string_view policy : {"", "hash_policy: [{source_ip: {}}]\n"}) {
      NetworkYaml yaml{
          tcp_proxy("cluster: three\nmax_connect_attempts: 3\n" + std::string(policy)),
          static_cluster("three", {dead.port(), also_dead.port(), origin_.port()}, fields)};
      proxy_ = std::make_unique<TestProxy>(yaml.text());
      for (int i = 0; i < 8; ++i) {
        Peer client = proxy_->connect();
        origin_.accept().send("here");
        EXPECT_EQ(client.read(4), "here") << fields << policy;
      }
    }
  }
}

TEST_F(TcpProxyTest, AHostThatHasFailedIsTriedAgainWhenThereIsNoOther) {
  const std::string log = folder_.path() + "/log";
  origin_.stop_listening();
  start(with_log(log, "cluster: origin\nmax_connect_attempts: 20\n"));
  EXPECT_TRUE(proxy_->connect().closed());
  wait_log(log, "UF,URX origin");
  EXPECT_EQ(proxy_->counter("cluster.origin.upstream_cx_connect_fail"), 20u);
}

TEST_F(TcpProxyTest, ClusterWithoutHostsIsSaidSo) {
  const std::string log = folder_.path() + "/log";
  NetworkYaml yaml{with_log(log, "cluster: empty\n"), static_cluster("empty", {})};
  proxy_ = std::make_unique<TestProxy>(yaml.text());
  EXPECT_TRUE(proxy_->connect().closed());
  wait_log(log, "UH empty");
  EXPECT_EQ(proxy_->counter("cluster.empty.upstream_cx_none_healthy"), 1u);
}

TEST_F(TcpProxyTest, CircuitBreakerRefusesTheConnection) {
  const std::string log = folder_.path() + "/log";
  start(with_log(log), "circuit_breakers: {thresholds: [{max_connections: 1}]}\n");
  Peer first = proxy_->connect();
  Peer origin = origin_.accept();
  EXPECT_TRUE(proxy_->connect().closed());
  wait_log(log, "UO origin");
  EXPECT_EQ(proxy_->counter("cluster.origin.upstream_cx_overflow"), 1u);
  first.close();
  origin.close();
  wait_gauge("cluster.origin.upstream_cx_active", 0);
  Peer third = proxy_->connect();
  origin = origin_.accept();
  origin.send("room again");
  EXPECT_EQ(third.read(10), "room again");
}

// ---- choice ---------------------------------------------------------------------------------------------------------------

TEST_F(TcpProxyTest, WeightsShareTheConnections) {
  Origin other;
  NetworkYaml yaml{tcp_proxy("weighted_clusters:\n  clusters:\n"
                             "  - {name: one, weight: 1}\n  - {name: two, weight: 1}\n"),
                   static_cluster("one", {origin_.port()}) + static_cluster("two", {other.port()})};
  proxy_ = std::make_unique<TestProxy>(yaml.text());
  std::vector<Peer> clients;
  for (int i = 0; i < 60; ++i) clients.push_back(proxy_->connect());
  proxy_->wait_for("60 upstream connections", [this] {
    return proxy_->counter("cluster.one.upstream_cx_total") +
               proxy_->counter("cluster.two.upstream_cx_total") ==
           60;
  });
  EXPECT_GT(proxy_->counter("cluster.one.upstream_cx_total"), 5u);
  EXPECT_GT(proxy_->counter("cluster.two.upstream_cx_total"), 5u);
}

TEST_F(TcpProxyTest, HashPolicyKeepsAClientOnOneHost) {
  Origin second, third;
  NetworkYaml yaml{tcp_proxy("cluster: three\nhash_policy: [{source_ip: {}}]\n"),
                   static_cluster("three", {origin_.port(), second.port(), third.port()})};
  proxy_ = std::make_unique<TestProxy>(yaml.text());
  std::vector<Peer> clients;
  for (int i = 0; i < 9; ++i) clients.push_back(proxy_->connect());
  proxy_->wait_for("9 upstream connections",
                   [this] { return proxy_->counter("cluster.three.upstream_cx_total") == 9; });
  EXPECT_EQ(static_cast<int>(origin_.quiet()) + static_cast<int>(second.quiet()) +
                static_cast<int>(third.quiet()),
            2);
}

TEST_F(TcpProxyTest, ConnectsWhenTheFirstBytesCome) {
  start(
      tcp_proxy("cluster: origin\nupstream_connect_mode: ON_DOWNSTREAM_DATA\n"
                "max_early_data_bytes: 4\n"));
  Peer silent = proxy_->connect();
  silent.close();
  Peer client = proxy_->connect();
  EXPECT_TRUE(origin_.quiet());
  client.send("now, and with more than the early bytes");
  Peer origin = origin_.accept();
  EXPECT_EQ(origin.read(39), "now, and with more than the early bytes");
  EXPECT_EQ(proxy_->counter("cluster.origin.upstream_cx_total"), 1u);
  EXPECT_GE(proxy_->counter("tcp.db.early_data_received_count_total"), 1u);
}

// ---- time -------------------------------------------------------------------------------------------------------------------

TEST_F(TcpProxyTest, IdleConnectionsEnd) {
  start(tcp_proxy("cluster: origin\nidle_timeout: 0.05s\n"));
  Peer client = proxy_->connect();
  Peer origin = origin_.accept();
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(origin.closed());
  EXPECT_EQ(proxy_->counter("tcp.db.idle_timeout"), 1u);
}

TEST_F(TcpProxyTest, EachSideHasAnIdleTimeoutOfItsOwn) {
  for (const char* field : {"downstream_idle_timeout", "upstream_idle_timeout"}) {
    start(tcp_proxy("cluster: origin\n" + std::string(field) + ": 0.05s\n"));
    Peer client = proxy_->connect();
    Peer origin = origin_.accept();
    EXPECT_TRUE(client.closed()) << field;
    EXPECT_EQ(proxy_->counter("tcp.db.idle_timeout"), 1u) << field;
  }
}

TEST_F(TcpProxyTest, ConnectionsHaveALongestDuration) {
  start(
      tcp_proxy("cluster: origin\nmax_downstream_connection_duration: 0.05s\n"
                "max_downstream_connection_duration_jitter_percentage: {value: 50}\n"));
  Peer client = proxy_->connect();
  Peer origin = origin_.accept();
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(proxy_->counter("tcp.db.max_downstream_connection_duration"), 1u);
}

// ---- access log -----------------------------------------------------------------------------------------------------------

TEST_F(TcpProxyTest, AccessLogTellsOfTheConnection) {
  const std::string log = folder_.path() + "/log";
  start(with_log(log, "cluster: origin\n",
                 "%BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_HOST% %UPSTREAM_CLUSTER% "
                 "%RESPONSE_FLAGS% %RESPONSE_CODE% %PROTOCOL% %DURATION% %ACCESS_LOG_TYPE% "
                 "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %REQUESTED_SERVER_NAME%"));
  Peer client = proxy_->connect();
  Peer origin = origin_.accept();
  client.send("12345");
  EXPECT_EQ(origin.read(5), "12345");
  origin.send("123");
  origin.close();
  EXPECT_EQ(client.read_to_end(), "123");
  client.close();
  wait_log(log, "TcpConnectionEnd");
  const std::string line = file_text(log);
  const std::string begin = "5 3 127.0.0.1:" + std::to_string(origin_.port()) + " origin - 0 - ";
  EXPECT_EQ(line.substr(0, begin.size()), begin) << line;
  EXPECT_NE(line.find(" TcpConnectionEnd 127.0.0.1 -\n"), std::string::npos) << line;
}

TEST_F(TcpProxyTest, AccessLogMayTellBeforeTheEnd) {
  const std::string log = folder_.path() + "/log";
  start(with_log(log,
                 "cluster: origin\naccess_log_options:\n  flush_access_log_on_connected: true\n"
                 "  flush_access_log_on_start: true\n  access_log_flush_interval: 0.01s\n",
                 "%ACCESS_LOG_TYPE%"));
  Peer client = proxy_->connect();
  Peer origin = origin_.accept();
  wait_log(log, "TcpConnectionStart\n");
  wait_log(log, "TcpUpstreamConnected\n");
  wait_log(log, "TcpPeriodic\n");
  EXPECT_EQ(file_text(log).find("TcpConnectionEnd"), std::string::npos);
}

// ---- edits ------------------------------------------------------------------------------------------------------------------

TEST_F(TcpProxyTest, OpenConnectionsLiveThroughEdits) {
  Origin other;
  const auto yaml = [this, &other](int edit) {
    const std::string prefix = edit % 3 == 0 ? "db" : "db" + std::to_string(edit % 3);
    NetworkYaml text{network_filter("tcp_proxy.v3.TcpProxy",
                                    "stat_prefix: " + prefix +
                                        "\ncluster: " + (edit % 2 == 0 ? "origin" : "other") +
                                        "\nidle_timeout: " + std::to_string(100 + edit) + "s\n"),
                     edit % 4 == 1 ? static_cluster("other", {other.port()})
                                   : static_cluster("origin", {origin_.port()}) +
                                         static_cluster("other", {other.port()})};
    return text.text();
  };
  proxy_ = std::make_unique<TestProxy>(
      yaml(0), TestProxy::Options{.workers = 2, .from_file = true, .drain_time = {}});
  std::vector<Peer> clients, origins;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(proxy_->connect());
    origins.push_back(origin_.accept());
    clients.back().send(std::string(1, static_cast<char>('a' + i)));
  }
  // Which origin's connection is whose.
  std::vector<size_t> owner;
  for (Peer& origin : origins) owner.push_back(static_cast<size_t>(origin.read(1)[0] - 'a'));
  for (int edit = 1; edit <= 100; ++edit) {
    proxy_->write_config(yaml(edit));
    proxy_->wait_for_generation(static_cast<uint64_t>(edit) + 1);
    const std::string word = "edit" + std::to_string(edit);
    const size_t at = static_cast<size_t>(edit) % origins.size();
    clients[owner[at]].send(word);
    ASSERT_EQ(origins[at].read(word.size()), word);
    origins[at].send(word);
    ASSERT_EQ(clients[owner[at]].read(word.size()), word);
  }
  for (size_t at = 0; at < origins.size(); ++at) {
    clients[owner[at]].send("end");
    clients[owner[at]].half_close();
    EXPECT_EQ(origins[at].read_to_end(), "end");
  }
}

TEST_F(TcpProxyTest, DrainMayCloseConnections) {
  start(tcp_proxy("cluster: origin\ncheck_drain_close: true\n"));
  Peer client = proxy_->connect();
  Peer origin = origin_.accept();
  origin.send("x");
  EXPECT_EQ(client.read(1), "x");
  proxy_->admin("/drain_listeners?graceful", "POST");
  EXPECT_TRUE(client.closed());
}

}  // namespace
}  // namespace weir::test
