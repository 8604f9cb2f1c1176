#include "proxy/listener_filters/tls_inspector.h"

#include <utility>

#include "proxy/listener_filters/client_hello.h"

namespace weir::proxy {

TlsInspector::TlsInspector(const TlsInspectorOptions& options, StatsScope& scope)
    : options_(options),
      too_large_(scope.counter("tls_inspector.client_hello_too_large")),
      tls_found_(scope.counter("tls_inspector.tls_found")),
      tls_not_found_(scope.counter("tls_inspector.tls_not_found")),
      alpn_found_(scope.counter("tls_inspector.alpn_found")),
      alpn_not_found_(scope.counter("tls_inspector.alpn_not_found")),
      sni_found_(scope.counter("tls_inspector.sni_found")),
      sni_not_found_(scope.counter("tls_inspector.sni_not_found")) {}

// A record header for each byte of the message would be the most; nobody needs more than one per 16.
size_t TlsInspector::max_bytes() const noexcept {
  return options_.max_client_hello_size + options_.max_client_hello_size / 3 + 64;
}

InspectVerdict TlsInspector::inspect(Inspection& at) const {
  ClientHello hello;
  switch (parse_client_hello(at.bytes, options_.max_client_hello_size, hello)) {
    case HelloParse::kMore:
      if (at.bytes.size() < max_bytes()) return InspectVerdict::kMore;
      [[fallthrough]];
    case HelloParse::kTooLarge:
      too_large_.inc();
      at.why = "ClientHello is too large";
      return InspectVerdict::kClose;
    case HelloParse::kNotTls:
      tls_not_found_.inc();
      return InspectVerdict::kDone;
    case HelloParse::kInvalid:
      tls_not_found_.inc();
      if (!options_.close_on_parse_error) return InspectVerdict::kDone;
      at.why = "malformed ClientHello";
      return InspectVerdict::kClose;
    case HelloParse::kDone:
      break;
  }
  tls_found_.inc();
  (hello.server_name.empty() ? sni_not_found_ : sni_found_).inc();
  (hello.protocols.empty() ? alpn_not_found_ : alpn_found_).inc();
  at.info.transport_protocol = "tls";
  at.info.requested_server_name = std::move(hello.server_name);
  at.info.own_extras().application_protocols = std::move(hello.protocols);
  return InspectVerdict::kDone;
}

}  // namespace weir::proxy
