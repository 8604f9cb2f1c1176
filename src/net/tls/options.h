// Options of TLS contexts as the configuration says them; nothing of OpenSSL is visible here.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::net::tls {

/// Bytes of a certificate, a key or a list, and where they are from: "a.pem", "inline", "$VARIABLE".
struct Material {
  std::string bytes{};
  std::string source{};
  bool empty() const noexcept { return bytes.empty() && source.empty(); }
};

/// One certificate with its key: PEM texts, or a PKCS #12 bundle.
struct CertificateOptions {
  Material chain{};
  Material key{};
  Material pkcs12{};
  std::string password{};
  Material ocsp_staple{};  // DER
};

enum class SanType : uint8_t { kEmail = 1, kDns = 2, kUri = 3, kIp = 4, kOther = 5 };

/// Of texts; immutable.
class NameMatcher {
 public:
  virtual ~NameMatcher() = default;
  virtual bool matches(std::string_view name) const = 0;
};

/// SubjectAltNameMatcher: one name of this type that matches is enough.
struct SanMatcher {
  SanType type = SanType::kDns;
  std::string exact{};  // of a DNS matcher: a wildcard of the certificate matches it too
  std::string oid{};    // of kOther
  std::shared_ptr<const NameMatcher> matcher{};
};

using Pin = std::array<uint8_t, 32>;  // SHA-256

/// CertificateValidationContext: what the other side's certificate must be.
struct ValidationOptions {
  std::optional<Material> trusted_ca{};
  bool system_roots = false;  // the system's, if there is no trusted_ca
  std::vector<SanMatcher> names{};
  std::vector<Pin> spki_pins{};
  std::vector<Pin> certificate_pins{};
  std::optional<Material> crl{};
  bool crl_for_leaf_only = false;
  bool allow_expired = false;
  bool accept_untrusted = false;  // what fails is let in, as not validated
  int max_depth = 100;
  bool has_pins() const noexcept { return !spki_pins.empty() || !certificate_pins.empty(); }
};

enum class Version : uint8_t { kTls10, kTls11, kTls12, kTls13 };

/// TLS of both roles: CommonTlsContext.
struct CommonOptions {
  Version min_version = Version::kTls12;
  Version max_version = Version::kTls13;
  std::vector<std::string> ciphers{};  // OpenSSL's or the standard's names; empty: the default
  std::vector<std::string> curves{};
  std::vector<std::string> signature_algorithms{};
  std::vector<CertificateOptions> certificates{};
  std::optional<ValidationOptions> validation{};
  std::vector<std::string> alpn{};
};

enum class OcspPolicy : uint8_t { kLenient, kStrict, kMust };

inline constexpr size_t kTicketKeyBytes = 80;  // 16 name, 32 HMAC-SHA256, 32 AES-256-CBC

struct ServerOptions : CommonOptions {
  bool require_client_certificate = false;
  bool require_sni = false;
  std::vector<std::string> ticket_keys{};  // of kTicketKeyBytes; the first one encrypts
  bool stateless_resumption = true;        // tickets
  bool stateful_resumption = true;         // session ids
  std::chrono::seconds session_timeout{std::chrono::hours(2)};
  OcspPolicy ocsp_policy = OcspPolicy::kLenient;
  bool full_scan_on_sni_mismatch = false;
  bool prefer_client_ciphers = false;
  /// Whose sessions these are (listener, filter chain): they are resumed nowhere else.
  std::string session_scope{};
};

struct ClientOptions : CommonOptions {
  std::string sni{};
  bool auto_host_sni = false;
  bool auto_sni_san_validation = false;
  bool allow_renegotiation = false;
  size_t max_session_keys = 1;
};

}  // namespace weir::net::tls
