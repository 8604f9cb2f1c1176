#include "wasm/binary/binary.h"

#include <gtest/gtest.h>

#include "unit/wasm/binary/line_assembler.h"
#include "wasm/binary/names.h"

namespace weir::wasm::binary {
namespace {

std::string named(std::string_view name) { return leb(name.size()) + std::string(name); }

std::string section(uint8_t id, std::string_view content) {
  return static_cast<char>(id) + named(content);
}

std::string module_of(std::string_view sections) {
  return std::string("\0asm\1\0\0\0", 8) + std::string(sections);
}

Result<Binary> read(std::string_view sections) {
  return read_binary(module_of(sections), EngineLimits{});
}

std::string error_of(const Result<Binary>& read) { return read ? "none" : read.error().detail; }

TEST(ModuleNames, AreCutAndInOneLine) {
  const std::string cut(kMaxFunctionName - 1, 'x');
  const std::string functions = leb(3) + leb(7) + named("f\n    at g") + leb(8) +
                                named(cut + "\xc3\xa9 and more") + leb(9) +
                                named("caf\xc3\xa9\x7f");
  const std::string locals = "\2" + named("what nobody reads");
  const std::string names =
      std::string(1, '\0') + named(named("module\r")) + "\1" + named(functions) + locals;
  EXPECT_EQ(tidy_names(names), std::string(1, '\0') + named(named("module?")) + "\1" +
                                   named(leb(3) + leb(7) + named("f?    at g") + leb(8) +
                                         named(cut) + leb(9) + named("caf\xc3\xa9?")));
}

TEST(ModuleNames, AreKeptUpToTheFirstMistake) {
  const std::string good = leb(1) + named("f");
  EXPECT_EQ(tidy_names("\1" + named(leb(2) + good + leb(2) + "\5f")), "\1" + named(leb(1) + good));
  EXPECT_EQ(tidy_names("\1" + named(leb(1) + good) + "\1\x7f"), "\1" + named(leb(1) + good));
  EXPECT_EQ(tidy_names("\1" + named(leb(~0u))), "\1" + named(leb(0)));
  EXPECT_EQ(tidy_names(""), "");
}

TEST(ModuleNames, AreTidiedInEveryNameSection) {
  const std::string names = named("name") + "\1" + named(leb(1) + leb(0) + named("a\nb"));
  const auto binary =
      read(section(0, names) + section(0, named("other") + "a\nb") + section(0, names));
  ASSERT_TRUE(binary) << error_of(binary);
  EXPECT_EQ(binary->bytes.find("a\nb"), binary->bytes.rfind("a\nb"));
  EXPECT_NE(binary->bytes.find("a?b"), binary->bytes.rfind("a?b"));
}

TEST(Binary, NamesOfImportsAndExportsAreBounded) {
  const std::string type = section(1, "\1\x60" + std::string(2, '\0'));
  const std::string most(4096, 'n');
  const auto import = [](const std::string& module, const std::string& name) {
    return section(2, leb(1) + named(module) + named(name) + std::string(2, '\0'));
  };
  EXPECT_TRUE(read(type + import(most, most)));
  EXPECT_NE(error_of(read(type + import(most + "n", "f"))).find("4097 bytes, 4096 are allowed"),
            std::string::npos);
  EXPECT_NE(error_of(read(type + import("env", most + "n"))).find("import nnn"), std::string::npos);
  const auto exported = [](const std::string& name) {
    return section(7, leb(1) + named(name) + std::string("\3\0", 2));
  };
  EXPECT_TRUE(read(exported(most)));
  EXPECT_NE(error_of(read(exported(most + "n"))).find("export nnn"), std::string::npos);
}

TEST(Binary, LongSignaturesAreNotKeptForEachExport) {
  const std::string types =
      section(1, leb(1) + "\x60" + leb(1000) + std::string(1000, '\x7f') + leb(0));
  std::string exports = leb(1000);
  for (int i = 0; i < 1000; ++i) exports += named("f" + std::to_string(i)) + std::string(2, '\0');
  const auto binary = read(types + section(3, leb(1) + leb(0)) + section(7, exports));
  ASSERT_TRUE(binary) << error_of(binary);
  for (const ExportInfo& each : binary->exports) {
    EXPECT_GT(each.signature.params.size(), 16u);  // more than any callback has
    EXPECT_LT(each.signature.params.capacity(), 100u);
  }
}

TEST(Binary, SaysWhereTheDebugInformationIs) {
  const auto binary = read(section(10, leb(0)) + section(0, named(".debug_line") + "lines") +
                           section(0, named(".debug_str") + "texts") +
                           section(0, named(".debug_line_str") + "paths"));
  ASSERT_TRUE(binary) << error_of(binary);
  const DebugParts& debug = binary->debug;
  EXPECT_EQ(debug.line.of(binary->bytes), "lines");
  EXPECT_EQ(debug.str.of(binary->bytes), "texts");
  EXPECT_EQ(debug.line_str.of(binary->bytes), "paths");
  EXPECT_EQ(debug.code.of(binary->bytes), leb(0));
}

}  // namespace
}  // namespace weir::wasm::binary
