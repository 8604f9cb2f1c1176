#include "stream/format.h"

#include <utility>

#include "base/strings.h"
#include "stream/operators.h"

namespace weir::stream {

namespace {

constexpr size_t kMaxFormatSize = 64 * 1024;

bool needs_escape(std::string_view text) noexcept {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\') return true;
  }
  return false;
}

/// Cuts at `max` bytes, but not inside a UTF-8 sequence.
void truncate(std::string& out, size_t from, size_t max) {
  if (out.size() - from <= max) return;
  size_t end = from + max;
  while (end > from && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) --end;
  out.resize(end);
}

}  // namespace

struct Format::Part {
  Operator item;
  size_t max = 0;  // ":N"; 0 = whole
};

Format::Format() = default;
Format::Format(Format&&) noexcept = default;
Format& Format::operator=(Format&&) noexcept = default;
Format::~Format() = default;

namespace {

/// One "%…%" of a format text.
struct Command {
  std::string_view name;
  std::string_view arguments;
  bool has_arguments = false;
  size_t max = 0;
  size_t size = 0;  // with both percent signs
};

tl::unexpected<Error> bad_format(size_t offset, std::string_view why) {
  return fail(Code::kConfig, Side::kLocal, base::concat(why, " (at offset ", offset, ")"));
}

/// `text` begins with '%'.
Result<Command> read_command(std::string_view text, size_t offset) {
  Command command;
  size_t at = 1;
  while (at < text.size() &&
         (base::is_alpha(text[at]) || base::is_digit(text[at]) || text[at] == '_'))
    ++at;
  command.name = text.substr(1, at - 1);
  if (command.name.empty())
    return bad_format(offset, "'%' without an operator; write %% for a percent sign");
  if (at < text.size() && text[at] == '(') {
    const size_t close = text.find(')', at);
    if (close == std::string_view::npos) return bad_format(offset, "'(' is not closed");
    command.arguments = text.substr(at + 1, close - at - 1);
    command.has_arguments = true;
    at = close + 1;
  }
  if (at < text.size() && text[at] == ':') {
    const size_t end = text.find('%', at);
    const auto max =
        base::parse_u64(text.substr(at + 1, end == std::string_view::npos ? end : end - at - 1));
    if (!max || *max == 0 || *max > kMaxFormatSize)
      return bad_format(offset, "bad length after ':'");
    command.max = static_cast<size_t>(*max);
    at = end;
  }
  if (at >= text.size() || text[at] != '%')
    return bad_format(offset, base::concat("operator \"", command.name, "\" is not closed by '%'"));
  command.size = at + 1;
  return command;
}

}  // namespace

Result<Format> Format::compile(std::string_view text) {
  if (text.size() > kMaxFormatSize) return bad_format(0, "the format is too long");
  Format format;
  format.source_ = text;
  std::string literal;
  const auto flush = [&format, &literal] {
    if (literal.empty()) return;
    Part part;
    part.item.text = std::exchange(literal, {});
    format.parts_.push_back(std::move(part));
  };
  for (size_t i = 0; i < text.size();) {
    if (text[i] != '%') {
      literal += text[i++];
      continue;
    }
    if (text.substr(i).starts_with("%%")) {
      literal += '%';
      i += 2;
      continue;
    }
    WEIR_TRY(command, read_command(text.substr(i), i));
    auto item = parse_operator(command.name, command.arguments, command.has_arguments);
    if (!item) return bad_format(i, item.error().detail);
    flush();
    format.parts_.push_back(Part{std::move(*item), command.max});
    i += command.size;
  }
  flush();
  return format;
}

std::optional<std::string_view> Format::constant() const noexcept {
  if (parts_.empty()) return std::string_view();
  if (parts_.size() > 1 || parts_[0].item.op != Op::kLiteral) return std::nullopt;
  return parts_[0].item.text;
}

const std::string& Format::source() const noexcept { return source_; }

void Format::append(const FormatContext& context, std::string& out, Escape escape,
                    bool omit_empty) const {
  for (const Part& part : parts_) {
    if (part.item.op == Op::kLiteral) {
      out += part.item.text;
      continue;
    }
    const size_t from = out.size();
    const ValueKind kind = append_value(part.item, context, out);
    if (kind == ValueKind::kAbsent) {
      if (!omit_empty) out += '-';
      continue;
    }
    if (part.max > 0) truncate(out, from, part.max);
    if (escape == Escape::kYes && needs_escape(std::string_view(out).substr(from))) {
      const std::string value = out.substr(from);
      out.resize(from);
      base::append_escaped(out, value);
    }
  }
}

ValueKind Format::single_value(const FormatContext& context, std::string& out) const {
  if (parts_.size() != 1 || parts_.front().item.op == Op::kLiteral) {
    append(context, out, Escape::kNo, false);
    return ValueKind::kText;
  }
  const size_t from = out.size();
  const ValueKind kind = append_value(parts_.front().item, context, out);
  if (kind == ValueKind::kText && parts_.front().max > 0) truncate(out, from, parts_.front().max);
  return kind;
}

const Format& default_access_log_format() {
  static const Format format = [] {
    auto compiled = Format::compile(
        "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" "
        "%RESPONSE_CODE% "
        "%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
        "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "
        "\"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" "
        "\"%REQ(:AUTHORITY)%\" "
        "\"%UPSTREAM_HOST%\"\n");
    return std::move(*compiled);
  }();
  return format;
}

}  // namespace weir::stream
