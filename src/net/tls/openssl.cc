#include "net/tls/openssl.h"

#include <openssl/err.h>

#include <climits>

#include "base/strings.h"

namespace weir::net::tls {

BioPtr memory_reader(std::string_view bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(),
                                bytes.size() > INT_MAX ? INT_MAX : static_cast<int>(bytes.size())));
}

std::string last_error() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  std::string out = reason != nullptr ? reason
                    : code == 0       ? "unknown error"
                                      : base::concat("error ", code);
  ERR_clear_error();
  return out;
}

std::string failure_text(std::string_view more) {
  std::string out;
  const auto words = [](const char* text) { return std::string_view(text == nullptr ? "" : text); };
  while (const unsigned long code = ERR_get_error()) {
    base::append_all(out, "|", code, ":", words(ERR_lib_error_string(code)),
                     "::", words(ERR_reason_error_string(code)));
  }
  if (out.empty() && more.empty()) return out;
  if (!more.empty()) base::append_all(out, ":", more);
  return base::concat("TLS_error:", out, ":TLS_error_end");
}

std::string hex(const unsigned char* bytes, size_t size) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(size * 2);
  for (size_t i = 0; i < size; ++i) {
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

}  // namespace weir::net::tls
