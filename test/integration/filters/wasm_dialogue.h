// What tests of Wasm filters share: the YAML of a plugin, and one request as a dialogue.
#pragma once

#include <sstream>
#include <string>

#include "support/needs.h"
#include "support/test_proxy.h"
#include "support/text.h"

namespace weir::test {

struct Plugin {
  std::string guest = "probe";
  std::string configuration{};
  std::string vm_configuration{};
  std::string vm{};      // further fields of vm_config
  std::string plugin{};  // further fields of the PluginConfig
  std::string name = "p";
  std::string code{};  // instead of the guest's file
  std::string any{};   // instead of `configuration`: a whole Any in flow style
};

inline std::string filter(const Plugin& plugin) {
  std::ostringstream out;
  out << "- name: wasm_" << plugin.name << "\n  typed_config:\n"
      << "    \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n    "
         "config:\n"
      << "      name: " << plugin.name << "\n";
  if (!plugin.plugin.empty()) out << "      " << plugin.plugin << "\n";
  if (!plugin.any.empty()) out << "      configuration: " << plugin.any << "\n";
  if (!plugin.configuration.empty())
    out << "      configuration: {\"@type\": type.googleapis.com/google.protobuf.StringValue, "
           "value: '"
        << plugin.configuration << "'}\n";
  const std::string file = plugin.guest.starts_with('/') ? plugin.guest : guest_path(plugin.guest);
  out << "      vm_config:\n        runtime: envoy.wasm.runtime.v8\n        code: {local: "
      << (plugin.code.empty() ? "{filename: " + file + "}" : plugin.code) << "}\n";
  if (!plugin.vm_configuration.empty())
    out << "        configuration: {\"@type\": type.googleapis.com/google.protobuf.StringValue, "
           "value: '"
        << plugin.vm_configuration << "'}\n";
  if (!plugin.vm.empty()) out << "        " << plugin.vm << "\n";
  return out.str();
}

inline constexpr const char* kDirect =
    "- match: {prefix: /}\n  direct_response: {status: 200, body: {inline_string: ok}}\n";

inline std::string yaml_with(const Plugin& plugin, uint16_t origin_port = 0) {
  Yaml yaml;
  yaml.filters = filter(plugin);
  if (origin_port != 0) {
    yaml.origin_port = origin_port;
  } else {
    yaml.routes = kDirect;
  }
  return yaml.text();
}

inline Peer::Message ask(Peer& client, const std::string& headers = "",
                         const std::string& path = "/") {
  client.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n");
  return client.read_message();
}

}  // namespace weir::test
