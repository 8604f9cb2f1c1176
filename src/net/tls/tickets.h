// Session tickets under keys of the configuration (RFC 5077).
#pragma once

#include <openssl/ssl.h>

#include <string>
#include <vector>

namespace weir::net::tls {

/// Owner: its context. The first key encrypts, all decrypt; a ticket of another than the first is replaced by a new one.
/// Immutable: any thread.
class TicketKeys {
 public:
  /// Requires: each key has kTicketKeyBytes.
  explicit TicketKeys(std::vector<std::string> keys) : keys_(std::move(keys)) {}
  bool empty() const noexcept { return keys_.empty(); }
  void install(SSL_CTX& context);

 private:
  static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher,
                       EVP_MAC_CTX* mac, int encrypt) noexcept;
  int seal(unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher,
           EVP_MAC_CTX* mac) const;
  int open(const unsigned char* name, const unsigned char* vector, EVP_CIPHER_CTX* cipher,
           EVP_MAC_CTX* mac) const;
  std::vector<std::string> keys_;
};

}  // namespace weir::net::tls
