#include "http/h1/head_writer.h"

#include <array>
#include <charconv>

#include "http/chars.h"
#include "http/rules.h"

namespace weir::http::h1 {
namespace {

constexpr size_t kLargestReservation = Buffer::kBlockSize - 64;
/// Room for start line, separators, the codec's own fields and numbers beside what is measured.
constexpr size_t kOwnText = 256;

/// Fields that the codec writes itself or that belong to one hop.
bool written_by_codec(HeaderId id) noexcept {
  switch (id) {
    case HeaderId::kConnection:
    case HeaderId::kContentLength:
    case HeaderId::kHttp2Settings:
    case HeaderId::kKeepAlive:
    case HeaderId::kProxyConnection:
    case HeaderId::kTransferEncoding:
      return true;
    default:
      return false;
  }
}

void put_framing(HeadWriter& writer, const BodyFraming& framing, LengthField length,
                 const OutgoingFacts& facts) {
  if (length == LengthField::kZero) {
    writer.field("content-length", "0");
  } else if (length == LengthField::kAsGiven) {
    std::array<char, 20> digits;
    const char* const end =
        std::to_chars(digits.data(), digits.data() + digits.size(), facts.content_length).ptr;
    writer.field("content-length",
                 std::string_view(digits.data(), static_cast<size_t>(end - digits.data())));
  }
  if (framing.kind == BodyKind::kChunked) writer.field("transfer-encoding", "chunked");
}

/// A path may come from a filter; what cannot stand in a request line is escaped.
void put_target(HeadWriter& writer, std::string_view target) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  while (true) {
    const size_t good = chars::target_prefix(target);
    writer.put(target.substr(0, good));
    if (good == target.size()) return;
    const auto c = static_cast<uint8_t>(target[good]);
    const std::array<char, 3> escape{'%', kHex[c >> 4], kHex[c & 15]};
    writer.put(std::string_view(escape.data(), escape.size()));
    target.remove_prefix(good + 1);
  }
}

}  // namespace

HeadWriter::HeadWriter(Buffer& out, size_t space, const CodecOptions& options)
    : out_(out), proper_case_(options.proper_case_words) {
  if (space <= kLargestReservation) begin_ = at_ = out.reserve(space).data();
}

void HeadWriter::put_number(uint64_t number) {
  std::array<char, 20> digits;
  const char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  put(std::string_view(digits.data(), static_cast<size_t>(end - digits.data())));
}

void HeadWriter::field(std::string_view name, std::string_view value) {
  if (proper_case_) {
    put_proper_case(name);
  } else {
    put(name);
  }
  put(": ");
  put(value);
  put("\r\n");
}

/// Upper case at the beginning and after every character that is neither letter nor digit, as Envoy does.
void HeadWriter::put_proper_case(std::string_view name) {
  bool upper = true;
  for (const char c : name) {
    const char cased = upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    put(std::string_view(&cased, 1));
    upper = !chars::is_alnum(static_cast<uint8_t>(c));
  }
}

OutgoingFacts outgoing_facts(const HeaderMap& headers) noexcept {
  OutgoingFacts facts;
  size_t lengths = 0;
  for (const HeaderMap::Entry& entry : headers) {
    if (entry.id == HeaderId::kContentLength) {
      facts.has_length = ++lengths == 1 && parse_content_length(entry.value, facts.content_length);
    } else if (entry.id == HeaderId::kConnection) {
      std::string_view list = entry.value;
      while (!list.empty())
        facts.close = chars::equals_lower(chars::next_element(list), "close") || facts.close;
    } else if (entry.id == HeaderId::kUpgrade) {
      facts.upgrade = true;
    }
  }
  return facts;
}

void write_response_head(const ResponseHead& head, const ResponseShape& shape,
                         const OutgoingFacts& facts, const CodecOptions& options, Buffer& out) {
  HeadWriter writer(out, kOwnText + shape.protocol.size() + field_space(head.headers), options);
  if (head.status == 200) {
    writer.put("HTTP/1.1 200 OK\r\n");
  } else {
    writer.put("HTTP/1.1 ");
    writer.put_number(static_cast<uint64_t>(head.status));
    writer.put(" ");
    writer.put(reason_phrase(head.status));
    writer.put("\r\n");
  }
  for (const HeaderMap::Entry& entry : head.headers) {
    if (!written_by_codec(entry.id)) writer.field(entry.name, entry.value);
  }
  put_framing(writer, shape.framing, shape.length, facts);
  if (shape.connection == ConnectionField::kClose) writer.field("connection", "close");
  if (shape.connection == ConnectionField::kKeepAlive) writer.field("connection", "keep-alive");
  if (shape.connection == ConnectionField::kUpgrade) {
    writer.field("connection", "upgrade");
    if (!facts.upgrade) writer.field("upgrade", shape.protocol);
  }
  writer.put("\r\n");
}

void write_request_head(const RequestHead& head, const RequestShape& shape,
                        const OutgoingFacts& facts, const CodecOptions& options, Buffer& out) {
  const bool connect = head.method() == "CONNECT";
  const std::string_view target = connect ? head.authority() : head.path();
  const size_t space = kOwnText + head.method().size() + 3 * target.size() +
                       head.authority().size() + field_space(head.headers);
  HeadWriter writer(out, space, options);
  writer.put(head.method());
  writer.put(" ");
  put_target(writer, target.empty() ? std::string_view("/") : target);
  writer.put(" HTTP/1.1\r\n");
  writer.field("host", head.authority());
  const bool upgrade = shape.connection == ConnectionField::kUpgrade;
  for (const HeaderMap::Entry& entry : head.headers) {
    if (written_by_codec(entry.id) || entry.id == HeaderId::kHost) continue;
    if (entry.id == HeaderId::kUpgrade && !upgrade) continue;
    writer.field(entry.name, entry.value);
  }
  put_framing(writer, shape.framing, shape.length, facts);
  if (upgrade) writer.field("connection", "upgrade");
  writer.put("\r\n");
}

}  // namespace weir::http::h1
