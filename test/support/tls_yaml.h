// YAML of TLS transport sockets, and the files that they name.
#pragma once

#include <string>

#include "support/certs.h"
#include "support/test_proxy.h"

namespace weir::test {

/// Writes NAME.pem and NAME.key.
inline void write_pair(const TempFolder& folder, const std::string& name,
                       const CertificatePem& pem) {
  folder.write_renamed(name + ".pem", pem.certificate);
  folder.write_renamed(name + ".key", pem.key);
}

/// An item of tls_certificates whose files are NAME.pem and NAME.key.
inline std::string pair_yaml(const TempFolder& folder, const std::string& name) {
  return "{certificate_chain: {filename: " + folder.path() + "/" + name +
         ".pem}, private_key: {filename: " + folder.path() + "/" + name + ".key}}";
}

/// A field transport_socket; `common` are items of the flow mapping common_tls_context, `more` of the context itself.
inline std::string downstream_tls(const std::string& common, const std::string& more = {}) {
  return "transport_socket: {name: tls, typed_config: {\"@type\": "
         "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, "
         "common_tls_context: {" +
         common + "}" + (more.empty() ? "" : ", " + more) + "}}\n";
}
inline std::string upstream_tls(const std::string& common, const std::string& more = {}) {
  return "transport_socket: {name: tls, typed_config: {\"@type\": "
         "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, "
         "common_tls_context: {" +
         common + "}" + (more.empty() ? "" : ", " + more) + "}}\n";
}
inline std::string trusting(const TempFolder& folder, const std::string& more = {}) {
  return "validation_context: {trusted_ca: {filename: " + folder.path() + "/ca.pem}" +
         (more.empty() ? "" : ", " + more) + "}";
}

}  // namespace weir::test
