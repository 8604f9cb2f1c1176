#include "config/tls_parts.h"

#include <weir/matchers.h>

#include <algorithm>
#include <utility>

#include "base/digest.h"
#include "base/strings.h"
#include "config/json_text.h"
#include "config/scalar.h"

namespace weir::config {
namespace {

using net::tls::CertificateOptions;
using net::tls::CommonOptions;
using net::tls::Material;
using net::tls::Pin;
using net::tls::SanMatcher;
using net::tls::SanType;
using net::tls::ServerOptions;
using net::tls::ValidationOptions;
using net::tls::Version;

class StringNameMatcher final : public net::tls::NameMatcher {
 public:
  explicit StringNameMatcher(StringMatcher matcher) : matcher_(std::move(matcher)) {}
  bool matches(std::string_view name) const override { return matcher_.matches(name); }

 private:
  StringMatcher matcher_;
};

std::optional<Pin> parse_pin(std::string_view bytes) {
  Pin out{};
  if (bytes.size() != out.size()) return std::nullopt;
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

/// "aabb…" or "AA:BB:…".
std::optional<Pin> parse_hash(std::string_view text) {
  const auto bytes = base::hex_decode(base::replace_all(text, ":", ""));
  return bytes ? parse_pin(*bytes) : std::nullopt;
}

/// What a DataSource names, for messages.
std::string source_name(const Node& source) {
  for (const Node::Entry& entry : source.entries) {
    if (names_field(entry.key, "filename")) return entry.value->text;
    if (names_field(entry.key, "environment_variable")) return "$" + entry.value->text;
  }
  return "inline";
}

Version version_of(View& view, std::string_view field, Version fallback) {
  switch (view.enumeration(field, {"TLS_AUTO", "TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3"}, 0)) {
    case 1:
      return Version::kTls10;
    case 2:
      return Version::kTls11;
    case 3:
      return Version::kTls12;
    case 4:
      return Version::kTls13;
    default:
      return fallback;
  }
}

}  // namespace

TlsReader::TlsReader(View& context, Loading& loading)
    : loading_(loading), identity_(canonical_json(context.node())) {}

void TlsReader::remember(std::string_view bytes) { identity_ += "|" + base::sha256_hex(bytes); }

Material TlsReader::material(View& view, std::string_view field) {
  Material out;
  if (!view.has(field)) return out;
  if (const Node* source = view.raw(field)) out.source = source_name(*source);
  if (auto bytes = view.data_source(field)) out.bytes = std::move(*bytes);
  remember(out.bytes);
  return out;
}

void TlsReader::read_parameters(View& view, CommonOptions& out) {
  out.min_version = version_of(view, "tls_minimum_protocol_version", out.min_version);
  out.max_version = version_of(view, "tls_maximum_protocol_version", out.max_version);
  if (out.min_version > out.max_version)
    view.error("tls_minimum_protocol_version", "above tls_maximum_protocol_version");
  for (const std::string& item : view.texts("cipher_suites")) {
    // "[a|b]" stands for ciphers of equal preference; in order they are as good.
    std::string_view names = item;
    if (names.starts_with('[') && names.ends_with(']')) names = names.substr(1, names.size() - 2);
    for (const std::string_view name : base::split(names, '|')) out.ciphers.emplace_back(name);
  }
  out.curves = view.texts("ecdh_curves");
  out.signature_algorithms = view.texts("signature_algorithms");
  view.later({"compliance_policies"});
}

void TlsReader::read_certificate(View& view, CommonOptions& out) {
  CertificateOptions certificate;
  view.ignore({"watched_directory"});  // every file that the configuration names is watched
  view.later({"private_key_provider", "signed_certificate_timestamp"});
  if (view.has("pkcs12") && (view.has("certificate_chain") || view.has("private_key")))
    view.error("pkcs12", "it takes the place of certificate_chain and private_key");
  certificate.pkcs12 = material(view, "pkcs12");
  certificate.chain = material(view, "certificate_chain");
  certificate.key = material(view, "private_key");
  certificate.password = material(view, "password").bytes;
  certificate.ocsp_staple = material(view, "ocsp_staple");
  if (certificate.pkcs12.empty()) {
    if (!view.has("certificate_chain")) view.missing("certificate_chain");
    if (!view.has("private_key")) view.missing("private_key");
  }
  out.certificates.push_back(std::move(certificate));
}

void TlsReader::read_certificates(View& view, CommonOptions& out) {
  for (auto& certificate : view.children("tls_certificates")) read_certificate(*certificate, out);
  for (auto& reference : view.children("tls_certificate_sds_secret_configs")) {
    auto secret = loading_.secrets.find(*reference, "tls_certificate");
    if (!secret) continue;
    identity_ += canonical_json(secret->node());
    read_certificate(*secret, out);
  }
}

// --- whom to trust ---------------------------------------------------------------------------------------------

void TlsReader::read_pins(View& view, ValidationOptions& out) {
  for (const std::string& text : view.texts("verify_certificate_spki")) {
    const auto bytes = parse_base64(text);
    const auto pin = bytes ? parse_pin(*bytes) : std::nullopt;
    if (pin)
      out.spki_pins.push_back(*pin);
    else
      view.error("verify_certificate_spki",
                 quote(text) + " is not the base64 form of a SHA-256 hash");
  }
  for (const std::string& text : view.texts("verify_certificate_hash")) {
    if (const auto pin = parse_hash(text))
      out.certificate_pins.push_back(*pin);
    else
      view.error("verify_certificate_hash",
                 quote(text) + " is not the hexadecimal form of a SHA-256 hash");
  }
}

void TlsReader::read_names(View& view, ValidationOptions& out) {
  for (auto& item : view.children("match_typed_subject_alt_names")) {
    SanMatcher wanted;
    const size_t type = item->enumeration(
        "san_type", {"SAN_TYPE_UNSPECIFIED", "EMAIL", "DNS", "URI", "IP_ADDRESS", "OTHER_NAME"}, 0);
    if (type == 0) item->error("san_type", "must be EMAIL, DNS, URI, IP_ADDRESS or OTHER_NAME");
    wanted.type = static_cast<SanType>(type);
    wanted.oid = item->text("oid");
    if (wanted.type == SanType::kOther && wanted.oid.empty()) item->missing("oid");
    if (auto matcher = item->required_child("matcher")) {
      // A wildcard of the certificate stands for the exact name, too.
      if (matcher->has("exact")) wanted.exact = matcher->text("exact");
      wanted.matcher = std::make_shared<const StringNameMatcher>(StringMatcher::read(*matcher));
    }
    out.names.push_back(std::move(wanted));
  }
  // The older form: any kind of name.
  for (auto& item : view.children("match_subject_alt_names")) {
    const std::string exact = item->has("exact") ? item->text("exact") : std::string();
    const auto matcher = std::make_shared<const StringNameMatcher>(StringMatcher::read(*item));
    for (const SanType type : {SanType::kDns, SanType::kUri, SanType::kEmail, SanType::kIp})
      out.names.push_back({type, exact, {}, matcher});
  }
}

void TlsReader::read_validation_context(View& view, ValidationOptions& out) {
  view.ignore({"watched_directory"});
  view.later({"require_signed_certificate_timestamp", "custom_validator_config",
              "ca_certificate_provider_instance", "verify_subject_alt_name"});
  if (view.has("trusted_ca")) out.trusted_ca = material(view, "trusted_ca");
  out.system_roots = view.child("system_root_certs") != nullptr;
  if (view.has("crl")) out.crl = material(view, "crl");
  out.crl_for_leaf_only = view.boolean("only_verify_leaf_cert_crl", false);
  out.allow_expired = view.boolean("allow_expired_certificate", false);
  out.accept_untrusted = view.enumeration("trust_chain_verification",
                                          {"VERIFY_TRUST_CHAIN", "ACCEPT_UNTRUSTED"}, 0) == 1;
  out.max_depth = static_cast<int>(view.uint32("max_verify_depth", 100, 0, 100));
  read_pins(view, out);
  read_names(view, out);
}

/// What the secret says is laid over the default.
void TlsReader::read_combined(View& view, ValidationOptions& out) {
  auto base = view.required_child("default_validation_context");
  auto reference = view.required_child("validation_context_sds_secret_config");
  view.later({"validation_context_certificate_provider_instance",
              "validation_context_certificate_provider"});
  if (!base || !reference) return;
  auto secret = loading_.secrets.find(*reference, "validation_context");
  if (!secret) return;
  for (View* part : {base.get(), secret.get()})
    for (const std::string& key : part->keys()) part->ignore({key});
  const Node* merged = loading_.secrets.merge(base->node(), secret->node());
  identity_ += canonical_json(*merged);
  View both(view.context(), *merged, base->path());
  read_validation_context(both, out);
}

void TlsReader::read_validation(View& common, CommonOptions& out) {
  const std::string_view kind = common.one_of(
      {"validation_context", "validation_context_sds_secret_config", "combined_validation_context"},
      View::Required::kNo);
  if (kind.empty()) return;
  out.validation.emplace();
  auto view = common.child(kind);
  if (!view) return;
  const size_t before = identity_.size();
  read_validation_kind(*view, kind, *out.validation);
  validation_identity_ = canonical_json(view->node()) + identity_.substr(before);
}

void TlsReader::read_validation_kind(View& view, std::string_view kind, ValidationOptions& out) {
  if (kind == "validation_context") return read_validation_context(view, out);
  if (kind == "combined_validation_context") return read_combined(view, out);
  if (auto secret = loading_.secrets.find(view, "validation_context")) {
    identity_ += canonical_json(secret->node());
    read_validation_context(*secret, out);
  }
}

void TlsReader::read_common(View& view, CommonOptions& out) {
  if (auto parameters = view.child("tls_params")) read_parameters(*parameters, out);
  read_certificates(view, out);
  read_validation(view, out);
  out.alpn = view.texts("alpn_protocols");
  for (const std::string& protocol : out.alpn)
    if (protocol.empty() || protocol.size() > 255)
      view.error("alpn_protocols", quote(protocol) + " is not a protocol's name (1 to 255 bytes)");
  view.later({"tls_certificate_provider_instance", "custom_tls_certificate_selector",
              "custom_handshaker", "key_log", "tls_certificate_certificate_provider",
              "tls_certificate_certificate_provider_instance",
              "validation_context_certificate_provider",
              "validation_context_certificate_provider_instance"});
}

// --- tickets -----------------------------------------------------------------------------------------------------

void TlsReader::read_keys(View& view, ServerOptions& out) {
  for (auto& key : view.children("keys")) {
    auto bytes = key->own_data_source();
    if (!bytes) continue;
    remember(*bytes);
    if (bytes->size() != net::tls::kTicketKeyBytes) {
      key->error(
          {}, "a session ticket key has 80 bytes, this one has " + std::to_string(bytes->size()));
      continue;
    }
    out.ticket_keys.push_back(std::move(*bytes));
  }
  if (view.no_items("keys")) view.missing("keys");
}

void TlsReader::read_ticket_keys(View& context, ServerOptions& out) {
  const std::string_view kind =
      context.one_of({"session_ticket_keys", "session_ticket_keys_sds_secret_config",
                      "disable_stateless_session_resumption"},
                     View::Required::kNo);
  if (kind.empty()) return;
  if (kind == "disable_stateless_session_resumption") {
    out.stateless_resumption = !context.boolean(kind, false);
    return;
  }
  auto view = context.child(kind);
  if (!view) return;
  if (kind == "session_ticket_keys") return read_keys(*view, out);
  if (auto secret = loading_.secrets.find(*view, "session_ticket_keys")) {
    identity_ += canonical_json(secret->node());
    read_keys(*secret, out);
  }
}

}  // namespace weir::config
