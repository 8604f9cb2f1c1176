// Lexer: the tokens of an expression.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "wasm/cel/value.h"

namespace weir::wasm::cel {

enum class TokenKind : uint8_t {
  kEnd,
  kName,      // `text`; true, false, null and in are names too
  kLiteral,   // `value`
  kMinimum,   // 9223372036854775808, which only stands behind '-'
  kOperator,  // `text`
  kBad,       // `text` says why
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text{};
  Value value{};
  size_t at = 0;  // in the source
};

/// Borrows the source.
class Lexer {
 public:
  explicit Lexer(std::string_view source) noexcept : source_(source) {}
  Token next();

 private:
  void skip_space() noexcept;
  std::string_view rest() const noexcept { return source_.substr(at_); }
  Token number();
  Token whole_number(std::string_view digits, int base, bool is_unsigned);
  bool at_text() const noexcept;
  Token text();
  bool escape(bool bytes, std::string& out);
  bool code(size_t digits, int base, bool bytes, std::string& out);
  Token bad(std::string_view why) const noexcept { return {TokenKind::kBad, why, {}, at_}; }

  std::string_view source_;
  size_t at_ = 0;
};

}  // namespace weir::wasm::cel
