#include "net/tls/server_context.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>

#include <algorithm>
#include <ctime>

#include "base/digest.h"
#include "base/strings.h"
#include "net/tls/transport.h"

namespace weir::net::tls {
namespace {

bool has_expired(const Certificate& certificate) {
  return certificate.staple_until != 0 &&
         certificate.staple_until < static_cast<int64_t>(std::time(nullptr));
}

tl::unexpected<Error> wrong(const Material& material, std::string_view what) {
  return fail(Code::kConfig, Side::kLocal, base::concat(material.source, ": ", what));
}

}  // namespace

Result<Made> ServerContext::make(ServerOptions options, Expired expired) {
  Made made;
  std::unique_ptr<ServerContext> context(new ServerContext(std::move(options)));
  WEIR_CHECKED(context->set_up(expired, made.warnings));
  made.factory = factory_of(std::move(context));
  return made;
}

Result<void> ServerContext::set_up(Expired expired, std::vector<std::string>& warnings) {
  WEIR_TRY(made, make_context(options_, TLS_server_method(), options_.prefer_client_ciphers));
  context_ = std::move(made);
  WEIR_CHECKED(read_certificates(expired, warnings));
  index_certificates();
  WEIR_CHECKED(set_up_clients());
  set_up_sessions();
  SSL_CTX* raw = context_.get();
  SSL_CTX_set_tlsext_servername_callback(raw, &ServerContext::on_server_name);
  SSL_CTX_set_tlsext_servername_arg(raw, this);
  if (!is_one_set()) SSL_CTX_set_cert_cb(raw, &ServerContext::on_certificate, this);
  const bool staples = std::any_of(certificates_.begin(), certificates_.end(),
                                   [](const Certificate& each) { return !each.staple.empty(); });
  if (staples) {
    SSL_CTX_set_tlsext_status_cb(raw, &ServerContext::on_status);
    SSL_CTX_set_tlsext_status_arg(raw, this);
  }
  alpn_ = alpn_wire(options_.alpn);
  SSL_CTX_set_alpn_select_cb(raw, &ServerContext::on_alpn, this);
  return {};
}

Result<void> ServerContext::read_certificates(Expired expired, std::vector<std::string>& warnings) {
  if (options_.certificates.empty())
    return fail(Code::kConfig, Side::kLocal, "a server needs a certificate");
  for (const CertificateOptions& each : options_.certificates) {
    WEIR_TRY(certificate, read_certificate(each));
    WEIR_CHECKED(check_times(*certificate.leaf, certificate.source, expired, warnings));
    WEIR_CHECKED(read_staple(each, certificate));
    facts_.push_back(facts_of(*certificate.leaf, certificate.source));
    STACK_OF(X509)* chain = sk_X509_new_null();
    for (const X509Ptr& link : certificate.chain) sk_X509_push(chain, link.get());
    // Also where certificates are chosen by name: what cannot be shown at all is found now.
    const bool taken = SSL_CTX_use_cert_and_key(context_.get(), certificate.leaf.get(),
                                                certificate.key.get(), chain, 1) == 1;
    sk_X509_free(chain);
    if (!taken)
      return fail(
          Code::kConfig, Side::kLocal,
          base::concat(certificate.source, ": the certificate cannot be used: ", last_error()));
    certificates_.push_back(std::move(certificate));
  }
  options_.certificates.clear();  // the keys' texts are needed no longer
  return {};
}

Result<void> ServerContext::read_staple(const CertificateOptions& from, Certificate& into) const {
  if (from.ocsp_staple.empty()) {
    if (options_.ocsp_policy == OcspPolicy::kMust || into.must_staple)
      return fail(Code::kConfig, Side::kLocal,
                  base::concat(into.source, ": an OCSP response is required",
                               into.must_staple ? " (the certificate says must-staple)" : ""));
    return {};
  }
  const Material& staple = from.ocsp_staple;
  const auto* bytes = reinterpret_cast<const unsigned char*>(staple.bytes.data());
  std::unique_ptr<OCSP_RESPONSE, Freed<&OCSP_RESPONSE_free>> response(
      d2i_OCSP_RESPONSE(nullptr, &bytes, static_cast<long>(staple.bytes.size())));
  if (!response) return wrong(staple, base::concat("no OCSP response: ", last_error()));
  if (OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
    return wrong(staple, "the OCSP response says that the responder has failed");
  std::unique_ptr<OCSP_BASICRESP, Freed<&OCSP_BASICRESP_free>> basic(
      OCSP_response_get1_basic(response.get()));
  if (!basic || OCSP_resp_count(basic.get()) != 1)
    return wrong(staple, "the OCSP response must be for exactly one certificate");
  OCSP_SINGLERESP* single = OCSP_resp_get0(basic.get(), 0);
  ASN1_INTEGER* serial = nullptr;
  OCSP_id_get0_info(nullptr, nullptr, nullptr, &serial,
                    const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single)));
  if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(into.leaf.get())) != 0)
    return wrong(staple,
                 base::concat("the OCSP response is for another certificate than ", into.source));
  ASN1_GENERALIZEDTIME* until = nullptr;
  OCSP_single_get0_status(single, nullptr, nullptr, nullptr, &until);
  into.staple = staple.bytes;
  into.staple_until = epoch_of(until);
  return {};
}

Result<void> ServerContext::set_up_clients() {
  const bool required = options_.require_client_certificate;
  if (!options_.validation && !required) return {};
  const ValidationOptions validation = options_.validation.value_or(ValidationOptions());
  if (required && !validation.trusted_ca && !validation.system_roots && !validation.has_pins() &&
      !validation.accept_untrusted)
    return fail(Code::kConfig, Side::kLocal,
                "require_client_certificate says nothing without a trusted_ca or a hash of the "
                "certificate: any "
                "certificate would do; write \"trust_chain_verification: ACCEPT_UNTRUSTED\" if "
                "that is wanted");
  verifier_ = std::make_unique<Verifier>(validation);
  return verifier_->install(*context_,
                            SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0));
}

void ServerContext::set_up_sessions() {
  SSL_CTX* raw = context_.get();
  // A session is resumed only where it was made, and under the same demands on the client's certificate: the peer is not
  // verified again.
  std::string scope =
      base::concat(options_.session_scope, "|", options_.require_client_certificate ? "1" : "0");
  if (options_.validation) {
    const ValidationOptions& validation = *options_.validation;
    if (validation.trusted_ca) scope += "|" + base::sha256_hex(validation.trusted_ca->bytes);
    if (validation.crl) scope += "|" + base::sha256_hex(validation.crl->bytes);
    for (const auto* pins : {&validation.spki_pins, &validation.certificate_pins})
      for (const Pin& pin : *pins) scope += "|" + hex(pin.data(), pin.size());
  }
  const base::Sha256 id = base::sha256(scope);
  SSL_CTX_set_session_id_context(raw, id.data(), id.size());
  SSL_CTX_set_timeout(raw, static_cast<long>(options_.session_timeout.count()));
  const bool cached = options_.stateful_resumption;
  SSL_CTX_set_session_cache_mode(raw, cached ? SSL_SESS_CACHE_SERVER : SSL_SESS_CACHE_OFF);
  if (!options_.stateless_resumption) SSL_CTX_set_options(raw, SSL_OP_NO_TICKET);
  // Without tickets TLS 1.3 hands out names of cached sessions; without those either nothing.
  if (!options_.stateless_resumption && !cached) SSL_CTX_set_num_tickets(raw, 0);
  if (!tickets_.empty()) tickets_.install(*raw);
}

// --- certificates by name -------------------------------------------------------------------------------------

void ServerContext::index_certificates() {
  const auto add = [this](Chosen& chosen, size_t index) {
    const int kind = EVP_PKEY_get_base_id(certificates_[index].key.get());
    const bool taken = std::any_of(chosen.begin(), chosen.end(), [this, kind](size_t other) {
      return EVP_PKEY_get_base_id(certificates_[other].key.get()) == kind;
    });
    if (!taken) chosen.push_back(index);
  };
  for (size_t i = 0; i < certificates_.size(); ++i) {
    add(all_, i);
    for (const std::string& name : certificates_[i].names) add(by_name_[name], i);
  }
  first_ = options_.full_scan_on_sni_mismatch ? all_ : Chosen{0};
}

/// Every name leads to all certificates: OpenSSL chooses by the kind of key on its own.
bool ServerContext::is_one_set() const {
  return all_.size() == certificates_.size() &&
         std::all_of(by_name_.begin(), by_name_.end(),
                     [this](const auto& each) { return each.second == all_; }) &&
         first_ == all_;
}

const ServerContext::Chosen& ServerContext::choose(std::string_view server_name) const {
  if (server_name.empty()) return all_;
  const std::string name = base::lower(server_name);
  if (const auto found = by_name_.find(name); found != by_name_.end()) return found->second;
  if (const size_t dot = name.find('.'); dot != std::string::npos && dot > 0) {
    const auto found = by_name_.find("*" + name.substr(dot));
    if (found != by_name_.end()) return found->second;
  }
  return first_;
}

bool ServerContext::show(SSL& ssl, const Chosen& chosen) const {
  SSL_certs_clear(&ssl);
  for (const size_t index : chosen) {
    const Certificate& each = certificates_[index];
    STACK_OF(X509)* chain = sk_X509_new_null();
    for (const X509Ptr& link : each.chain) sk_X509_push(chain, link.get());
    const bool taken = SSL_use_cert_and_key(&ssl, each.leaf.get(), each.key.get(), chain, 1) == 1;
    sk_X509_free(chain);
    if (!taken) return false;
  }
  return true;
}

int ServerContext::on_certificate(SSL* ssl, void* self) noexcept {
  const auto& context = *static_cast<const ServerContext*>(self);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  return context.show(*ssl, context.choose(name == nullptr ? "" : name)) ? 1 : 0;
}

/// Called for every ClientHello, also of a resumption and without a name.
int ServerContext::on_server_name(SSL* ssl, int* alert, void* self) noexcept {
  const auto& context = *static_cast<const ServerContext*>(self);
  if (!context.options_.require_sni) return SSL_TLSEXT_ERR_OK;
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name != nullptr && *name != '\0') return SSL_TLSEXT_ERR_OK;
  if (Handshake* handshake = Handshake::of(ssl))
    handshake->problem = "the client names no server (require_sni)";
  *alert = SSL_AD_UNRECOGNIZED_NAME;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// --- extensions -------------------------------------------------------------------------------------------------

int ServerContext::on_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                           const unsigned char* offered, unsigned offered_size,
                           void* self) noexcept {
  const auto& context = *static_cast<const ServerContext*>(self);
  const Handshake* handshake = Handshake::of(ssl);
  const std::string& ours =
      handshake != nullptr && !handshake->alpn.empty() ? handshake->alpn : context.alpn_;
  unsigned char* chosen = nullptr;
  const int found =
      SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned>(ours.size()), offered, offered_size);
  if (ours.empty() || found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int ServerContext::on_status(SSL* ssl, void* self) noexcept {
  return static_cast<const ServerContext*>(self)->staple(*ssl);
}

/// The client asks for a proof that the certificate is not revoked.
int ServerContext::staple(SSL& ssl) const {
  const Handshake* handshake = Handshake::of(&ssl);
  const Stats* stats = handshake == nullptr ? nullptr : handshake->stats.get();
  if (stats != nullptr) stats->ocsp_staple_requests.inc();
  const X509* shown = SSL_get_certificate(&ssl);
  const auto found = std::find_if(
      certificates_.begin(), certificates_.end(),
      [shown](const Certificate& each) { return X509_cmp(each.leaf.get(), shown) == 0; });
  if (found == certificates_.end()) return SSL_TLSEXT_ERR_NOACK;
  const OcspPolicy policy = found->must_staple ? OcspPolicy::kMust : options_.ocsp_policy;
  if (found->staple.empty() || has_expired(*found)) {
    const bool refused =
        policy == OcspPolicy::kMust || (policy == OcspPolicy::kStrict && !found->staple.empty());
    if (stats != nullptr) (refused ? stats->ocsp_staple_failed : stats->ocsp_staple_omitted).inc();
    return refused ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
  }
  void* copy = OPENSSL_memdup(found->staple.data(), found->staple.size());
  if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_tlsext_status_ocsp_resp(&ssl, copy, static_cast<long>(found->staple.size()));
  if (stats != nullptr) stats->ocsp_staple_responses.inc();
  return SSL_TLSEXT_ERR_OK;
}

std::unique_ptr<Transport> ServerContext::make(const TransportHints& hints,
                                               std::shared_ptr<const Context> self) const {
  auto handshake = std::make_unique<Handshake>();
  handshake->stats = hints.tls_stats;
  if (!hints.alpn.empty()) handshake->alpn = alpn_wire(hints.alpn);
  return std::make_unique<TlsTransport>(make_ssl(), TlsTransport::Role::kServer,
                                        std::move(handshake), std::move(self));
}

Result<Made> make_server(ServerOptions options, Expired expired) {
  return ServerContext::make(std::move(options), expired);
}

}  // namespace weir::net::tls
