// Certificates made for a test: an authority, and what it issues.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace weir::test {

struct CertificatePem {
  std::string certificate;
  std::string key;
};

enum class KeyKind : uint8_t { kEcdsa, kRsa };

/// Owner: the test. One key of each kind is made per process: what differs is in the certificates.
class TestCa {
 public:
  struct Wanted {
    std::string names = "DNS:localhost";  // as in openssl.cnf: "DNS:a,URI:spiffe://b,IP:127.0.0.1"
    std::string common_name = "leaf";
    KeyKind kind = KeyKind::kEcdsa;
    long from_s = -3600;                     // from now
    long until_s = 30 * 86400 + 43200;       // "30 days left", whenever one asks
    bool own_key = false;                    // a key that no other certificate has
    std::string extension_nid_tlsfeature{};  // "status_request": must-staple
  };

  explicit TestCa(const std::string& name = "test CA")
      : key_(make_key(KeyKind::kEcdsa)), certificate_(make_root(name)) {}

  std::string pem() const { return text(*certificate_); }
  CertificatePem issue(const Wanted& wanted) const {
    Key key = wanted.own_key ? make_key(wanted.kind) : shared_key(wanted.kind);
    Certificate leaf = make(wanted.common_name, wanted.from_s, wanted.until_s, *key);
    X509_set_issuer_name(leaf.get(), X509_get_subject_name(certificate_.get()));
    extend(*leaf, NID_basic_constraints, "CA:FALSE");
    if (!wanted.names.empty()) extend(*leaf, NID_subject_alt_name, wanted.names);
    if (!wanted.extension_nid_tlsfeature.empty())
      extend(*leaf, NID_tlsfeature, wanted.extension_nid_tlsfeature);
    X509_sign(leaf.get(), key_.get(), EVP_sha256());
    return {text(*leaf), text(*key)};
  }
  CertificatePem issue(const std::string& names) const {
    Wanted wanted;
    wanted.names = names;
    return issue(wanted);
  }
  /// A revocation list that has these certificates.
  std::string crl(const std::vector<CertificatePem>& revoked) const {
    std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)> list(X509_CRL_new(), &X509_CRL_free);
    X509_CRL_set_version(list.get(), 1);
    X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(certificate_.get()));
    set_times(*list);
    for (const CertificatePem& each : revoked) {
      const Certificate certificate = read(each.certificate);
      X509_REVOKED* entry = X509_REVOKED_new();
      X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(certificate.get()));
      ASN1_TIME* now = X509_gmtime_adj(nullptr, 0);
      X509_REVOKED_set_revocationDate(entry, now);
      ASN1_TIME_free(now);
      X509_CRL_add0_revoked(list.get(), entry);
    }
    X509_CRL_sort(list.get());
    X509_CRL_sign(list.get(), key_.get(), EVP_sha256());
    Bio out(BIO_new(BIO_s_mem()), &BIO_free_all);
    PEM_write_bio_X509_CRL(out.get(), list.get());
    return text(*out);
  }

  using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
  static Certificate read(const std::string& pem) {
    Bio in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free_all);
    return {PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), &X509_free};
  }

 private:
  using Key = std::shared_ptr<EVP_PKEY>;
  using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;

  static Key make_key(KeyKind kind) {
    EVP_PKEY* key = kind == KeyKind::kRsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    if (key == nullptr) throw std::runtime_error("no key");
    return {key, &EVP_PKEY_free};
  }
  static Key shared_key(KeyKind kind) {
    static const Key ecdsa = make_key(KeyKind::kEcdsa);
    if (kind == KeyKind::kEcdsa) return ecdsa;
    static const Key rsa = make_key(KeyKind::kRsa);
    return rsa;
  }
  static Certificate make(const std::string& name, long from_s, long until_s, EVP_PKEY& key) {
    Certificate out(X509_new(), &X509_free);
    X509_set_version(out.get(), 2);
    uint64_t serial = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(out.get()), serial >> 1);
    X509_gmtime_adj(X509_getm_notBefore(out.get()), from_s);
    X509_gmtime_adj(X509_getm_notAfter(out.get()), until_s);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(out.get()), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_pubkey(out.get(), &key);
    return out;
  }
  Certificate make_root(const std::string& name) const {
    Certificate out = make(name, -3600, 365 * 86400, *key_);
    X509_set_issuer_name(out.get(), X509_get_subject_name(out.get()));
    extend(*out, NID_basic_constraints, "critical,CA:TRUE");
    extend(*out, NID_key_usage, "critical,keyCertSign,cRLSign");
    X509_sign(out.get(), key_.get(), EVP_sha256());
    return out;
  }
  static void extend(X509& certificate, int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    if (extension == nullptr) throw std::runtime_error("no extension of " + value);
    X509_add_ext(&certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  static void set_times(X509_CRL& list) {
    ASN1_TIME* from = X509_gmtime_adj(nullptr, -3600);
    ASN1_TIME* until = X509_gmtime_adj(nullptr, 86400);
    X509_CRL_set1_lastUpdate(&list, from);
    X509_CRL_set1_nextUpdate(&list, until);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
  }
  static std::string text(BIO& out) {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(&out, &bytes);
    return {bytes, static_cast<size_t>(size)};
  }
  static std::string text(const X509& certificate) {
    Bio out(BIO_new(BIO_s_mem()), &BIO_free_all);
    PEM_write_bio_X509(out.get(), const_cast<X509*>(&certificate));
    return text(*out);
  }
  static std::string text(EVP_PKEY& key) {
    Bio out(BIO_new(BIO_s_mem()), &BIO_free_all);
    PEM_write_bio_PKCS8PrivateKey(out.get(), &key, nullptr, nullptr, 0, nullptr, nullptr);
    return text(*out);
  }

  Key key_;
  Certificate certificate_;
};

}  // namespace weir::test
