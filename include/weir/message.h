// The heads of an HTTP exchange as filters see them, the same for every HTTP version.
#pragma once

#include <cstdint>
#include <string_view>
#include <weir/header_map.h>

namespace weir {

enum class EndStream : bool { kNo, kYes };
enum class Protocol : uint8_t { kHttp10, kHttp11, kHttp2 };
/// "HTTP/1.0", "HTTP/1.1", "HTTP/2".
constexpr std::string_view protocol_name(Protocol protocol) noexcept {
  return protocol == Protocol::kHttp10   ? "HTTP/1.0"
         : protocol == Protocol::kHttp11 ? "HTTP/1.1"
                                         : "HTTP/2";
}

/// A request's head. Method, path, authority and scheme are fields of their own and not headers (a Wasm
/// guest sees them as ":method" and so on); `headers` never holds "host", the codec makes it from the
/// authority. Texts live in the arena of `headers`.
class RequestHead {
 public:
  HeaderMap headers;

  std::string_view method() const noexcept { return method_; }
  std::string_view path() const noexcept {
    return path_;
  }  // with the query; starts with '/' or is "*"
  std::string_view authority() const noexcept { return authority_; }
  std::string_view scheme() const noexcept { return scheme_; }
  void set_method(std::string_view text) { method_ = headers.store(text); }
  void set_path(std::string_view text) { path_ = headers.store(text); }
  void set_authority(std::string_view text) { authority_ = headers.store(text); }
  void set_scheme(std::string_view text) { scheme_ = headers.store(text); }
  /// As above for texts that already live in headers' arena or for ever.
  void set_stored_method(std::string_view text) noexcept { method_ = text; }
  void set_stored_path(std::string_view text) noexcept { path_ = text; }
  void set_stored_authority(std::string_view text) noexcept { authority_ = text; }
  void set_stored_scheme(std::string_view text) noexcept { scheme_ = text; }

  void clear() noexcept {
    headers.clear();
    method_ = path_ = authority_ = scheme_ = {};
  }

 private:
  std::string_view method_;
  std::string_view path_;
  std::string_view authority_;
  std::string_view scheme_;
};

/// A response's head; `status` is ":status" to a Wasm guest.
class ResponseHead {
 public:
  HeaderMap headers;
  int status = 0;
  void clear() noexcept {
    headers.clear();
    status = 0;
  }
};

}  // namespace weir
