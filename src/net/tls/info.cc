// What a TlsTransport tells of its handshake.
#include <openssl/sha.h>

#include "base/strings.h"
#include "net/tls/certificate.h"
#include "net/tls/transport.h"

namespace weir::net::tls {
namespace {

std::string url_encoded(std::string_view pem) {
  std::string out;
  out.reserve(pem.size() + pem.size() / 8);
  for (const char c : pem) {
    switch (c) {
      case '\n':
        out += "%0A";
        break;
      case ' ':
        out += "%20";
        break;
      case '+':
        out += "%2B";
        break;
      case '/':
        out += "%2F";
        break;
      case '=':
        out += "%3D";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string digest_text(const X509& certificate, const EVP_MD* digest) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(&certificate, digest, bytes, &size) != 1) return {};
  return hex(bytes, size);
}

}  // namespace

bool TlsTransport::peer_presented() const noexcept {
  return SSL_get0_peer_certificate(ssl_.get()) != nullptr;
}

bool TlsTransport::peer_validated() const noexcept {
  return peer_presented() && SSL_get_verify_mode(ssl_.get()) != SSL_VERIFY_NONE &&
         SSL_get_verify_result(ssl_.get()) == X509_V_OK;
}

int64_t TlsTransport::peer_valid_from() const noexcept {
  const X509* peer = SSL_get0_peer_certificate(ssl_.get());
  return peer == nullptr ? 0 : epoch_of(X509_get0_notBefore(peer));
}

int64_t TlsTransport::peer_valid_until() const noexcept {
  const X509* peer = SSL_get0_peer_certificate(ssl_.get());
  return peer == nullptr ? 0 : epoch_of(X509_get0_notAfter(peer));
}

bool TlsTransport::session_reused() const noexcept { return SSL_session_reused(ssl_.get()) == 1; }

std::string_view TlsTransport::text(TlsText what) const {
  // OpenSSL's own texts, which need no copy.
  if (what == TlsText::kVersion) return SSL_get_version(ssl_.get());
  if (what == TlsText::kCipher) {
    const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_.get());
    return cipher == nullptr ? std::string_view() : SSL_CIPHER_get_name(cipher);
  }
  if (what == TlsText::kAlpn) {
    const unsigned char* bytes = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &bytes, &size);
    return {reinterpret_cast<const char*>(bytes), size};
  }
  if (what == TlsText::kServerName) {
    const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
    return name == nullptr ? std::string_view() : name;
  }
  if (!asked_) asked_ = std::make_unique<Asked>();
  auto& text = asked_->texts[static_cast<size_t>(what)];
  if (!text) text = compute(what);
  return *text;
}

std::string TlsTransport::compute(TlsText what) const {
  if (what == TlsText::kSessionId) {
    const SSL_SESSION* session = SSL_get_session(ssl_.get());
    if (session == nullptr || SSL_version(ssl_.get()) >= TLS1_3_VERSION) return {};
    unsigned size = 0;
    const unsigned char* id = SSL_SESSION_get_id(session, &size);
    return hex(id, size);
  }
  if (what == TlsText::kSubjectLocal) {
    const X509* local = SSL_get_certificate(ssl_.get());
    return local == nullptr ? std::string() : name_text(X509_get_subject_name(local));
  }
  const X509* peer = SSL_get0_peer_certificate(ssl_.get());
  if (peer == nullptr) return {};
  switch (what) {
    case TlsText::kSubjectPeer:
      return name_text(X509_get_subject_name(peer));
    case TlsText::kIssuerPeer:
      return name_text(X509_get_issuer_name(peer));
    case TlsText::kSerialPeer:
      return serial_text(*peer);
    case TlsText::kSha256Peer:
      return digest_text(*peer, EVP_sha256());
    case TlsText::kSha1Peer:
      return digest_text(*peer, EVP_sha1());
    case TlsText::kCertificatePeer:
      return url_encoded(pem_text(*peer));
    case TlsText::kCertificateChainPeer: {
      // A client sees the leaf in the chain, a server does not.
      std::string all;
      const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl_.get());
      if (SSL_is_server(ssl_.get()) == 1) all = pem_text(*peer);
      for (int i = 0; i < sk_X509_num(chain); ++i) all += pem_text(*sk_X509_value(chain, i));
      return url_encoded(all);
    }
    case TlsText::kValidFromPeer:
      return iso_time(X509_get0_notBefore(peer));
    case TlsText::kValidUntilPeer:
      return iso_time(X509_get0_notAfter(peer));
    default:
      return {};
  }
}

std::span<const std::string> TlsTransport::names(TlsNames kind) const {
  if (!asked_) asked_ = std::make_unique<Asked>();
  auto& names = asked_->names[static_cast<size_t>(kind)];
  if (!names) {
    const bool local = kind == TlsNames::kDnsLocal || kind == TlsNames::kUriLocal;
    const X509* from =
        local ? SSL_get_certificate(ssl_.get()) : SSL_get0_peer_certificate(ssl_.get());
    int type = GEN_DNS;
    if (kind == TlsNames::kUriPeer || kind == TlsNames::kUriLocal) type = GEN_URI;
    if (kind == TlsNames::kEmailPeer) type = GEN_EMAIL;
    if (kind == TlsNames::kIpPeer) type = GEN_IPADD;
    names = from == nullptr ? std::vector<std::string>() : alternative_names(*from, type);
  }
  return *names;
}

}  // namespace weir::net::tls
