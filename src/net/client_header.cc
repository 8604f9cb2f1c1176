#include "net/client_header.h"

namespace weir::net {
namespace {

bool has_type(const std::vector<ProxyTlv>& tlvs, uint8_t type) {
  for (const ProxyTlv& each : tlvs)
    if (each.type == type) return true;
  return false;
}

std::vector<ProxyTlv> tlvs_for(const ProxyHeaderOptions& options, const ConnectionInfo& client) {
  std::vector<ProxyTlv> out = options.added;
  if (options.pass_through.none() || client.extras().proxy_tlvs.empty()) return out;
  std::vector<ProxyTlv> own;
  read_tlvs(client.extras().proxy_tlvs, own);
  for (ProxyTlv& tlv : own)
    if (options.pass_through[tlv.type] && !has_type(options.added, tlv.type))
      out.push_back(std::move(tlv));
  return out;
}

size_t wire_size(const std::vector<ProxyTlv>& tlvs) {
  size_t size = 0;
  for (const ProxyTlv& each : tlvs) size += 3 + each.value.size();
  return size;
}

}  // namespace

ClientHeader client_header(const ProxyHeaderOptions& options, const ConnectionInfo* client) {
  Address source, destination;
  if (client != nullptr) {
    source = Address::ip_and_port(client->remote_address).value_or(Address());
    destination = Address::ip_and_port(client->local_address).value_or(Address());
  }
  ClientHeader out;
  out.names_client = source.raw_size() != 0 && destination.raw_size() != 0;
  if (options.version == ProxyVersion::kV1) {
    out.bytes = proxy_header_v1(source, destination);
    return out;
  }
  if (!out.names_client) {
    out.bytes = proxy_header_v2({}, {}, {});
    return out;
  }
  const std::vector<ProxyTlv> tlvs = tlvs_for(options, *client);
  out.bytes = proxy_header_v2(source, destination, tlvs);
  const size_t bare = 16 + (source.is_ipv6() || destination.is_ipv6() ? 36 : 12);
  out.incomplete = out.bytes.size() < bare + wire_size(tlvs);
  return out;
}

}  // namespace weir::net
