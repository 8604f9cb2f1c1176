// tls_inspector: SNI and ALPN of a ClientHello, without terminating TLS.
#pragma once

#include <cstdint>
#include <weir/stats.h>

#include "proxy/listener_filter.h"

namespace weir::proxy {

struct TlsInspectorOptions {
  uint32_t max_client_hello_size = 16384;
  bool close_on_parse_error = false;  // close_connection_on_client_hello_parsing_errors
};

class TlsInspector final : public ListenerFilter {
 public:
  /// `scope` is the listener's.
  TlsInspector(const TlsInspectorOptions& options, StatsScope& scope);
  InspectVerdict inspect(Inspection& at) const override;
  size_t max_bytes() const noexcept override;

 private:
  TlsInspectorOptions options_;
  Counter &too_large_, &tls_found_, &tls_not_found_, &alpn_found_, &alpn_not_found_, &sni_found_,
      &sni_not_found_;
};

}  // namespace weir::proxy
