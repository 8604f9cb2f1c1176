// Context: what the transports of one TLS configuration share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/tls/factory.h"
#include "net/tls/handshake.h"
#include "net/tls/openssl.h"
#include "net/tls/options.h"
#include "net/tls/verifier.h"
#include "net/transport.h"

namespace weir::net::tls {

/// Owner: shared by its factory and its transports. Immutable after it was made: any thread.
class Context {
 public:
  virtual ~Context() = default;
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  /// `self` is this context: what it makes keeps it alive.
  virtual std::unique_ptr<Transport> make(const TransportHints& hints,
                                          std::shared_ptr<const Context> self) const = 0;
  const std::vector<CertificateFacts>& certificates() const noexcept { return facts_; }
  std::vector<CertificateFacts> roots() const {
    return verifier_ ? verifier_->roots() : std::vector<CertificateFacts>();
  }
  std::vector<std::string> negotiable() const;

 protected:
  Context() = default;
  /// Versions, ciphers, curves, signatures. Errors name what OpenSSL does not know.
  static Result<SslContextPtr> make_context(const CommonOptions& options, const SSL_METHOD* method,
                                            bool client_preference);
  /// A certificate outside its time is a warning or an error.
  static Result<void> check_times(const X509& certificate, const std::string& source,
                                  Expired expired, std::vector<std::string>& warnings);
  SslPtr make_ssl() const;

  SslContextPtr context_;
  std::unique_ptr<Verifier> verifier_;
  std::vector<CertificateFacts> facts_;
};

/// What the rest of the program sees of a context.
std::shared_ptr<const TransportFactory> factory_of(std::unique_ptr<const Context> context);

/// RFC 7301: each protocol with its length in front. Empty if one is too long.
std::string alpn_wire(const std::vector<std::string>& protocols);

}  // namespace weir::net::tls
