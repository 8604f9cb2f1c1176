// A filter's options as its plugin configuration gives them: either lines `name=value` (blank lines and lines that begin
// with # are skipped) or one flat JSON object whose values are texts, numbers, true, false, null or lists of those. A list
// is the same as the name given several times. Plain C++ without host calls, so that it is tested natively.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir_filter {

class Options {
 public:
  // Reads `text`; false with error() set if it is neither form. Empty text is a configuration without options.
  bool parse(std::string_view text) {
    entries_.clear();
    error_.clear();
    text_ = text;
    at_ = 0;
    skip_space();
    const bool good = at_ < text_.size() && text_[at_] == '{' ? parse_object() : parse_lines();
    text_ = {};
    return good;
  }

  const std::string& error() const { return error_; }
  const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }

  // The last value given for `name`, or `fallback`.
  std::string_view get(std::string_view name, std::string_view fallback = {}) const {
    for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
      if (entry->first == name) return entry->second;
    }
    return fallback;
  }

  bool flag(std::string_view name, bool fallback) const {
    const std::string_view value = get(name, fallback ? "true" : "false");
    return value == "true" || value == "yes" || value == "on" || value == "1";
  }

  // All values of `name`, each of them split at commas, without surrounding space.
  std::vector<std::string> list(std::string_view name) const {
    std::vector<std::string> items;
    for (const auto& [key, value] : entries_) {
      if (key != name) continue;
      std::string_view rest = value;
      while (true) {
        const size_t comma = rest.find(',');
        if (const auto item = trim(rest.substr(0, comma)); !item.empty()) items.emplace_back(item);
        if (comma == std::string_view::npos) break;
        rest.remove_prefix(comma + 1);
      }
    }
    return items;
  }

  // The first name that is none of `known`, or empty: a misspelt option is an error, not a silent default.
  template <size_t N>
  std::string_view first_unknown(const std::string_view (&known)[N]) const {
    for (const auto& [key, value] : entries_) {
      bool found = false;
      for (const auto& name : known) found = found || name == key;
      if (!found) return key;
    }
    return {};
  }

  static std::string_view trim(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
  }

 private:
  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

  bool fail(std::string_view what) {
    error_ = std::string(what) + " at byte " + std::to_string(at_);
    return false;
  }

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  bool take(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool parse_lines() {
    while (at_ < text_.size()) {
      size_t end = text_.find('\n', at_);
      if (end == std::string_view::npos) end = text_.size();
      const std::string_view line = trim(text_.substr(at_, end - at_));
      if (!line.empty() && line.front() != '#') {
        const size_t equals = line.find('=');
        if (equals == std::string_view::npos || equals == 0) return fail("expected name=value");
        entries_.emplace_back(trim(line.substr(0, equals)), trim(line.substr(equals + 1)));
      }
      at_ = end + 1;
    }
    return true;
  }

  bool parse_object() {
    ++at_;
    if (!take('}')) {
      do {
        std::string name;
        skip_space();
        if (!parse_text(name)) return false;
        if (!take(':')) return fail("expected ':'");
        if (!parse_value(name)) return false;
      } while (take(','));
      if (!take('}')) return fail("expected ',' or '}'");
    }
    skip_space();
    return at_ == text_.size() || fail("unexpected text after the object");
  }

  bool parse_value(const std::string& name) {
    if (!take('[')) return parse_scalar(name);
    if (take(']')) return true;
    do {
      if (!parse_scalar(name)) return false;
    } while (take(','));
    return take(']') || fail("expected ',' or ']'");
  }

  bool parse_scalar(const std::string& name) {
    skip_space();
    if (at_ >= text_.size()) return fail("expected a value");
    std::string value;
    if (text_[at_] == '"') {
      if (!parse_text(value)) return false;
    } else {
      const size_t end = text_.find_first_of(",]} \t\r\n", at_);
      value = text_.substr(at_, end == std::string_view::npos ? end : end - at_);
      if (!is_bare_value(value))
        return fail("expected a text, a number, true, false, null or a list of those");
      at_ += value.size();
      if (value == "null") return true;
    }
    entries_.emplace_back(name, std::move(value));
    return true;
  }

  static bool is_bare_value(std::string_view value) {
    if (value == "true" || value == "false" || value == "null") return true;
    return !value.empty() && value.find_first_not_of("+-.0123456789eE") == std::string_view::npos;
  }

  bool parse_text(std::string& out) {
    if (at_ >= text_.size() || text_[at_] != '"') return fail("expected '\"'");
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c != '\\') {
        out.push_back(c);
      } else if (!parse_escape(out)) {
        return false;
      }
    }
    return fail("unterminated text");
  }

  // At a backslash; leaves at_ on the last character of the escape.
  bool parse_escape(std::string& out) {
    if (++at_ >= text_.size()) return fail("unterminated text");
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
    if (const size_t index = kNames.find(text_[at_]); index != std::string_view::npos) {
      out.push_back(kValues[index]);
      return true;
    }
    uint32_t code = 0;
    if (text_[at_] != 'u' || !parse_hex4(code)) return fail("bad escape");
    if (code >= 0xD800 && code < 0xDC00) {
      uint32_t low = 0;
      if (text_.substr(at_ + 1, 2) != "\\u") return fail("lone surrogate");
      at_ += 2;
      if (!parse_hex4(low) || low < 0xDC00 || low > 0xDFFF) return fail("lone surrogate");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(out, code);
    return true;
  }

  // Reads the four digits after at_ and leaves at_ on the last of them.
  bool parse_hex4(uint32_t& code) {
    code = 0;
    for (int i = 0; i < 4; ++i) {
      if (++at_ >= text_.size()) return false;
      const size_t digit =
          std::string_view("0123456789abcdef").find(static_cast<char>(text_[at_] | 0x20));
      if (digit == std::string_view::npos) return false;
      code = code * 16 + static_cast<uint32_t>(digit);
    }
    return true;
  }

  static void append_utf8(std::string& out, uint32_t code) {
    if (code < 0x80) {
      out.push_back(static_cast<char>(code));
    } else if (code < 0x800) {
      out.push_back(static_cast<char>(0xC0 | (code >> 6)));
      out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
    } else if (code < 0x10000) {
      out.push_back(static_cast<char>(0xE0 | (code >> 12)));
      out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
      out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
    } else {
      out.push_back(static_cast<char>(0xF0 | (code >> 18)));
      out.push_back(static_cast<char>(0x80 | ((code >> 12) & 0x3F)));
      out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
      out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
    }
  }

  std::string_view text_{};
  size_t at_ = 0;
  std::vector<std::pair<std::string, std::string>> entries_{};
  std::string error_{};
};

// RFC 9110 §5.1: a field name is a token.
inline bool is_header_name(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  if (name.empty()) return false;
  for (const char c : name) {
    const bool alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!alphanumeric && kMarks.find(c) == std::string_view::npos) return false;
  }
  return true;
}

// RFC 9110 §5.5, without the obsolete parts: no control characters but the tab.
inline bool is_header_value(std::string_view value) {
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7F) return false;
  }
  return true;
}

}  // namespace weir_filter
