#include "net/tls/info.h"

#include <array>
#include <optional>

#include "base/strings.h"
#include "net/tls/certificate.h"

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

/// Holds what OpenSSL counts references of; everything else is made of that when somebody asks.
class Info final : public TlsInfo {
 public:
  explicit Info(SSL& ssl)
      : version_(text_at_hand(ssl, TlsText::kVersion)),
        cipher_(text_at_hand(ssl, TlsText::kCipher)),
        old_version_(SSL_version(&ssl) < TLS1_3_VERSION),
        server_(SSL_is_server(&ssl) == 1),
        reused_(SSL_session_reused(&ssl) == 1),
        validated_(tls::peer_validated(ssl)),
        peer_(SSL_get1_peer_certificate(&ssl)),
        session_(SSL_get1_session(&ssl)) {
    if (peer_) chain_.reset(X509_chain_up_ref(SSL_get_peer_cert_chain(&ssl)));
    if (X509* local = SSL_get_certificate(&ssl)) {
      X509_up_ref(local);
      local_.reset(local);
    }
    const std::string_view alpn = text_at_hand(ssl, TlsText::kAlpn);
    told_ = base::concat(alpn, text_at_hand(ssl, TlsText::kServerName));
    alpn_size_ = static_cast<uint8_t>(alpn.size());
  }

  std::string_view text(TlsText what) const override;
  std::span<const std::string> names(TlsNames kind) const override;
  bool peer_presented() const noexcept override { return peer_ != nullptr; }
  bool peer_validated() const noexcept override { return validated_; }
  int64_t peer_valid_from() const noexcept override {
    return peer_ ? epoch_of(X509_get0_notBefore(peer_.get())) : 0;
  }
  int64_t peer_valid_until() const noexcept override {
    return peer_ ? epoch_of(X509_get0_notAfter(peer_.get())) : 0;
  }
  bool session_reused() const noexcept override { return reused_; }

 private:
  struct Asked {
    std::array<std::optional<std::string>, kTlsTexts> texts;
    std::array<std::optional<std::vector<std::string>>, kTlsNameKinds> names;
  };
  std::string compute(TlsText what) const;
  std::string compute_of_peer(TlsText what) const;

  std::string_view version_, cipher_;  // OpenSSL's own, for ever
  bool old_version_, server_, reused_, validated_;
  uint8_t alpn_size_ = 0;
  X509Ptr peer_, local_;
  ChainPtr chain_;
  SessionPtr session_;
  std::string told_;  // ALPN, then the server's name
  mutable std::unique_ptr<Asked> asked_;
};

std::string_view Info::text(TlsText what) const {
  switch (what) {
    case TlsText::kVersion:
      return version_;
    case TlsText::kCipher:
      return cipher_;
    case TlsText::kAlpn:
      return std::string_view(told_).substr(0, alpn_size_);
    case TlsText::kServerName:
      return std::string_view(told_).substr(alpn_size_);
    default:
      break;
  }
  if (!asked_) asked_ = std::make_unique<Asked>();
  auto& text = asked_->texts[static_cast<size_t>(what)];
  if (!text) text = compute(what);
  return *text;
}

std::string Info::compute(TlsText what) const {
  if (what == TlsText::kSessionId) {
    if (!session_ || !old_version_) return {};
    unsigned size = 0;
    const unsigned char* id = SSL_SESSION_get_id(session_.get(), &size);
    return hex(id, size);
  }
  if (what == TlsText::kSubjectLocal)
    return local_ ? name_text(X509_get_subject_name(local_.get())) : std::string();
  return peer_ ? compute_of_peer(what) : std::string();
}

std::string Info::compute_of_peer(TlsText what) const {
  const X509& peer = *peer_;
  switch (what) {
    case TlsText::kSubjectPeer:
      return name_text(X509_get_subject_name(&peer));
    case TlsText::kIssuerPeer:
      return name_text(X509_get_issuer_name(&peer));
    case TlsText::kSerialPeer:
      return serial_text(peer);
    case TlsText::kSha256Peer:
      return digest_text(peer, EVP_sha256());
    case TlsText::kSha1Peer:
      return digest_text(peer, EVP_sha1());
    case TlsText::kCertificatePeer:
      return url_encoded(pem_text(peer));
    case TlsText::kCertificateChainPeer: {
      // A client's chain has the leaf in it, a server's has not.
      std::string all = server_ || !chain_ ? pem_text(peer) : std::string();
      for (int i = 0; chain_ && i < sk_X509_num(chain_.get()); ++i)
        all += pem_text(*sk_X509_value(chain_.get(), i));
      return url_encoded(all);
    }
    case TlsText::kValidFromPeer:
      return iso_time(X509_get0_notBefore(&peer));
    case TlsText::kValidUntilPeer:
      return iso_time(X509_get0_notAfter(&peer));
    default:
      return {};
  }
}

std::span<const std::string> Info::names(TlsNames kind) const {
  if (!asked_) asked_ = std::make_unique<Asked>();
  auto& names = asked_->names[static_cast<size_t>(kind)];
  if (!names) {
    const bool local = kind == TlsNames::kDnsLocal || kind == TlsNames::kUriLocal ||
                       kind == TlsNames::kIpLocal || kind == TlsNames::kEmailLocal;
    const X509* from = local ? local_.get() : peer_.get();
    int type = GEN_DNS;
    if (kind == TlsNames::kUriPeer || kind == TlsNames::kUriLocal) type = GEN_URI;
    if (kind == TlsNames::kEmailPeer || kind == TlsNames::kEmailLocal) type = GEN_EMAIL;
    if (kind == TlsNames::kIpPeer || kind == TlsNames::kIpLocal) type = GEN_IPADD;
    names = from == nullptr ? std::vector<std::string>() : alternative_names(*from, type);
  }
  return *names;
}

}  // namespace

std::string_view text_at_hand(const SSL& ssl, TlsText what) noexcept {
  const char* text = nullptr;
  const unsigned char* alpn = nullptr;
  unsigned size = 0;
  switch (what) {
    case TlsText::kVersion:
      text = SSL_get_version(&ssl);
      break;
    case TlsText::kCipher:
      text = SSL_CIPHER_get_name(SSL_get_current_cipher(&ssl));
      break;
    case TlsText::kAlpn:
      SSL_get0_alpn_selected(&ssl, &alpn, &size);
      return {reinterpret_cast<const char*>(alpn), size};
    case TlsText::kServerName:
      text = SSL_get_servername(&ssl, TLSEXT_NAMETYPE_host_name);
      break;
    default:
      break;
  }
  return text == nullptr ? std::string_view() : std::string_view(text);
}

bool peer_validated(const SSL& ssl) noexcept {
  return SSL_get0_peer_certificate(&ssl) != nullptr &&
         SSL_get_verify_mode(&ssl) != SSL_VERIFY_NONE && SSL_get_verify_result(&ssl) == X509_V_OK;
}

std::shared_ptr<const TlsInfo> make_info(SSL& ssl) { return std::make_shared<const Info>(ssl); }

}  // namespace weir::net::tls
