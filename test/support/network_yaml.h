// YAML of listeners that carry bytes.
#pragma once

#include <string>
#include <string_view>

namespace weir::test {

/// Puts `spaces` in front of every line of `block`.
inline std::string indented(std::string_view block, size_t spaces) {
  std::string out;
  while (!block.empty()) {
    const size_t end = std::min(block.find('\n'), block.size() - 1) + 1;
    out.append(spaces, ' ');
    out += block.substr(0, end);
    block.remove_prefix(end);
  }
  if (!out.empty() && out.back() != '\n') out += '\n';
  return out;
}

/// A list item of `filters`: `type` is what stands behind "envoy.extensions.filters.network.".
inline std::string network_filter(std::string_view type, std::string_view fields = {}) {
  const std::string name(type.substr(0, type.find('.')));
  return "- name: " + name + "\n  typed_config:\n    \"@type\": type.googleapis.com/" +
         "envoy.extensions.filters.network." + std::string(type) + "\n" + indented(fields, 4);
}

inline std::string static_cluster(std::string_view name, std::initializer_list<uint16_t> ports,
                                  std::string_view fields = {}) {
  std::string out = "- name: " + std::string(name) + "\n  connect_timeout: 1s\n" +
                    indented(fields, 2) +
                    "  load_assignment:\n    cluster_name: " + std::string(name) +
                    "\n    endpoints:\n    - lb_endpoints:\n";
  if (ports.size() == 0) out += "      []\n";
  for (const uint16_t port : ports)
    out += "      - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: " +
           std::to_string(port) + "}}}\n";
  return out;
}

/// A listener "main" with one chain of these filters, these clusters and an admin listener.
struct NetworkYaml {
  std::string filters;
  std::string clusters;
  std::string listener{};  // further fields of the listener
  std::string bootstrap{};
  std::string text() const {
    return "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}\n" + bootstrap +
           "static_resources:\n  listeners:\n  - name: main\n"
           "    address: {socket_address: {address: 127.0.0.1, port_value: 0}}\n" +
           indented(listener, 4) + "    filter_chains:\n    - filters:\n" + indented(filters, 6) +
           (clusters.empty() ? std::string() : "  clusters:\n" + indented(clusters, 2));
  }
};

}  // namespace weir::test
