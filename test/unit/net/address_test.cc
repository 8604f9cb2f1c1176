#include "net/address.h"

#include <gtest/gtest.h>

#include <string>
#include <arpa/inet.h>

namespace weir::net {
namespace {

TEST(Address, ParsesAndPrintsIp) {
  const auto v4 = Address::ip("127.0.0.1", 80);
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->to_string(), "127.0.0.1:80");
  EXPECT_TRUE(v4->is_loopback());
  EXPECT_FALSE(v4->is_ipv6());
  const auto v6 = Address::ip("2001:db8::1", 443);
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->to_string(), "[2001:db8::1]:443");
  EXPECT_TRUE(v6->is_ipv6());
  EXPECT_FALSE(v6->is_loopback());
  EXPECT_TRUE(Address::ip("::1", 1)->is_loopback());
  for (const char* bad : {"localhost", "1.2.3", "1.2.3.4.5", "", "::g", "127.0.0.1:80"}) {
    EXPECT_FALSE(Address::ip(bad, 1)) << bad;
  }
}

TEST(Address, MappedIpv4IsIpv4) {
  const auto mapped = Address::ip("::ffff:10.1.2.3", 5);
  ASSERT_TRUE(mapped);
  EXPECT_EQ(mapped->to_string(), "10.1.2.3:5");
  EXPECT_EQ(*mapped, Address::ip("10.1.2.3", 5).value());
  EXPECT_EQ(mapped->raw_size(), sizeof(sockaddr_in));
  sockaddr_in6 v6{};  // what accept() says of an IPv4 client of a dual-stack socket
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(5);
  ASSERT_EQ(::inet_pton(AF_INET6, "::ffff:10.1.2.3", &v6.sin6_addr), 1);
  EXPECT_EQ(Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&v6), sizeof v6), *mapped);
  EXPECT_TRUE(Address::ip("::ffff:127.0.0.1", 5)->is_loopback());
}

TEST(Address, ComparesAndChangesPort) {
  const Address a = Address::ip("10.0.0.1", 80).value();
  EXPECT_EQ(a.with_port(81).port(), 81);
  EXPECT_FALSE(a == a.with_port(81));
  EXPECT_TRUE(a == a.with_port(81).with_port(80));
  EXPECT_FALSE(a == Address::ip("10.0.0.2", 80).value());
  EXPECT_TRUE(a == Address::from_sockaddr(a.raw(), a.raw_size()));
  EXPECT_EQ(Address().to_string(), "");
}

TEST(Address, UnixPaths) {
  const auto path = Address::pipe("/tmp/x.sock");
  ASSERT_TRUE(path);
  EXPECT_TRUE(path->is_unix());
  EXPECT_EQ(path->to_string(), "/tmp/x.sock");
  EXPECT_EQ(path->port(), 0);
  EXPECT_EQ(Address::pipe("@abstract")->to_string(), "@abstract");
  EXPECT_FALSE(Address::pipe(""));
  EXPECT_TRUE(Address::pipe(std::string(107, 'x')));
  EXPECT_FALSE(Address::pipe(std::string(108, 'x')));
}

}  // namespace
}  // namespace weir::net
