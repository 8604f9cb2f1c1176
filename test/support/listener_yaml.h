// YAML of listeners whose filter chains answer with their names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::test {

/// A chain (one list item's flow mapping) that answers every request with 200 and `name`. `match` is the inside of
/// filter_chain_match; `more` are further fields, each followed by a comma.
inline std::string answering_chain(const std::string& name, const std::string& match = {},
                                   const std::string& more = {}, const std::string& hcm = {}) {
  return "{name: " + name + ", filter_chain_match: {" + match + "}, " + more +
         "filters: [{name: hcm, typed_config: {\"@type\": "
         "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3."
         "HttpConnectionManager, stat_prefix: " +
         name + ", " + hcm +
         "route_config: {virtual_hosts: [{name: all, domains: [\"*\"], routes: [{match: {prefix: "
         "/}, direct_response: {status: 200, body: {inline_string: \"" +
         name +
         "\"}}}]}]}, http_filters: [{name: router, typed_config: {\"@type\": "
         "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]}}]}";
}

inline std::string listener_filter(const std::string& name, const std::string& type,
                                   const std::string& fields = {}) {
  return "{name: " + name + ", typed_config: {\"@type\": type.googleapis.com/" +
         "envoy.extensions.filters.listener." + name + ".v3." + type +
         (fields.empty() ? "" : ", " + fields) + "}}";
}

/// A listener as a list item, "main" on a free port if nothing else is said; `fields` are block lines of two spaces less
/// than four.
struct ListenerYaml {
  std::string name = "main";
  std::string address = "{socket_address: {address: 127.0.0.1, port_value: 0}}";
  std::vector<std::string> chains{answering_chain("only")};
  std::vector<std::string> filters;
  std::string fields;  // "  key: value\n" each
  std::string text() const {
    std::string out = "  - name: " + name + "\n    address: " + address + "\n";
    if (!filters.empty()) out += "    listener_filters:\n";
    for (const std::string& each : filters) out += "    - " + each + "\n";
    if (!chains.empty()) out += "    filter_chains:\n";
    for (const std::string& each : chains) out += "    - " + each + "\n";
    size_t at = 0;
    while (at < fields.size()) {
      const size_t end = fields.find('\n', at) + 1;
      out += "  " + fields.substr(at, end - at);
      at = end;
    }
    return out;
  }
};

inline std::string bootstrap_of(const std::vector<ListenerYaml>& listeners,
                                const std::string& more = {}) {
  std::string out = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}\n" +
                    more + "static_resources:\n  listeners:\n";
  for (const ListenerYaml& each : listeners) out += each.text();
  return out;
}

}  // namespace weir::test
