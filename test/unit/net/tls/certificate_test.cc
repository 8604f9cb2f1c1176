// What is wrong with certificates and keys is said when they are read.
#include <gtest/gtest.h>

#include <string>

#include "net/tls/factory.h"
#include "support/certs.h"

namespace weir::net::tls {
namespace {

using test::CertificatePem;
using test::TestCa;

ServerOptions options(const CertificatePem& pem) {
  ServerOptions out;
  out.certificates.push_back({{pem.certificate, "cert.pem"}, {pem.key, "key.pem"}, {}, {}, {}});
  return out;
}

void expect_error(const ServerOptions& options, std::string_view text,
                  Expired expired = Expired::kWarn) {
  const auto result = make_server(options, expired);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kConfig);
  EXPECT_NE(result.error().detail.find(text), std::string::npos) << result.error().detail;
}

TEST(TlsCertificateTest, KeyOfAnotherCertificate) {
  TestCa ca;
  TestCa::Wanted wanted;
  wanted.own_key = true;
  CertificatePem pem = ca.issue(wanted);
  pem.key = ca.issue(wanted).key;
  expect_error(options(pem), "the private key key.pem does not belong to the certificate cert.pem");
}

TEST(TlsCertificateTest, TruncatedAndEmptyFiles) {
  const CertificatePem good = TestCa().issue("DNS:a");
  CertificatePem pem = good;
  pem.certificate.resize(pem.certificate.size() / 2);
  expect_error(options(pem), "cert.pem: ");
  pem = good;
  pem.certificate += good.certificate.substr(0, good.certificate.size() / 2);
  expect_error(options(pem), "cert.pem: cannot read the certificate chain");
  pem = good;
  pem.certificate = "hello";
  expect_error(options(pem), "cert.pem: there is no certificate in it");
  pem = good;
  pem.key.resize(pem.key.size() / 2);
  expect_error(options(pem), "key.pem: no private key");
}

TEST(TlsCertificateTest, ExpiredWarnsOrIsRefused) {
  TestCa::Wanted wanted;
  wanted.until_s = -60;
  const ServerOptions expired = options(TestCa().issue(wanted));
  const auto warned = make_server(expired, Expired::kWarn);
  ASSERT_TRUE(warned);
  ASSERT_EQ(warned->warnings.size(), 1u);
  EXPECT_NE(warned->warnings.front().find("cert.pem: the certificate has expired"),
            std::string::npos);
  expect_error(expired, "cert.pem: the certificate has expired", Expired::kRefuse);
}

TEST(TlsCertificateTest, UnknownCiphersCurvesAndSignatures) {
  ServerOptions wrong = options(TestCa().issue("DNS:a"));
  wrong.ciphers = {"ECDHE-RSA-AES128-GCM-SHA256", "ROT13"};
  expect_error(wrong, "unknown cipher \"ROT13\"");
  wrong.ciphers.clear();
  wrong.curves = {"P-7"};
  expect_error(wrong, "P-7");
  wrong.curves.clear();
  wrong.signature_algorithms = {"ecdsa_secp256r1_sha256", "crc32"};
  expect_error(wrong, "crc32");
}

TEST(TlsCertificateTest, MustStapleNeedsAStaple) {
  TestCa::Wanted wanted;
  wanted.extension_nid_tlsfeature = "status_request";
  expect_error(options(TestCa().issue(wanted)), "an OCSP response is required");
  ServerOptions must = options(TestCa().issue("DNS:a"));
  must.ocsp_policy = OcspPolicy::kMust;
  expect_error(must, "an OCSP response is required");
}

TEST(TlsCertificateTest, FactsForPeople) {
  const auto made = make_server(options(TestCa().issue("DNS:a.test,URI:spiffe://a,IP:127.0.0.1")));
  ASSERT_TRUE(made);
  const auto& facts = made->factory->certificates();
  ASSERT_EQ(facts.size(), 1u);
  EXPECT_EQ(facts[0].path, "cert.pem");
  EXPECT_EQ(facts[0].dns_names, std::vector<std::string>{"a.test"});
  EXPECT_EQ(facts[0].uris, std::vector<std::string>{"spiffe://a"});
  EXPECT_EQ(facts[0].ip_addresses, std::vector<std::string>{"127.0.0.1"});
  EXPECT_EQ(facts[0].valid_until - facts[0].valid_from, 30 * 86400 + 43200 + 3600);
}

}  // namespace
}  // namespace weir::net::tls
