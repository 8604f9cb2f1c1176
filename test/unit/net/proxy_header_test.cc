#include "net/proxy_header.h"

#include <gtest/gtest.h>

namespace weir::net {
namespace {

Address ip(std::string_view text, uint16_t port) { return Address::ip(text, port).value(); }

ProxyParse parse(std::string_view bytes, ProxyHeader& header) {
  return parse_proxy_header(bytes, header);
}

TEST(ProxyHeader, Version1) {
  ProxyHeader header;
  const std::string wire = "PROXY TCP4 10.1.2.3 10.0.0.1 40000 443\r\nGET / HTTP/1.1\r\n";
  ASSERT_EQ(parse(wire, header), ProxyParse::kDone);
  EXPECT_EQ(header.version, ProxyVersion::kV1);
  EXPECT_EQ(header.source, ip("10.1.2.3", 40000));
  EXPECT_EQ(header.destination, ip("10.0.0.1", 443));
  EXPECT_EQ(header.size, wire.find("GET"));
  ASSERT_EQ(parse("PROXY TCP6 ::1 2001:db8::2 1 2\r\n", header), ProxyParse::kDone);
  EXPECT_EQ(header.source, ip("::1", 1));
  ASSERT_EQ(parse("PROXY UNKNOWN ffff:f ::1 1 2\r\n", header), ProxyParse::kDone);
  EXPECT_TRUE(header.local);
}

TEST(ProxyHeader, Version1IsStrict) {
  ProxyHeader header;
  for (const char* bad :
       {"PROXY TCP4 10.1.2.3 10.0.0.1 40000\r\n", "PROXY TCP4 10.1.2.3 10.0.0.1 1 65536\r\n",
        "PROXY TCP4 ::1 10.0.0.1 1 2\r\n", "PROXY TCP6 10.1.2.3 10.0.0.1 1 2\r\n",
        "PROXY TCP4 10.1.2.3 10.0.0.1 01 2\r\n", "PROXY  TCP4 10.1.2.3 10.0.0.1 1 2\r\n",
        "PROXY UDP4 10.1.2.3 10.0.0.1 1 2\r\n", "PROXY TCP4 10.1.2.3 10.0.0.1 1 2 3\r\n",
        "PROXY TCP4 10.1.2.3 10.0.0.1 -1 2\r\n", "PROXY \r\n", "PROXY\t",
        "PROXY TCP4 host 1.1.1.1 1 2\r\n"}) {
    const ProxyParse result = parse(bad, header);
    EXPECT_TRUE(result == ProxyParse::kInvalid || result == ProxyParse::kNone) << bad;
  }
  EXPECT_EQ(parse("PROXY " + std::string(200, 'x'), header), ProxyParse::kInvalid);
}

TEST(ProxyHeader, Version2RoundTrip) {
  const std::vector<ProxyTlv> tlvs{{0xea, std::string("a\0b", 3)}, {0x01, "h2"}, {0xeb, ""}};
  for (const auto& [source, destination] :
       {std::pair(ip("10.1.2.3", 40000), ip("10.0.0.1", 443)),
        std::pair(ip("2001:db8::1", 1), ip("2001:db8::2", 65535))}) {
    const std::string wire = proxy_header_v2(source, destination, tlvs);
    ProxyHeader header;
    ASSERT_EQ(parse(wire + "more", header), ProxyParse::kDone);
    EXPECT_EQ(header.version, ProxyVersion::kV2);
    EXPECT_FALSE(header.local);
    EXPECT_EQ(header.source, source);
    EXPECT_EQ(header.destination, destination);
    EXPECT_EQ(header.tlvs, tlvs);
    EXPECT_EQ(header.size, wire.size());
    for (size_t cut = 0; cut < wire.size(); ++cut)
      EXPECT_EQ(parse(std::string_view(wire).substr(0, cut), header), ProxyParse::kMore) << cut;
  }
}

TEST(ProxyHeader, Version1RoundTrip) {
  const std::string wire = proxy_header_v1(ip("10.1.2.3", 40000), ip("10.0.0.1", 443));
  EXPECT_EQ(wire, "PROXY TCP4 10.1.2.3 10.0.0.1 40000 443\r\n");
  ProxyHeader header;
  for (size_t cut = 0; cut < wire.size(); ++cut)
    EXPECT_EQ(parse(std::string_view(wire).substr(0, cut), header), ProxyParse::kMore) << cut;
  EXPECT_EQ(proxy_header_v1(ip("10.1.2.3", 1), ip("::1", 2)),
            "PROXY TCP6 ::ffff:10.1.2.3 ::1 1 2\r\n");
  EXPECT_EQ(proxy_header_v1(Address::pipe("/a").value(), ip("::1", 2)), "PROXY UNKNOWN\r\n");
}

TEST(ProxyHeader, MappedAddressesAreIpv4) {
  // Both mapped, one mapped, none: the same meaning comes back in each version.
  for (const auto& [source, destination] :
       {std::pair(ip("::ffff:10.1.2.3", 1), ip("::ffff:10.0.0.1", 2)),
        std::pair(ip("10.1.2.3", 1), ip("2001:db8::2", 2)),
        std::pair(ip("2001:db8::1", 1), ip("::ffff:10.0.0.1", 2))}) {
    for (const std::string& wire :
         {proxy_header_v1(source, destination), proxy_header_v2(source, destination, {})}) {
      ProxyHeader header;
      ASSERT_EQ(parse(wire, header), ProxyParse::kDone) << wire;
      EXPECT_EQ(header.source, source);
      EXPECT_EQ(header.destination, destination);
    }
  }
  EXPECT_EQ(proxy_header_v1(ip("::ffff:10.1.2.3", 1), ip("10.0.0.1", 2)),
            "PROXY TCP4 10.1.2.3 10.0.0.1 1 2\r\n");
}

std::string v2(std::string_view command_and_family, std::string_view payload) {
  std::string out("\r\n\r\n\0\r\nQUIT\n", 12);
  out += command_and_family;
  out += static_cast<char>(payload.size() >> 8);
  out += static_cast<char>(payload.size() & 0xff);
  return out + std::string(payload);
}

TEST(ProxyHeader, LocalAndUnspecifiedSayNothing) {
  ProxyHeader header;
  ASSERT_EQ(parse(v2(std::string("\x20\x00", 2), "anything"), header), ProxyParse::kDone);
  EXPECT_TRUE(header.local);
  EXPECT_TRUE(header.tlvs.empty());
  ASSERT_EQ(parse(v2(std::string("\x21\x00", 2), ""), header), ProxyParse::kDone);
  EXPECT_TRUE(header.local);
}

TEST(ProxyHeader, Version2IsStrict) {
  ProxyHeader header;
  const std::string v4(12, '\1');
  for (const std::string& bad :
       {v2("\x31\x11", v4), v2("\x22\x11", v4), v2("\x21\x12", v4),
        v2("\x21\x31", std::string(216, 'x')), v2("\x21\x11", v4.substr(1)), v2("\x21\x21", v4),
        v2("\x21\x11", v4 + "\x01"),
        v2("\x21\x11", v4 + std::string("\x01\x00\x05"
                                        "abcd",
                                        7)),
        v2("\x21\x11", v4 + std::string("\x01\xff\xff", 3))})
    EXPECT_EQ(parse(bad, header), ProxyParse::kInvalid);
}

TEST(ProxyHeader, OtherBytesAreNone) {
  ProxyHeader header;
  EXPECT_EQ(parse("GET / HTTP/1.1\r\n", header), ProxyParse::kNone);
  EXPECT_EQ(parse("P", header), ProxyParse::kMore);
  EXPECT_EQ(parse("PX", header), ProxyParse::kNone);
  EXPECT_EQ(parse("\r\n\r", header), ProxyParse::kMore);
  EXPECT_EQ(parse("\r\nGET", header), ProxyParse::kNone);
}

TEST(ProxyHeader, LengthEqualsWhatIsWritten) {
  const std::vector<ProxyTlv> huge(3, ProxyTlv{1, std::string(30000, 'x')});
  const std::string wire = proxy_header_v2(ip("10.1.2.3", 1), ip("10.0.0.1", 2), huge);
  ProxyHeader header;
  ASSERT_EQ(parse(wire, header), ProxyParse::kDone);
  EXPECT_EQ(header.size, wire.size());
  EXPECT_EQ(header.tlvs.size(), 2u);
}

}  // namespace
}  // namespace weir::net
