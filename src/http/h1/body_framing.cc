#include "http/h1/body_framing.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "http/chars.h"
#include "http/h1/head_writer.h"
#include "http/rules.h"

namespace weir::http::h1 {
namespace {

constexpr std::string_view kLastChunk = "0\r\n\r\n";

/// Only "chunked" is served. A well-formed list with another coding is 501, everything else 400.
Fault check_transfer_encoding(const FieldFacts& facts, Protocol protocol) {
  if (facts.transfer_encodings > 1) return malformed("repeated transfer-encoding");
  if (protocol == Protocol::kHttp10) return malformed("transfer-encoding in HTTP/1.0");
  if (facts.content_lengths > 0) return malformed("both content-length and transfer-encoding");
  std::string_view list = facts.transfer_encoding;
  if (chars::equals_lower(list, "chunked")) return kNoFault;
  if (list.empty()) return malformed("empty transfer-encoding");
  bool unknown = false;
  size_t chunked = 0;
  bool chunked_last = false;
  while (!list.empty()) {
    const std::string_view coding = chars::next_element(list);
    if (coding.empty() || !chars::all(coding, chars::kToken))
      return malformed("malformed transfer-encoding");
    chunked_last = chars::equals_lower(coding, "chunked");
    if (chunked_last) {
      ++chunked;
    } else {
      unknown = true;
    }
  }
  if (chunked > 1 || (chunked == 1 && !chunked_last) || !unknown)
    return malformed("malformed transfer-encoding");
  return Fault{Code::kNotImplemented, "unknown transfer coding"};
}

/// Sets kChunked, kLength or kNone; for a response that `out` is final only if its head says so.
Fault declared_framing(const FieldFacts& facts, Protocol protocol, BodyFraming& out) {
  out = BodyFraming();
  if (facts.transfer_encodings > 0) {
    out.kind = BodyKind::kChunked;
    return check_transfer_encoding(facts, protocol);
  }
  if (facts.content_lengths == 0) return kNoFault;
  if (facts.content_lengths > 1) return malformed("repeated content-length");
  if (!parse_content_length(facts.content_length, out.length))
    return malformed("invalid content-length");
  if (out.length > 0) out.kind = BodyKind::kLength;
  return kNoFault;
}

}  // namespace

Fault request_framing(const FieldFacts& facts, Protocol protocol, BodyFraming& out) {
  return declared_framing(facts, protocol, out);
}

Fault response_framing(const FieldFacts& facts, Protocol protocol, BodyAllowed allowed,
                       BodyFraming& out) {
  if (Fault fault = declared_framing(facts, protocol, out)) return fault;
  if (allowed == BodyAllowed::kNo) {
    out = BodyFraming();
  } else if (facts.transfer_encodings == 0 && facts.content_lengths == 0) {
    out.kind = BodyKind::kUntilClose;
  }
  return kNoFault;
}

void BodyDecoder::start(const BodyFraming& framing) noexcept {
  framing_ = framing;
  ended_ = framing.kind == BodyKind::kNone;
  has_trailers_ = false;
  touched_ = false;
  chunks_.reset();
  trailer_scanner_.reset();
}

Fault BodyDecoder::decode(Buffer& in, Buffer& out, HeaderMap* trailers,
                          const CodecOptions& options) {
  if (ended_ || in.empty()) return kNoFault;
  touched_ = true;
  switch (framing_.kind) {
    case BodyKind::kNone:
      return kNoFault;
    case BodyKind::kUntilClose:
      out.append(std::move(in));
      return kNoFault;
    case BodyKind::kLength: {
      const size_t size = static_cast<size_t>(std::min<uint64_t>(framing_.length, in.size()));
      in.move_to(out, size);
      framing_.length -= size;
      ended_ = framing_.length == 0;
      return kNoFault;
    }
    case BodyKind::kChunked:
      break;
  }
  if (!chunks_.ended()) {
    if (Fault fault = chunks_.decode(in, out)) return fault;
    if (!chunks_.ended()) return kNoFault;
  }
  return decode_trailers(in, *trailers, options);
}

Fault BodyDecoder::decode_trailers(Buffer& in, HeaderMap& trailers, const CodecOptions& options) {
  const HeadScanner::Found found = trailer_scanner_.scan(in);
  if (found == HeadScanner::Found::kBareLf) return malformed("bare LF in trailers");
  const size_t size = found == HeadScanner::Found::kEnd ? trailer_scanner_.end() : in.size();
  if (size > options.max_header_bytes) return Fault{Code::kHeadersTooLarge, "trailers too large"};
  if (found == HeadScanner::Found::kNothing) return kNoFault;
  ended_ = true;
  if (size == 2) {  // the empty line alone
    in.drain(size);
    return kNoFault;
  }
  FieldFacts facts;
  if (Fault fault = parse_fields(take_text(in, size, trailers), size, Section::kTrailers, options,
                                 trailers, facts))
    return fault;
  if (!options.enable_trailers) trailers.clear();
  has_trailers_ = !trailers.empty();
  return kNoFault;
}

void BodyWriter::start(const BodyFraming& framing) noexcept {
  framing_ = framing;
  mismatched_ = false;
}

void BodyWriter::write(Buffer& data, Buffer& out, EndStream end) {
  switch (framing_.kind) {
    case BodyKind::kNone:
      data.clear();
      return;
    case BodyKind::kUntilClose:
      out.append(std::move(data));
      return;
    case BodyKind::kChunked:
      write_chunk(data, out, end);
      return;
    case BodyKind::kLength:
      break;
  }
  if (data.size() > framing_.length) mismatched_ = true;
  const size_t size = static_cast<size_t>(std::min<uint64_t>(framing_.length, data.size()));
  data.move_to(out, size);
  framing_.length -= size;
  data.clear();
  if (end == EndStream::kYes && framing_.length > 0) mismatched_ = true;
}

void BodyWriter::write_chunk(Buffer& data, Buffer& out, EndStream end) {
  if (data.empty()) {
    if (end == EndStream::kYes) out.append(kLastChunk);
    return;
  }
  std::array<char, 18> line;
  char* at = std::to_chars(line.data(), line.data() + 16, data.size(), 16).ptr;
  *at++ = '\r';
  *at++ = '\n';
  out.append(std::string_view(line.data(), static_cast<size_t>(at - line.data())));
  out.append(std::move(data));
  out.append(end == EndStream::kYes ? std::string_view("\r\n0\r\n\r\n") : std::string_view("\r\n"));
}

void BodyWriter::write_trailers(const HeaderMap& trailers, Buffer& out,
                                const CodecOptions& options) {
  if (framing_.kind != BodyKind::kChunked || !options.enable_trailers) {
    Buffer nothing;
    write(nothing, out, EndStream::kYes);
    return;
  }
  HeadWriter writer(out, 8 + field_space(trailers), options);
  writer.put("0\r\n");
  for (const HeaderMap::Entry& entry : trailers) {
    if (!forbidden_in_trailers(entry.id, entry.name)) writer.field(entry.name, entry.value);
  }
  writer.put("\r\n");
}

}  // namespace weir::http::h1
