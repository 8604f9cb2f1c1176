// Verifier: what the other side's certificate must be.
#pragma once

#include <string>
#include <vector>
#include <weir/result.h>

#include "net/tls/handshake.h"
#include "net/tls/openssl.h"
#include "net/tls/options.h"
#include "net/transport.h"

namespace weir::net::tls {

/// Owner: its context; installed in an SSL_CTX that it must outlive. Immutable: any thread.
class Verifier {
 public:
  explicit Verifier(ValidationOptions options) : options_(std::move(options)) {}
  Verifier(const Verifier&) = delete;
  Verifier& operator=(const Verifier&) = delete;

  /// Loads the roots and lists into the context and makes it ask for certificates: `mode` as SSL_CTX_set_verify.
  Result<void> install(SSL_CTX& context, int mode);
  /// Something decides about names or keys already.
  bool decides() const noexcept { return !options_.names.empty() || options_.has_pins(); }
  bool uses_system_roots() const noexcept { return checks_chain_ && !options_.trusted_ca; }
  const std::vector<CertificateFacts>& roots() const noexcept { return roots_; }

 private:
  struct Finding {
    int error = X509_V_OK;
    std::string text{};
    Counter* counter = nullptr;
  };
  static int on_verify(X509_STORE_CTX* store, void* self) noexcept;
  Finding examine(X509_STORE_CTX& store, const Handshake* handshake) const;
  Finding examine_chain(X509_STORE_CTX& store, const Stats* stats) const;
  bool has_wanted_name(const X509& leaf) const;
  bool is_pinned(const X509& leaf) const;
  Result<void> load_roots(SSL_CTX& context);

  ValidationOptions options_;
  bool checks_chain_ = false;
  std::vector<CertificateFacts> roots_;
};

/// RFC 6125: the certificate is for this DNS name, or IP address.
bool is_for(const X509& certificate, const std::string& name);

}  // namespace weir::net::tls
