// Owners of OpenSSL's objects and its error texts.
#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>
#include <weir/result.h>

namespace weir::net::tls {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
struct FreedChain {
  void operator()(STACK_OF(X509) * chain) const noexcept { sk_X509_pop_free(chain, &X509_free); }
};
using SslPtr = std::unique_ptr<SSL, Freed<&SSL_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, Freed<&SSL_CTX_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, Freed<&SSL_SESSION_free>>;
using BioPtr = std::unique_ptr<BIO, Freed<&BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<&EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, Freed<&X509_free>>;
using CrlPtr = std::unique_ptr<X509_CRL, Freed<&X509_CRL_free>>;
using ChainPtr = std::unique_ptr<STACK_OF(X509), FreedChain>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Freed<&GENERAL_NAMES_free>>;

/// A reader of the bytes, which must outlive it.
BioPtr memory_reader(std::string_view bytes);
/// The last entry of the thread's error queue in words ("key values mismatch"), which is emptied.
std::string last_error();
/// The whole queue as Envoy writes it, "TLS_error:|<code>:<library>::<reason>:TLS_error_end"; emptied. `more` says what is
/// known beyond that. Empty if there is neither.
std::string failure_text(std::string_view more);

std::string hex(const unsigned char* bytes, size_t size);

}  // namespace weir::net::tls
