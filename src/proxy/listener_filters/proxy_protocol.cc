#include "proxy/listener_filters/proxy_protocol.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace weir::proxy {

namespace {

constexpr uint8_t kChecksum = 0x03;  // PP2_TYPE_CRC32C is of the header that it came in alone

std::string prefix_of(const ProxyProtocolOptions& options) {
  return options.stat_prefix.empty() ? "proxy_proto."
                                     : base::concat("proxy_proto.", options.stat_prefix, ".");
}
}  // namespace

ProxyProtocol::VersionStats ProxyProtocol::version_stats(StatsScope& scope,
                                                         const std::string& prefix) {
  return {scope.counter(prefix + "found"), scope.counter(prefix + "disallowed"),
          scope.counter(prefix + "error")};
}

ProxyProtocol::ProxyProtocol(ProxyProtocolOptions options, StatsScope& scope)
    : options_(std::move(options)),
      not_found_allowed_(scope.counter(prefix_of(options_) + "not_found_allowed")),
      not_found_disallowed_(scope.counter(prefix_of(options_) + "not_found_disallowed")),
      v1_(version_stats(scope, prefix_of(options_) + "versions.v1.")),
      v2_(version_stats(scope, prefix_of(options_) + "versions.v2.")) {}

InspectVerdict ProxyProtocol::inspect(Inspection& at) const {
  net::ProxyHeader header;
  switch (net::parse_proxy_header(at.bytes, header)) {
    case net::ProxyParse::kMore:
      // A client that is done has sent no header: a few bytes, or none at all.
      return at.ended && options_.allow_without && !at.bytes.empty() ? without(at)
                                                                     : InspectVerdict::kMore;
    case net::ProxyParse::kNone:
      return without(at);
    case net::ProxyParse::kInvalid:
      stats_of(header.version).error.inc();
      at.why = "malformed PROXY protocol header";
      return InspectVerdict::kClose;
    case net::ProxyParse::kDone:
      break;
  }
  return take(at, header);
}

InspectVerdict ProxyProtocol::without(Inspection& at) const {
  if (options_.allow_without) {
    not_found_allowed_.inc();
    return InspectVerdict::kDone;
  }
  not_found_disallowed_.inc();
  at.why = "no PROXY protocol header";
  return InspectVerdict::kClose;
}

InspectVerdict ProxyProtocol::take(Inspection& at, net::ProxyHeader& header) const {
  const VersionStats& stats = stats_of(header.version);
  if (!(header.version == net::ProxyVersion::kV1 ? options_.allow_v1 : options_.allow_v2)) {
    stats.disallowed.inc();
    at.why = "PROXY protocol version is disallowed";
    return InspectVerdict::kClose;
  }
  stats.found.inc();
  at.consumed = header.size;
  if (!header.local) {
    at.remote = header.source;
    at.info.local_address_restored |= at.local != header.destination;
    at.local = header.destination;
  }
  for (const net::ProxyTlv& tlv : header.tlvs)
    if (options_.pass_through[tlv.type] && tlv.type != kChecksum)
      net::append_tlv(at.info.own_extras().proxy_tlvs, tlv);
  for (const net::ProxyTlv& tlv : header.tlvs)
    for (const auto& rule : options_.rules)
      if (rule.type == tlv.type) at.info.own_extras().filter_state[rule.state_key] = tlv.value;
  return InspectVerdict::kDone;
}

}  // namespace weir::proxy
