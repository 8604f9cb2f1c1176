// Strings: the small text functions that everybody needs.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace weir::base {

// ASCII only; locales have no say in protocols.
constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
constexpr char to_upper(char c) noexcept {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}
constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_alpha(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
/// 0..15, or -1.
constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string lower(std::string_view text);
void lower_in_place(std::span<char> text) noexcept;
/// Without spaces and tabs at both ends (HTTP's OWS).
std::string_view trim(std::string_view text) noexcept;
/// Between separators; empty parts are kept, an empty text gives one empty part.
std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(std::span<const std::string> parts, std::string_view separator);
bool iequals(std::string_view a, std::string_view b) noexcept;
bool istarts_with(std::string_view text, std::string_view prefix) noexcept;
bool icontains(std::string_view text, std::string_view part) noexcept;
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

/// Digits only: no sign, no space, no overflow, at least one.
std::optional<uint64_t> parse_u64(std::string_view text) noexcept;
std::optional<int64_t> parse_i64(std::string_view text) noexcept;  // with an optional '-'
std::optional<uint64_t> parse_hex(std::string_view text) noexcept;
std::optional<double> parse_double(std::string_view text) noexcept;  // finite, whole text

template <std::integral T>
void append_number(std::string& out, T value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end.ptr);
}

namespace internal {
inline void append_one(std::string& out, std::string_view text) { out += text; }
inline void append_one(std::string& out, char c) { out += c; }
template <std::integral T>
requires(!std::same_as<T, char> && !std::same_as<T, bool>) void append_one(std::string& out,
                                                                           T value) {
  append_number(out, value);
}
}  // namespace internal
/// Texts, characters and integers one after the other.
template <typename... Parts>
void append_all(std::string& out, const Parts&... parts) {
  (internal::append_one(out, parts), ...);
}
template <typename... Parts>
std::string concat(const Parts&... parts) {
  std::string out;
  append_all(out, parts...);
  return out;
}

/// Length of the valid UTF-8 sequence at the start (1..4), 0 if there is none.
size_t utf8_length(std::string_view text) noexcept;
bool valid_utf8(std::string_view text) noexcept;
/// Requires: a code point that is no surrogate.
void append_utf8(std::string& out, uint32_t point);

/// For log lines: controls, quotes, backslashes and bytes that are not UTF-8 become escapes (\n, \", \xHH). kNo leaves
/// quotes as they are, for text that stands in none.
enum class EscapeQuotes : bool { kNo, kYes };
void append_escaped(std::string& out, std::string_view text,
                    EscapeQuotes quotes = EscapeQuotes::kYes);
/// `text` in double quotes, control characters escaped, shortened to a readable length: for messages.
std::string quote(std::string_view text);
/// The inside of a JSON string; invalid UTF-8 becomes U+FFFD.
void append_json_escaped(std::string& out, std::string_view text);
std::string json_escape(std::string_view text);

/// %XX decoded; malformed escapes are kept as they are. '+' stays.
std::string percent_decode(std::string_view text);

/// Standard alphabet (RFC 4648 section 4), strict: padding required, no white space. Null if malformed.
std::optional<std::string> base64_decode(std::string_view text);
/// With padding.
std::string base64_encode(std::string_view bytes);
std::string hex_encode(std::string_view bytes);
/// Digits of either case, two for each byte, nothing else. Null if malformed.
std::optional<std::string> hex_decode(std::string_view text);

/// Levenshtein distance, at most `limit` + 1.
size_t edit_distance(std::string_view a, std::string_view b, size_t limit = 8);
/// The candidate to offer in "did you mean"; empty if none is close.
std::string_view closest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace weir::base
