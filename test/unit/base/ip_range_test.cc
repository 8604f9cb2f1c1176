#include <weir/ip_range.h>

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(IpRange, ContainsWhatHasItsPrefix) {
  const IpRange ten = IpRange::make("10.0.0.0", 8).value();
  EXPECT_TRUE(ten.contains("10.255.0.1"));
  EXPECT_FALSE(ten.contains("11.0.0.1"));
  EXPECT_FALSE(ten.contains("::ffff:10.0.0.1"));
  const IpRange odd = IpRange::make("192.168.4.0", 22).value();
  EXPECT_TRUE(odd.contains("192.168.7.255"));
  EXPECT_FALSE(odd.contains("192.168.8.0"));
  EXPECT_TRUE(IpRange::make("0.0.0.0", 0).value().contains("1.2.3.4"));
  const IpRange six = IpRange::make("2001:db8::", 33).value();
  EXPECT_TRUE(six.contains("2001:db8:7fff::1"));
  EXPECT_FALSE(six.contains("2001:db8:8000::1"));
  EXPECT_TRUE(IpRange::make("::1", 128).value().contains("0:0::1"));
}

TEST(IpRange, IsRightAboutNonsense) {
  EXPECT_FALSE(IpRange::make("10.0.0.0", 33));
  EXPECT_FALSE(IpRange::make("10.0.0", 8));
  EXPECT_FALSE(IpRange::make(std::string(200, '1'), 8));
  EXPECT_FALSE(IpRange().contains("1.2.3.4"));
  EXPECT_FALSE(IpRange::make("0.0.0.0", 0).value().contains(""));
  EXPECT_FALSE(IpRange::make("0.0.0.0", 0).value().contains("a.example"));
}

TEST(IpRange, PartsOfAddresses) {
  EXPECT_EQ(ip_of("1.2.3.4:80"), "1.2.3.4");
  EXPECT_EQ(ip_of("[::1]:80"), "::1");
  EXPECT_EQ(ip_of("/run/socket:80"), "");
  EXPECT_EQ(ip_of("@name:80"), "");
  EXPECT_EQ(ip_of("run/socket:80"), "");
  EXPECT_EQ(ip_of(""), "");
  EXPECT_EQ(port_of("1.2.3.4:80"), 80);
  EXPECT_EQ(port_of("[::1]:65535"), 65535);
  EXPECT_EQ(port_of("/run/socket:80"), 0);
  EXPECT_EQ(port_of("1.2.3.4"), 0);
}

}  // namespace
}  // namespace weir
