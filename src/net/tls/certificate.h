// Certificates: what is read from PEM and PKCS #12, and what is said about them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>
#include <weir/connection_info.h>
#include <weir/result.h>

#include "net/tls/openssl.h"
#include "net/tls/options.h"
#include "net/transport.h"

namespace weir::net::tls {

/// A certificate with its chain and key, ready to be shown. Immutable.
struct Certificate {
  X509Ptr leaf;
  std::vector<X509Ptr> chain;
  KeyPtr key;
  std::string source;
  std::vector<std::string> names;  // DNS names, lower case; the common name if there are none
  std::string staple;              // DER of an OCSP response
  int64_t staple_until = 0;        // seconds since the epoch; 0: no end
  bool must_staple = false;        // RFC 7633
};

/// Reads, and checks that key and certificate belong together.
Result<Certificate> read_certificate(const CertificateOptions& options);
/// All certificates of a PEM text; at least one. With `crls`, lists that stand among them are taken too.
Result<std::vector<X509Ptr>> read_certificates(const Material& material, std::vector<CrlPtr>* crls);
Result<std::vector<CrlPtr>> read_crls(const Material& material);

int64_t epoch_of(const ASN1_TIME* time) noexcept;
/// "2026-11-21T00:00:00.000Z".
std::string iso_time(const ASN1_TIME* time);
/// RFC 2253.
std::string name_text(const X509_NAME* name);
std::string serial_text(const X509& certificate);  // hex, lower case
std::string pem_text(const X509& certificate);
std::vector<std::string> alternative_names(const X509& certificate, int general_name_type);
/// Of the public key (SubjectPublicKeyInfo).
Pin spki_digest(const X509& certificate);
Pin certificate_digest(const X509& certificate);
CertificateFacts facts_of(const X509& certificate, const std::string& source);

}  // namespace weir::net::tls
