// Readers of the small messages that occur everywhere in the schema.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/regex.h"
#include "config/view.h"
#include "net/address.h"
#include "net/listener.h"
#include "router/options.h"
#include "stream/header_ops.h"

namespace weir::config {

/// core.v3.Address.
struct AddressParts {
  net::Address address;
  int unix_mode = 0;
  bool ipv4_compat = false;
};
enum class PortZero : bool { kRefused, kAllowed };
std::optional<AddressParts> read_address(View& parent, std::string_view field, PortZero port_zero);
/// Where a host name may stand too: `name` and `port` are set then, and the address is none.
struct HostParts {
  net::Address address;
  std::string name;
  uint16_t port = 0;
};
std::optional<HostParts> read_host(View& parent, std::string_view field);
/// A SocketAddress message to connect from: the port may be 0.
std::optional<net::Address> read_source_address(View& socket);
/// An Address message that is a DNS server: an IP address with a port, over UDP or TCP.
std::optional<net::Address> read_server_address(View& address);

/// core.v3.TcpKeepalive.
struct KeepaliveParts {
  int time_s = 0;
  int interval_s = 0;
  int probes = 0;
};
KeepaliveParts read_keepalive(View& parent, std::string_view field);

/// A list of core.v3.SocketOption.
std::vector<net::SocketOption> read_socket_options(View& parent, std::string_view field);

/// type.v3.FractionalPercent as 0..1. The view is the message.
double read_fraction(View& percent);
/// core.v3.RuntimeFractionalPercent: default_value; the runtime_key is a label without meaning here.
std::optional<double> read_runtime_fraction(View& parent, std::string_view field);

/// type.matcher.v3.RegexMatchAndSubstitute in `field`.
std::optional<router::RegexRewrite> read_regex_rewrite(View& parent, std::string_view field);
/// Compiles a text with access-log operators; an error is reported at the field.
std::optional<stream::Format> compile_format(View& view, std::string_view field,
                                             std::string_view text);

/// Reports the @type `type` of `config`, which nobody here takes: known to the schema but not yet here, or unknown.
void refuse_type(View& config, std::string_view type, const std::vector<std::string_view>& taken);

}  // namespace weir::config
