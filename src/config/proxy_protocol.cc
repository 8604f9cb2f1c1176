#include "config/proxy_protocol.h"

#include <algorithm>

#include "base/strings.h"
#include "config/scalar.h"

namespace weir::config {
namespace {

constexpr size_t kMaxValue = 65535 - 36 - 3;  // behind two IPv6 addresses

void read_added(View& config, net::ProxyHeaderOptions& out) {
  for (auto& entry : config.children("added_tlvs")) {
    net::ProxyTlv tlv;
    if (!entry->has("type")) entry->missing("type");
    tlv.type = static_cast<uint8_t>(entry->uint32("type", 0, 0, 255));
    entry->later({"format_string"});
    const auto value = parse_base64(entry->required_text("value"));
    if (!value)
      entry->error("value", "not base64");
    else if (value->size() > kMaxValue)
      entry->error("value", base::concat("longer than ", kMaxValue, " bytes"));
    else
      tlv.value = *value;
    if (entry->failed()) continue;
    const bool twice = std::any_of(out.added.begin(), out.added.end(),
                                   [&tlv](const auto& each) { return each.type == tlv.type; });
    if (twice) entry->error("type", base::concat(unsigned{tlv.type}, " is given twice"));
    out.added.push_back(std::move(tlv));
  }
}

}  // namespace

net::TlvTypes read_pass_through(View& parent) {
  net::TlvTypes out;
  auto tlvs = parent.child("pass_through_tlvs");
  if (!tlvs) return out;
  const bool all = tlvs->enumeration("match_type", {"INCLUDE_ALL", "INCLUDE"}, 0) == 0;
  for (const std::string& text : tlvs->texts("tlv_type")) {
    const auto type = parse_integer(text);
    if (type && *type >= 0 && *type <= 255)
      out.set(static_cast<size_t>(*type));
    else
      tlvs->error("tlv_type", quote(text) + " is not a number from 0 to 255");
  }
  if (all) out.set();
  return out;
}

net::ProxyHeaderOptions read_proxy_header(View& socket) {
  socket.later({"allow_unspecified_address"});
  socket.ignore({"tlv_as_pool_key"});  // what a header says always is
  auto config = socket.child("config");
  return config ? read_proxy_config(*config) : net::ProxyHeaderOptions{};
}

net::ProxyHeaderOptions read_proxy_config(View& config) {
  net::ProxyHeaderOptions out;
  const bool v2 = config.enumeration("version", {"V1", "V2"}, 0) == 1;
  out.version = v2 ? net::ProxyVersion::kV2 : net::ProxyVersion::kV1;
  if (!v2)
    for (std::string_view field : {"pass_through_tlvs", "added_tlvs"})
      config.unsupported(field, "only \"version: V2\" has TLVs");
  out.pass_through = read_pass_through(config);
  read_added(config, out);
  return out;
}

void refuse_host_tlvs(View& endpoint) {
  const Node* metadata = endpoint.raw("metadata");
  if (metadata == nullptr) return;
  for (const Node::Entry& kind : metadata->entries) {
    if (!names_field(kind.key, "typed_filter_metadata")) continue;
    for (const Node::Entry& each : kind.value->entries)
      if (each.key == "envoy.transport_sockets.proxy_protocol")
        endpoint.context().diagnostics.add(
            each.mark, path_below(path_below(endpoint.path(), "metadata"), "typed_filter_metadata"),
            "TLVs of one host are not supported yet");
  }
}

}  // namespace weir::config
