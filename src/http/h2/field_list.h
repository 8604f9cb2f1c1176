// The fields of a block that is sent, as nghttp2 takes them.
#pragma once

#include <array>
#include <string_view>
#include <vector>
#include <nghttp2/nghttp2.h>
#include <weir/header_map.h>

#include "http/chars.h"

namespace weir::http::h2 {

/// Texts are borrowed until nghttp2 has copied them in submit.
class FieldList {
 public:
  void clear() noexcept { fields_.clear(); }
  /// A name that lives as long as the process: nghttp2 takes it as it is.
  void add_known(std::string_view name, std::string_view value, uint8_t flags = 0) {
    push(name, value, static_cast<uint8_t>(flags | NGHTTP2_NV_FLAG_NO_COPY_NAME));
  }
  void add_status(int status);
  /// All fields but those that belong to one hop and those that pseudo-headers stand for (RFC 9113 8.2.2).
  void add_fields(const HeaderMap& headers);
  void remove(std::string_view name) noexcept;
  void add_trailers(const HeaderMap& trailers);

  const nghttp2_nv* data() const noexcept { return fields_.data(); }
  size_t size() const noexcept { return fields_.size(); }
  bool empty() const noexcept { return fields_.empty(); }

 private:
  static constexpr bool blank(char c) noexcept { return c == ' ' || c == '\t'; }
  void add(const HeaderMap::Entry& entry);
  void push(std::string_view name, std::string_view value, uint8_t flags) {
    // RFC 9113 8.2.1: blanks at the ends make a field malformed.
    if (!value.empty() && (blank(value.front()) || blank(value.back()))) [[unlikely]]
      value = chars::trim(value);
    // nghttp2 reads through pointers to non-const and does not write.
    fields_.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                       reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(),
                       value.size(), flags});
  }

  std::vector<nghttp2_nv> fields_;
  std::array<char, 3> status_{};
};

}  // namespace weir::http::h2
