#include "net/tls/client_context.h"

#include <openssl/err.h>

#include "base/strings.h"
#include "net/address.h"
#include "net/tls/certificate.h"
#include "net/tls/transport.h"

namespace weir::net::tls {
namespace {

/// RFC 6066: a name, never an address.
bool may_be_server_name(const std::string& name) {
  return !name.empty() && name.size() <= 255 && !Address::ip(name, 0);
}

}  // namespace

void SessionStore::put(const std::string& name, SessionPtr session) {
  const std::lock_guard lock(mutex_);
  if (sessions_.size() >= kMaxNames && !sessions_.contains(name)) sessions_.clear();
  auto& kept = sessions_[name];
  if (!kept.empty() && kept.back() == session) return;
  kept.push_back(std::move(session));
  while (kept.size() > limit_) kept.pop_front();
}

SessionPtr SessionStore::take(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(name);
  if (found == sessions_.end() || found->second.empty()) return nullptr;
  auto& kept = found->second;
  if (SSL_SESSION_get_protocol_version(kept.back().get()) < TLS1_3_VERSION) {
    SSL_SESSION_up_ref(kept.back().get());
    return SessionPtr(kept.back().get());
  }
  SessionPtr session = std::move(kept.back());
  kept.pop_back();
  return session;
}

Result<Made> ClientContext::make(ClientOptions options, Expired expired) {
  Made made;
  std::unique_ptr<ClientContext> context(new ClientContext(std::move(options)));
  WEIR_CHECKED(context->set_up(expired, made.warnings));
  made.factory = factory_of(std::move(context));
  return made;
}

Result<void> ClientContext::set_up(Expired expired, std::vector<std::string>& warnings) {
  WEIR_TRY(made, make_context(options_, TLS_client_method(), true));
  context_ = std::move(made);
  SSL_CTX* raw = context_.get();
  if (options_.allow_renegotiation) SSL_CTX_clear_options(raw, SSL_OP_NO_RENEGOTIATION);
  if (options_.certificates.size() > 1)
    return fail(Code::kConfig, Side::kLocal, "a client has one certificate at most");
  for (const CertificateOptions& each : options_.certificates) {
    WEIR_TRY(certificate, read_certificate(each));
    WEIR_CHECKED(check_times(*certificate.leaf, certificate.source, expired, warnings));
    facts_.push_back(facts_of(*certificate.leaf, certificate.source));
    STACK_OF(X509)* chain = sk_X509_new_null();
    for (const X509Ptr& link : certificate.chain) sk_X509_push(chain, link.get());
    const bool taken =
        SSL_CTX_use_cert_and_key(raw, certificate.leaf.get(), certificate.key.get(), chain, 1) == 1;
    sk_X509_free(chain);
    if (!taken)
      return fail(
          Code::kConfig, Side::kLocal,
          base::concat(certificate.source, ": the certificate cannot be used: ", last_error()));
  }
  options_.certificates.clear();
  // Whoever says nothing gets the system's roots: only ACCEPT_UNTRUSTED turns verification off.
  ValidationOptions validation = options_.validation.value_or(ValidationOptions());
  if (!validation.trusted_ca && !validation.has_pins() && !validation.accept_untrusted)
    validation.system_roots = true;
  verifier_ = std::make_unique<Verifier>(std::move(validation));
  WEIR_CHECKED(verifier_->install(*raw, SSL_VERIFY_PEER));
  if (const std::string alpn = alpn_wire(options_.alpn); !alpn.empty())
    SSL_CTX_set_alpn_protos(raw, reinterpret_cast<const unsigned char*>(alpn.data()),
                            static_cast<unsigned>(alpn.size()));
  if (options_.max_session_keys > 0) {
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(raw, &ClientContext::on_session);
  } else {
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  }
  return {};
}

void remember_renewed(SSL& ssl, Handshake& handshake) {
  if (handshake.sessions == nullptr || SSL_version(&ssl) >= TLS1_3_VERSION) return;
  handshake.sessions->put(handshake.session_name, SessionPtr(SSL_get1_session(&ssl)));
}

int ClientContext::on_session(SSL* ssl, SSL_SESSION* session) noexcept {
  Handshake* handshake = Handshake::of(ssl);
  if (handshake == nullptr || handshake->sessions == nullptr) return 0;
  handshake->sessions->put(handshake->session_name, SessionPtr(session));
  return 1;
}

std::string ClientContext::server_name(const TransportHints& hints) const {
  if (may_be_server_name(hints.server_name)) return hints.server_name;
  if (options_.auto_host_sni && may_be_server_name(hints.peer_name)) return hints.peer_name;
  return may_be_server_name(options_.sni) ? options_.sni : std::string();
}

/// For whom the certificate must be. Where nothing else decides it is the name that was asked for; and where anybody's
/// certificate has a trusted chain, the endpoint itself.
std::string ClientContext::verify_name(const TransportHints& hints,
                                       const std::string& server_name) const {
  if (!hints.verify_name.empty()) return hints.verify_name;
  if (options_.auto_sni_san_validation && !server_name.empty()) return server_name;
  if (verifier_->decides()) return {};
  if (!server_name.empty()) return server_name;
  return verifier_->uses_system_roots() ? hints.peer_name : std::string();
}

std::unique_ptr<Transport> ClientContext::make(const TransportHints& hints,
                                               std::shared_ptr<const Context> self) const {
  SslPtr ssl = make_ssl();
  auto handshake = std::make_unique<Handshake>();
  handshake->stats = hints.tls_stats;
  const std::string name = server_name(hints);
  handshake->verify_name = verify_name(hints, name);
  if (!name.empty()) SSL_set_tlsext_host_name(ssl.get(), name.c_str());
  if (!hints.alpn.empty() && options_.alpn.empty()) {
    const std::string alpn = alpn_wire(hints.alpn);
    SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                        static_cast<unsigned>(alpn.size()));
  }
  if (options_.max_session_keys > 0) {
    handshake->session_name =
        base::concat(name, "|", handshake->verify_name, "|", base::join(hints.alpn, ","));
    handshake->sessions = &sessions_;
    if (const SessionPtr session = sessions_.take(handshake->session_name))
      SSL_set_session(ssl.get(), session.get());
  }
  return std::make_unique<TlsTransport>(std::move(ssl), TlsTransport::Role::kClient,
                                        std::move(handshake), std::move(self));
}

Result<Made> make_client(ClientOptions options, Expired expired) {
  return ClientContext::make(std::move(options), expired);
}

}  // namespace weir::net::tls
