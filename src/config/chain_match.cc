#include "config/chain_match.h"

#include <utility>

#include "base/strings.h"
#include "config/loading.h"
#include "config/parts.h"
#include "config/scalar.h"

namespace weir::config {
namespace {

using proxy::FilterChainMatch;

// A host name, or "*." and one; a wildcard elsewhere would look like one that works.
bool is_server_name(std::string_view name) {
  const std::string_view rest = name.starts_with("*.") ? name.substr(2) : name;
  return !rest.empty() && rest.find('*') == std::string_view::npos;
}

void read_server_names(View& match, FilterChainMatch& out) {
  for (std::string& name : match.texts("server_names")) {
    if (!is_server_name(name)) {
      match.error("server_names",
                  quote(name) + " is neither a host name nor \"*.\" in front of one");
      continue;
    }
    out.server_names.push_back(base::lower(name));
  }
}

}  // namespace

std::vector<net::Cidr> read_cidrs(View& parent, std::string_view field) {
  std::vector<net::Cidr> out;
  for (auto& range : parent.children(field)) {
    const std::string address = range->required_text("address_prefix");
    const uint32_t length = range->uint32("prefix_len", 0, 0, 128);
    if (address.empty()) continue;
    auto cidr = net::Cidr::make(address, length);
    if (cidr)
      out.push_back(*cidr);
    else
      range->error("address_prefix", cidr.error().detail);
  }
  return out;
}

namespace {

/// A list of whole numbers.
std::vector<uint32_t> read_numbers(View& parent, std::string_view field, uint32_t min,
                                   uint32_t max) {
  std::vector<uint32_t> out;
  for (const std::string& text : parent.texts(field)) {
    const auto value = parse_integer(text);
    if (!value || *value < min || *value > max) {
      parent.error(field, quote(text) + " is not a whole number within " + std::to_string(min) +
                              " to " + std::to_string(max));
      continue;
    }
    out.push_back(static_cast<uint32_t>(*value));
  }
  return out;
}

}  // namespace

FilterChainMatch read_chain_match(View& chain, std::string_view field) {
  FilterChainMatch out;
  auto match = chain.child(field);
  if (!match) return out;
  if (match->has("destination_port"))
    out.destination_port = static_cast<uint16_t>(match->uint32("destination_port", 1, 1, 65535));
  out.prefix_ranges = read_cidrs(*match, "prefix_ranges");
  read_server_names(*match, out);
  out.transport_protocol = match->text("transport_protocol");
  if (const std::string& name = out.transport_protocol;
      !name.empty() && name != "tls" && name != "raw_buffer")
    match->error("transport_protocol", "expected \"tls\" or \"raw_buffer\"");
  out.application_protocols = match->texts("application_protocols");
  out.direct_source_prefix_ranges = read_cidrs(*match, "direct_source_prefix_ranges");
  out.source_type = static_cast<proxy::SourceType>(
      match->enumeration("source_type", {"ANY", "SAME_IP_OR_LOOPBACK", "EXTERNAL"}, 0));
  out.source_prefix_ranges = read_cidrs(*match, "source_prefix_ranges");
  for (const uint32_t port : read_numbers(*match, "source_ports", 1, 65535))
    out.source_ports.push_back(static_cast<uint16_t>(port));
  match->later({"address_suffix", "suffix_len"});
  return out;
}

}  // namespace weir::config
