#include "wasm/binary/names.h"

#include "wasm/binary/binary_format.h"
#include "wasm/binary/byte_reader.h"

namespace weir::wasm::binary {
namespace {

enum Subsection : uint8_t { kModuleName = 0, kFunctionNames = 1 };

void put_name(std::string& out, std::string_view name) {
  if (name.size() > kMaxFunctionName) {
    size_t end = kMaxFunctionName;
    while (end > 0 && continues_character(name[end])) --end;
    name = name.substr(0, end);
  }
  write_leb(out, name.size());
  for (const char c : name) out += is_control(c) ? '?' : c;
}

std::string tidy_functions(std::string_view payload) {
  ByteReader reader(payload);
  std::string names;
  uint64_t kept = 0;
  for (uint64_t left = reader.leb(); left > 0; --left) {
    const uint64_t function = reader.leb();
    const std::string_view name = reader.name();
    if (!reader.ok()) break;
    write_leb(names, function);
    put_name(names, name);
    ++kept;
  }
  std::string out;
  write_leb(out, kept);
  return out + names;
}

}  // namespace

std::string tidy_names(std::string_view content) {
  ByteReader reader(content);
  std::string out;
  while (!reader.done()) {
    const uint8_t id = reader.byte();
    const std::string_view payload = reader.take(reader.leb());
    if (!reader.ok()) break;
    std::string tidied;
    if (id == kFunctionNames) {
      tidied = tidy_functions(payload);
    } else if (id == kModuleName) {
      put_name(tidied, ByteReader(payload).name());
    } else {
      continue;
    }
    out += static_cast<char>(id);
    write_leb(out, tidied.size());
    out += tidied;
  }
  return out;
}

}  // namespace weir::wasm::binary
