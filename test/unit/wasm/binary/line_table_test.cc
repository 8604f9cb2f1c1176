#include "wasm/binary/line_table.h"

#include <gtest/gtest.h>

#include <utility>

#include "unit/wasm/binary/line_assembler.h"

namespace weir::wasm::binary {
namespace {

constexpr size_t kCodeAt = 1000;
constexpr size_t kCodeSize = 500'000;

/// A module of nothing but the sections that are read; a table views it.
class Lines {
 public:
  explicit Lines(std::string_view line, std::string_view line_str = {}) {
    module_ = std::string(line) + std::string(line_str);
    DebugParts parts;
    parts.code = {kCodeAt, kCodeSize};
    parts.line = {0, line.size()};
    parts.str = parts.line_str = {line.size(), line_str.size()};
    table_ = LineTable(module_, parts);
  }
  const LineTable& table() const { return table_; }
  /// "file:line" of an address in the code section.
  std::string at(uint32_t address) const {
    const auto place = table_.find(kCodeAt + address);
    return place ? place->file + ":" + std::to_string(place->line) : "none";
  }

 private:
  std::string module_;
  LineTable table_;
};

std::string tables4() {
  const std::string rest("\0\0", 2);  // time and size
  return text("dir") + text("/abs") + '\0' + text("main.cc") + leb(0) + rest + text("head.h") +
         leb(1) + rest + text("/usr/x.h") + leb(1) + rest + text("deep.h") + leb(2) + rest + '\0';
}

LineAssembler two_functions() {
  LineAssembler program;
  program.at(100).line(9).row().row(4, 1).row(4, -3).end(10);
  program.at(300).file(2).line(199).row().file(3).row(8, 0).file(4).row(2, 0).end(6);
  return program;
}

TEST(LineTable, SaysTheLineOfAnAddress) {
  const Lines lines(two_functions().unit4(tables4()));
  EXPECT_EQ(lines.at(100), "main.cc:10");
  EXPECT_EQ(lines.at(103), "main.cc:10");
  EXPECT_EQ(lines.at(104), "main.cc:11");
  EXPECT_EQ(lines.at(108), "main.cc:8");
  EXPECT_EQ(lines.at(117), "main.cc:8");
  EXPECT_EQ(lines.at(300), "dir/head.h:200");
  EXPECT_EQ(lines.at(308), "/usr/x.h:200");
  EXPECT_EQ(lines.at(315), "/abs/deep.h:200");
}

TEST(LineTable, SaysNothingBetweenFunctions) {
  const Lines lines(two_functions().unit4(tables4()));
  for (const uint32_t address : {0u, 99u, 118u, 299u, 316u, 400'000u, 600'000u})
    EXPECT_EQ(lines.at(address), "none") << address;
  EXPECT_FALSE(lines.table().find(5));  // before the code
}

TEST(LineTable, KnowsEveryInstructionThatMovesTheAddress) {
  LineAssembler program;
  program.at(10).row();               // 10: line 1
  program.raw("\x08").line(1).row();  // by what opcode 255 would: (255 - 14) / 12 = 20
  program.raw("\x09" + fixed(300, 2)).line(1).row();  // 330: line 3
  program.raw("\x05\x07\x0d\x81\x01\x05");            // a column, and what nobody knows
  program.extended(0x80, "vendor").extended(4, "\1");
  program.line(-2).row(1, 0).end(1);  // 331: line 1
  const Lines lines(program.unit4(tables4()));
  EXPECT_EQ(lines.at(29), "main.cc:1");
  EXPECT_EQ(lines.at(30), "main.cc:2");
  EXPECT_EQ(lines.at(329), "main.cc:2");
  EXPECT_EQ(lines.at(330), "main.cc:3");
  EXPECT_EQ(lines.at(331), "main.cc:1");
}

TEST(LineTable, ReadsTheTablesOfDwarf5) {
  // Directories: a path in .debug_line_str. Files: a path in it, a directory, and a digest that nobody reads.
  const std::string strings = text("/build") + text("src") + text("lib.rs") + text("mod.rs");
  std::string tables = "\1\1\x1f" + leb(2) + fixed(0, 4) + fixed(7, 4);
  tables += "\3\1\x1f\2\x0b\5\x1e" + leb(2);
  tables += fixed(11, 4) + std::string(1, '\0') + std::string(16, 'd');
  tables += fixed(18, 4) + std::string(1, '\1') + std::string(16, 'd');
  LineAssembler program;
  program.at(50).file(0).row().file(1).row(5, 6).end(5);
  const Lines lines(program.unit5(tables), strings);
  EXPECT_EQ(lines.at(50), "lib.rs:1");
  EXPECT_EQ(lines.at(55), "src/mod.rs:7");
}

TEST(LineTable, ReadsDwarf2And3) {
  for (const unsigned version : {2u, 3u}) {
    const Lines lines(two_functions().unit_before4(version, tables4()));
    EXPECT_EQ(lines.at(104), "main.cc:11") << version;
    EXPECT_EQ(lines.at(315), "/abs/deep.h:200") << version;
  }
}

TEST(LineTable, KnowsTheFormsThatTablesOfDwarf5MayHave) {
  // Each file has a path in another form, a directory in another form, and a block that nobody reads.
  const std::string directories = "\1\1\x08" + leb(2) + text("/build") + text("in");
  const std::string block = "\x05\x09";
  const std::string padding = leb(3) + "abc";
  const std::pair<std::string, std::string> cases[] = {
      {"\1\x08\2\x0f", text("x.rs") + leb(1)},      {"\1\x0e\2\x0b", fixed(1, 4) + fixed(1, 1)},
      {"\1\x1f\2\x05", fixed(1, 4) + fixed(1, 2)},  {"\1\x08\2\x06", text("x.rs") + fixed(1, 4)},
      {"\1\x08\2\x07", text("x.rs") + fixed(1, 8)},
  };
  LineAssembler program;
  program.at(50).file(0).row().end(5);
  const auto file = [&](const std::string& formats, const std::string& entry) {
    const std::string tables = directories + "\3" + formats + block + leb(1) + entry + padding;
    return Lines(program.unit5(tables), "#" + text("x.rs")).at(50);
  };
  for (const auto& [formats, entry] : cases) EXPECT_EQ(file(formats, entry), "in/x.rs:1") << entry;
  EXPECT_EQ(file("\1\x08\2\x7f", text("x.rs") + leb(1)), "none");
}

TEST(LineTable, PassesOverHeadersThatItCannotUse) {
  const std::string whole = two_functions().unit4(tables4());
  constexpr size_t kHeader = 10;  // lengths and the version
  const auto with = [&whole](size_t at, char value) {
    std::string changed = whole;
    changed[kHeader + at] = value;
    return Lines(changed).at(100);
  };
  EXPECT_EQ(with(1, 1), "main.cc:10");
  EXPECT_EQ(with(1, 4), "none");  // operations in an instruction
  EXPECT_EQ(with(4, 0), "none");  // the range of lines
  EXPECT_EQ(with(5, 0), "none");  // the first special opcode
}

TEST(LineTable, PassesOverUnitsThatItDoesNotRead) {
  std::string future = two_functions().unit4(tables4());
  future[4] = 6;  // a version
  LineAssembler program;
  program.at(50).row().end(5);
  const Lines lines(future + program.unit4(tables4()) + "\xff\xff\xff\xff the rest");
  EXPECT_EQ(lines.at(100), "none");
  EXPECT_EQ(lines.at(50), "main.cc:1");
}

TEST(LineTable, PassesOverWhatTheLinkerLeftOut) {
  LineAssembler program;
  program.at(0).row().end(400);
  program.at(0xffffffff).row().end(5);
  program.at(kCodeSize - 3).row().end(5);  // goes beyond the code
  program.at(200).row().end(0);            // empty
  EXPECT_TRUE(Lines(program.unit4(tables4())).table().empty());
}

TEST(LineTable, CodeOfNoLineHasNone) {
  LineAssembler program;
  program.at(100).line(-1).row().line(5).row(4, 0).end(5);
  const Lines lines(program.unit4(tables4()));
  EXPECT_EQ(lines.at(100), "none");
  EXPECT_EQ(lines.at(104), "main.cc:5");
}

TEST(LineTable, ALongFunctionIsReadInStretches) {
  constexpr unsigned kRows = 40'000;
  LineAssembler program;
  program.at(100).file(2).row();
  for (unsigned i = 1; i < kRows; ++i) program.row(2, i % 2 == 0 ? 3 : -1);
  program.end(2);
  // With a neighbour on either side.
  LineAssembler others;
  others.at(90).row().end(10).at(100 + 2 * kRows).row().end(10);
  const Lines lines(program.unit4(tables4()) + others.unit4(tables4()));
  int line = 1;
  for (unsigned i = 0; i < kRows; ++i) {
    if (i > 0) line += i % 2 == 0 ? 3 : -1;
    if (line <= 0) continue;
    ASSERT_EQ(lines.at(101 + 2 * i), "dir/head.h:" + std::to_string(line)) << i;
  }
  EXPECT_EQ(lines.at(99), "main.cc:1");
  EXPECT_EQ(lines.at(100 + 2 * kRows), "main.cc:1");
}

TEST(LineTable, WhatIsTruncatedHasNoPlaces) {
  const std::string whole = two_functions().unit4(tables4());
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_TRUE(Lines(whole.substr(0, size)).table().empty()) << size;
  // With a length that says so, the cut goes through the header, the tables, the program: its last function is not complete.
  for (size_t size = 4; size < whole.size(); ++size) {
    const Lines lines(fixed(size - 4, 4) + whole.substr(4, size - 4));
    EXPECT_EQ(lines.at(300), "none") << size;
  }
}

TEST(LineTable, OfCopiesOfAFunctionTheFirstIsTheOne) {
  LineAssembler program;
  program.at(100).line(9).row().row(4, 1).end(10);
  program.at(114).line(99).row().end(10);
  LineAssembler copy;
  copy.at(100).file(2).row().end(40);
  const Lines lines(program.unit4(tables4()) + copy.unit4(tables4()));
  EXPECT_EQ(lines.at(100), "main.cc:10");
  EXPECT_EQ(lines.at(104), "main.cc:11");
  EXPECT_EQ(lines.at(114), "main.cc:100");
  EXPECT_EQ(lines.at(130), "none");
}

TEST(LineTable, WhatTakesLongToReadHasNoPlaces) {
  LineAssembler program;
  program.at(100).row();
  // An opcode that nobody knows, with two numbers of ten bytes, again and again between two rows.
  for (int i = 0; i < 10'000; ++i) program.raw("\x0d" + leb(UINT64_MAX) + leb(UINT64_MAX));
  program.row(8, 0).row(8, 0).end(10);
  const Lines lines(program.unit4(tables4()));
  EXPECT_EQ(lines.at(100), "none");
  EXPECT_EQ(lines.at(116), "main.cc:1");
}

TEST(LineTable, PathsArePrintableAndShort) {
  const std::string rest("\0\0\0", 3);
  const std::string tables = std::string(1, '\0') + text("a\n\x01z") + rest + text("caf\xc3\xa9") +
                             rest + text("caf\xc3.cc") + rest +
                             text(std::string(900, 'x') + "/end.cc") + rest + '\0';
  LineAssembler program;
  program.at(10);
  for (unsigned i = 1; i <= 4; ++i) program.file(i).row(1, 0);
  program.file(9).row(1, 0).end(1);
  const Lines lines(program.unit4(tables));
  EXPECT_EQ(lines.at(11), "a??z:1");
  EXPECT_EQ(lines.at(12), "caf\xc3\xa9:1");
  EXPECT_EQ(lines.at(13), "caf?.cc:1");
  const std::string wide = std::string(255, 'x') + "\xc3\xa9" + std::string(250, 'y') + ".c";
  const Lines cut(
      program.unit4(std::string(1, '\0') + text("a") + rest + text(wide) + rest + '\0'));
  EXPECT_EQ(cut.at(12), "..." + std::string(250, 'y') + ".c:1");  // not within a character
  const std::string file = lines.table().find(kCodeAt + 14)->file;
  EXPECT_EQ(file.size(), LineTable::kMaxFile);
  EXPECT_TRUE(file.starts_with("...xxx") && file.ends_with("x/end.cc")) << file;
  EXPECT_EQ(lines.at(15), "none");  // a file that is not in the table
}

TEST(LineTable, TablesThatTakeLongAreNotRead) {
  std::string tables(1, '\0');
  for (int i = 0; i < 20'000; ++i) tables += text("file") + std::string("\0\0\0", 3);
  EXPECT_EQ(Lines(two_functions().unit4(tables + '\0')).at(100), "none");
  // Entries without a byte, as many as there are numbers.
  LineAssembler program;
  program.at(50).file(0).row().end(5);
  EXPECT_EQ(Lines(program.unit5(std::string(1, '\0') + leb(~0u) + '\0' + leb(~0u))).at(50), "none");
}

TEST(LineTable, AddsLinesToAStack) {
  const Lines lines(two_functions().unit4(tables4()));
  const std::string stack =
      "RuntimeError: unreachable\n"
      "    at inner (wasm://wasm/abcd:wasm-function[4]:0x44c)\n"
      "    at wasm://wasm/abcd:wasm-function[5]:0x514\n"
      "    at other (wasm://wasm/0123:wasm-function[4]:0x44c)\n"
      "    at between (wasm://wasm/abcd:wasm-function[4]:0x460)\n"
      "    at odd (wasm://wasm/abcd:0x44c) and more\n"
      "    at huge (wasm://wasm/abcd:0xfffffffffffffffff)\n"
      "    at none (wasm://wasm/abcd:0x)";
  EXPECT_EQ(lines.table().annotate(stack, "wasm://wasm/abcd"),
            "RuntimeError: unreachable\n"
            "    at inner (wasm://wasm/abcd:wasm-function[4]:0x44c) main.cc:10\n"
            "    at wasm://wasm/abcd:wasm-function[5]:0x514 dir/head.h:200\n"
            "    at other (wasm://wasm/0123:wasm-function[4]:0x44c)\n"
            "    at between (wasm://wasm/abcd:wasm-function[4]:0x460)\n"
            "    at odd (wasm://wasm/abcd:0x44c) and more\n"
            "    at huge (wasm://wasm/abcd:0xfffffffffffffffff)\n"
            "    at none (wasm://wasm/abcd:0x)");
  EXPECT_EQ(LineTable().annotate(stack, "wasm://wasm/abcd"), stack);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "    at f (wasm://wasm/abcd:0x44c)\n";
  const std::string found = lines.table().annotate(many, "wasm://wasm/abcd");
  EXPECT_EQ(found.size(), many.size() + 10 * std::string_view(" main.cc:10").size());
  EXPECT_TRUE(found.ends_with(":0x44c)\n"));
  EXPECT_EQ(lines.table().annotate("", "wasm://wasm/abcd"), "");
}

}  // namespace
}  // namespace weir::wasm::binary
