#include "wasm/binary/binary.h"

#include <algorithm>
#include <map>

#include "wasm/binary/binary_format.h"
#include "wasm/binary/byte_reader.h"
#include "wasm/binary/names.h"

namespace weir::wasm::binary {
namespace {

constexpr uint64_t kPageSize = 64 * 1024;
constexpr uint64_t kMaxPages = 65536;  // a 32-bit memory's
constexpr uint8_t kLimitHasMax = 1;
// The engine's own; read here first, where each costs more than the byte or two that it has in the module.
constexpr uint64_t kMaxTypes = 1'000'000;
constexpr uint64_t kMaxImports = 100'000;
constexpr uint64_t kMaxTables = 1'000;
constexpr uint64_t kMaxExports = 100'000;
constexpr uint64_t kMaxParams = 1000;
// Of a signature, values that are kept: more than any function may have that is called or bound here.
constexpr size_t kMaxKeptValues = 32;
// The engine shows names of exports in stacks, and those of imports in errors.
constexpr size_t kMaxName = 4096;
constexpr uint8_t kLimitShared = 2;
constexpr uint8_t kLimit64 = 4;

auto malformed(std::string_view what) {
  return fail(Code::kConfig, Side::kLocal, "not a valid WebAssembly module: " + std::string(what));
}

ValueType value_type(uint8_t code) {
  switch (code) {
    case 0x7f:
      return ValueType::kI32;
    case 0x7e:
      return ValueType::kI64;
    case 0x7d:
      return ValueType::kF32;
    case 0x7c:
      return ValueType::kF64;
    default:
      return ValueType::kOther;
  }
}

struct Limits {
  uint8_t flags = 0;
  uint64_t min = 0;
  uint64_t max = 0;
};

Limits read_limits(ByteReader& reader) {
  Limits limits;
  limits.flags = reader.byte();
  limits.min = reader.leb(64);
  if ((limits.flags & kLimitHasMax) != 0) limits.max = reader.leb(64);
  return limits;
}

void write_limits(std::string& out, const Limits& limits) {
  out.push_back(static_cast<char>(limits.flags | kLimitHasMax));
  write_leb(out, limits.min);
  write_leb(out, limits.max);
}

/// One pass over the sections; keeps what later sections refer to.
class Walker {
 public:
  Walker(std::string_view wasm, const EngineLimits& limits) : wasm_(wasm), limits_(limits) {}

  Result<Binary> walk() {
    if (wasm_.size() > limits_.max_module_bytes)
      return fail(
          Code::kConfig, Side::kLocal,
          "the module is larger than " + std::to_string(limits_.max_module_bytes) + " bytes");
    if (wasm_.substr(0, 8) != std::string_view("\0asm\1\0\0\0", 8))
      return malformed("bad magic or version");
    ByteReader reader(wasm_);
    reader.take(8);
    binary_.bytes.reserve(wasm_.size() + 32);
    binary_.bytes.append(wasm_.substr(0, 8));
    while (!reader.done()) {
      const uint8_t id = reader.byte();
      const std::string_view body = reader.take(reader.leb());
      if (!reader.ok()) return malformed("a section is truncated");
      WEIR_CHECKED(section(id, body));
    }
    return std::move(binary_);
  }

 private:
  void copy(uint8_t id, std::string_view body) {
    binary_.bytes.push_back(static_cast<char>(id));
    write_leb(binary_.bytes, body.size());
    note_debug(id, body, binary_.bytes.size());
    binary_.bytes.append(body);
  }

  void note_debug(uint8_t id, std::string_view body, size_t at) {
    DebugParts& parts = binary_.debug;
    if (id == kCodes) parts.code = {at, body.size()};
    if (id != kCustom) return;
    ByteReader reader(body);
    const std::string_view name = reader.name();
    const Part content{at + reader.position(), body.size() - reader.position()};
    if (name == ".debug_line") parts.line = content;
    if (name == ".debug_line_str") parts.line_str = content;
    if (name == ".debug_str") parts.str = content;
  }

  Result<void> section(uint8_t id, std::string_view body) {
    ByteReader reader(body);
    Result<void> outcome{};
    switch (id) {
      case kTypes:
        outcome = types(reader);
        break;
      case kImports:
        outcome = imports(reader);
        break;
      case kFunctions:
        outcome = functions(reader);
        break;
      case kTables:
        return tables(reader);
      case kMemories:
        return memories(reader);
      case kExports:
        outcome = exports(reader);
        break;
      case kCustom:
        if (reader.name() != "name") break;
        return names(body.substr(reader.position()));
      default:
        break;
    }
    if (!outcome) return outcome;
    if (!reader.ok()) return malformed("section " + std::to_string(id) + " is truncated");
    copy(id, body);
    return {};
  }

  /// Sections may come twice: what is there already counts.
  static Result<void> check_count(std::string_view what, uint64_t known, uint64_t more,
                                  uint64_t most) {
    if (more <= most && known <= most - more) return {};
    return fail(Code::kConfig, Side::kLocal,
                "the module has more than " + std::to_string(most) + " " + std::string(what));
  }

  Result<void> names(std::string_view content) {
    std::string out("\4name", 5);
    copy(kCustom, out += tidy_names(content));
    return {};
  }

  Result<void> types(ByteReader& reader) {
    const uint64_t count = reader.leb();
    WEIR_CHECKED(check_count("types", types_.size(), count, kMaxTypes));
    for (uint64_t i = 0; i < count && reader.ok(); ++i) {
      if (reader.byte() != 0x60) return malformed("a type that is not a function");
      Signature signature;
      for (auto* list : {&signature.params, &signature.results}) {
        const uint64_t size = reader.leb();
        WEIR_CHECKED(check_count("parameters", 0, size, kMaxParams));
        for (uint64_t k = 0; k < size && reader.ok(); ++k)
          list->push_back(value_type(reader.byte()));
      }
      types_.push_back(std::move(signature));
    }
    return {};
  }

  Signature type(uint64_t index) const {
    Signature signature;
    if (index >= types_.size()) return signature;
    const auto kept = [](const std::vector<ValueType>& values) {
      return std::vector<ValueType>(values.begin(),
                                    values.begin() + std::min(values.size(), kMaxKeptValues));
    };
    signature.params = kept(types_[index].params);
    signature.results = kept(types_[index].results);
    return signature;
  }

  static Result<void> check_name(std::string_view what, std::string_view name) {
    if (name.size() <= kMaxName) return {};
    return fail(Code::kConfig, Side::kLocal,
                std::string(what) + " " + std::string(name.substr(0, 60)) + "... has a name of " +
                    std::to_string(name.size()) + " bytes, " + std::to_string(kMaxName) +
                    " are allowed");
  }

  Result<void> imports(ByteReader& reader) {
    const uint64_t count = reader.leb();
    WEIR_CHECKED(check_count("imports", binary_.imports.size(), count, kMaxImports));
    for (uint64_t i = 0; i < count && reader.ok(); ++i) {
      ImportInfo import;
      import.module = std::string(reader.name());
      import.name = std::string(reader.name());
      WEIR_CHECKED(check_name("import", import.module));
      WEIR_CHECKED(check_name("import", import.name));
      if (reader.byte() != 0)
        return fail(Code::kConfig, Side::kLocal,
                    "import " + import.module + "." + import.name + " is not a function");
      const uint64_t index = reader.leb();
      import.signature = type(index);
      // The engine takes both from one place by their name, and hands one of them the other's values.
      const auto known = import_types_.try_emplace({import.module, import.name}, index).first;
      if (type(known->second) != import.signature)
        return fail(Code::kConfig, Side::kLocal,
                    "import " + import.module + "." + import.name + " has two signatures");
      function_types_.push_back(index);
      binary_.imports.push_back(std::move(import));
    }
    return {};
  }

  Result<void> functions(ByteReader& reader) {
    const uint64_t count = reader.leb();
    WEIR_CHECKED(check_count("functions", function_types_.size(), count, limits_.max_functions));
    for (uint64_t i = 0; i < count && reader.ok(); ++i) function_types_.push_back(reader.leb());
    return {};
  }

  Result<void> tables(ByteReader& reader) {
    std::string out;
    const uint64_t count = reader.leb();
    WEIR_CHECKED(check_count("tables", tables_, count, kMaxTables));
    tables_ += count;
    write_leb(out, count);
    for (uint64_t i = 0; i < count && reader.ok(); ++i) {
      const uint8_t element = reader.byte();
      if (element != 0x70 && element != 0x6f) return malformed("an unsupported kind of table");
      Limits limits = read_limits(reader);
      const uint64_t cap = limits_.max_table_elements;
      // Of all together: they are made before the guest runs, where nothing can end it.
      if (limits.min > cap || table_elements_ > cap - limits.min)
        return fail(Code::kConfig, Side::kLocal,
                    "a table needs " + std::to_string(limits.min) +
                        " elements at start, the limit of all tables is " + std::to_string(cap));
      table_elements_ += limits.min;
      const uint64_t share = std::max(limits.min, cap / count);
      limits.max = (limits.flags & kLimitHasMax) != 0 ? std::min(limits.max, share) : share;
      out.push_back(static_cast<char>(element));
      write_limits(out, limits);
    }
    if (!reader.ok()) return malformed("the table section is truncated");
    copy(kTables, out);
    return {};
  }

  Result<void> memories(ByteReader& reader) {
    std::string out;
    const uint64_t count = reader.leb();
    write_leb(out, count);
    for (uint64_t i = 0; i < count && reader.ok(); ++i) {
      Limits limits = read_limits(reader);
      if ((limits.flags & (kLimitShared | kLimit64)) != 0)
        return fail(Code::kConfig, Side::kLocal, "shared and 64-bit memories are not supported");
      const uint64_t cap = std::min(limits_.max_memory_bytes / kPageSize, kMaxPages);
      if (limits.min > cap)
        return fail(Code::kConfig, Side::kLocal,
                    "the module needs " + std::to_string(limits.min * kPageSize) +
                        " bytes of memory at start, max_memory_bytes is " +
                        std::to_string(limits_.max_memory_bytes));
      limits.max = (limits.flags & kLimitHasMax) != 0 ? std::min(limits.max, cap) : cap;
      write_limits(out, limits);
    }
    if (!reader.ok()) return malformed("the memory section is truncated");
    copy(kMemories, out);
    return {};
  }

  Result<void> exports(ByteReader& reader) {
    const uint64_t count = reader.leb();
    WEIR_CHECKED(check_count("exports", binary_.exports.size(), count, kMaxExports));
    for (uint64_t i = 0; i < count && reader.ok(); ++i) {
      ExportInfo info;
      info.name = std::string(reader.name());
      WEIR_CHECKED(check_name("export", info.name));
      const uint8_t kind = reader.byte();
      const uint64_t index = reader.leb();
      info.kind =
          kind <= 3 ? static_cast<ImportInfo::Kind>(kind_order(kind)) : ImportInfo::Kind::kOther;
      if (kind == 0 && index < function_types_.size())
        info.signature = type(function_types_[index]);
      binary_.exports.push_back(std::move(info));
    }
    return {};
  }

  /// The binary's kinds are function, table, memory, global.
  static ImportInfo::Kind kind_order(uint8_t kind) {
    constexpr ImportInfo::Kind kKinds[] = {ImportInfo::Kind::kFunction, ImportInfo::Kind::kTable,
                                           ImportInfo::Kind::kMemory, ImportInfo::Kind::kGlobal};
    return kKinds[kind];
  }

  std::string_view wasm_;
  const EngineLimits& limits_;
  std::vector<Signature> types_;
  std::vector<uint64_t> function_types_;
  std::map<std::pair<std::string, std::string>, uint64_t> import_types_;
  uint64_t tables_ = 0;
  uint64_t table_elements_ = 0;
  Binary binary_;
};

}  // namespace

Result<Binary> read_binary(std::string_view wasm, const EngineLimits& limits) {
  return Walker(wasm, limits).walk();
}

}  // namespace weir::wasm::binary
