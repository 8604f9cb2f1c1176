#include "base/struct_value.h"

#include <cstring>

#include "base/strings.h"

namespace weir::base {
namespace {

constexpr unsigned kMaxDepth = 64;

void append_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

}  // namespace

void append_proto_field(std::string& out, unsigned field, std::string_view bytes) {
  append_varint(out, uint64_t{field} << 3 | 2);
  append_varint(out, bytes.size());
  out += bytes;
}

/// Recursive descent over RFC 8259, as much as a structure that the configuration wrote needs.
class StructValue::Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}
  bool document(StructValue& out) {
    if (!value(out, 0)) return false;
    space();
    return rest_.empty();
  }

 private:
  void space() {
    while (!rest_.empty() &&
           (rest_[0] == ' ' || rest_[0] == '\t' || rest_[0] == '\n' || rest_[0] == '\r'))
      rest_.remove_prefix(1);
  }
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  bool hex4(uint32_t& point) {
    if (rest_.size() < 4) return false;
    const auto parsed = parse_hex(rest_.substr(0, 4));
    if (!parsed) return false;
    point = static_cast<uint32_t>(*parsed);
    rest_.remove_prefix(4);
    return true;
  }
  bool escape(std::string& out) {
    if (rest_.empty()) return false;
    const char kind = rest_[0];
    rest_.remove_prefix(1);
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (const size_t at = kNames.find(kind); at != std::string_view::npos) {
      out += kMeanings[at];
      return true;
    }
    uint32_t point = 0;
    if (kind != 'u' || !hex4(point)) return false;
    if (point >= 0xd800 && point < 0xdc00) {
      uint32_t low = 0;
      if (!take("\\u") || !hex4(low) || low < 0xdc00 || low > 0xdfff) return false;
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    append_utf8(out, point);
    return true;
  }
  bool text(std::string& out) {
    if (!take("\"")) return false;
    while (!rest_.empty() && rest_[0] != '"') {
      const char next = rest_[0];
      rest_.remove_prefix(1);
      if (next == '\\') {
        if (!escape(out)) return false;
      } else {
        out += next;
      }
    }
    return take("\"");
  }
  bool number(StructValue& out) {
    const size_t end = std::min(rest_.find_first_not_of("+-.0123456789eE"), rest_.size());
    const auto parsed = parse_double(rest_.substr(0, end));
    if (!parsed) return false;
    rest_.remove_prefix(end);
    out.kind_ = Kind::kNumber;
    out.number_ = *parsed;
    return true;
  }
  bool members(StructValue& out, char close, bool named, unsigned depth) {
    space();
    if (!rest_.empty() && rest_[0] == close) return take({&close, 1});
    for (;;) {
      auto& [name, member] = out.members_.emplace_back();
      space();
      if (named && (!text(name) || (space(), !take(":")))) return false;
      if (!value(member, depth + 1)) return false;
      space();
      if (take(",")) continue;
      return take({&close, 1});
    }
  }
  bool value(StructValue& out, unsigned depth) {
    space();
    if (rest_.empty() || depth > kMaxDepth) return false;
    if (take("{")) {
      out.kind_ = Kind::kStruct;
      return members(out, '}', true, depth);
    }
    if (take("[")) {
      out.kind_ = Kind::kList;
      return members(out, ']', false, depth);
    }
    if (rest_[0] == '"') {
      out.kind_ = Kind::kText;
      return text(out.text_);
    }
    if (take("null")) return true;
    if (take("true") || take("false")) {
      out.kind_ = Kind::kBool;
      // The letter before the end tells which it was: tr-u-e, fal-s-e.
      out.number_ = rest_.data()[-2] == 'u' ? 1 : 0;
      return true;
    }
    return number(out);
  }

  std::string_view rest_;
};

Result<StructValue> StructValue::parse(std::string_view json) {
  StructValue out;
  if (!Parser(json).document(out))
    return fail(Code::kInvalidArgument, Side::kLocal, "not a JSON value");
  return out;
}

const StructValue* StructValue::find(std::string_view name) const noexcept {
  if (kind_ == Kind::kList) {
    const auto index = parse_u64(name);
    return index && *index < members_.size() ? &members_[*index].second : nullptr;
  }
  for (const auto& [key, member] : members_)
    if (key == name) return &member;
  return nullptr;
}

std::string StructValue::message() const {
  std::string out;
  for (const auto& [name, member] : members_) {
    std::string value;
    member.append_value(value);
    if (kind_ == Kind::kList) {
      append_proto_field(out, 1, value);
      continue;
    }
    std::string entry;  // an entry of map<string, Value> is a message {1: key, 2: value}
    append_proto_field(entry, 1, name);
    append_proto_field(entry, 2, value);
    append_proto_field(out, 1, entry);
  }
  return out;
}

void StructValue::append_value(std::string& out) const {
  switch (kind_) {
    case Kind::kNull:
      out += "\x08";
      out += '\0';
      break;
    case Kind::kNumber: {
      char bytes[8];
      std::memcpy(bytes, &number_, sizeof bytes);
      out += "\x11";
      out.append(bytes, sizeof bytes);
      break;
    }
    case Kind::kText:
      append_proto_field(out, 3, text_);
      break;
    case Kind::kBool:
      out += "\x20";
      out += boolean() ? '\x01' : '\0';
      break;
    case Kind::kStruct:
      append_proto_field(out, 5, message());
      break;
    case Kind::kList:
      append_proto_field(out, 6, message());
      break;
  }
}

}  // namespace weir::base
