#include "proxy/listener_filters/proxy_protocol.h"

#include <gtest/gtest.h>

#include "stats/store.h"

namespace weir::proxy {
namespace {

class ProxyProtocolTest : public ::testing::Test {
 protected:
  InspectVerdict inspect(const ProxyProtocolOptions& options, std::string_view bytes) {
    Inspection at{-1, loop, info, remote, local};
    at.bytes = bytes;
    const InspectVerdict verdict = ProxyProtocol(options, *scope).inspect(at);
    consumed = at.consumed;
    return verdict;
  }
  static net::Address ip(std::string_view text, uint16_t port) {
    return net::Address::ip(text, port).value();
  }
  stats::Store store{1};
  std::unique_ptr<StatsScope> scope = store.scope("listener.x.");
  event::Loop loop;
  ConnectionInfo info;
  net::Address remote = ip("127.0.0.1", 1), local = ip("127.0.0.1", 2);
  size_t consumed = 0;
};

TEST_F(ProxyProtocolTest, TlvsBecomeState) {
  ProxyProtocolOptions options;
  options.rules = {{0xea, "space.tenant"}};
  const auto header =
      net::proxy_header_v2(ip("10.1.1.1", 7), ip("10.0.0.1", 443), {{0xea, "blue"}, {0x05, "id"}});
  EXPECT_EQ(inspect(options, header + "GET"), InspectVerdict::kDone);
  EXPECT_EQ(consumed, header.size());
  EXPECT_EQ(remote, ip("10.1.1.1", 7));
  EXPECT_EQ(local, ip("10.0.0.1", 443));
  EXPECT_TRUE(info.local_address_restored);
  EXPECT_EQ(info.own_extras().filter_state.size(), 1u);
  EXPECT_EQ(info.own_extras().filter_state["space.tenant"], "blue");
}

TEST_F(ProxyProtocolTest, TlvsAreKeptForUpstreams) {
  const auto header = net::proxy_header_v2(ip("10.1.1.1", 7), ip("10.0.0.1", 443),
                                           {{0xea, "blue"}, {0x03, "sum"}, {0x05, "id"}});
  EXPECT_EQ(inspect({}, header), InspectVerdict::kDone);
  EXPECT_EQ(info.extras().proxy_tlvs, "");
  ProxyProtocolOptions options;
  options.pass_through.set(0x05);
  EXPECT_EQ(inspect(options, header), InspectVerdict::kDone);
  EXPECT_EQ(info.extras().proxy_tlvs, std::string("\x05\0\x02id", 5));
  info = {};
  // A checksum is of its own header alone.
  options.pass_through.set();
  EXPECT_EQ(inspect(options, header), InspectVerdict::kDone);
  EXPECT_EQ(info.extras().proxy_tlvs, std::string("\xea\0\x04"
                                                  "blue\x05\0\x02id",
                                                  12));
}

TEST_F(ProxyProtocolTest, TheSocketsOwnDestinationIsNotRestored) {
  EXPECT_EQ(inspect({}, net::proxy_header_v1(ip("10.1.1.1", 7), local)), InspectVerdict::kDone);
  EXPECT_FALSE(info.local_address_restored);
}

}  // namespace
}  // namespace weir::proxy
