// x-forwarded-client-cert: what the next hop hears of the client's certificate.
#pragma once

#include <cstdint>
#include <string>
#include <weir/connection_info.h>
#include <weir/header_map.h>

namespace weir::proxy {

/// HttpConnectionManager.forward_client_cert_details.
enum class ForwardClientCert : uint8_t {
  kSanitize,
  kForwardOnly,
  kAppendForward,
  kSanitizeSet,
  kAlwaysForwardOnly
};

/// set_current_client_cert_details: what an element has besides By and Hash.
struct ClientCertDetails {
  bool subject = false;
  bool cert = false;
  bool chain = false;
  bool dns = false;
  bool uri = false;
};

/// Keeps, removes or sets the field. `tls` is the downstream connection's; null without. A certificate counts only if it was
/// verified. `scratch` is used for the text.
void forward_client_cert(HeaderMap& headers, const TlsInfo* tls, ForwardClientCert mode,
                         const ClientCertDetails& details, std::string& scratch);

}  // namespace weir::proxy
