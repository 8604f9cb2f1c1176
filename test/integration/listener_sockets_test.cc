// Sockets of listeners: further addresses, options, hand-over by original destination, the process's limit.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "support/listener_yaml.h"
#include "support/test_proxy.h"

namespace weir::test {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

Peer::Message get(Peer& client, std::string_view preface = {}) {
  client.send(std::string(preface) + std::string(kGet));
  return client.read_message();
}
std::string stat_name(TestProxy& proxy, std::string_view rest) {
  return "listener.127.0.0.1_" + std::to_string(proxy.port("main")) + "." + std::string(rest);
}
std::vector<uint16_t> ports(TestProxy& proxy) {
  std::vector<uint16_t> out;
  proxy.on_main([&] {
    for (const auto& entry : proxy.server().reloader().current()->listeners)
      out.push_back(entry.local().port());
  });
  return out;
}
int option_of(TestProxy& proxy, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  proxy.on_main([&] {
    const auto& entry = proxy.server().reloader().current()->listeners.front();
    ::getsockopt(entry.sockets->of(0)->fd(), level, name, &value, &size);
  });
  return value;
}

TEST(ListenerSockets, AdditionalAddressesServeTheSame) {
  ListenerYaml yaml;
  yaml.fields =
      "  additional_addresses:\n"
      "  - {address: {socket_address: {address: 127.0.0.2, port_value: 0}}}\n"
      "  - {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}\n";
  TestProxy proxy(bootstrap_of({yaml}));
  const auto all = ports(proxy);
  ASSERT_EQ(all.size(), 3u);
  Peer first = Peer::connect(all[0]), third = Peer::connect(all[2]);
  EXPECT_EQ(get(first).body, "only");
  EXPECT_EQ(get(third).body, "only");
  EXPECT_EQ(proxy.counter(stat_name(proxy, "downstream_cx_total")), 2u);
}

TEST(ListenerSockets, AnEditThatAddsAnAddressKeepsTheConnectionsOfTheOthers) {
  ListenerYaml yaml;
  TestProxy proxy(bootstrap_of({yaml}), TestProxy::Options{.workers = 1, .from_file = true});
  Peer client = proxy.connect();
  EXPECT_EQ(get(client).body, "only");
  yaml.fields =
      "  additional_addresses:\n"
      "  - {address: {socket_address: {address: 127.0.0.2, port_value: 0}}}\n";
  proxy.write_config(bootstrap_of({yaml}));
  proxy.wait_for_generation(2);
  EXPECT_FALSE(get(client).has("connection"));
  EXPECT_EQ(ports(proxy).size(), 2u);
}

TEST(ListenerSockets, OptionsAreSetAndReplacedByANewSocket) {
  ListenerYaml yaml;
  const auto with_option = [&yaml](int value) {
    yaml.fields = "  socket_options:\n  - {level: " + std::to_string(SOL_SOCKET) +
                  ", name: " + std::to_string(SO_KEEPALIVE) +
                  ", int_value: " + std::to_string(value) + ", state: STATE_PREBIND}\n" +
                  "  - {level: " + std::to_string(IPPROTO_TCP) +
                  ", name: " + std::to_string(TCP_DEFER_ACCEPT) + ", buf_value: BQAAAA==, " +
                  "state: STATE_LISTENING}\n  tcp_fast_open_queue_length: 5\n";
    return bootstrap_of({yaml});
  };
  TestProxy proxy(with_option(1), TestProxy::Options{.workers = 1, .from_file = true});
  EXPECT_EQ(option_of(proxy, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_GT(option_of(proxy, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
  EXPECT_EQ(option_of(proxy, IPPROTO_TCP, TCP_FASTOPEN), 5);
  Peer client = proxy.connect();
  EXPECT_EQ(get(client).body, "only");
  proxy.write_config(with_option(0));
  proxy.wait_for_generation(2);
  EXPECT_EQ(option_of(proxy, SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(get(client).header("connection"), "close")
      << "the socket is another: the old one drains";
}

// A worker has a pool of its own: as many connections come to the origin as workers serve.
TEST(ListenerSockets, ExactBalanceSpreadsConnectionsOverTheWorkers) {
  constexpr unsigned kWorkers = 8;
  AutoOrigin origin([](const Peer::Message&) { return response("ok"); });
  Yaml yaml;
  yaml.origin_port = origin.port();
  yaml.listener = "connection_balance_config: {exact_balance: {}}\n";
  TestProxy proxy(yaml.text(), TestProxy::Options{.workers = kWorkers});
  std::vector<Peer> clients;
  for (unsigned i = 0; i < kWorkers; ++i) {
    clients.push_back(proxy.connect());
    EXPECT_EQ(get(clients.back()).body, "ok");
  }
  EXPECT_EQ(proxy.counter("cluster.origin.upstream_cx_total"), kWorkers);
  const auto loads = [&proxy] {
    uint32_t all = 0;
    proxy.on_main([&] {
      const auto& sockets = *proxy.server().reloader().current()->listeners.front().sockets;
      for (unsigned i = 0; i < kWorkers; ++i) all += sockets.loads()->cell(i).count.load();
    });
    return all;
  };
  EXPECT_EQ(loads(), kWorkers);
  clients.clear();
  proxy.wait_for("the places to be free", [&loads] { return loads() == 0; });
  EXPECT_EQ(get(clients.emplace_back(proxy.connect())).body, "ok");
  EXPECT_EQ(loads(), 1u);
}

TEST(ListenerSockets, AbstractUnixSockets) {
  const std::string name = "@weir-test-" + std::to_string(::getpid());
  ListenerYaml yaml;
  yaml.address = "{pipe: {path: \"" + name + "\"}}";
  TestProxy proxy(bootstrap_of({yaml}));
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data() + 1, name.size() - 1);
  ASSERT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address),
                      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size())),
            0);
  Peer client(fd);
  EXPECT_EQ(get(client).body, "only");
}

// ---- use_original_dst ---------------------------------------------------------------------------------------------------------

/// The PROXY protocol says the original destination, as iptables would.
struct HandOver {
  HandOver() {
    ListenerYaml door;
    door.filters = {listener_filter("proxy_protocol", "ProxyProtocol")};
    door.fields = "  use_original_dst: true\n";
    const auto behind = [](const std::string& name, const std::string& address) {
      ListenerYaml yaml;
      yaml.name = name;
      yaml.address = "{socket_address: {address: " + address + "}}";
      yaml.chains = {answering_chain(name)};
      yaml.fields = "  bind_to_port: false\n";
      return yaml;
    };
    proxy.emplace(bootstrap_of({door, behind("exact", "10.0.0.1, port_value: 80"),
                                behind("wild", "0.0.0.0, port_value: 80")}));
  }
  std::string ask(const std::string& destination) {
    Peer client = proxy->connect("main");
    return get(client, "PROXY TCP4 1.1.1.1 " + destination + "\r\n").body;
  }
  std::optional<TestProxy> proxy;
};

TEST(UseOriginalDst, TheListenerOfTheDestinationServes) {
  HandOver listeners;
  EXPECT_EQ(listeners.ask("10.0.0.1 1 80"), "exact");
  EXPECT_EQ(listeners.ask("10.0.0.2 1 80"), "wild");
  EXPECT_EQ(listeners.ask("10.0.0.2 1 81"), "only");
  EXPECT_EQ(listeners.proxy->counter("listener.10.0.0.1_80.downstream_cx_total"), 1u);
  EXPECT_EQ(listeners.proxy->counter("listener.0.0.0.0_80.downstream_cx_total"), 1u);
  EXPECT_NE(listeners.proxy->admin("/listeners").find("exact::10.0.0.1:80"), std::string::npos);
}

// ---- the process's limit ---------------------------------------------------------------------------------------------------------

std::string limit(int connections) {
  return "overload_manager: {resource_monitors: [{name: "
         "envoy.resource_monitors.global_downstream_max_connections, typed_config: {\"@type\": "
         "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3."
         "DownstreamConnectionsConfig, max_active_downstream_connections: " +
         std::to_string(connections) + "}}]}\n";
}

TEST(ConnectionLimit, HoldsForAllListenersThatDoNotIgnoreIt) {
  ListenerYaml first, free;
  free.name = "free";
  free.fields = "  ignore_global_conn_limit: true\n";
  TestProxy proxy(bootstrap_of({first, free}, limit(2)));
  Peer a = proxy.connect("main"), b = proxy.connect("main");
  EXPECT_EQ(get(a).status(), 200);
  EXPECT_EQ(get(b).status(), 200);
  Peer refused = proxy.connect("main");
  EXPECT_TRUE(refused.closed());
  EXPECT_EQ(proxy.counter(stat_name(proxy, "downstream_global_cx_overflow")), 1u);
  Peer ignored = proxy.connect("free");
  EXPECT_EQ(get(ignored).status(), 200);
  a.close();
  proxy.wait_for("one has gone",
                 [&] { return proxy.gauge(stat_name(proxy, "downstream_cx_active")) == 1; });
  Peer next = proxy.connect("main");
  EXPECT_EQ(get(next).status(), 200);
}

TEST(ConnectionLimit, AnEditChangesIt) {
  ListenerYaml yaml;
  TestProxy proxy(bootstrap_of({yaml}), TestProxy::Options{.workers = 1, .from_file = true});
  Peer first = proxy.connect();
  EXPECT_EQ(get(first).status(), 200);
  proxy.write_config(bootstrap_of({yaml}, limit(1)));
  proxy.wait_for_generation(2);
  EXPECT_EQ(get(first).status(), 200) << "who is there stays";
  Peer refused = proxy.connect();
  EXPECT_TRUE(refused.closed());
}

}  // namespace
}  // namespace weir::test
