#include "config/upgrades.h"

#include <utility>

#include "base/strings.h"
#include "config/proxy_protocol.h"
#include "http/rules.h"

namespace weir::config {
namespace {

// A protocol name of RFC 9110 7.8, in lower case, or "connect".
std::string read_type(View& config, UniqueNames& names) {
  const std::string type = config.required_text("upgrade_type");
  std::string lower = base::lower(type);
  if (lower.empty()) return lower;
  const size_t slash = lower.find('/');
  const bool named = http::valid_header_name(std::string_view(lower).substr(0, slash)) &&
                     (slash == std::string::npos ||
                      http::valid_header_name(std::string_view(lower).substr(slash + 1)));
  if (!named) config.error("upgrade_type", quote(type) + " is not the name of a protocol");
  if (lower == "h2c")
    config.error("upgrade_type", "an upgrade to h2c is never served; HTTP/2 needs none");
  if (lower == "connect-udp") config.error("upgrade_type", "CONNECT-UDP is not supported");
  names.add(config, "upgrade_type", lower);
  return lower;
}

}  // namespace

std::vector<proxy::UpgradeOptions> read_upgrades(View& hcm, std::string_view stat_prefix,
                                                 HcmScope& scope) {
  std::vector<proxy::UpgradeOptions> out;
  UniqueNames names("upgrade type");
  for (auto& config : hcm.children("upgrade_configs")) {
    proxy::UpgradeOptions next;
    next.type = read_type(*config, names);
    next.enabled = config->boolean("enabled", true);
    if (!config->no_items("filters"))
      next.filters = read_http_filters(*config, "filters", stat_prefix, scope);
    out.push_back(std::move(next));
  }
  return out;
}

std::vector<router::RouteUpgrade> read_route_upgrades(View& action) {
  std::vector<router::RouteUpgrade> out;
  UniqueNames names("upgrade type");
  for (auto& config : action.children("upgrade_configs")) {
    router::RouteUpgrade next;
    next.type = read_type(*config, names);
    next.enabled = config->boolean("enabled", true);
    if (auto connect = config->child("connect_config")) {
      if (!next.type.empty() && next.type != "connect")
        config->error("connect_config", "is for the upgrade_type CONNECT alone");
      next.connect.emplace();
      next.connect->allow_post = connect->boolean("allow_post", false);
      if (auto header = connect->child("proxy_protocol_config"))
        next.connect->proxy_header = read_proxy_config(*header);
    }
    out.push_back(std::move(next));
  }
  return out;
}

}  // namespace weir::config
