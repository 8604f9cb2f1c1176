// Source lines of code positions, from a module's DWARF: what a stack shows beside the names of functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "wasm/binary/binary.h"

namespace weir::wasm::binary {

struct LineUnit;

struct SourcePlace {
  /// As the compiler was given it; printable, LineTable::kMaxFile bytes at most, shortened at its front.
  std::string file;
  uint32_t line = 0;
};

/// Reads `.debug_line` of DWARF 2 to 5 (section 6.2 of each) where it is in the module; what it cannot read has no places. Made in
/// one pass, which remembers where to start reading: one entry for a function, and one for every few kilobytes of a long one, so that
/// find() is short enough for a serving thread whatever the section says. Immutable; views the module's bytes.
class LineTable {
 public:
  static constexpr size_t kMaxFile = 256;

  LineTable() = default;
  /// `module` has to outlive it.
  LineTable(std::string_view module, const DebugParts& parts);

  bool empty() const noexcept { return entries_.empty(); }
  /// `offset` is a position in the module.
  std::optional<SourcePlace> find(size_t offset) const;
  /// Puts " file:line" behind the first ten of those lines of an engine's stack ("    at ...") that end with ":0x" and a position in
  /// the module of the name `url`, with or without a bracket behind it.
  std::string annotate(std::string_view stack, std::string_view url) const;

 private:
  // Where reading may start for the addresses from `low` on, and the registers there.
  struct Entry {
    uint32_t low;
    uint32_t high;  // of the sequence that it is in, exclusive
    uint32_t unit;  // these two are offsets in line_
    uint32_t program;
    uint32_t file;
    uint32_t line;
    bool midway;  // behind a row; else at the sequence's start, where the registers are anew
  };

  // `starts`: addresses at which a sequence starts.
  void index_unit(const LineUnit& unit, size_t at, std::unordered_set<uint32_t>& starts);

  size_t code_at_ = 0;
  size_t code_size_ = 0;
  std::string_view line_;
  std::string_view line_str_;
  std::string_view str_;
  std::vector<Entry> entries_;  // by `low`
};

}  // namespace weir::wasm::binary
