// In which order the addresses of a host are tried.
#include <gtest/gtest.h>

#include "upstream/options.h"

namespace weir::upstream {
namespace {

using First = HappyEyeballs::First;

std::string order(std::vector<const char*> list, HappyEyeballs options) {
  EndpointOptions endpoint;
  endpoint.address = net::Address::ip(list.front(), 1).value();
  for (size_t i = 1; i < list.size(); ++i)
    endpoint.additional_addresses.push_back(net::Address::ip(list[i], 1).value());
  std::string out;
  for (const net::Address& each : connect_order(endpoint, options)) out += each.ip_text() + " ";
  return out;
}

TEST(ConnectOrder, FamiliesTakeTurns) {
  EXPECT_EQ(order({"1.1.1.1", "2.2.2.2", "::1", "::2", "::3"}, {}), "1.1.1.1 ::1 2.2.2.2 ::2 ::3 ");
  EXPECT_EQ(order({"::1", "::2", "1.1.1.1"}, {}), "::1 1.1.1.1 ::2 ");
  EXPECT_EQ(order({"1.1.1.1", "::1", "::2", "::3"}, {First::kV6, 2}), "::1 ::2 1.1.1.1 ::3 ");
  EXPECT_EQ(order({"::1", "1.1.1.1", "::2"}, {First::kV4, 5}), "1.1.1.1 ::1 ::2 ");
  EXPECT_EQ(order({"1.1.1.1", "2.2.2.2"}, {First::kV6, 1}), "1.1.1.1 2.2.2.2 ");
  EXPECT_EQ(order({"1.1.1.1"}, {}), "1.1.1.1 ");
}

}  // namespace
}  // namespace weir::upstream
