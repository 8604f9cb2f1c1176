#include "support/tls_peer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <csignal>
#include <stdexcept>

namespace weir::test {
namespace {

[[noreturn]] void fail(const std::string& what) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  throw std::runtime_error(what + ": " + (reason == nullptr ? "closed" : reason));
}

std::string wire(const std::vector<std::string>& protocols) {
  std::string out;
  for (const std::string& each : protocols) out += static_cast<char>(each.size()) + each;
  return out;
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned offered_size, void* ours) {
  const std::string list = wire(*static_cast<const std::vector<std::string>*>(ours));
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(list.data()),
                            static_cast<unsigned>(list.size()), offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  for (unsigned i = 0; i < offered_size; i += offered[i] + 1u)
    if (offered[i] == *out_size && std::equal(chosen, chosen + *out_size, offered + i + 1))
      *out = offered + i + 1;
  return SSL_TLSEXT_ERR_OK;
}

void use_certificate(SSL_CTX& context, const CertificatePem& pem) {
  if (pem.certificate.empty()) return;
  const auto certificate = TestCa::read(pem.certificate);
  BIO* in = BIO_new_mem_buf(pem.key.data(), static_cast<int>(pem.key.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(in, nullptr, nullptr, nullptr);
  BIO_free(in);
  SSL_CTX_use_certificate(&context, certificate.get());
  SSL_CTX_use_PrivateKey(&context, key);
  EVP_PKEY_free(key);
}

}  // namespace

PeerTls::PeerTls(int fd, Role role, const TlsSide& side)
    : context_(SSL_CTX_new(role == Role::kServer ? TLS_server_method() : TLS_client_method()),
               &SSL_CTX_free),
      ssl_(nullptr, &SSL_free),
      alpn_(side.alpn) {
  ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets as it would to files
  SSL_CTX& context = *context_;
  if (side.max_version != 0) SSL_CTX_set_max_proto_version(&context, side.max_version);
  use_certificate(context, side.certificate);
  if (!side.ca.empty()) {
    const auto ca = TestCa::read(side.ca);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(&context), ca.get());
    SSL_CTX_set_verify(&context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  if (role == Role::kServer) {
    const unsigned char id = 1;
    SSL_CTX_set_session_id_context(&context, &id, 1);
    SSL_CTX_set_alpn_select_cb(&context, &choose_protocol, &alpn_);
  }
  ssl_.reset(SSL_new(&context));
  SSL_set_fd(ssl_.get(), fd);
  if (!side.sni.empty()) SSL_set_tlsext_host_name(ssl_.get(), side.sni.c_str());
  if (role == Role::kClient && !alpn_.empty()) {
    const std::string list = wire(alpn_);
    SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(list.data()),
                        static_cast<unsigned>(list.size()));
  }
  if (side.session) SSL_set_session(ssl_.get(), side.session.get());
  const int done = role == Role::kServer ? SSL_accept(ssl_.get()) : SSL_connect(ssl_.get());
  if (done != 1) fail("TLS handshake");
}

PeerTls::~PeerTls() = default;

bool PeerTls::write(std::string_view bytes) {
  size_t sent = 0;
  return SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &sent) == 1;
}

long PeerTls::read(char* to, size_t size) {
  size_t got = 0;
  if (SSL_read_ex(ssl_.get(), to, size, &got) == 1) return static_cast<long>(got);
  const bool orderly = ended_orderly();
  ERR_clear_error();
  return orderly ? 0 : -1;
}

bool PeerTls::pending() const { return SSL_pending(ssl_.get()) > 0; }

void PeerTls::say_goodbye() {
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

bool PeerTls::update_key() {
  const bool sent = SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1 &&
                    SSL_do_handshake(ssl_.get()) == 1;
  ERR_clear_error();
  return sent;
}

bool PeerTls::ended_orderly() const {
  return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
}

std::string PeerTls::alpn() const {
  const unsigned char* bytes = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &bytes, &size);
  return {reinterpret_cast<const char*>(bytes), size};
}

std::string PeerTls::version() const { return SSL_get_version(ssl_.get()); }

std::string PeerTls::peer_name() const {
  const X509* peer = SSL_get0_peer_certificate(ssl_.get());
  auto* names = peer == nullptr ? nullptr
                                : static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(
                                      peer, NID_subject_alt_name, nullptr, nullptr));
  std::string out;
  if (sk_GENERAL_NAME_num(names) > 0) {
    const ASN1_IA5STRING* text = sk_GENERAL_NAME_value(names, 0)->d.ia5;
    out.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
               static_cast<size_t>(ASN1_STRING_length(text)));
  }
  GENERAL_NAMES_free(names);
  return out;
}

bool PeerTls::resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

std::shared_ptr<ssl_session_st> PeerTls::session() const {
  return {SSL_get1_session(ssl_.get()), &SSL_SESSION_free};
}

}  // namespace weir::test
