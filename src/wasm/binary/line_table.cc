#include "wasm/binary/line_table.h"

#include <algorithm>
#include <charconv>
#include <unordered_set>

#include "base/strings.h"
#include "wasm/binary/line_program.h"
#include "wasm/binary/names.h"

namespace weir::wasm::binary {
namespace {

// Bytes of a program between two entries; find() reads no more than two such.
constexpr size_t kStretch = 4096;
constexpr size_t kMaxEntries = 250'000;
constexpr std::string_view kShortened = "...";
constexpr std::string_view kFrame = "    at ";
constexpr size_t kMaxFrames = 10;  // as many as the engine shows

/// What came from a module goes into logs and pages.
std::string printable(std::string path) {
  if (path.size() > LineTable::kMaxFile) {
    size_t begin = path.size() - LineTable::kMaxFile + kShortened.size();
    while (begin < path.size() && continues_character(path[begin])) ++begin;
    path.replace(0, begin, kShortened);
  }
  const bool utf8 = base::valid_utf8(path);
  for (char& c : path)
    if (is_control(c) || (static_cast<unsigned char>(c) >= 0x80 && !utf8)) c = '?';
  return path;
}

/// The number behind the last ":0x" of a line.
std::optional<size_t> position_in(std::string_view line) {
  const size_t mark = line.rfind(":0x");
  if (mark == std::string_view::npos) return {};
  const char* const end = line.data() + line.size();
  size_t value = 0;
  const auto read = std::from_chars(line.data() + mark + 3, end, value, 16);
  const std::string_view rest(read.ptr, static_cast<size_t>(end - read.ptr));
  if (read.ec != std::errc{} || (!rest.empty() && rest != ")")) return {};
  return value;
}

}  // namespace

LineTable::LineTable(std::string_view module, const DebugParts& parts)
    : code_at_(parts.code.at),
      code_size_(parts.code.size),
      line_(parts.line.of(module)),
      line_str_(parts.line_str.of(module)),
      str_(parts.str.of(module)) {
  std::unordered_set<uint32_t> starts;
  for (size_t at = 0, next = 0; at < line_.size() && entries_.size() < kMaxEntries; at = next) {
    if (const auto unit = read_line_unit(line_, at, next)) index_unit(*unit, at, starts);
  }
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.low < b.low; });
  entries_.shrink_to_fit();
}

void LineTable::index_unit(const LineUnit& unit, size_t at, std::unordered_set<uint32_t>& starts) {
  LineProgram program(line_, unit, unit.program, {});
  const auto offset = [](uint64_t value) { return static_cast<uint32_t>(value); };
  size_t first = entries_.size();  // of the sequence
  size_t stretch = unit.program;   // where its last entry starts reading
  bool started = false;
  while (!program.done() && entries_.size() < kMaxEntries) {
    const LineProgram::Step step = program.step();
    const LineRegisters& now = program.registers();
    if (step == LineProgram::Step::kNone) continue;
    if (step == LineProgram::Step::kRow) {
      if (started && program.position() - stretch < kStretch) continue;
      if (started) stretch = program.position();
      entries_.push_back({offset(now.address), 0, offset(at), offset(stretch), offset(now.file),
                          offset(now.line), started});
      started = true;
      continue;
    }
    // Functions that the linker left out keep their sequences, at address 0 or one behind the code.
    // Those of copies of one function name the copy that is kept, and its own sequence comes first.
    const bool kept = started && entries_[first].low > 0 && entries_[first].low < now.address &&
                      now.address <= code_size_ && starts.insert(entries_[first].low).second;
    if (!kept) entries_.resize(first);
    for (; first < entries_.size(); ++first) entries_[first].high = offset(now.address);
    program.reset();
    stretch = program.position();
    started = false;
  }
  entries_.resize(first);  // a sequence without an end
}

std::optional<SourcePlace> LineTable::find(size_t offset) const {
  if (offset < code_at_ || offset - code_at_ >= code_size_) return {};
  const size_t address = offset - code_at_;
  auto entry = std::upper_bound(entries_.begin(), entries_.end(), address,
                                [](size_t at, const Entry& each) { return at < each.low; });
  if (entry == entries_.begin()) return {};
  --entry;
  if (address >= entry->high) return {};
  size_t next = 0;
  const auto unit = read_line_unit(line_, entry->unit, next);
  if (!unit) return {};
  LineRegisters found, start;
  if (entry->midway) start = {entry->low, entry->file, entry->line};
  found = start;
  LineProgram program(line_, *unit, entry->program, start);
  while (!program.done()) {
    // What is between two rows may be longer than any compiler makes it.
    if (program.position() - entry->program > 2 * kStretch) return {};
    const LineProgram::Step step = program.step();
    if (step == LineProgram::Step::kNone) continue;
    if (step == LineProgram::Step::kEndOfSequence || program.registers().address > address) break;
    found = program.registers();
  }
  if (found.line == 0 || found.line > UINT32_MAX) return {};  // 0: code that is of no line
  std::string file = file_of(line_, *unit, found.file, line_str_, str_);
  if (file.empty()) return {};
  return SourcePlace{printable(std::move(file)), static_cast<uint32_t>(found.line)};
}

std::string LineTable::annotate(std::string_view stack, std::string_view url) const {
  std::string out;
  if (empty() || url.empty()) return out.assign(stack);
  const std::string prefix = std::string(url) + ':';
  for (size_t frames = 0; !stack.empty() && frames < kMaxFrames;) {
    const size_t end = stack.find('\n');
    const std::string_view line = stack.substr(0, end);
    stack.remove_prefix(end == std::string_view::npos ? stack.size() : end + 1);
    out += line;
    const auto position = line.starts_with(kFrame) ? position_in(line) : std::nullopt;
    if (position && line.find(prefix) != std::string_view::npos) {
      ++frames;
      if (const auto place = find(*position))
        out.append(" ").append(place->file).append(":").append(std::to_string(place->line));
    }
    if (end != std::string_view::npos) out += '\n';
  }
  return out.append(stack);
}

}  // namespace weir::wasm::binary
