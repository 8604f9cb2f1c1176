// Reader of filter_chain_match.
#pragma once

#include "config/view.h"
#include "proxy/chain_match.h"

namespace weir::config {

/// config.listener.v3.FilterChainMatch in `field`; matches everything if it is absent.
proxy::FilterChainMatch read_chain_match(View& chain, std::string_view field);

/// A list of core.v3.CidrRange.
std::vector<net::Cidr> read_cidrs(View& parent, std::string_view field);

}  // namespace weir::config
