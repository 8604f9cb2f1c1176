// Node: an expression as a tree, and the parser that makes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <weir/result.h>

#include "base/regex.h"
#include "wasm/cel/value.h"

namespace weir::wasm::cel {

class Evaluator;

/// A function of the language that looks at its arguments alone; the receiver is the first of them.
using Function = Value (*)(Evaluator& evaluator, const std::vector<Value>& args);

struct Node {
  enum class Op : uint8_t {
    kLiteral,
    kName,     // `name`: a variable or an attribute
    kSelect,   // parts[0].name
    kHas,      // has(parts[0].name)
    kIndex,    // parts[0][parts[1]]
    kCall,     // function(parts...)
    kMatches,  // parts[0].matches(regex)
    kList,
    kMap,  // keys and values take turns
    kAnd,
    kOr,
    kChoice,  // parts[0] ? parts[1] : parts[2]
    // Macros: parts[0] is gone through with the variable `name`, parts[1] is asked for each.
    kAll,
    kExists,
    kExistsOne,
    kFilter,
    kEach,          // map(name, parts[1])
    kEachFiltered,  // map(name, parts[1], parts[2])
  };
  Op op = Op::kLiteral;
  uint8_t height = 1;  // what the evaluator's recursion is bounded by
  Function function = nullptr;
  Value value{};
  std::string name{};
  std::vector<Node> parts{};
  std::optional<base::Regex> regex{};
};

inline constexpr size_t kMaxSourceBytes = 16 * 1024;
inline constexpr unsigned kMaxPatterns = 32;  // each takes its time to compile
inline constexpr unsigned kMaxHeight = 100;   // of the tree, and of nested brackets

/// Error (kInvalidArgument): what is wrong, and where.
Result<Node> parse(std::string_view source);

// ---- functions.cc -----------------------------------------------------------------------------------

/// Null: there is none of this name with so many arguments. `receiver`: it is called as a method.
enum class Style : bool { kGlobal, kReceiver };
Function find_function(std::string_view name, size_t args, Style style) noexcept;
/// "+", "==" and the like, "!" and "-" with one operand; null: there is none.
Function find_operator(std::string_view symbol, size_t operands) noexcept;
/// The value at a key or an index.
Value index(const Value& of, const Value& at);

}  // namespace weir::wasm::cel
