// Readers of the messages within a TLS context.
#pragma once

#include <string>
#include <string_view>

#include "config/loading.h"
#include "net/tls/options.h"

namespace weir::config {

/// Reads one context and gathers what makes it the same as another: texts and the digests of what was taken from outside.
class TlsReader {
 public:
  TlsReader(View& context, Loading& loading);
  /// CommonTlsContext.
  void read_common(View& view, net::tls::CommonOptions& out);
  void read_ticket_keys(View& context, net::tls::ServerOptions& out);
  const std::string& identity() const noexcept { return identity_; }
  /// Of the part that says whom to trust.
  const std::string& validation_identity() const noexcept { return validation_identity_; }

 private:
  void read_parameters(View& view, net::tls::CommonOptions& out);
  void read_certificates(View& view, net::tls::CommonOptions& out);
  void read_certificate(View& view, net::tls::CommonOptions& out);
  void read_validation(View& common, net::tls::CommonOptions& out);
  void read_validation_kind(View& view, std::string_view kind, net::tls::ValidationOptions& out);
  void read_validation_context(View& view, net::tls::ValidationOptions& out);
  void read_combined(View& view, net::tls::ValidationOptions& out);
  void read_pins(View& view, net::tls::ValidationOptions& out);
  void read_names(View& view, net::tls::ValidationOptions& out);
  void read_keys(View& view, net::tls::ServerOptions& out);
  net::tls::Material material(View& view, std::string_view field);
  void remember(std::string_view bytes);

  Loading& loading_;
  std::string identity_;
  std::string validation_identity_;
};

}  // namespace weir::config
