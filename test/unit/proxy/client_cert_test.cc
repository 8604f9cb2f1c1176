#include "proxy/client_cert.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace weir::proxy {
namespace {

struct FakeTls final : TlsInfo {
  std::string_view text(TlsText what) const override {
    switch (what) {
      case TlsText::kSha256Peer:
        return "ab12";
      case TlsText::kSubjectPeer:
        return subject;
      case TlsText::kCertificatePeer:
        return "PEM";
      case TlsText::kCertificateChainPeer:
        return "PEMPEM";
      default:
        return {};
    }
  }
  std::span<const std::string> names(TlsNames kind) const override {
    if (kind == TlsNames::kUriLocal) return local;
    if (kind == TlsNames::kUriPeer) return uris;
    if (kind == TlsNames::kDnsPeer) return dns;
    return {};
  }
  bool peer_presented() const noexcept override { return true; }
  bool peer_validated() const noexcept override { return validated; }
  int64_t peer_valid_from() const noexcept override { return 0; }
  int64_t peer_valid_until() const noexcept override { return 0; }
  bool session_reused() const noexcept override { return false; }
  std::string subject = "CN=a,O=\"b\"";
  std::vector<std::string> local{"spiffe://here"}, uris{"spiffe://there"}, dns{"a.test", "b.test"};
  bool validated = true;
};

std::string after(ForwardClientCert mode, const TlsInfo* tls,
                  const ClientCertDetails& details = {}) {
  HeaderMap headers;
  headers.add("x-forwarded-client-cert", "old");
  std::string scratch;
  forward_client_cert(headers, tls, mode, details, scratch);
  const auto value = headers.get("x-forwarded-client-cert");
  return value ? std::string(*value) : "none";
}

TEST(ForwardClientCertTest, Modes) {
  const FakeTls tls;
  EXPECT_EQ(after(ForwardClientCert::kSanitize, &tls), "none");
  EXPECT_EQ(after(ForwardClientCert::kForwardOnly, &tls), "old");
  EXPECT_EQ(after(ForwardClientCert::kAppendForward, &tls), "old,By=spiffe://here;Hash=ab12");
  EXPECT_EQ(after(ForwardClientCert::kSanitizeSet, &tls), "By=spiffe://here;Hash=ab12");
  EXPECT_EQ(after(ForwardClientCert::kAlwaysForwardOnly, &tls), "old");
}

TEST(ForwardClientCertTest, WhatACertificateSaysEndsNeitherThePairNorTheMessage) {
  FakeTls tls;
  tls.uris = {"u\r\n\r\nGET /admin HTTP/1.1"};
  tls.dns = {std::string("a\0b", 3), "c,d"};
  tls.local = {"here\x7f"};
  ClientCertDetails details;
  details.uri = details.dns = true;
  EXPECT_EQ(after(ForwardClientCert::kSanitizeSet, &tls, details),
            "By=\"here%7f\";Hash=ab12;URI=\"u%0d%0a%0d%0aGET /admin HTTP/1.1\";"
            "DNS=\"a%00b\";DNS=\"c,d\"");
}

TEST(ForwardClientCertTest, NobodyVouchesWithoutAVerifiedCertificate) {
  FakeTls tls;
  tls.validated = false;
  for (const TlsInfo* each :
       {static_cast<const TlsInfo*>(nullptr), static_cast<const TlsInfo*>(&tls)}) {
    for (const auto mode : {ForwardClientCert::kSanitize, ForwardClientCert::kForwardOnly,
                            ForwardClientCert::kAppendForward, ForwardClientCert::kSanitizeSet})
      EXPECT_EQ(after(mode, each), "none");
    EXPECT_EQ(after(ForwardClientCert::kAlwaysForwardOnly, each), "old");
  }
}

TEST(ForwardClientCertTest, Details) {
  FakeTls tls;
  EXPECT_EQ(after(ForwardClientCert::kSanitizeSet, &tls, {true, true, true, true, true}),
            "By=spiffe://here;Hash=ab12;Cert=\"PEM\";Chain=\"PEMPEM\";Subject=\"CN=a,O=\\\"b\\\"\";"
            "URI=spiffe://there;DNS=a.test;DNS=b.test");
  tls.local.clear();
  tls.uris = {"spiffe://there;DNS=evil,By=x"};
  ClientCertDetails uri;
  uri.uri = true;
  EXPECT_EQ(after(ForwardClientCert::kSanitizeSet, &tls, uri),
            "Hash=ab12;URI=\"spiffe://there;DNS=evil,By=x\"");
}

}  // namespace
}  // namespace weir::proxy
