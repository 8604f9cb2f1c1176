// Lists of tokens in header values (RFC 9110 section 5.6.1).
#pragma once

#include <algorithm>
#include <string_view>
#include <weir/header_map.h>

namespace weir::filters {

inline std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// What stands before the first separator, trimmed; `rest` is what stands behind it.
inline std::string_view cut(std::string_view& rest, char separator) noexcept {
  const size_t at = rest.find(separator);
  const std::string_view piece = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return trim(piece);
}

/// Whether `text` is `lower` but for the case of its letters.
inline bool is_token(std::string_view text, std::string_view lower) noexcept {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
  });
}

/// Whether a field of this name has the token in its list.
inline bool has_token(const HeaderMap& headers, HeaderId id, std::string_view lower) noexcept {
  for (const HeaderMap::Entry& entry : headers) {
    if (entry.id != id) continue;
    for (std::string_view rest = entry.value; !rest.empty();)
      if (is_token(cut(rest, ','), lower)) return true;
  }
  return false;
}

}  // namespace weir::filters
