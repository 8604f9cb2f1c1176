#include "base/digest.h"

#include <openssl/evp.h>

#include "base/check.h"
#include "base/strings.h"

namespace weir::base {

Sha256 sha256(std::string_view bytes) {
  Sha256 digest{};
  unsigned size = 0;
  WEIR_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) ==
             1);
  WEIR_CHECK(size == digest.size());
  return digest;
}

std::string sha256_hex(std::string_view bytes) {
  const Sha256 digest = sha256(bytes);
  return hex_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

Sha1 sha1(std::string_view bytes) {
  Sha1 digest{};
  unsigned size = 0;
  WEIR_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha1(), nullptr) ==
             1);
  WEIR_CHECK(size == digest.size());
  return digest;
}

}  // namespace weir::base
