// A unit of `.debug_line`: its header, and the state machine that its program drives (DWARF 5, section 6.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wasm/binary/byte_reader.h"

namespace weir::wasm::binary {

struct LineUnit {
  unsigned version = 0;
  unsigned min_instruction_length = 1;
  int line_base = 0;
  unsigned line_range = 1;
  unsigned opcode_base = 1;
  std::string_view opcode_lengths;  // of the standard opcodes, from 1
  size_t tables = 0;                // offsets in the section: of directories and files,
  size_t program = 0;               // of the program,
  size_t end = 0;                   // and of what follows the unit
};

/// The unit at `at`. Nothing where it is truncated or of a kind that is not read (64-bit DWARF, VLIW); `next` becomes where
/// the next one starts, the section's end where that cannot be told.
std::optional<LineUnit> read_line_unit(std::string_view section, size_t at, size_t& next);

/// The file of a unit, with its directory where it has another than the compiler's own, as it stands there: any bytes, 8 KiB at most.
/// Empty: there is none.
std::string file_of(std::string_view section, const LineUnit& unit, uint64_t file,
                    std::string_view line_str, std::string_view str);

/// The registers that matter here. As they are at the start of a sequence.
struct LineRegisters {
  uint64_t address = 0;
  uint64_t file = 1;
  uint64_t line = 1;
};

/// Runs a unit's program, one instruction at a time.
class LineProgram {
 public:
  enum class Step : uint8_t { kNone, kRow, kEndOfSequence };

  /// `at`: an offset in the section, at an instruction. `unit` has to outlive it.
  LineProgram(std::string_view section, const LineUnit& unit, size_t at, LineRegisters registers);

  bool done() const { return reader_.done(); }
  size_t position() const { return reader_.position(); }
  const LineRegisters& registers() const { return registers_; }
  /// What the instruction has done; at the end of a sequence, registers() has its end still.
  Step step();
  void reset() { registers_ = {}; }

 private:
  Step extended();
  Step standard(uint8_t opcode);
  void advance(uint64_t operations) {
    registers_.address += operations * unit_.min_instruction_length;
  }

  const LineUnit& unit_;
  ByteReader reader_;
  LineRegisters registers_;
};

}  // namespace weir::wasm::binary
