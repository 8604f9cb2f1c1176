// Writes `.debug_line` by hand: units of DWARF 4 and 5, and the instructions of their programs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "wasm/binary/binary_format.h"

namespace weir::wasm::binary {

constexpr int kLineBase = -3;
constexpr unsigned kLineRange = 12;
constexpr unsigned kOpcodeBase = 14;  // 13 is an opcode that no standard knows, with two operands
constexpr std::string_view kOpcodeLengths("\0\1\1\1\1\0\0\0\1\0\0\1\2", kOpcodeBase - 1);

inline std::string fixed(uint64_t value, unsigned size) {
  std::string out;
  for (unsigned i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

inline std::string leb(uint64_t value) {
  std::string out;
  write_leb(out, value);
  return out;
}

inline std::string signed_leb(int64_t value) {
  std::string out;
  for (bool more = true; more; value >>= 7) {
    const auto low = static_cast<char>(value & 0x7f);
    more = !(value >> 7 == ((low & 0x40) != 0 ? -1 : 0));
    out += static_cast<char>(more ? low | 0x80 : low);
  }
  return out;
}

inline std::string text(std::string_view value) { return std::string(value) + '\0'; }

class LineAssembler {
 public:
  LineAssembler& raw(std::string_view bytes) {
    code_ += bytes;
    return *this;
  }
  LineAssembler& extended(uint8_t opcode, std::string_view operands) {
    return raw(std::string(1, '\0') + leb(operands.size() + 1) + static_cast<char>(opcode) +
               std::string(operands));
  }
  /// Starts a sequence.
  LineAssembler& at(uint32_t address) { return extended(2, fixed(address, 4)); }
  LineAssembler& file(unsigned number) { return raw("\4" + leb(number)); }
  LineAssembler& line(int by) { return raw("\3" + signed_leb(by)); }
  LineAssembler& advance(unsigned by) { return raw("\2" + leb(by)); }
  LineAssembler& row() { return raw("\1"); }
  /// A row by a special opcode.
  LineAssembler& row(unsigned address_by, int line_by) {
    const unsigned adjusted = static_cast<unsigned>(line_by - kLineBase) + kLineRange * address_by;
    return raw(std::string(1, static_cast<char>(adjusted + kOpcodeBase)));
  }
  LineAssembler& end(unsigned address_by) { return advance(address_by).extended(1, ""); }

  std::string unit4(std::string_view tables) const { return unit(4, "", tables); }
  std::string unit5(std::string_view tables) const {
    return unit(5, std::string("\4\0", 2), tables);
  }
  /// Versions 2 and 3, which have no number of operations.
  std::string unit_before4(unsigned version, std::string_view tables) const {
    return unit(version, "", tables);
  }

 private:
  std::string unit(unsigned version, const std::string& sizes, std::string_view tables) const {
    // Lengths of instructions, operations in each; rows are statements.
    std::string header(version < 4 ? "\1\1" : "\1\1\1");
    header += static_cast<char>(kLineBase);
    header += static_cast<char>(kLineRange);
    header += static_cast<char>(kOpcodeBase);
    header.append(kOpcodeLengths).append(tables);
    std::string out = fixed(version, 2) + sizes + fixed(header.size(), 4) + header + code_;
    return fixed(out.size(), 4) + out;
  }

  std::string code_;
};

}  // namespace weir::wasm::binary
