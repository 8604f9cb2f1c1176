// Pools whose connections are not for everybody: those that begin with a PROXY protocol header.
#include "upstream/named_pools.h"

#include "unit/upstream/fixture.h"

namespace weir::test {
namespace {

class NamedPoolsTest : public UpstreamFixture {
 protected:
  upstream::Cluster& proxied(net::ProxyVersion version = net::ProxyVersion::kV1) {
    return cluster({origin_.address()}, [version](upstream::ClusterOptions& options) {
      options.proxy_header.emplace().version = version;
    });
  }
  static ConnectionInfo client(uint16_t port) {
    ConnectionInfo info;
    info.remote_address = "10.0.0.1:" + std::to_string(port);
    info.local_address = "10.0.0.2:80";
    return info;
  }
  static std::string header_of(uint16_t port) {
    return "PROXY TCP4 10.0.0.1 10.0.0.2 " + std::to_string(port) + " 80\r\n";
  }
  bool start(Request& request, upstream::Cluster& target, const ConnectionInfo* from) {
    return !request.exchange.start(target, request.head, EndStream::kYes,
                                   upstream::Priority::kDefault, Protocol::kHttp11, from);
  }

  Origin origin_{loop};
};

TEST_F(NamedPoolsTest, EachClientHasConnectionsOfItsOwn) {
  upstream::Cluster& target = proxied();
  const ConnectionInfo first = client(1), second = client(2);
  Request a, b, again;
  ASSERT_TRUE(start(a, target, &first));
  OriginPeer one = origin_.accept();
  EXPECT_EQ(one.read_until("\r\n"), header_of(1));
  answer(one, a);
  ASSERT_TRUE(start(b, target, &second));
  OriginPeer two = origin_.accept();
  EXPECT_EQ(two.read_until("\r\n"), header_of(2));
  answer(two, b);
  ASSERT_TRUE(start(again, target, &first));
  EXPECT_EQ(one.read_until("\r\n"), "GET / HTTP/1.1\r\n");
  answer(one, again);
  EXPECT_EQ(counter("upstream_cx_total"), 2u);
}

TEST_F(NamedPoolsTest, AnotherLocalAddressIsAnotherClient) {
  upstream::Cluster& target = proxied();
  const ConnectionInfo first = client(1);
  ConnectionInfo other = client(1);
  other.local_address = "10.0.0.3:80";
  Request a, b;
  ASSERT_TRUE(start(a, target, &first));
  OriginPeer one = origin_.accept();
  one.read_until("\r\n");
  answer(one, a);
  ASSERT_TRUE(start(b, target, &other));
  OriginPeer two = origin_.accept();
  EXPECT_EQ(two.read_until("\r\n"), "PROXY TCP4 10.0.0.1 10.0.0.3 1 80\r\n");
  answer(two, b);
}

TEST_F(NamedPoolsTest, WithoutAClientNobodyIsNamed) {
  upstream::Cluster& target = proxied();
  ConnectionInfo unix_socket;
  unix_socket.remote_address = "@";
  Request a, b;
  ASSERT_TRUE(start(a, target, nullptr));
  OriginPeer one = origin_.accept();
  EXPECT_EQ(one.read_until("\r\n"), "PROXY UNKNOWN\r\n");
  answer(one, a);
  // It names nobody either, so that the connection is as good for it.
  ASSERT_TRUE(start(b, target, &unix_socket));
  answer(one, b);
  EXPECT_EQ(counter("upstream_cx_total"), 1u);
}

TEST_F(NamedPoolsTest, ConnectionsGoWithTheirClient) {
  upstream::Cluster& target = proxied();
  auto leaving = std::make_unique<ConnectionInfo>(client(1));
  const ConnectionInfo staying = client(2);
  Request a, b;
  ASSERT_TRUE(start(a, target, leaving.get()));
  OriginPeer one = origin_.accept();
  one.read_until("\r\n");
  answer(one, a);
  ASSERT_TRUE(start(b, target, &staying));
  OriginPeer two = origin_.accept();
  two.read_until("\r\n");
  answer(two, b);
  leaving.reset();
  EXPECT_TRUE(one.wait_closed());
  EXPECT_FALSE(two.closed());
  run_until(loop, "the gauge", [&] { return gauge("upstream_cx_active") == 1; });
  // What they have counted stays.
  const auto hosts = target.describe();
  ASSERT_EQ(hosts.size(), 1u);
  EXPECT_EQ(hosts[0].rq_total, 2u);
  EXPECT_EQ(hosts[0].rq_success, 2u);
  EXPECT_EQ(hosts[0].cx_active, 1u);
}

TEST_F(NamedPoolsTest, AnotherHeaderIsForNewConnections) {
  const ConnectionInfo from = client(1);
  Request a, b;
  ASSERT_TRUE(start(a, proxied(), &from));
  OriginPeer one = origin_.accept();
  one.read_until("\r\n");
  answer(one, a);
  ASSERT_TRUE(start(b, proxied(net::ProxyVersion::kV2), &from));
  OriginPeer two = origin_.accept();
  EXPECT_EQ(two.read_until("QUIT\n"), std::string("\r\n\r\n\0\r\nQUIT\n", 12));
  answer(two, b);
}

TEST_F(NamedPoolsTest, UnusedPoolsMakeRoom) {
  upstream::Cluster& target = proxied();
  upstream::Pool* base = target.pick();
  const ConnectionInfo from = client(1);
  Request busy;
  ASSERT_TRUE(start(busy, target, &from));
  for (size_t i = 0; i < 2 * upstream::NamedPools::kMaxForClients; ++i) {
    const std::string header = std::to_string(i);
    upstream::PoolUse use;
    use.header = header;
    ASSERT_NE(target.pick_named(*base, use), nullptr) << i;
  }
  EXPECT_EQ(base->load(), 1u);
  OriginPeer peer = origin_.accept();
  EXPECT_EQ(peer.read_until("\r\n"), header_of(1));
  answer(peer, busy);
  EXPECT_EQ(base->load(), 0u);
}

TEST_F(NamedPoolsTest, TheyDrainWithTheirEndpoint) {
  const ConnectionInfo from = client(1);
  Request a;
  ASSERT_TRUE(start(a, proxied(), &from));
  OriginPeer one = origin_.accept();
  one.read_until("\r\n");
  answer(one, a);
  Origin other(loop);
  cluster({other.address()},
          [](upstream::ClusterOptions& options) { options.proxy_header.emplace(); });
  EXPECT_TRUE(one.wait_closed());
}

}  // namespace
}  // namespace weir::test
