#include "base/signature.h"

#include <gtest/gtest.h>

#include "base/zlib_bytes.h"

namespace weir::base {
namespace {

// Of this test alone.
constexpr std::string_view kPrivate =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgtVTvx3/ja7cQJH2w\n"
    "pfLOka3+kg06klibTSrBquwn4V6hRANCAASkbuGpmd1CmoAz6/ouA7pJHWelpoZd\n"
    "DAUXHYZy0jSv0c+S2vEm1rbtOksinXzU0MejEyEMWXdobrXL45rdUhO3\n"
    "-----END PRIVATE KEY-----\n";
constexpr std::string_view kPublic =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpG7hqZndQpqAM+v6LgO6SR1npaaG\n"
    "XQwFFx2GctI0r9HPktrxJta27TpLIp181NDHoxMhDFl3aG61y+Oa3VITtw==\n"
    "-----END PUBLIC KEY-----\n";
constexpr std::string_view kLocked =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgIx2xRAbFzaAICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEFzTopNx6tatSb34+UU69AUEgZCW\n"
    "tfDdCeUlIShE31+dk0SUjKoko0tKx1rofNsn7VkDEcm9JZZKsg18svHETIPa8F8X\n"
    "9rW0AYqCIRXWe6Xz0xY55V2i3PEzfCclyjE6BaxbA3TfG9MAxAfq/37uNLNI9vxl\n"
    "dl3fmhH2l7G2c7OrF3cQYRPSojTL9fwaCKKBvhnPsG+Nvj5RJNl1PKUsKONDmzM=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

KeyText pem(std::string_view bytes) { return {KeyForm::kPem, bytes}; }

TEST(Signature, IsVerifiedByItsKeyAndTextAlone) {
  for (const char* hash : {"sha1", "sha224", "SHA256", "sha384", "sha512"}) {
    const auto signature = sign(hash, pem(kPrivate), "text");
    ASSERT_TRUE(signature) << signature.error().detail;
    EXPECT_TRUE(verify_signature(hash, pem(kPublic), *signature, "text"));
    EXPECT_FALSE(verify_signature(hash, pem(kPublic), *signature, "texts"));
    EXPECT_FALSE(verify_signature("sha256", pem(kPublic), *signature + "x", "text"));
  }
}

TEST(Signature, RefusesWhatIsNoKey) {
  EXPECT_EQ(sign("md5", pem(kPrivate), "a").error().detail, "md5 is not supported.");
  EXPECT_FALSE(sign("sha256", pem(kPublic), "a")) << "a public key";
  EXPECT_FALSE(sign("sha256", pem(kLocked), "a")) << "nobody is asked for the pass phrase";
  EXPECT_FALSE(sign("sha256", pem(""), "a"));
  EXPECT_FALSE(sign("sha256", {KeyForm::kDer, kPrivate}, "a")) << "PEM as DER";
  EXPECT_FALSE(verify_signature("sha256", pem("-----BEGIN PUBLIC KEY-----"), "a", "a"));
  EXPECT_FALSE(verify_signature("sha256", pem(kPublic), "", "a"));
}

TEST(ZlibBytes, AreBoundedAndWhole) {
  const std::string plain(100'000, 'a');
  const std::string packed = zlib_compress(plain);
  EXPECT_LT(packed.size(), 1000u);
  EXPECT_EQ(zlib_uncompress(packed, plain.size()), plain);
  EXPECT_FALSE(zlib_uncompress(packed, plain.size() - 1));
  EXPECT_FALSE(zlib_uncompress(packed.substr(0, packed.size() - 1), plain.size()));
  EXPECT_FALSE(zlib_uncompress(packed + "x", plain.size()));
  EXPECT_FALSE(zlib_uncompress("", 10));
  EXPECT_FALSE(zlib_uncompress("plain", 10));
  EXPECT_EQ(zlib_uncompress(zlib_compress(""), 0), "");
}

}  // namespace
}  // namespace weir::base
