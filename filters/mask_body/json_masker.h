// Replaces the values of named members in a stream of JSON text, chunk by chunk. Every byte of input is answered at once:
// nothing is held back between chunks and memory does not grow with the length or the nesting of the text. Plain C++
// without host calls, so that it is tested natively.
//
// It needs no stack of the enclosing containers: a text is a member's name if and only if a colon follows it. Only inside a
// masked container, whose texts are all masked but for the names, the kinds of the containers are kept, one bit a level.
// What is not well-formed JSON passes, but a masked value stays masked up to the next , ] or }.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir_filter {

struct MaskRules {
  std::vector<std::string> names{};  // decoded UTF-8, compared byte by byte
  std::string mask = "***";          // must need no JSON escape
  bool ignore_case = false;          // of A to Z
};

class JsonMasker {
 public:
  // `rules` outlives the masker.
  explicit JsonMasker(const MaskRules& rules) : rules_(&rules) {
    for (const auto& name : rules.names) longest_ = name.size() > longest_ ? name.size() : longest_;
    key_.reserve(longest_ + 4);
  }

  // Appends to `out` what becomes of `in`.
  void feed(std::string_view in, std::string& out) {
    for (const char c : in) step(c, out);
  }

  uint64_t masked() const { return masked_; }

 private:
  enum class State : uint8_t {
    kPlain,         // between tokens, and in scalars that are not masked
    kText,          // in a text that is shown; its decoded beginning is collected for comparison
    kHiddenText,    // in a text whose contents are dropped
    kValue,         // after the colon of a masked name
    kHiddenScalar,  // in a masked number or in anything unknown
    kLiteral,       // in a masked true, false or null, which tell nothing and pass
  };
  enum class Escape : uint8_t { kNone, kBackslash, kHex };

  static constexpr size_t kMaxKinds = 256;

  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  static bool ends_scalar(char c) { return c == ',' || c == ']' || c == '}'; }

  void step(char c, std::string& out) {
    switch (state_) {
      case State::kPlain:
        plain(c, out);
        return;
      case State::kText:
        shown_text(c, out);
        return;
      case State::kHiddenText:
        hidden_text(c, out);
        return;
      case State::kValue:
        value(c, out);
        return;
      case State::kHiddenScalar:
        hidden_scalar(c, out);
        return;
      case State::kLiteral:
        literal(c, out);
        return;
    }
  }

  void plain(char c, std::string& out) {
    if (depth_ > 0) {
      inside_masked(c, out);
      return;
    }
    out.push_back(c);
    if (c == '"') {
      begin_shown_text();
    } else if (c == ':' && matched_) {
      state_ = State::kValue;
      matched_ = false;
    } else if (!is_space(c)) {
      matched_ = false;
    }
  }

  void begin_shown_text() {
    state_ = State::kText;
    escape_ = Escape::kNone;
    key_.clear();
    overlong_ = false;
    high_surrogate_ = 0;
    matched_ = false;
  }

  void shown_text(char c, std::string& out) {
    out.push_back(c);
    if (escape_ == Escape::kBackslash) {
      begin_escape(c);
    } else if (escape_ == Escape::kHex) {
      hex_digit(c);
    } else if (c == '\\') {
      escape_ = Escape::kBackslash;
    } else if (c == '"') {
      state_ = State::kPlain;
      matched_ = depth_ == 0 && !overlong_ && high_surrogate_ == 0 && is_named(key_);
    } else {
      collect(static_cast<unsigned char>(c));
    }
  }

  void begin_escape(char c) {
    escape_ = Escape::kNone;
    if (c == 'u') {
      escape_ = Escape::kHex;
      hex_left_ = 4;
      hex_ = 0;
      return;
    }
    constexpr std::string_view kNames = "bfnrt";
    constexpr std::string_view kValues = "\b\f\n\r\t";
    const size_t index = kNames.find(c);
    collect(static_cast<unsigned char>(index == std::string_view::npos ? c : kValues[index]));
  }

  // A character that is no digit ends a malformed escape; a quote among them ends the text as a parser would see it end.
  void hex_digit(char c) {
    const size_t digit = std::string_view("0123456789abcdef").find(static_cast<char>(c | 0x20));
    if (digit == std::string_view::npos) {
      escape_ = Escape::kNone;
      overlong_ = true;
      if (c == '"') state_ = State::kPlain;
      if (c == '\\') escape_ = Escape::kBackslash;
      return;
    }
    hex_ = static_cast<uint16_t>(hex_ * 16 + digit);
    if (--hex_left_ > 0) return;
    escape_ = Escape::kNone;
    collect_unit(hex_);
  }

  // One UTF-16 unit of a \u escape.
  void collect_unit(uint16_t unit) {
    if (unit >= 0xD800 && unit < 0xDC00) {
      if (high_surrogate_ != 0) overlong_ = true;
      high_surrogate_ = unit;
      return;
    }
    uint32_t code = unit;
    if (unit >= 0xDC00 && unit < 0xE000) {
      if (high_surrogate_ == 0) overlong_ = true;
      code = 0x10000 + ((static_cast<uint32_t>(high_surrogate_ - 0xD800) & 0x3FF) << 10) +
             (unit - 0xDC00U);
      high_surrogate_ = 0;
    }
    if (code < 0x80) {
      collect(code);
    } else if (code < 0x800) {
      collect(0xC0 | (code >> 6));
      collect(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      collect(0xE0 | (code >> 12));
      collect(0x80 | ((code >> 6) & 0x3F));
      collect(0x80 | (code & 0x3F));
    } else {
      collect(0xF0 | (code >> 18));
      collect(0x80 | ((code >> 12) & 0x3F));
      collect(0x80 | ((code >> 6) & 0x3F));
      collect(0x80 | (code & 0x3F));
    }
  }

  // Keeps no more than the longest name is long, so that the memory is bounded by the rules and not by the text.
  void collect(uint32_t byte) {
    if (high_surrogate_ != 0 || key_.size() >= longest_) {
      overlong_ = true;
      return;
    }
    key_.push_back(static_cast<char>(byte));
  }

  static char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

  bool is_named(std::string_view key) const {
    for (const auto& name : rules_->names) {
      if (name.size() != key.size()) continue;
      bool same = true;
      for (size_t i = 0; same && i < key.size(); ++i) {
        same = key[i] == name[i] || (rules_->ignore_case && lower(key[i]) == lower(name[i]));
      }
      if (same) return true;
    }
    return false;
  }

  // The first character of a masked value.
  void value(char c, std::string& out) {
    if (is_space(c)) {
      out.push_back(c);
    } else if (c == '"') {
      hide_text(out);
    } else if (c == '{' || c == '[') {
      out.push_back(c);
      depth_ = 0;
      enter(c);
      state_ = State::kPlain;
    } else if (c == 't' || c == 'f' || c == 'n') {
      out.push_back(c);
      literal_ = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
      state_ = State::kLiteral;
    } else if (ends_scalar(c)) {
      state_ = State::kPlain;
      plain(c, out);
    } else {
      hide_scalar(out);
    }
  }

  void hide_text(std::string& out) {
    out.push_back('"');
    out.append(rules_->mask);
    ++masked_;
    escape_ = Escape::kNone;
    state_ = State::kHiddenText;
  }

  void hidden_text(char c, std::string& out) {
    if (escape_ == Escape::kBackslash) {
      escape_ = Escape::kNone;
    } else if (c == '\\') {
      escape_ = Escape::kBackslash;
    } else if (c == '"') {
      out.push_back(c);
      state_ = State::kPlain;
    }
  }

  void hide_scalar(std::string& out) {
    out.push_back('"');
    out.append(rules_->mask);
    out.push_back('"');
    ++masked_;
    state_ = State::kHiddenScalar;
  }

  void hidden_scalar(char c, std::string& out) {
    if (!ends_scalar(c)) return;
    state_ = State::kPlain;
    plain(c, out);
  }

  void literal(char c, std::string& out) {
    if (ends_scalar(c) || is_space(c)) {
      state_ = State::kPlain;
      plain(c, out);
    } else if (!literal_.empty() && literal_.front() == c) {
      out.push_back(c);
      literal_.remove_prefix(1);
    } else {
      hide_scalar(out);
    }
  }

  void enter(char c) {
    if (depth_ < kMaxKinds) objects_[depth_] = c == '{';
    ++depth_;
    name_next_ = c == '{';
  }

  // Beyond kMaxKinds levels the kind is not known and names are masked as well.
  bool in_object() const { return depth_ > 0 && depth_ <= kMaxKinds && objects_[depth_ - 1]; }

  // Between the tokens of a container that is masked as a whole.
  void inside_masked(char c, std::string& out) {
    if (c == '{' || c == '[') {
      out.push_back(c);
      enter(c);
    } else if (c == '}' || c == ']') {
      out.push_back(c);
      --depth_;
      name_next_ = false;
    } else if (c == ',') {
      out.push_back(c);
      name_next_ = in_object();
    } else if (c == ':') {
      out.push_back(c);
      name_next_ = false;
    } else if (is_space(c)) {
      out.push_back(c);
    } else if (c == '"' && name_next_ && in_object()) {
      out.push_back(c);
      begin_shown_text();
      name_next_ = false;
    } else {
      value(c, out);
    }
  }

  const MaskRules* rules_;
  size_t longest_ = 0;
  State state_ = State::kPlain;
  Escape escape_ = Escape::kNone;
  uint8_t hex_left_ = 0;
  uint16_t hex_ = 0;
  uint16_t high_surrogate_ = 0;
  bool overlong_ = false;
  bool matched_ = false;
  bool name_next_ = false;
  std::string key_{};
  std::string_view literal_{};
  uint64_t depth_ = 0;
  uint64_t masked_ = 0;
  std::bitset<kMaxKinds> objects_{};
};

}  // namespace weir_filter
