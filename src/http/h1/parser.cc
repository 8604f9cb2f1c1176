#include "http/h1/parser.h"

#include <cstring>

#include "http/chars.h"
#include "http/rules.h"

namespace weir::http::h1 {
namespace {

constexpr std::string_view kVersion10 = "HTTP/1.0";
constexpr std::string_view kVersion11 = "HTTP/1.1";

Fault parse_version(std::string_view text, Protocol& out) {
  if (text == kVersion11) {
    out = Protocol::kHttp11;
  } else if (text == kVersion10) {
    out = Protocol::kHttp10;
  } else {
    return malformed("unsupported or malformed HTTP version");
  }
  return kNoFault;
}

void note_connection(std::string_view list, FieldFacts& facts) noexcept {
  while (!list.empty()) {
    const std::string_view token = chars::next_element(list);
    if (chars::equals_lower(token, "close")) facts.connection_close = true;
    if (chars::equals_lower(token, "keep-alive")) facts.connection_keep_alive = true;
  }
}

enum class Keep : bool { kNo, kYes };

/// Notes a field that matters to the codec; says whether it also goes into the map.
Keep note(HeaderId id, std::string_view value, Section section, FieldFacts& facts) noexcept {
  switch (id) {
    case HeaderId::kHost:
      if (section != Section::kRequest) return Keep::kYes;
      facts.host = value;
      ++facts.hosts;
      return Keep::kNo;
    case HeaderId::kContentLength:
      facts.content_length = value;
      ++facts.content_lengths;
      return Keep::kYes;
    case HeaderId::kTransferEncoding:
      facts.transfer_encoding = value;
      ++facts.transfer_encodings;
      return Keep::kNo;
    case HeaderId::kExpect:
      if (section != Section::kRequest) return Keep::kYes;
      facts.expect = value;
      ++facts.expects;
      return Keep::kNo;
    case HeaderId::kConnection:
      note_connection(value, facts);
      return Keep::kYes;
    case HeaderId::kUpgrade:
      facts.upgrade = true;
      return Keep::kYes;
    case HeaderId::kHttp2Settings:
      facts.http2_settings = true;
      return Keep::kYes;
    default:
      return Keep::kYes;
  }
}

/// What is wrong with a name that ended at a byte which is neither a token character nor the colon.
Fault bad_name(const char* name, const char* at) noexcept {
  if (at == name && (*at == ' ' || *at == '\t')) return malformed("folded or indented field line");
  if (*at == ' ' || *at == '\t') return malformed("whitespace before the colon");
  if (*at == '\r') return malformed("field line without a colon");
  return malformed("invalid character in a field name");
}

}  // namespace

Fault parse_request_line(std::string_view line, RequestLine& out) {
  size_t at = 0;
  while (at < line.size() && chars::is(line[at], chars::kToken)) ++at;
  if (at == 0 || at == line.size() || line[at] != ' ') return malformed("malformed method");
  out.method = line.substr(0, at);
  line.remove_prefix(at + 1);
  const size_t target = chars::target_prefix(line);
  if (target == 0 || target == line.size() || line[target] != ' ')
    return malformed("malformed request target");
  out.target = line.substr(0, target);
  return parse_version(line.substr(target + 1), out.protocol);
}

Fault parse_status_line(std::string_view line, StatusLine& out) {
  constexpr size_t kCodeAt = 9;  // after "HTTP/1.1 "
  constexpr size_t kReasonAt = kCodeAt + 3;
  if (line.size() < kReasonAt || line[kCodeAt - 1] != ' ')
    return malformed("malformed status line");
  if (Fault fault = parse_version(line.substr(0, kCodeAt - 1), out.protocol)) return fault;
  const std::string_view code = line.substr(kCodeAt, 3);
  if (!chars::all(code, chars::kDigit)) return malformed("malformed status code");
  out.status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
  if (out.status < 100 || out.status > 599) return malformed("status code out of range");
  // The space before an empty reason is often left out; nothing can hide there.
  if (line.size() > kReasonAt && line[kReasonAt] != ' ') return malformed("malformed status line");
  if (!chars::all(line.substr(kReasonAt), chars::kValue))
    return malformed("invalid character in the reason phrase");
  return kNoFault;
}

Fault parse_fields(char* text, size_t size, Section section, const CodecOptions& options,
                   HeaderMap& headers, FieldFacts& facts) {
  char* p = text;
  char* const end = text + size;
  size_t count = 0;
  while (!(*p == '\r' && p + 2 == end)) {
    char* const name = p;
    while (const char lowered = chars::kLowerToken[static_cast<uint8_t>(*p)]) *p++ = lowered;
    if (*p != ':') return bad_name(name, p);
    const std::string_view name_text(name, static_cast<size_t>(p - name));
    if (name_text.empty()) return malformed("empty field name");

    ++p;
    while (*p == ' ' || *p == '\t') ++p;
    const char* const value = p;
    p = const_cast<char*>(chars::find_value_end(p));
    if (p[0] != '\r' || p[1] != '\n') return malformed("invalid character in a field value");
    const char* value_end = p;
    while (value_end != value && (value_end[-1] == ' ' || value_end[-1] == '\t')) --value_end;
    p += 2;

    if (++count > options.max_header_count)
      return Fault{Code::kTooManyHeaders, "too many header fields"};
    if (options.underscores != UnderscoreAction::kAllow && section != Section::kResponse &&
        name_text.find('_') != std::string_view::npos) {
      if (options.underscores == UnderscoreAction::kRejectRequest)
        return malformed("underscore in a field name");
      continue;
    }
    const HeaderId id = header_id(name_text);
    const std::string_view value_text(value, static_cast<size_t>(value_end - value));
    if (section == Section::kTrailers) {
      if (forbidden_in_trailers(id, name_text)) return malformed("forbidden trailer field");
    } else if (id != HeaderId::kOther && note(id, value_text, section, facts) == Keep::kNo) {
      continue;
    }
    headers.add_stored(name_text, value_text, id);
  }
  return kNoFault;
}

char* take_text(Buffer& in, size_t size, HeaderMap& headers) {
  const std::string_view source = in.linearize(size);
  char* const text = headers.allocate(size + chars::kScanPadding);
  std::memcpy(text, source.data(), size);
  std::memset(text + size, 0, chars::kScanPadding);
  in.drain(size);
  return text;
}

}  // namespace weir::http::h1
