#include "net/tls/verifier.h"

#include <openssl/err.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>

#include "base/strings.h"
#include "net/tls/certificate.h"

namespace weir::net::tls {
namespace {

using StorePtr = std::unique_ptr<X509_STORE, Freed<&X509_STORE_free>>;

/// The system's roots are some hundred certificates: read once, shared by all contexts, and read again when the file differs.
X509_STORE* system_roots() {
  static std::mutex mutex;
  static StorePtr roots;
  static std::string seen;
  const char* configured = std::getenv(X509_get_default_cert_file_env());
  const std::string path = configured != nullptr ? configured : X509_get_default_cert_file();
  struct stat info {};
  static_cast<void>(::stat(path.c_str(), &info));
  const std::string now = base::concat(path, "|", info.st_ino, "|", info.st_size, "|",
                                       info.st_mtim.tv_sec, "|", info.st_mtim.tv_nsec);
  const std::lock_guard lock(mutex);
  if (!roots || seen != now) {
    roots.reset(X509_STORE_new());
    X509_STORE_set_default_paths(roots.get());
    ERR_clear_error();
    seen = now;
  }
  X509_STORE_up_ref(roots.get());
  return roots.get();
}

int ignore_time(int ok, X509_STORE_CTX* store) noexcept {
  const int error = X509_STORE_CTX_get_error(store);
  if (error != X509_V_ERR_CERT_HAS_EXPIRED && error != X509_V_ERR_CERT_NOT_YET_VALID) return ok;
  X509_STORE_CTX_set_error(store, X509_V_OK);
  return 1;
}

int general_name_type(SanType type) noexcept {
  switch (type) {
    case SanType::kEmail:
      return GEN_EMAIL;
    case SanType::kUri:
      return GEN_URI;
    case SanType::kIp:
      return GEN_IPADD;
    case SanType::kOther:
      return GEN_OTHERNAME;
    case SanType::kDns:
      break;
  }
  return GEN_DNS;
}

/// "*.example.com" of a certificate stands for one label.
bool wildcard_covers(std::string_view pattern, std::string_view name) {
  if (!pattern.starts_with("*.")) return false;
  const size_t dot = name.find('.');
  return dot != std::string_view::npos && dot > 0 &&
         base::iequals(pattern.substr(1), name.substr(dot));
}

bool matches_name(const SanMatcher& wanted, std::string_view name) {
  if (wanted.matcher && wanted.matcher->matches(name)) return true;
  return wanted.type == SanType::kDns && !wanted.exact.empty() &&
         (base::iequals(name, wanted.exact) || wildcard_covers(name, wanted.exact));
}

/// Null for what is no text: the type is the certificate's word, and others hold no string.
const ASN1_STRING* text_of(const ASN1_TYPE& value) noexcept {
  switch (value.type) {
    case V_ASN1_UTF8STRING:
    case V_ASN1_IA5STRING:
    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_VISIBLESTRING:
    case V_ASN1_NUMERICSTRING:
    case V_ASN1_T61STRING:
    case V_ASN1_BMPSTRING:
    case V_ASN1_UNIVERSALSTRING:
      return value.value.asn1_string;
    default:
      return nullptr;
  }
}

bool matches_other_name(const SanMatcher& wanted, const X509& leaf) {
  NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&leaf, NID_subject_alt_name, nullptr, nullptr)));
  std::unique_ptr<ASN1_OBJECT, Freed<&ASN1_OBJECT_free>> oid(OBJ_txt2obj(wanted.oid.c_str(), 1));
  for (int i = 0; names && oid && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_OTHERNAME || OBJ_cmp(name->d.otherName->type_id, oid.get()) != 0)
      continue;
    const ASN1_STRING* string = text_of(*name->d.otherName->value);
    if (string == nullptr) continue;
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, string);
    const std::string value(reinterpret_cast<char*>(text),
                            size > 0 ? static_cast<size_t>(size) : 0);
    OPENSSL_free(text);
    ERR_clear_error();
    if (size >= 0 && wanted.matcher && wanted.matcher->matches(value)) return true;
  }
  return false;
}

}  // namespace

bool is_for(const X509& certificate, const std::string& name) {
  auto* leaf = const_cast<X509*>(&certificate);
  if (X509_check_ip_asc(leaf, name.c_str(), 0) == 1) return true;
  const bool found = X509_check_host(leaf, name.data(), name.size(),
                                     X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
  ERR_clear_error();
  return found;
}

Result<void> Verifier::load_roots(SSL_CTX& context) {
  if (!options_.trusted_ca) {
    SSL_CTX_set_cert_store(&context, system_roots());  // takes the reference
    if (!options_.crl) return {};
  }
  std::vector<CrlPtr> lists;
  if (options_.crl) {
    WEIR_TRY(read, read_crls(*options_.crl));
    lists = std::move(read);
  }
  if (!options_.trusted_ca) {
    // A store of its own: the lists hold for this context alone.
    X509_STORE* store = X509_STORE_new();
    X509_STORE_set_default_paths(store);
    SSL_CTX_set_cert_store(&context, store);
  }
  X509_STORE* store = SSL_CTX_get_cert_store(&context);
  if (options_.trusted_ca) {
    WEIR_TRY(roots, read_certificates(*options_.trusted_ca, &lists));
    for (const X509Ptr& root : roots) {
      X509_STORE_add_cert(store, root.get());
      SSL_CTX_add_client_CA(&context, root.get());
      roots_.push_back(facts_of(*root, options_.trusted_ca->source));
    }
  }
  for (const CrlPtr& list : lists) X509_STORE_add_crl(store, list.get());
  // Whatever the configuration calls trusted is an anchor, an intermediate certificate too.
  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
  if (!lists.empty())
    flags |= X509_V_FLAG_CRL_CHECK | (options_.crl_for_leaf_only ? 0 : X509_V_FLAG_CRL_CHECK_ALL);
  X509_STORE_set_flags(store, flags);
  ERR_clear_error();
  return {};
}

Result<void> Verifier::install(SSL_CTX& context, int mode) {
  checks_chain_ = options_.trusted_ca || options_.system_roots;
  if (checks_chain_) WEIR_CHECKED(load_roots(context));
  SSL_CTX_set_verify(&context, mode, nullptr);
  SSL_CTX_set_verify_depth(&context, options_.max_depth);
  SSL_CTX_set_cert_verify_callback(&context, &Verifier::on_verify, this);
  return {};
}

int Verifier::on_verify(X509_STORE_CTX* store, void* self) noexcept {
  const auto& verifier = *static_cast<const Verifier*>(self);
  const auto* ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  Handshake* handshake = Handshake::of(ssl);
  Finding finding = verifier.examine(*store, handshake);
  X509_STORE_CTX_set_error(store, finding.error);
  if (finding.error == X509_V_OK) return 1;
  if (finding.counter != nullptr) finding.counter->inc();
  if (handshake != nullptr && !finding.text.empty())
    handshake->problem = base::concat("verify cert failed: ", finding.text);
  return verifier.options_.accept_untrusted ? 1 : 0;
}

Verifier::Finding Verifier::examine_chain(X509_STORE_CTX& store, const Stats* stats) const {
  if (options_.allow_expired) X509_STORE_CTX_set_verify_cb(&store, &ignore_time);
  if (X509_verify_cert(&store) > 0) return {};
  const int error = X509_STORE_CTX_get_error(&store);
  return {error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error,
          base::concat("X509_verify_cert: certificate verification error at depth ",
                       X509_STORE_CTX_get_error_depth(&store), ": ",
                       X509_verify_cert_error_string(error)),
          stats == nullptr ? nullptr : &stats->fail_verify_error};
}

Verifier::Finding Verifier::examine(X509_STORE_CTX& store, const Handshake* handshake) const {
  const Stats* stats = handshake == nullptr ? nullptr : handshake->stats.get();
  if (checks_chain_) {
    if (Finding finding = examine_chain(store, stats); finding.error != X509_V_OK) return finding;
  }
  const X509* leaf = X509_STORE_CTX_get0_cert(&store);
  if (leaf == nullptr) return {X509_V_ERR_UNSPECIFIED, "no certificate", nullptr};
  Counter* san = stats == nullptr ? nullptr : &stats->fail_verify_san;
  if (!options_.names.empty() && !has_wanted_name(*leaf))
    return {X509_V_ERR_HOSTNAME_MISMATCH, "no subject alternative name matches", san};
  if (handshake != nullptr && !handshake->verify_name.empty() &&
      !is_for(*leaf, handshake->verify_name))
    return {X509_V_ERR_HOSTNAME_MISMATCH,
            base::concat("the certificate is not for \"", handshake->verify_name, "\""), san};
  if (options_.has_pins() && !is_pinned(*leaf))
    return {X509_V_ERR_APPLICATION_VERIFICATION, "no hash of the certificate or its key matches",
            stats == nullptr ? nullptr : &stats->fail_verify_cert_hash};
  // Nothing says that it is good either.
  if (!checks_chain_ && !options_.has_pins()) return {X509_V_ERR_APPLICATION_VERIFICATION};
  return {};
}

bool Verifier::has_wanted_name(const X509& leaf) const {
  return std::any_of(
      options_.names.begin(), options_.names.end(), [&leaf](const SanMatcher& wanted) {
        if (wanted.type == SanType::kOther) return matches_other_name(wanted, leaf);
        const auto names = alternative_names(leaf, general_name_type(wanted.type));
        return std::any_of(names.begin(), names.end(), [&wanted](const std::string& name) {
          return matches_name(wanted, name);
        });
      });
}

bool Verifier::is_pinned(const X509& leaf) const {
  const auto has = [](const std::vector<Pin>& pins, const Pin& pin) {
    return std::find(pins.begin(), pins.end(), pin) != pins.end();
  };
  return (!options_.spki_pins.empty() && has(options_.spki_pins, spki_digest(leaf))) ||
         (!options_.certificate_pins.empty() &&
          has(options_.certificate_pins, certificate_digest(leaf)));
}

}  // namespace weir::net::tls
