#include "net/tls/certificate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/sha.h>

#include <array>
#include <ctime>

#include "base/strings.h"
#include "base/time.h"

namespace weir::net::tls {
namespace {

int give_password(char* to, int size, int, void* from) noexcept {
  const auto& password = *static_cast<const std::string*>(from);
  if (password.size() > static_cast<size_t>(size)) return -1;
  password.copy(to, password.size());
  return static_cast<int>(password.size());
}

tl::unexpected<Error> wrong(const Material& material, std::string_view what) {
  return fail(Code::kConfig, Side::kLocal, base::concat(material.source, ": ", what));
}

bool at_end_of_pem() {
  const unsigned long code = ERR_peek_last_error();
  const bool end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
  if (end) ERR_clear_error();
  return end;
}

Result<KeyPtr> read_key(const Material& material, const std::string& password) {
  BioPtr reader = memory_reader(material.bytes);
  KeyPtr key(PEM_read_bio_PrivateKey(reader.get(), nullptr, &give_password,
                                     const_cast<std::string*>(&password)));
  if (!key) return wrong(material, base::concat("no private key: ", last_error()));
  return key;
}

struct Pkcs12 {
  KeyPtr key;
  X509Ptr leaf;
  std::vector<X509Ptr> chain;
};

Result<Pkcs12> read_pkcs12(const Material& material, const std::string& password) {
  BioPtr reader = memory_reader(material.bytes);
  std::unique_ptr<PKCS12, Freed<&PKCS12_free>> bundle(d2i_PKCS12_bio(reader.get(), nullptr));
  if (!bundle) return wrong(material, base::concat("no PKCS #12 bundle: ", last_error()));
  EVP_PKEY* key = nullptr;
  X509* leaf = nullptr;
  STACK_OF(X509)* others = nullptr;
  const bool parsed = PKCS12_parse(bundle.get(), password.c_str(), &key, &leaf, &others) == 1;
  Pkcs12 out{KeyPtr(key), X509Ptr(leaf), {}};
  for (int i = 0; i < sk_X509_num(others); ++i) out.chain.emplace_back(sk_X509_value(others, i));
  sk_X509_free(others);
  if (!parsed) return wrong(material, last_error());
  if (!out.key || !out.leaf) return wrong(material, "it needs a certificate and a private key");
  return out;
}

bool has_must_staple(const X509& certificate) {
  auto* features =
      static_cast<TLS_FEATURE*>(X509_get_ext_d2i(&certificate, NID_tlsfeature, nullptr, nullptr));
  bool found = false;
  for (int i = 0; i < sk_ASN1_INTEGER_num(features); ++i)
    found |= ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == TLSEXT_TYPE_status_request;
  TLS_FEATURE_free(features);
  return found;
}

std::string common_name(const X509& certificate) {
  const X509_NAME* subject = X509_get_subject_name(&certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  std::string out(reinterpret_cast<char*>(text), size > 0 ? static_cast<size_t>(size) : 0);
  OPENSSL_free(text);
  return out;
}

std::string address_text(const ASN1_OCTET_STRING& address) {
  const int size = ASN1_STRING_length(&address);
  const unsigned char* bytes = ASN1_STRING_get0_data(&address);
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (size == 4) ::inet_ntop(AF_INET, bytes, text.data(), text.size());
  if (size == 16) ::inet_ntop(AF_INET6, bytes, text.data(), text.size());
  return text.data();
}

}  // namespace

Result<std::vector<X509Ptr>> read_certificates(const Material& material,
                                               std::vector<CrlPtr>* crls) {
  BioPtr reader = memory_reader(material.bytes);
  std::unique_ptr<STACK_OF(X509_INFO), void (*)(STACK_OF(X509_INFO)*)> all(
      PEM_X509_INFO_read_bio(reader.get(), nullptr, nullptr, nullptr),
      [](STACK_OF(X509_INFO) * list) { sk_X509_INFO_pop_free(list, &X509_INFO_free); });
  if (!all) return wrong(material, base::concat("cannot read the certificates: ", last_error()));
  std::vector<X509Ptr> out;
  for (int i = 0; i < sk_X509_INFO_num(all.get()); ++i) {
    X509_INFO* info = sk_X509_INFO_value(all.get(), i);
    if (info->x509 != nullptr) {
      out.emplace_back(info->x509);
      info->x509 = nullptr;
    }
    if (info->crl != nullptr && crls != nullptr) {
      crls->emplace_back(info->crl);
      info->crl = nullptr;
    }
  }
  ERR_clear_error();
  if (out.empty()) return wrong(material, "there is no certificate in it");
  return out;
}

Result<std::vector<CrlPtr>> read_crls(const Material& material) {
  BioPtr reader = memory_reader(material.bytes);
  std::vector<CrlPtr> out;
  while (X509_CRL* crl = PEM_read_bio_X509_CRL(reader.get(), nullptr, nullptr, nullptr))
    out.emplace_back(crl);
  if (!at_end_of_pem())
    return wrong(material, base::concat("cannot read the revocation list: ", last_error()));
  if (out.empty()) return wrong(material, "there is no certificate revocation list in it");
  return out;
}

namespace {

/// A chain of PEM texts: whole, or an error; a file that is cut in the middle of a certificate is one.
Result<std::vector<X509Ptr>> read_chain(const Material& material) {
  BioPtr reader = memory_reader(material.bytes);
  std::vector<X509Ptr> out;
  while (X509* certificate = PEM_read_bio_X509_AUX(reader.get(), nullptr, nullptr, nullptr)) {
    out.emplace_back(certificate);
  }
  if (!at_end_of_pem())
    return wrong(material, base::concat("cannot read the certificate chain: ", last_error()));
  if (out.empty()) return wrong(material, "there is no certificate in it");
  return out;
}

}  // namespace

Result<Certificate> read_certificate(const CertificateOptions& options) {
  Certificate out;
  if (!options.pkcs12.empty()) {
    WEIR_TRY(bundle, read_pkcs12(options.pkcs12, options.password));
    out.leaf = std::move(bundle.leaf);
    out.key = std::move(bundle.key);
    out.chain = std::move(bundle.chain);
    out.source = options.pkcs12.source;
  } else {
    WEIR_TRY(chain, read_chain(options.chain));
    out.leaf = std::move(chain.front());
    for (size_t i = 1; i < chain.size(); ++i) out.chain.push_back(std::move(chain[i]));
    WEIR_TRY(key, read_key(options.key, options.password));
    out.key = std::move(key);
    out.source = options.chain.source;
  }
  if (X509_check_private_key(out.leaf.get(), out.key.get()) != 1) {
    ERR_clear_error();
    return fail(Code::kConfig, Side::kLocal,
                base::concat("the private key ", options.key.source,
                             " does not belong to the certificate ", out.source));
  }
  out.names = alternative_names(*out.leaf, GEN_DNS);
  if (out.names.empty()) {
    if (std::string name = common_name(*out.leaf); !name.empty())
      out.names.push_back(std::move(name));
  }
  for (std::string& name : out.names) base::lower_in_place(name);
  out.must_staple = has_must_staple(*out.leaf);
  return out;
}

int64_t epoch_of(const ASN1_TIME* time) noexcept {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return static_cast<int64_t>(::timegm(&parts));
}

std::string iso_time(const ASN1_TIME* time) {
  return base::iso8601(std::chrono::system_clock::time_point(std::chrono::seconds(epoch_of(time))));
}

std::string name_text(const X509_NAME* name) {
  BioPtr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : std::string();
}

std::string serial_text(const X509& certificate) {
  std::unique_ptr<BIGNUM, Freed<&BN_free>> number(
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(&certificate), nullptr));
  if (!number) return {};
  std::vector<unsigned char> bytes(static_cast<size_t>(BN_num_bytes(number.get())));
  BN_bn2bin(number.get(), bytes.data());
  return hex(bytes.data(), bytes.size());
}

std::string pem_text(const X509& certificate) {
  BioPtr out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(out.get(), const_cast<X509*>(&certificate)) != 1) return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<size_t>(size)};
}

std::vector<std::string> alternative_names(const X509& certificate, int general_name_type) {
  NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> out;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != general_name_type) continue;
    if (general_name_type == GEN_IPADD) {
      out.push_back(address_text(*name->d.iPAddress));
    } else {
      const ASN1_IA5STRING* text = name->d.ia5;  // of DNS names, URIs and mail addresses alike
      out.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                       static_cast<size_t>(ASN1_STRING_length(text)));
    }
  }
  return out;
}

Pin spki_digest(const X509& certificate) {
  Pin out{};
  unsigned char* bytes = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(&certificate), &bytes);
  if (size > 0) SHA256(bytes, static_cast<size_t>(size), out.data());
  OPENSSL_free(bytes);
  return out;
}

Pin certificate_digest(const X509& certificate) {
  Pin out{};
  unsigned size = 0;
  X509_digest(&certificate, EVP_sha256(), out.data(), &size);
  return out;
}

CertificateFacts facts_of(const X509& certificate, const std::string& source) {
  CertificateFacts out;
  out.path = source;
  out.serial = serial_text(certificate);
  out.dns_names = alternative_names(certificate, GEN_DNS);
  out.uris = alternative_names(certificate, GEN_URI);
  out.ip_addresses = alternative_names(certificate, GEN_IPADD);
  out.valid_from = epoch_of(X509_get0_notBefore(&certificate));
  out.valid_until = epoch_of(X509_get0_notAfter(&certificate));
  return out;
}

}  // namespace weir::net::tls
