// Character classes of HTTP and URIs as 256-byte tables, and the vector loops that use them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace weir::http::chars {

inline constexpr uint8_t kToken = 1;        // RFC 9110 5.6.2 tchar
inline constexpr uint8_t kValue = 2;        // field-value: VCHAR, SP, HTAB, obs-text
inline constexpr uint8_t kTarget = 4;       // printable ASCII without SP and '#'
inline constexpr uint8_t kHost = 8;         // reg-name without escapes and without ','
inline constexpr uint8_t kUnreserved = 16;  // RFC 3986 2.3
inline constexpr uint8_t kDigit = 32;

constexpr bool is_alnum(unsigned c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

constexpr std::array<uint8_t, 256> make_classes() noexcept {
  std::array<uint8_t, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    const char ch = static_cast<char>(c);
    uint8_t bits = 0;
    if (is_alnum(c)) bits |= kToken | kHost | kUnreserved;
    if (c >= '0' && c <= '9') bits |= kDigit;
    if (c < 128 && std::string_view("!#$%&'*+-.^_`|~").find(ch) != std::string_view::npos)
      bits |= kToken;
    if (c < 128 && std::string_view("-._~!$&'()*+;=").find(ch) != std::string_view::npos)
      bits |= kHost;
    if (c < 128 && std::string_view("-._~").find(ch) != std::string_view::npos) bits |= kUnreserved;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) bits |= kValue;
    if (c > 0x20 && c < 0x7f && c != '#') bits |= kTarget;
    table[c] = bits;
  }
  return table;
}

constexpr std::array<char, 256> make_lower_token() noexcept {
  const std::array<uint8_t, 256> classes = make_classes();
  std::array<char, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    if ((classes[c] & kToken) != 0) table[c] = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  }
  return table;
}

inline constexpr std::array<uint8_t, 256> kClasses = make_classes();
/// The lower-case form of a token character, 0 for any other.
inline constexpr std::array<char, 256> kLowerToken = make_lower_token();

constexpr bool is(char c, uint8_t classes) noexcept {
  return (kClasses[static_cast<uint8_t>(c)] & classes) != 0;
}
constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

constexpr bool all(std::string_view text, uint8_t classes) noexcept {
  for (const char c : text) {
    if (!is(c, classes)) return false;
  }
  return true;
}

#if defined(__SSE2__)
/// A bit for each of the 16 bytes at `p` that cannot stand in a field value.
inline int not_value_mask(const char* p) noexcept {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  const __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
  const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
  return _mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, control), del));
}
#endif

/// Every byte may stand in a field value.
inline bool all_value(std::string_view text) noexcept {
#if defined(__SSE2__)
  constexpr size_t kBlock = 16;
  if (text.size() >= kBlock) {
    const char* const last = text.data() + text.size() - kBlock;
    for (const char* p = text.data();; p = p + kBlock < last ? p + kBlock : last) {
      if (not_value_mask(p) != 0) return false;
      if (p == last) return true;
    }
  }
#endif
  return all(text, kValue);
}

/// `lower_text` is in lower case.
constexpr bool equals_lower(std::string_view text, std::string_view lower_text) noexcept {
  if (text.size() != lower_text.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (lower(text[i]) != lower_text[i]) return false;
  }
  return true;
}

constexpr std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Takes the next element of a comma-separated list off `list`, trimmed. Requires: not empty.
constexpr std::string_view next_element(std::string_view& list) noexcept {
  const size_t comma = list.find(',');
  const std::string_view element = list.substr(0, comma);
  list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  return trim(element);
}

/// How many bytes that load may be read past the end of what is scanned by find_value_end.
inline constexpr size_t kScanPadding = 16;

/// The first byte at or after `p` that cannot stand in a field value (a control character other than HTAB, or
/// DEL). Requires: there is one, and kScanPadding readable bytes after it.
inline const char* find_value_end(const char* p) noexcept {
#if defined(__SSE2__)
  for (;; p += 16) {
    const int mask = not_value_mask(p);
    if (mask != 0) return p + __builtin_ctz(static_cast<unsigned>(mask));
  }
#else
  while (is(*p, kValue)) ++p;
  return p;
#endif
}

/// The length of the longest prefix of `text` that may stand in a request-target.
inline size_t target_prefix(std::string_view text) noexcept {
  const char* p = text.data();
  const char* const end = p + text.size();
#if defined(__SSE2__)
  // As signed bytes, 0x21..0x7e is > 0x20 and != 0x7f; bytes from 0x80 on are negative.
  const __m128i space = _mm_set1_epi8(0x20);
  const __m128i del = _mm_set1_epi8(0x7f);
  const __m128i hash = _mm_set1_epi8('#');
  for (; end - p >= 16; p += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i bad = _mm_or_si128(_mm_cmpeq_epi8(bytes, del), _mm_cmpeq_epi8(bytes, hash));
    const int good = _mm_movemask_epi8(_mm_andnot_si128(bad, _mm_cmpgt_epi8(bytes, space)));
    if (good != 0xffff)
      return static_cast<size_t>(p - text.data()) + __builtin_ctz(~static_cast<unsigned>(good));
  }
#endif
  while (p != end && is(*p, kTarget)) ++p;
  return static_cast<size_t>(p - text.data());
}

}  // namespace weir::http::chars
