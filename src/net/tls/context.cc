#include "net/tls/context.h"

#include <openssl/err.h>

#include <ctime>

#include "base/strings.h"
#include "net/tls/certificate.h"

namespace weir::net::tls {
namespace {

constexpr std::string_view kDefaultCiphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
// AES-128 first: as strong as the key exchange, and cheaper.
constexpr std::string_view kDefaultSuites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

int number_of(Version version) noexcept {
  switch (version) {
    case Version::kTls10:
      return TLS1_VERSION;
    case Version::kTls11:
      return TLS1_1_VERSION;
    case Version::kTls12:
      return TLS1_2_VERSION;
    case Version::kTls13:
      break;
  }
  return TLS1_3_VERSION;
}

tl::unexpected<Error> wrong(std::string_view what, std::string_view value) {
  const std::string why = last_error();
  return fail(Code::kConfig, Side::kLocal,
              base::concat("unknown ", what, " \"", value, "\" (", why, ")"));
}

struct CipherLists {
  std::string old;     // up to TLS 1.2
  std::string suites;  // TLS 1.3
};

Result<CipherLists> cipher_lists(const std::vector<std::string>& names, SSL_CTX& scratch) {
  CipherLists out;
  const auto append = [](std::string& list, std::string_view name) {
    if (!list.empty()) list += ':';
    list += name;
  };
  for (const std::string& name : names) {
    if (SSL_CTX_set_ciphersuites(&scratch, name.c_str()) == 1) {
      append(out.suites, name);
      continue;
    }
    ERR_clear_error();
    // The standard's names ("TLS_ECDHE_RSA_…") are taken too.
    const char* known = OPENSSL_cipher_name(name.c_str());
    const std::string own = known == nullptr || std::string_view(known) == "(NONE)" ? name : known;
    if (SSL_CTX_set_cipher_list(&scratch, own.c_str()) != 1) return wrong("cipher", name);
    append(out.old, own);
  }
  return out;
}

Result<void> set_ciphers(SSL_CTX& context, const CommonOptions& options) {
  CipherLists lists;
  if (!options.ciphers.empty()) {
    SslContextPtr scratch(SSL_CTX_new(TLS_method()));
    WEIR_TRY(read, cipher_lists(options.ciphers, *scratch));
    lists = std::move(read);
  }
  if (lists.old.empty()) lists.old = kDefaultCiphers;
  if (lists.suites.empty()) lists.suites = kDefaultSuites;
  // OpenSSL's levels above 0 leave nothing of what TLS 1.0 and 1.1 can do.
  if (options.min_version < Version::kTls12) lists.old += ":@SECLEVEL=0";
  if (SSL_CTX_set_cipher_list(&context, lists.old.c_str()) != 1) return wrong("ciphers", lists.old);
  if (SSL_CTX_set_ciphersuites(&context, lists.suites.c_str()) != 1)
    return wrong("ciphers", lists.suites);
  return {};
}

// A record of a handshake or of data was read or written.
void on_message(int writing, int, int type, const void* bytes, size_t size, SSL* ssl,
                void*) noexcept {
  if (writing != 0 || type != SSL3_RT_HANDSHAKE || size == 0) return;
  if (*static_cast<const unsigned char*>(bytes) != SSL3_MT_KEY_UPDATE) return;
  if (Attached* attached = Attached::of(ssl)) ++attached->key_updates;
}

class Factory final : public TransportFactory {
 public:
  explicit Factory(std::unique_ptr<const Context> context) : context_(std::move(context)) {}
  std::unique_ptr<Transport> make(const TransportHints& hints) const override {
    return context_->make(hints, context_);
  }
  bool secure() const noexcept override { return true; }
  const std::vector<CertificateFacts>& certificates() const noexcept override {
    return context_->certificates();
  }
  std::vector<CertificateFacts> roots() const override { return context_->roots(); }
  std::vector<std::string> negotiable() const override { return context_->negotiable(); }

 private:
  std::shared_ptr<const Context> context_;
};

}  // namespace

std::shared_ptr<const TransportFactory> factory_of(std::unique_ptr<const Context> context) {
  return std::make_shared<const Factory>(std::move(context));
}

int attached_index() noexcept {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

void Attached::attach(SSL& ssl) { SSL_set_ex_data(&ssl, attached_index(), this); }

Attached* Attached::of(const SSL* ssl) noexcept {
  return ssl == nullptr ? nullptr : static_cast<Attached*>(SSL_get_ex_data(ssl, attached_index()));
}

Handshake* Handshake::of(const SSL* ssl) noexcept {
  const Attached* attached = Attached::of(ssl);
  return attached == nullptr ? nullptr : attached->handshake.get();
}

std::string alpn_wire(const std::vector<std::string>& protocols) {
  std::string out;
  for (const std::string& each : protocols) {
    if (each.empty() || each.size() > 255) return {};
    out += static_cast<char>(each.size());
    out += each;
  }
  return out;
}

Result<SslContextPtr> Context::make_context(const CommonOptions& options, const SSL_METHOD* method,
                                            bool client_preference) {
  ERR_clear_error();
  SslContextPtr context(SSL_CTX_new(method));
  if (!context) return fail(Code::kInternal, Side::kLocal, last_error());
  SSL_CTX* raw = context.get();
  if (options.min_version < Version::kTls12) SSL_CTX_set_security_level(raw, 0);
  SSL_CTX_set_min_proto_version(raw, number_of(options.min_version));
  SSL_CTX_set_max_proto_version(raw, number_of(options.max_version));
  SSL_CTX_set_options(raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  if (!client_preference)
    SSL_CTX_set_options(raw, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // The bytes of a write are where the buffer has them then; nothing is kept for idle connections.
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(raw, 1);  // one system call for a record instead of two
  SSL_CTX_set_msg_callback(raw, &on_message);
  WEIR_CHECKED(set_ciphers(*raw, options));
  const std::string curves =
      options.curves.empty() ? std::string("X25519:P-256") : base::join(options.curves, ":");
  if (SSL_CTX_set1_groups_list(raw, curves.c_str()) != 1) return wrong("curve in", curves);
  if (!options.signature_algorithms.empty()) {
    const std::string list = base::join(options.signature_algorithms, ":");
    if (SSL_CTX_set1_sigalgs_list(raw, list.c_str()) != 1)
      return wrong("signature algorithm in", list);
  }
  return context;
}

Result<void> Context::check_times(const X509& certificate, const std::string& source,
                                  Expired expired, std::vector<std::string>& warnings) {
  const ASN1_TIME* from = X509_get0_notBefore(&certificate);
  const ASN1_TIME* until = X509_get0_notAfter(&certificate);
  std::string problem;
  if (X509_cmp_current_time(until) <= 0)
    problem = base::concat(source, ": the certificate has expired on ", iso_time(until));
  else if (X509_cmp_current_time(from) > 0)
    problem = base::concat(source, ": the certificate is not valid before ", iso_time(from));
  if (problem.empty()) return {};
  if (expired == Expired::kRefuse) return fail(Code::kConfig, Side::kLocal, problem);
  warnings.push_back(std::move(problem));
  return {};
}

SslPtr Context::make_ssl() const {
  ERR_clear_error();
  return SslPtr(SSL_new(context_.get()));
}

std::vector<std::string> Context::negotiable() const {
  std::vector<std::string> out{"versions.TLSv1", "versions.TLSv1.1", "versions.TLSv1.2",
                               "versions.TLSv1.3"};
  const STACK_OF(SSL_CIPHER)* ciphers = SSL_CTX_get_ciphers(context_.get());
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i)
    out.push_back(base::concat("ciphers.", SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i))));
  return out;
}

}  // namespace weir::net::tls
