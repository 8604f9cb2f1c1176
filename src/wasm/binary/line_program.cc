#include "wasm/binary/line_program.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace weir::wasm::binary {
namespace {

// Of the standard's names DW_LNS_*, DW_LNE_*, DW_LNCT_* and DW_FORM_*, those that are read (DWARF 5, section 7).
enum StandardOpcode : uint8_t {
  kCopy = 1,
  kAdvancePc = 2,
  kAdvanceLine = 3,
  kSetFile = 4,
  kConstAddPc = 8,
  kFixedAdvancePc = 9,
};
enum ExtendedOpcode : uint8_t { kEndSequence = 1, kSetAddress = 2 };
enum Content : uint8_t { kPath = 1, kDirectory = 2 };
enum Form : uint8_t {
  kData2 = 0x05,
  kData4 = 0x06,
  kData8 = 0x07,
  kString = 0x08,
  kBlock = 0x09,
  kData1 = 0x0b,
  kStrp = 0x0e,
  kUdata = 0x0f,
  kData16 = 0x1e,
  kLineStrp = 0x1f,
};

// In bytes. Files are looked for when a guest has failed, on its thread.
constexpr size_t kMaxPath = 4096;
constexpr size_t kMaxTableBytes = 128 * 1024;

/// A file or a directory. Its path is looked at when it is the one that is wanted.
struct Named {
  std::string_view strings;  // from the path on
  uint64_t directory = 0;
  std::string path() const {
    const std::string_view first = strings.substr(0, kMaxPath);
    return std::string(first.substr(0, first.find('\0')));
  }
};

std::string_view text_at(std::string_view strings, uint64_t at) {
  return strings.substr(std::min<uint64_t>(at, strings.size()));
}

/// The tables of DWARF 5: each says itself how its entries are made.
class TablesOfFive {
 public:
  TablesOfFive(ByteReader& reader, std::string_view line_str, std::string_view str)
      : reader_(reader), line_str_(line_str), str_(str) {}

  /// The entries of the next table; empty also where it cannot be read.
  std::vector<Named> next() {
    std::vector<std::pair<uint64_t, uint64_t>> formats(reader_.byte());
    for (auto& [content, form] : formats) {
      content = reader_.leb();
      form = reader_.leb();
    }
    const uint64_t count = reader_.leb();
    std::vector<Named> entries;
    if (formats.empty()) return entries;  // an entry without a byte could come any number of times
    for (uint64_t i = 0; i < count && reader_.ok(); ++i) {
      Named entry;
      for (const auto& [content, form] : formats) value(content, form, entry);
      if (reader_.ok()) entries.push_back(entry);
    }
    return entries;
  }

 private:
  void value(uint64_t content, uint64_t form, Named& entry) {
    uint64_t number = 0;
    std::string_view text;
    switch (form) {
      case kString:
        text = reader_.text();
        break;
      case kLineStrp:
        text = text_at(line_str_, reader_.fixed(4));
        break;
      case kStrp:
        text = text_at(str_, reader_.fixed(4));
        break;
      case kUdata:
        number = reader_.leb(64);
        break;
      case kData1:
        number = reader_.byte();
        break;
      case kData2:
        number = reader_.fixed(2);
        break;
      case kData4:
        number = reader_.fixed(4);
        break;
      case kData8:
        number = reader_.fixed(8);
        break;
      case kData16:
        reader_.take(16);
        break;
      case kBlock:
        reader_.take(reader_.leb());
        break;
      default:
        reader_.fail();
        break;
    }
    if (content == kPath) entry.strings = text;
    if (content == kDirectory) entry.directory = number;
  }

  ByteReader& reader_;
  std::string_view line_str_;
  std::string_view str_;
};

/// Before DWARF 5: texts until an empty one. The first of each is number 1.
void old_tables(ByteReader& reader, std::vector<Named>& directories, std::vector<Named>& files) {
  directories.emplace_back();
  files.emplace_back();
  for (std::string_view path; !(path = reader.text()).empty();) directories.push_back({path, 0});
  for (std::string_view path; !(path = reader.text()).empty();) {
    const uint64_t directory = reader.leb(64);
    reader.leb(64);  // when it was changed
    reader.leb(64);  // its size
    if (reader.ok()) files.push_back({path, directory});
  }
}

bool absolute(std::string_view path) {
  return path.starts_with('/') || (path.size() > 2 && path[1] == ':');
}

}  // namespace

std::optional<LineUnit> read_line_unit(std::string_view section, size_t at, size_t& next) {
  ByteReader whole(section, at);
  const uint64_t length = whole.fixed(4);
  whole.take(length);
  next = whole.ok() ? whole.position() : section.size();
  // The lengths from 0xfffffff0 on are marks, of 64-bit DWARF for one; no section is as long.
  if (!whole.ok()) return {};
  LineUnit unit;
  unit.end = next;
  ByteReader reader(section.substr(0, unit.end), at + 4);
  unit.version = static_cast<unsigned>(reader.fixed(2));
  if (unit.version < 2 || unit.version > 5) return {};
  if (unit.version == 5) reader.take(2);  // sizes of addresses and segment selectors
  const uint64_t header = reader.fixed(4);
  const size_t behind_length = reader.position();
  unit.min_instruction_length = reader.byte();
  if (unit.version >= 4 && reader.byte() > 1) return {};  // operations of one instruction: VLIW
  reader.byte();                                          // whether rows are statements
  unit.line_base = static_cast<int8_t>(reader.byte());
  unit.line_range = reader.byte();
  unit.opcode_base = reader.byte();
  if (unit.opcode_base > 1) unit.opcode_lengths = reader.take(unit.opcode_base - 1);
  unit.tables = reader.position();
  if (!reader.ok() || unit.line_range == 0 || unit.opcode_base == 0) return {};
  if (header > unit.end - behind_length || behind_length + header < unit.tables) return {};
  unit.program = behind_length + header;
  return unit;
}

std::string file_of(std::string_view section, const LineUnit& unit, uint64_t file,
                    std::string_view line_str, std::string_view str) {
  if (unit.program - unit.tables > kMaxTableBytes) return {};
  ByteReader reader(section.substr(0, unit.program), unit.tables);
  std::vector<Named> directories, files;
  if (unit.version == 5) {
    TablesOfFive tables(reader, line_str, str);
    directories = tables.next();
    files = tables.next();
  } else {
    old_tables(reader, directories, files);
  }
  if (file >= files.size()) return {};
  const Named& named = files[file];
  const std::string path = named.path();
  // Number 0 is where the compiler ran: what it was given says more without it.
  if (named.directory == 0 || named.directory >= directories.size() || absolute(path)) return path;
  return directories[named.directory].path() + '/' + path;
}

LineProgram::LineProgram(std::string_view section, const LineUnit& unit, size_t at,
                         LineRegisters registers)
    : unit_(unit), reader_(section.substr(0, unit.end), at), registers_(registers) {}

LineProgram::Step LineProgram::step() {
  const uint8_t opcode = reader_.byte();
  if (opcode >= unit_.opcode_base) {
    const unsigned adjusted = opcode - unit_.opcode_base;
    advance(adjusted / unit_.line_range);
    registers_.line += static_cast<uint64_t>(unit_.line_base) + adjusted % unit_.line_range;
    return Step::kRow;
  }
  return opcode == 0 ? extended() : standard(opcode);
}

LineProgram::Step LineProgram::extended() {
  ByteReader operands(reader_.take(reader_.leb()));
  switch (operands.byte()) {
    case kEndSequence:
      return operands.ok() ? Step::kEndOfSequence : Step::kNone;
    case kSetAddress:
      registers_.address = operands.fixed(4);
      return Step::kNone;
    default:
      return Step::kNone;
  }
}

LineProgram::Step LineProgram::standard(uint8_t opcode) {
  switch (opcode) {
    case kCopy:
      return Step::kRow;
    case kAdvancePc:
      advance(reader_.leb(64));
      return Step::kNone;
    case kAdvanceLine:
      registers_.line += reader_.signed_leb();
      return Step::kNone;
    case kSetFile:
      registers_.file = reader_.leb(64);
      return Step::kNone;
    case kConstAddPc:
      advance((255 - unit_.opcode_base) / unit_.line_range);
      return Step::kNone;
    case kFixedAdvancePc:
      registers_.address += reader_.fixed(2);
      return Step::kNone;
    default:  // columns and marks
      for (auto left = static_cast<uint8_t>(unit_.opcode_lengths[opcode - 1u]); left > 0; --left)
        reader_.leb(64);
      return Step::kNone;
  }
}

}  // namespace weir::wasm::binary
