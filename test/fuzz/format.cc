// Formats with operators, as text and as JSON. Byte 0 chooses; then the format up to a NUL, then values of the stream
// that it is about, each up to a NUL.
//
// Properties: whatever a client sends, a line of the access log stays one line and a JSON log one value; a format without
// operators does not depend on the stream; a length limit cuts at the right place and between characters.
#include <algorithm>
#include <string>

#include "base/json.h"
#include "base/strings.h"
#include "fuzz/require.h"
#include "stream/format.h"

namespace {

using namespace weir;
using namespace weir::stream;
using weir::fuzz::Input;
using weir::fuzz::require;

/// A stream whose texts come from the input.
struct Stream {
  explicit Stream(Input& input) {
    request.set_method("GET");
    request.set_scheme("http");
    request.set_path(input.until('\0'));
    request.set_authority(input.until('\0'));
    request.headers.add("x-a", input.until('\0'));
    request.headers.add("x-envoy-original-path", input.until('\0'));
    response.status = 200 + input.byte();
    response.headers.add("x-b", input.until('\0'));
    response.headers.add("grpc-status", input.until('\0'));
    trailers.add("x-c", input.until('\0'));
    info.response_code_details_text = input.until('\0');
    info.set_filter_state("k", input.until('\0'));
    info.flags = input.byte();
    info.downstream_remote_address = "[::1]:8080";
    info.upstream_host = "/a/path";
    info.start = MonotonicTime(std::chrono::milliseconds(1));
    info.end = MonotonicTime(std::chrono::milliseconds(1 + input.byte()));
  }
  FormatContext context() const { return {info, &request, &response, &trailers, info.end}; }

  StreamInfo info;
  RequestHead request;
  ResponseHead response;
  HeaderMap trailers;
};

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7f'; });
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = base::utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void fuzz_text(std::string_view text, const Stream& stream) {
  const auto format = Format::compile(text);
  if (!format) return require(!format.error().detail.empty(), "an error says something");
  require(format->source() == text, "the source is kept");
  std::string line = "before";
  format->append(stream.context(), line, Format::Escape::kYes);
  require(line.starts_with("before"), "a format appends");
  require(has_control(text) || !has_control(line), "values bring no control characters");
  if (!format->constant()) return;
  const StreamInfo nothing;
  std::string without, raw;
  format->append(FormatContext{nothing}, without, Format::Escape::kYes);
  format->append(stream.context(), raw, Format::Escape::kNo);
  require(line == "before" + without && raw == without, "constant means constant");
  require(without == base::replace_all(text, "%%", "%"), "only the percent sign is special");
}

void fuzz_json(std::string_view text, const Stream& stream, bool sort, bool omit_empty) {
  const auto format = JsonFormat::compile(text, sort);
  if (!format) return require(!format.error().detail.empty(), "an error says something");
  std::string line;
  format->append(stream.context(), line, omit_empty);
  require(base::json_valid(line), "a JSON log is JSON");
  require(!has_control(line) && is_utf8(line), "in one line of UTF-8");
}

void fuzz_length(std::string_view value, size_t length) {
  const StreamInfo info;
  RequestHead request;
  request.headers.add("x-a", value);
  const std::string text = base::concat("%REQ(x-a):", length, "%");
  const auto format = Format::compile(text);
  require(format.has_value(), "a length is taken");
  std::string out;
  format->append(FormatContext{info, &request}, out, Format::Escape::kNo);
  require(out.size() <= length && value.starts_with(out), "a length cuts the end off");
  if (!is_utf8(value)) return;
  require(is_utf8(out), "between characters");
  require(value.size() <= length ? out == value : out.size() + 4 > length, "and no more than that");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  const uint8_t flags = input.byte();
  if ((flags & 3) == 2) {
    const size_t length = size_t{input.byte()} + 1;
    fuzz_length(input.rest(), length);
    return 0;
  }
  const std::string_view text = input.until('\0');
  const Stream stream(input);
  if ((flags & 3) == 0) {
    fuzz_text(text, stream);
  } else {
    fuzz_json(text, stream, (flags & 4) != 0, (flags & 8) != 0);
  }
  return 0;
}
