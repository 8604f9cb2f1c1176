#include "wasm/cel/lexer.h"

#include <algorithm>
#include <charconv>

#include "base/strings.h"

namespace weir::wasm::cel {
namespace {

constexpr size_t kMaxPrefix = 2;  // of a text: r, b or both

bool starts_name(char c) noexcept { return base::is_alpha(c) || c == '_'; }
bool in_name(char c) noexcept { return starts_name(c) || base::is_digit(c); }

size_t digits_at(std::string_view text) noexcept {
  return std::min(text.find_first_not_of("0123456789"), text.size());
}

/// The exponent of a number; 0 if there is none.
size_t exponent_at(std::string_view text) noexcept {
  if (text.empty() || base::to_lower(text[0]) != 'e') return 0;
  const size_t sign = text.size() > 1 && (text[1] == '+' || text[1] == '-') ? 2 : 1;
  const size_t digits = digits_at(text.substr(sign));
  return digits == 0 ? 0 : sign + digits;
}

}  // namespace

void Lexer::skip_space() noexcept {
  while (at_ < source_.size()) {
    if (source_.find_first_of(" \t\n\r\f", at_) == at_) {
      ++at_;
    } else if (rest().starts_with("//")) {
      at_ = std::min(source_.find('\n', at_), source_.size());
    } else {
      return;
    }
  }
}

Token Lexer::next() {
  skip_space();
  const size_t begin = at_;
  const std::string_view left = rest();
  if (left.empty()) return {TokenKind::kEnd, {}, {}, begin};
  const bool fraction = left[0] == '.' && left.size() > 1 && base::is_digit(left[1]);
  Token token;
  if (base::is_digit(left[0]) || fraction) {
    token = number();
  } else if (at_text()) {
    token = text();
  } else if (starts_name(left[0])) {
    const size_t size =
        static_cast<size_t>(std::find_if_not(left.begin(), left.end(), in_name) - left.begin());
    at_ += size;
    token = {TokenKind::kName, left.substr(0, size), {}, begin};
  } else {
    constexpr std::string_view kDouble[] = {"==", "!=", "<=", ">=", "&&", "||"};
    size_t size = 0;
    for (const std::string_view each : kDouble)
      if (left.starts_with(each)) size = 2;
    if (size == 0 && std::string_view("+-*/%<>!?:.,()[]{}").find(left[0]) != std::string_view::npos)
      size = 1;
    if (size == 0) return bad("an unexpected character");
    at_ += size;
    token = {TokenKind::kOperator, left.substr(0, size), {}, begin};
  }
  token.at = begin;
  return token;
}

// ---- numbers ----------------------------------------------------------------------------------------

Token Lexer::whole_number(std::string_view digits, int base, bool is_unsigned) {
  uint64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, value, base);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return bad("a number is out of range");
  if (is_unsigned) return {TokenKind::kLiteral, {}, Value::natural(value), 0};
  constexpr uint64_t kMinimum = uint64_t{1} << 63;
  if (value == kMinimum) return {TokenKind::kMinimum, {}, {}, 0};
  if (value > kMinimum) return bad("a number is out of range");
  return {TokenKind::kLiteral, {}, Value::integer(static_cast<int64_t>(value)), 0};
}

Token Lexer::number() {
  const std::string_view left = rest();
  const auto take_unsigned = [this] {
    const bool marked = !rest().empty() && base::to_lower(rest()[0]) == 'u';
    at_ += marked ? 1 : 0;
    return marked;
  };
  Token token;
  if (left.starts_with("0x") || left.starts_with("0X")) {
    const size_t size = std::min(left.find_first_not_of("0123456789abcdefABCDEF", 2), left.size());
    if (size == 2) return bad("a number without digits");
    at_ += size;
    token = whole_number(left.substr(2, size - 2), 16, take_unsigned());
  } else {
    size_t size = digits_at(left);
    size_t fraction = 0;
    if (size < left.size() && left[size] == '.') fraction = digits_at(left.substr(size + 1));
    const bool point = fraction > 0;
    if (point) size += 1 + fraction;
    const size_t exponent = exponent_at(left.substr(size));
    size += exponent;
    at_ += size;
    if (point || exponent > 0) {
      const auto value = base::parse_double(left.substr(0, size));
      if (!value) return bad("a number is out of range");
      token = {TokenKind::kLiteral, {}, Value::real(*value), 0};
    } else {
      token = whole_number(left.substr(0, size), 10, take_unsigned());
    }
  }
  if (!rest().empty() && in_name(rest()[0])) return bad("a name follows a number directly");
  return token;
}

// ---- texts ------------------------------------------------------------------------------------------

bool Lexer::at_text() const noexcept {
  const std::string_view left = rest();
  for (size_t i = 0; i < left.size() && i <= kMaxPrefix; ++i) {
    if (left[i] == '"' || left[i] == '\'') return true;
    const char letter = base::to_lower(left[i]);
    const bool again = i == 1 && letter == base::to_lower(left[0]);
    if ((letter != 'r' && letter != 'b') || again) return false;
  }
  return false;
}

Token Lexer::text() {
  bool raw = false, bytes = false;
  for (; base::is_alpha(source_[at_]); ++at_)
    (base::to_lower(source_[at_]) == 'r' ? raw : bytes) = true;
  const std::string_view left = rest();
  const bool three = left.size() >= 3 && left[1] == left[0] && left[2] == left[0];
  const std::string_view quote = left.substr(0, three ? 3 : 1);
  at_ += quote.size();
  std::string value;
  while (!rest().starts_with(quote)) {
    if (rest().empty()) return bad("a text does not end");
    const char c = source_[at_++];
    if (!three && (c == '\n' || c == '\r')) return bad("a text does not end in its line");
    if (c != '\\' || raw) {
      value += c;
    } else if (!escape(bytes, value)) {
      return bad("an escape sequence that there is not");
    }
  }
  at_ += quote.size();
  return {TokenKind::kLiteral,
          {},
          bytes ? Value::bytes(std::move(value)) : Value::text(std::move(value)),
          0};
}

/// A character by its number.
bool Lexer::code(size_t digits, int base, bool bytes, std::string& out) {
  const std::string_view text = rest().substr(0, digits);
  uint32_t point = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), point, base);
  if (text.size() != digits || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())
    return false;
  at_ += digits;
  if (bytes) {
    if (point > 0xff) return false;
    out += static_cast<char>(point);
    return true;
  }
  if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
  base::append_utf8(out, point);
  return true;
}

bool Lexer::escape(bool bytes, std::string& out) {
  if (rest().empty()) return false;
  const char kind = source_[at_];
  constexpr std::string_view kNames = "abfnrtv\\?\"'`";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\?\"'`";
  if (const size_t known = kNames.find(kind); known != std::string_view::npos) {
    ++at_;
    out += kMeanings[known];
    return true;
  }
  if (kind >= '0' && kind <= '3') return code(3, 8, bytes, out);
  ++at_;
  if (kind == 'x' || kind == 'X') return code(2, 16, bytes, out);
  if (bytes) return false;
  return kind == 'u' ? code(4, 16, bytes, out) : kind == 'U' && code(8, 16, bytes, out);
}

}  // namespace weir::wasm::cel
