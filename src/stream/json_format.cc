// json_format: reads the configuration's struct (JSON text made by config/) into a tree of formats and renders it.
#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/strings.h"
#include "stream/format.h"

namespace weir::stream {

struct JsonFormat::Node {
  enum class Kind : uint8_t { kObject, kList, kFormat, kRaw };
  Kind kind = Kind::kRaw;
  std::vector<std::string> names;  // of an object's items
  std::vector<Node> items;
  Format format;
  std::string raw;  // a number, a boolean or null

  class Reader;
  void append(const FormatContext& context, base::JsonWriter& writer, bool omit_empty,
              std::string& scratch) const;
  bool absent(const FormatContext& context, std::string& scratch) const;
};

JsonFormat::JsonFormat() = default;
JsonFormat::JsonFormat(JsonFormat&&) noexcept = default;
JsonFormat& JsonFormat::operator=(JsonFormat&&) noexcept = default;
JsonFormat::~JsonFormat() = default;

/// A reader for text that base::json_valid has accepted; it builds the tree and compiles its strings.
class JsonFormat::Node::Reader {
 public:
  Reader(std::string_view text, bool sort) : text_(text), sort_(sort) {}

  Result<Node> value(int depth) {
    if (depth > kMaxDepth)
      return fail(Code::kConfig, Side::kLocal, "json_format is nested too deeply");
    skip_space();
    Node node;
    switch (peek()) {
      case '{':
        WEIR_CHECKED(object(node, depth));
        break;
      case '[':
        WEIR_CHECKED(list(node, depth));
        break;
      case '"': {
        node.kind = Kind::kFormat;
        WEIR_TRY(format, Format::compile(text()));
        node.format = std::move(format);
        break;
      }
      default:
        while (at_ < text_.size() &&
               std::string_view(",]} \t\r\n").find(text_[at_]) == std::string_view::npos)
          node.raw += text_[at_++];
    }
    return node;
  }

 private:
  static constexpr int kMaxDepth = 32;
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void skip_space() {
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  bool next_is(char c) {
    skip_space();
    if (peek() != c) return false;
    ++at_;
    return true;
  }

  Result<void> object(Node& node, int depth) {
    node.kind = Kind::kObject;
    ++at_;
    while (!next_is('}') && at_ < text_.size()) {
      if (next_is(',')) continue;
      skip_space();
      std::string key = text();
      next_is(':');
      WEIR_TRY(field, value(depth + 1));
      // Sorted as they come: json_formats are short.
      const auto place =
          sort_ ? std::upper_bound(node.names.begin(), node.names.end(), key) : node.names.end();
      node.items.insert(node.items.begin() + (place - node.names.begin()), std::move(field));
      node.names.insert(place, std::move(key));
    }
    return {};
  }

  Result<void> list(Node& node, int depth) {
    node.kind = Kind::kList;
    ++at_;
    while (!next_is(']') && at_ < text_.size()) {
      if (next_is(',')) continue;
      WEIR_TRY(item, value(depth + 1));
      node.items.push_back(std::move(item));
    }
    return {};
  }

  /// A string literal with its escapes undone.
  std::string text() {
    std::string out;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] != '\\') {
        out += text_[at_];
        continue;
      }
      switch (text_[++at_]) {
        case 'n':
          out += '\n';
          break;
        case 't':
          out += '\t';
          break;
        case 'r':
          out += '\r';
          break;
        case 'b':
          out += '\b';
          break;
        case 'f':
          out += '\f';
          break;
        case 'u':
          append_utf8(out, unicode());
          break;
        default:
          out += text_[at_];
      }
    }
    ++at_;
    return out;
  }

  uint32_t four_digits() {
    uint32_t code = 0;
    for (int i = 0; i < 4; ++i)
      code = code << 4 | static_cast<uint32_t>(base::hex_value(text_[++at_]) & 15);
    return code;
  }
  uint32_t unicode() {
    const uint32_t high = four_digits();
    if (high < 0xd800 || high > 0xdbff || !text_.substr(at_ + 1).starts_with("\\u")) return high;
    at_ += 2;
    return 0x10000 + ((high - 0xd800) << 10) + ((four_digits() - 0xdc00) & 0x3ff);
  }
  static void append_utf8(std::string& out, uint32_t code) {
    const auto byte = [&out](uint32_t value) { out += static_cast<char>(value); };
    if (code < 0x80) return byte(code);
    if (code < 0x800) return byte(0xc0 | code >> 6), byte(0x80 | (code & 63));
    if (code < 0x10000) {
      byte(0xe0 | code >> 12), byte(0x80 | (code >> 6 & 63)), byte(0x80 | (code & 63));
      return;
    }
    byte(0xf0 | code >> 18), byte(0x80 | (code >> 12 & 63)), byte(0x80 | (code >> 6 & 63)),
        byte(0x80 | (code & 63));
  }

  std::string_view text_;
  size_t at_ = 0;
  bool sort_;
};

Result<JsonFormat> JsonFormat::compile(std::string_view json, bool sort_properties) {
  if (!base::json_valid(json))
    return fail(Code::kConfig, Side::kLocal, "json_format is not valid JSON");
  WEIR_TRY(root, Node::Reader(json, sort_properties).value(0));
  if (root.kind != Node::Kind::kObject)
    return fail(Code::kConfig, Side::kLocal, "json_format must be an object");
  JsonFormat format;
  format.root_ = std::make_unique<Node>(std::move(root));
  return format;
}

bool JsonFormat::Node::absent(const FormatContext& context, std::string& scratch) const {
  if (kind != Kind::kFormat) return false;
  scratch.clear();
  return format.single_value(context, scratch) == ValueKind::kAbsent;
}

void JsonFormat::Node::append(const FormatContext& context, base::JsonWriter& writer,
                              bool omit_empty, std::string& scratch) const {
  switch (kind) {
    case Kind::kRaw:
      writer.raw(raw);
      return;
    case Kind::kObject:
      writer.begin_object();
      for (size_t i = 0; i < items.size(); ++i) {
        if (omit_empty && items[i].absent(context, scratch)) continue;
        writer.key(names[i]);
        items[i].append(context, writer, omit_empty, scratch);
      }
      writer.end_object();
      return;
    case Kind::kList:
      writer.begin_array();
      for (const Node& item : items) {
        if (omit_empty && item.absent(context, scratch)) continue;
        item.append(context, writer, omit_empty, scratch);
      }
      writer.end_array();
      return;
    case Kind::kFormat:
      break;
  }
  scratch.clear();
  switch (format.single_value(context, scratch)) {
    case ValueKind::kAbsent:
      writer.null();
      return;
    case ValueKind::kNumber:
      writer.raw(scratch);
      return;
    case ValueKind::kText:
      writer.text(scratch);
      return;
  }
}

void JsonFormat::append(const FormatContext& context, std::string& out, bool omit_empty) const {
  base::JsonWriter writer(out);
  std::string scratch;
  if (root_ != nullptr) root_->append(context, writer, omit_empty, scratch);
}

}  // namespace weir::stream
