#include "net/tls/tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <array>
#include <cstring>

namespace weir::net::tls {
namespace {

constexpr size_t kNameBytes = 16;
constexpr size_t kMacKeyBytes = 32;
constexpr int kFailed = -1, kUnknown = 0, kUse = 1, kUseAndRenew = 2;

int context_index() noexcept {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

unsigned char* bytes_of(const std::string& key, size_t from) {
  return reinterpret_cast<unsigned char*>(const_cast<char*>(key.data() + from));
}

bool set_mac(const std::string& key, EVP_MAC_CTX* mac) {
  char digest[] = "sha256";
  const std::array<OSSL_PARAM, 3> parameters = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, bytes_of(key, kNameBytes),
                                        kMacKeyBytes),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
}

}  // namespace

void TicketKeys::install(SSL_CTX& context) {
  SSL_CTX_set_ex_data(&context, context_index(), this);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(&context, &TicketKeys::on_ticket);
}

int TicketKeys::on_ticket(SSL* ssl, unsigned char* name, unsigned char* vector,
                          EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int encrypt) noexcept {
  const auto* keys =
      static_cast<const TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index()));
  if (keys == nullptr) return kFailed;
  return encrypt == 1 ? keys->seal(name, vector, cipher, mac)
                      : keys->open(name, vector, cipher, mac);
}

int TicketKeys::seal(unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher,
                     EVP_MAC_CTX* mac) const {
  const std::string& key = keys_.front();
  std::memcpy(name, key.data(), kNameBytes);
  const EVP_CIPHER* aes = EVP_aes_256_cbc();
  if (RAND_bytes(vector, EVP_CIPHER_get_iv_length(aes)) != 1 ||
      EVP_EncryptInit_ex(cipher, aes, nullptr, bytes_of(key, kNameBytes + kMacKeyBytes), vector) !=
          1 ||
      !set_mac(key, mac))
    return kFailed;
  return kUse;
}

int TicketKeys::open(const unsigned char* name, const unsigned char* vector, EVP_CIPHER_CTX* cipher,
                     EVP_MAC_CTX* mac) const {
  for (const std::string& key : keys_) {
    if (CRYPTO_memcmp(name, key.data(), kNameBytes) != 0) continue;
    if (!set_mac(key, mac) ||
        EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr,
                           bytes_of(key, kNameBytes + kMacKeyBytes), vector) != 1)
      return kFailed;
    return &key == &keys_.front() ? kUse : kUseAndRenew;
  }
  return kUnknown;
}

}  // namespace weir::net::tls
