// The PROXY protocol header that a connection to an upstream begins with.
#pragma once

#include <bitset>
#include <string>
#include <vector>
#include <weir/connection_info.h>

#include "net/proxy_header.h"

namespace weir::net {

/// Types of TLVs: core.v3.ProxyProtocolPassThroughTLVs. By default none.
using TlvTypes = std::bitset<256>;

/// core.v3.ProxyProtocolConfig.
struct ProxyHeaderOptions {
  ProxyVersion version = ProxyVersion::kV1;
  TlvTypes pass_through;        // of the client's own header
  std::vector<ProxyTlv> added;  // come first, and in place of the client's of their type
  bool operator==(const ProxyHeaderOptions&) const = default;
};

struct ClientHeader {
  std::string bytes;
  /// False: it says that nobody is spoken for (UNKNOWN, LOCAL).
  bool names_client = false;
  /// The TLVs do not fit in a header: the last ones are missing.
  bool incomplete = false;
};

/// The header of connections for this client; null, or one without IP addresses: of weir's own.
ClientHeader client_header(const ProxyHeaderOptions& options, const ConnectionInfo* client);

}  // namespace weir::net
