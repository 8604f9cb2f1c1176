// Evaluator: one evaluation of an expression.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wasm/cel/tree.h"
#include "wasm/cel/value.h"

namespace weir::wasm::cel {

/// Where the names of an expression that are no variables come from. Paths: segments joined by NUL.
class Attributes {
 public:
  virtual ~Attributes() = default;
  /// Nothing: there is no such attribute.
  virtual std::optional<Value> read(const std::string& path) = 0;
};

/// Bounded in steps, so that no expression holds its worker for long.
class Evaluator {
 public:
  static constexpr size_t kMaxSteps = Value::kMaxWeight;
  static constexpr size_t kMaxPathBytes = 4096;  // of attributes; there are none with a longer one
  explicit Evaluator(Attributes& attributes) noexcept : attributes_(attributes) {}

  /// An attribute that is the whole answer stays unread. An error: why there is no value.
  Value run(const Node& node);
  Value read(const Value& attribute);

  /// Notes work beyond the node's own; false: it was too much, the evaluation ends in an error whatever comes.
  bool spend(size_t steps) noexcept;
  /// Whether the pattern is in the text.
  Value search(const Value& text, const base::Regex& pattern);
  static Value mismatch() noexcept { return Value::error("no such overload"); }

 private:
  Value evaluate(const Node& node);
  /// As evaluate(), but an attribute stays unread.
  Value locate(const Node& node);
  Value look_up(const Node& node);
  Value select(const Node& node);
  Value index_at(const Node& node);
  Value has(const Node& node);
  static Value below(const Value& attribute, std::string_view name);
  bool spend_on_key_of(const Value& map) noexcept;
  Value call(const Node& node);
  Value matches(const Node& node);
  Value list(const Node& node);
  Value map(const Node& node);
  Value logic(const Node& node);
  Value choice(const Node& node);
  Value go_through(const Node& node);
  struct Tally;
  bool visit(const Node& node, Value item, Tally& tally);

  Attributes& attributes_;
  std::vector<std::pair<std::string_view, Value>> variables_;  // the innermost last
  size_t steps_ = 0;
};

}  // namespace weir::wasm::cel
