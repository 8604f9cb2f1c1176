#include "base/signature.h"

#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>

#include "base/strings.h"

namespace weir::base {
namespace {

constexpr int kMaxKeyBits = 8192;
constexpr size_t kMaxKeyBytes = 64 * 1024;

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* what) const noexcept {
    Free(what);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<&EVP_PKEY_free>>;
using Decoder = std::unique_ptr<OSSL_DECODER_CTX, Freed<&OSSL_DECODER_CTX_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Freed<&EVP_MD_CTX_free>>;

tl::unexpected<Error> problem(std::string_view text) {
  // What the library notes per thread is nobody else's.
  ERR_clear_error();
  return fail(Code::kInvalidArgument, Side::kLocal, text);
}

const unsigned char* octets(std::string_view bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Result<const EVP_MD*> find_digest(std::string_view hash) {
  struct Named {
    std::string_view name;
    const EVP_MD* (*digest)();
  };
  constexpr Named kDigests[] = {{"sha1", &EVP_sha1},
                                {"sha224", &EVP_sha224},
                                {"sha256", &EVP_sha256},
                                {"sha384", &EVP_sha384},
                                {"sha512", &EVP_sha512}};
  const std::string wanted = lower(hash);
  for (const Named& each : kDigests)
    if (each.name == wanted) return each.digest();
  return problem(concat(hash, " is not supported."));
}

int no_pass_phrase(char*, size_t, size_t*, const OSSL_PARAM*, void*) { return 0; }

/// `selection` is OpenSSL's: a public key, or a pair.
Result<Key> read_key(KeyText text, int selection) {
  const std::string_view what = selection == EVP_PKEY_KEYPAIR ? "private" : "public";
  if (text.bytes.empty() || text.bytes.size() > kMaxKeyBytes)
    return problem(concat("The ", what, " key cannot be read."));
  EVP_PKEY* made = nullptr;
  Decoder decoder(OSSL_DECODER_CTX_new_for_pkey(&made, text.form == KeyForm::kPem ? "PEM" : "DER",
                                                nullptr, nullptr, selection, nullptr, nullptr));
  const unsigned char* at = octets(text.bytes);
  size_t left = text.bytes.size();
  // There is no pass phrase, not even an empty one: for a key that says it is locked the library would derive one, with as many
  // rounds as the key asks for.
  const bool read =
      decoder && OSSL_DECODER_CTX_set_passphrase_cb(decoder.get(), &no_pass_phrase, nullptr) == 1 &&
      OSSL_DECODER_from_data(decoder.get(), &at, &left) == 1;
  Key key(made);
  if (!read || !key) return problem(concat("The ", what, " key cannot be read."));
  const bool known = EVP_PKEY_is_a(key.get(), "RSA") == 1 || EVP_PKEY_is_a(key.get(), "EC") == 1;
  if (!known || EVP_PKEY_get_bits(key.get()) > kMaxKeyBits)
    return problem("The key is neither RSA nor EC, or too large.");
  return key;
}

}  // namespace

Result<void> verify_signature(std::string_view hash, KeyText key_text, std::string_view signature,
                              std::string_view text) {
  WEIR_TRY(digest, find_digest(hash));
  WEIR_TRY(key, read_key(key_text, EVP_PKEY_PUBLIC_KEY));
  const Digest context(EVP_MD_CTX_new());
  if (!context || EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key.get()) != 1)
    return problem("Failed to initialize digest verify.");
  if (EVP_DigestVerify(context.get(), octets(signature), signature.size(), octets(text),
                       text.size()) != 1)
    return problem("Failed to verify digest.");
  return {};
}

Result<std::string> sign(std::string_view hash, KeyText key_text, std::string_view text) {
  WEIR_TRY(digest, find_digest(hash));
  WEIR_TRY(key, read_key(key_text, EVP_PKEY_KEYPAIR));
  const Digest context(EVP_MD_CTX_new());
  if (!context || EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key.get()) != 1)
    return problem("Failed to initialize digest sign.");
  size_t size = 0;
  if (EVP_DigestSign(context.get(), nullptr, &size, octets(text), text.size()) != 1)
    return problem("Failed to sign.");
  std::string out(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                     octets(text), text.size()) != 1)
    return problem("Failed to sign.");
  out.resize(size);
  return out;
}

}  // namespace weir::base
