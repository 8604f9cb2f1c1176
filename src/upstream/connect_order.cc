#include <algorithm>

#include "upstream/options.h"

namespace weir::upstream {

std::vector<net::Address> connect_order(const EndpointOptions& endpoint,
                                        const HappyEyeballs& options) {
  using First = HappyEyeballs::First;
  std::vector<net::Address> all{endpoint.address};
  all.insert(all.end(), endpoint.additional_addresses.begin(), endpoint.additional_addresses.end());
  const bool v6_first =
      options.first == First::kOfTheList ? all.front().is_ipv6() : options.first == First::kV6;
  const auto is_first = [v6_first](const net::Address& each) { return each.is_ipv6() == v6_first; };
  const auto middle = std::stable_partition(all.begin(), all.end(), is_first);
  // RFC 8305 section 4: some of the first family, then the families take turns.
  std::vector<net::Address> order;
  order.reserve(all.size());
  auto one = all.begin(), other = middle;
  for (uint32_t i = 0; i < options.first_count && one != middle; ++i) order.push_back(*one++);
  while (one != middle || other != all.end()) {
    if (other != all.end()) order.push_back(*other++);
    if (one != middle) order.push_back(*one++);
  }
  return order;
}

}  // namespace weir::upstream
