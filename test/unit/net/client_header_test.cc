#include "net/client_header.h"

#include <gtest/gtest.h>

namespace weir::net {
namespace {

ConnectionInfo client(std::string remote = "10.1.2.3:4000", std::string local = "10.0.0.1:443") {
  ConnectionInfo info;
  info.remote_address = std::move(remote);
  info.local_address = std::move(local);
  return info;
}

ProxyHeaderOptions version2() {
  ProxyHeaderOptions options;
  options.version = ProxyVersion::kV2;
  return options;
}

ProxyHeader parsed(const ClientHeader& header) {
  ProxyHeader out;
  EXPECT_EQ(parse_proxy_header(header.bytes, out), ProxyParse::kDone);
  EXPECT_EQ(out.size, header.bytes.size());
  return out;
}

TEST(ClientHeader, Version1NamesTheClient) {
  const ConnectionInfo v4 = client(), v6 = client("[2001:db8::1]:7", "[2001:db8::2]:443");
  EXPECT_EQ(client_header({}, &v4).bytes, "PROXY TCP4 10.1.2.3 10.0.0.1 4000 443\r\n");
  EXPECT_TRUE(client_header({}, &v4).names_client);
  EXPECT_EQ(client_header({}, &v6).bytes, "PROXY TCP6 2001:db8::1 2001:db8::2 7 443\r\n");
}

TEST(ClientHeader, WithoutAClientItNamesNobody) {
  const ConnectionInfo unix_socket = client("@", "/run/socket");
  for (const ConnectionInfo* each : {static_cast<const ConnectionInfo*>(nullptr), &unix_socket}) {
    EXPECT_EQ(client_header({}, each).bytes, "PROXY UNKNOWN\r\n");
    EXPECT_FALSE(client_header({}, each).names_client);
    ProxyHeaderOptions options = version2();
    options.added = {{0xe0, "x"}};
    const ProxyHeader header = parsed(client_header(options, each));
    EXPECT_TRUE(header.local);
    EXPECT_EQ(header.size, 16u);
  }
}

TEST(ClientHeader, ClientAndServerMayDifferInFamily) {
  const ConnectionInfo info = client("10.1.2.3:4000", "[::1]:443");
  EXPECT_EQ(client_header({}, &info).bytes, "PROXY TCP6 ::ffff:10.1.2.3 ::1 4000 443\r\n");
  EXPECT_TRUE(client_header({}, &info).names_client);
  const ClientHeader header = client_header(version2(), &info);
  EXPECT_FALSE(header.incomplete);
  EXPECT_EQ(parsed(header).source.to_string(), "10.1.2.3:4000");
}

TEST(ClientHeader, TlvsAreAddedAndPassedThrough) {
  ConnectionInfo info = client();
  append_tlv(info.own_extras().proxy_tlvs, {0xea, "own"});
  append_tlv(info.own_extras().proxy_tlvs, {0xe1, "again"});
  append_tlv(info.own_extras().proxy_tlvs, {0xe1, std::string("\0b", 2)});
  append_tlv(info.own_extras().proxy_tlvs, {0x05, "id"});
  ProxyHeaderOptions options = version2();
  EXPECT_TRUE(parsed(client_header(options, &info)).tlvs.empty());
  options.added = {{0xea, "configured"}};
  options.pass_through.set(0xea).set(0xe1);
  const std::vector<ProxyTlv> some{{0xea, "configured"}, {0xe1, "again"}, {0xe1, {"\0b", 2}}};
  EXPECT_EQ(parsed(client_header(options, &info)).tlvs, some);
  options.pass_through.set();
  EXPECT_EQ(parsed(client_header(options, &info)).tlvs.size(), 4u);
  EXPECT_EQ(parsed(client_header(options, &info)).source.to_string(), info.remote_address);
}

TEST(ClientHeader, TlvsThatDoNotFitAreLeftOut) {
  for (const bool six : {false, true}) {
    ConnectionInfo info = six ? client("[2001:db8::1]:7", "[2001:db8::2]:443") : client();
    const size_t addresses = six ? 36 : 12;
    append_tlv(info.own_extras().proxy_tlvs, {0xe0, std::string(65535 - addresses - 6 - 1, 'x')});
    ProxyHeaderOptions options = version2();
    options.pass_through.set();
    options.added = {{0xe1, "1"}};
    ClientHeader header = client_header(options, &info);
    EXPECT_EQ(header.bytes.size(), kMaxProxyHeader);
    EXPECT_FALSE(header.incomplete);
    EXPECT_EQ(parsed(header).tlvs.size(), 2u);
    options.added = {{0xe1, "12"}};
    header = client_header(options, &info);
    EXPECT_TRUE(header.incomplete);
    EXPECT_EQ(parsed(header).tlvs, options.added);
  }
}

}  // namespace
}  // namespace weir::net
