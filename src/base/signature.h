// Signatures over libcrypto: RSA (PKCS #1 v1.5) and ECDSA with a digest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <weir/result.h>

namespace weir::base {

enum class KeyForm : uint8_t { kDer, kPem };

/// A key as text. Larger ones than of 8192 bits are refused: they cost a worker too much time.
struct KeyText {
  KeyForm form = KeyForm::kDer;
  std::string_view bytes;
};

/// `hash` is sha1, sha224, sha256, sha384 or sha512, in either case. Error: it is none, the key cannot be read, or the
/// signature is not one of this text. The key is a SubjectPublicKeyInfo.
Result<void> verify_signature(std::string_view hash, KeyText key, std::string_view signature,
                              std::string_view text);

/// The signature. Errors likewise. The key is a PKCS #8 or a traditional private key without a pass phrase.
Result<std::string> sign(std::string_view hash, KeyText key, std::string_view text);

}  // namespace weir::base
