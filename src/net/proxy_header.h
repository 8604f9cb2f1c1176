// PROXY protocol: the header with which a proxy tells the addresses of the client that it speaks for (haproxy's
// proxy-protocol.txt, versions 1 and 2). Pure: bytes in, addresses out, and back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.h"

namespace weir::net {

enum class ProxyVersion : uint8_t { kV1, kV2 };

/// A type-length-value field of a PROXY protocol header of version 2.
struct ProxyTlv {
  uint8_t type = 0;
  std::string value;  // bytes
  bool operator==(const ProxyTlv&) const = default;
};

struct ProxyHeader {
  ProxyVersion version = ProxyVersion::kV1;
  /// UNKNOWN, LOCAL or a family without IP addresses: the addresses are those of the socket.
  bool local = false;
  Address source;
  Address destination;
  std::vector<ProxyTlv> tlvs;  // of version 2
  size_t size = 0;             // bytes on the wire
};

enum class ProxyParse : uint8_t {
  kDone,
  kMore,     // a prefix of a header
  kNone,     // no header of either version
  kInvalid,  // begins like one and is wrong; `version` is set
};

/// The longest header: 16 bytes and 64 KiB - 1 of addresses and TLVs.
inline constexpr size_t kMaxProxyHeader = 16 + 65535;

/// Reads a header from the front of `bytes`. Never reads past it.
ProxyParse parse_proxy_header(std::string_view bytes, ProxyHeader& out);

/// Writes a TLV as a header has it. Requires: its value has less than 64 KiB.
void append_tlv(std::string& out, const ProxyTlv& tlv);
/// Reads a sequence of them, without those that are padding (NOOP). False: malformed; `out` has those before.
bool read_tlvs(std::string_view bytes, std::vector<ProxyTlv>& out);

/// Version 1. Where one of the two is IPv6 both are written so (::ffff:1.2.3.4). One that is no IP address: "PROXY UNKNOWN".
std::string proxy_header_v1(const Address& source, const Address& destination);
/// Version 2, with addresses as in version 1. One that is no IP address: command LOCAL, with the TLVs. TLVs that do not fit in
/// the header's 16 bits of length are left out, the last ones first.
std::string proxy_header_v2(const Address& source, const Address& destination,
                            const std::vector<ProxyTlv>& tlvs);

}  // namespace weir::net
