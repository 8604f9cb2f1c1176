#include "net/cidr.h"

#include <gtest/gtest.h>

namespace weir::net {
namespace {

IpBytes ip(std::string_view text) { return ip_bytes(Address::ip(text, 0).value()); }

TEST(Cidr, ContainsWhatSharesItsFirstBits) {
  const Cidr ten = Cidr::make("10.0.0.0", 8).value();
  EXPECT_TRUE(ten.contains(ip("10.255.1.2")));
  EXPECT_FALSE(ten.contains(ip("11.0.0.0")));
  EXPECT_FALSE(ten.contains(ip("::1")));
  const Cidr odd = Cidr::make("192.168.128.77", 17).value();
  EXPECT_TRUE(odd.contains(ip("192.168.200.1")));
  EXPECT_FALSE(odd.contains(ip("192.168.127.255")));
  const Cidr all = Cidr::make("0.0.0.0", 0).value();
  EXPECT_TRUE(all.contains(ip("1.2.3.4")));
  const Cidr host = Cidr::make("2001:db8::1", 128).value();
  EXPECT_TRUE(host.contains(ip("2001:db8::1")));
  EXPECT_FALSE(host.contains(ip("2001:db8::2")));
}

TEST(Cidr, ClientsOfDualStackSocketsAreIpv4) {
  EXPECT_TRUE(Cidr::make("10.0.0.0", 8).value().contains(ip("::ffff:10.1.1.1")));
}

TEST(Cidr, BitsBehindThePrefixDoNotCount) {
  EXPECT_EQ(Cidr::make("10.9.8.7", 8).value(), Cidr::make("10.0.0.0", 8).value());
}

TEST(Cidr, RefusesWhatIsNoRange) {
  EXPECT_FALSE(Cidr::make("10.0.0.0", 33));
  EXPECT_FALSE(Cidr::make("::", 129));
  EXPECT_FALSE(Cidr::make("ten", 8));
}

TEST(Address, WildcardsAreKnown) {
  EXPECT_TRUE(Address::ip("0.0.0.0", 1)->is_wildcard());
  EXPECT_TRUE(Address::ip("::", 1)->is_wildcard());
  EXPECT_FALSE(Address::ip("127.0.0.1", 1)->is_wildcard());
  EXPECT_FALSE(Address::pipe("/a")->is_wildcard());
}

}  // namespace
}  // namespace weir::net
