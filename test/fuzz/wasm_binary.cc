// What is read of a module without the engine. Byte 0 chooses: the sections, or the lines of its debug information.
//
// Properties: a module that is read is read again from what was written, with the same outcome; debug information, whatever it
// says, gives places that may be printed, in bounded time, and reading stays inside of it (the sanitizers look).
#include <algorithm>
#include <string>

#include "base/strings.h"
#include "fuzz/require.h"
#include "wasm/binary/binary.h"
#include "wasm/binary/line_table.h"

namespace {

using namespace weir;
using namespace weir::wasm;
using weir::fuzz::Input;
using weir::fuzz::require;

void check_place(const binary::SourcePlace& place) {
  require(place.line > 0 && !place.file.empty(), "a place is one");
  require(place.file.size() <= binary::LineTable::kMaxFile, "and short");
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  require(std::none_of(place.file.begin(), place.file.end(), control), "and printable");
  require(base::valid_utf8(place.file), "and text");
}

void look_up(const binary::LineTable& lines, const binary::Part& code) {
  const size_t step = std::max<size_t>(1, code.size / 100);
  for (size_t at = code.at; at < code.at + code.size; at += step)
    if (const auto place = lines.find(at)) check_place(*place);
  require(!lines.find(code.at + code.size), "nothing behind the code");
  const std::string stack = "why\n    at f (w:wasm-function[1]:0x70)\n    at w:0x80";
  require(lines.annotate(stack, "w").size() >= stack.size(), "a stack only gets longer");
}

void fuzz_module(std::string_view bytes) {
  EngineLimits limits;
  const auto read = binary::read_binary(bytes, limits);
  if (!read) return require(!read.error().detail.empty(), "an error says something");
  const auto again = binary::read_binary(read->bytes, limits);
  require(again && again->bytes == read->bytes, "what is written is read, and stays");
  require(again->imports.size() == read->imports.size() &&
              again->exports.size() == read->exports.size(),
          "with the same names");
  for (const binary::Part& part :
       {read->debug.code, read->debug.line, read->debug.line_str, read->debug.str})
    require(part.at <= read->bytes.size() && part.size <= read->bytes.size() - part.at, "parts");
  look_up(binary::LineTable(read->bytes, read->debug), read->debug.code);
}

/// The first part is the texts, the rest the lines. The code's size is a byte's worth of kilobytes.
void fuzz_lines(Input input) {
  const size_t code = size_t{input.byte()} * 1024;
  const std::string_view rest = input.rest();
  const size_t texts = std::min<size_t>(rest.size(), 64);
  binary::DebugParts parts;
  parts.code = {0, code};
  parts.str = parts.line_str = {0, texts};
  parts.line = {texts, rest.size() - texts};
  look_up(binary::LineTable(rest, parts), parts.code);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  if (input.byte() % 2 == 0) {
    fuzz_module(input.rest());
  } else {
    fuzz_lines(input);
  }
  return 0;
}
