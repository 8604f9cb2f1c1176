#include "wasm/cel/evaluator.h"

#include <algorithm>

#include "base/strings.h"

namespace weir::wasm::cel {
namespace {

using Kind = Value::Kind;
using Op = Node::Op;

constexpr size_t kAttributeSteps = 20;

/// A segment of a path; nothing where it cannot be one.
std::optional<std::string> segment(const Value& key) {
  if (key.is(Kind::kInt)) return std::to_string(key.whole());
  if (key.is(Kind::kUint)) return std::to_string(key.natural());
  if (!key.is(Kind::kText) || key.raw().find('\0') != std::string::npos) return std::nullopt;
  return key.raw();
}

Value too_long() noexcept { return Value::error("it takes too long"); }

bool is_key(const Value& key) noexcept {
  return key.is(Kind::kBool) || key.is(Kind::kInt) || key.is(Kind::kUint) || key.is(Kind::kText);
}

}  // namespace

bool Evaluator::spend(size_t steps) noexcept {
  steps_ = std::min(steps_ + steps, kMaxSteps + 1);
  return steps_ <= kMaxSteps;
}

Value Evaluator::run(const Node& node) {
  Value value = locate(node);
  return steps_ <= kMaxSteps ? value : too_long();
}

Value Evaluator::read(const Value& attribute) {
  if (!spend(kAttributeSteps)) return too_long();
  auto value = attributes_.read(attribute.raw());
  if (!value) return Value::error("no such attribute");
  if (!spend(value->weight())) return too_long();
  return std::move(*value);
}

Value Evaluator::evaluate(const Node& node) {
  Value value = locate(node);
  return value.is(Kind::kAttribute) ? read(value) : value;
}

Value Evaluator::locate(const Node& node) {
  if (!spend(1)) return too_long();
  switch (node.op) {
    case Op::kLiteral:
      return node.value;
    case Op::kName:
      return look_up(node);
    case Op::kSelect:
      return select(node);
    case Op::kHas:
      return has(node);
    case Op::kIndex:
      return index_at(node);
    case Op::kCall:
      return call(node);
    case Op::kMatches:
      return matches(node);
    case Op::kList:
      return list(node);
    case Op::kMap:
      return map(node);
    case Op::kAnd:
    case Op::kOr:
      return logic(node);
    case Op::kChoice:
      return choice(node);
    default:
      return go_through(node);
  }
}

Value Evaluator::look_up(const Node& node) {
  for (size_t i = variables_.size(); i > 0; --i)
    if (variables_[i - 1].first == node.name) return variables_[i - 1].second;
  return Value::attribute(node.name);
}

/// The attribute of that name under this one.
Value Evaluator::below(const Value& attribute, std::string_view name) {
  if (attribute.raw().size() + 1 + name.size() > kMaxPathBytes)
    return Value::error("no such attribute");
  return Value::attribute(base::concat(attribute.raw(), '\0', name));
}

/// Keys are compared byte by byte.
bool Evaluator::spend_on_key_of(const Value& map) noexcept {
  constexpr size_t kWeightPerStep = 16;
  return spend(map.entries().size() + map.weight() / kWeightPerStep);
}

Value Evaluator::select(const Node& node) {
  Value of = locate(node.parts[0]);
  if (of.is(Kind::kAttribute)) return below(of, node.name);
  if (of.is_error()) return of;
  if (!of.is(Kind::kMap)) return mismatch();
  return spend_on_key_of(of) ? index(of, Value::text(node.name)) : too_long();
}

Value Evaluator::index_at(const Node& node) {
  Value of = locate(node.parts[0]);
  if (of.is_error()) return of;
  Value at = evaluate(node.parts[1]);
  if (at.is_error()) return at;
  if (of.is(Kind::kAttribute)) {
    const auto name = segment(at);
    return name ? below(of, *name) : Value::error("no such key");
  }
  return !of.is(Kind::kMap) || spend_on_key_of(of) ? index(of, at) : too_long();
}

Value Evaluator::has(const Node& node) {
  const Value of = locate(node.parts[0]);
  if (of.is_error()) return of;
  if (of.is(Kind::kMap)) {
    if (!spend_on_key_of(of)) return too_long();
    return Value::boolean(of.find(Value::text(node.name)) != nullptr);
  }
  if (!of.is(Kind::kAttribute)) return mismatch();
  if (!spend(kAttributeSteps)) return too_long();
  const Value attribute = below(of, node.name);
  if (attribute.is_error()) return Value::boolean(false);
  const auto value = attributes_.read(attribute.raw());
  if (value && !spend(value->weight())) return too_long();
  return Value::boolean(value.has_value());
}

Value Evaluator::call(const Node& node) {
  std::vector<Value> args;
  args.reserve(node.parts.size());
  for (const Node& part : node.parts) {
    args.push_back(evaluate(part));
    if (args.back().is_error()) return args.back();
    spend(args.back().weight());
  }
  if (!spend(0)) return too_long();
  Value value = node.function(*this, args);
  spend(value.weight());
  return value;
}

Value Evaluator::matches(const Node& node) {
  const Value text = evaluate(node.parts[0]);
  if (text.is_error()) return text;
  if (!text.is(Kind::kText)) return mismatch();
  return search(text, *node.regex);
}

Value Evaluator::search(const Value& text, const base::Regex& pattern) {
  // Where its automaton grows too large, RE2 follows all ways of a pattern at once.
  constexpr size_t kInstructionsPerStep = 8;
  const size_t ways = 1 + static_cast<size_t>(pattern.program_size()) / kInstructionsPerStep;
  if (!spend(text.weight() * ways)) return too_long();
  return Value::boolean(pattern.partial_match(text.raw()));
}

Value Evaluator::list(const Node& node) {
  List items;
  for (const Node& part : node.parts) {
    items.push_back(evaluate(part));
    if (items.back().is_error()) return items.back();
  }
  Value value = Value::list(std::move(items));
  spend(value.weight());
  return value;
}

Value Evaluator::map(const Node& node) {
  Entries entries;
  for (size_t i = 0; i + 1 < node.parts.size(); i += 2) {
    Value key = evaluate(node.parts[i]);
    if (key.is_error()) return key;
    if (!is_key(key)) return Value::error("a key of this type cannot be");
    Value value = evaluate(node.parts[i + 1]);
    if (value.is_error()) return value;
    if (!spend(entries.size() / 16)) return too_long();
    for (const auto& [other, unused] : entries)
      if (equal(other, key)) return Value::error("a key stands twice");
    entries.emplace_back(std::move(key), std::move(value));
  }
  Value value = Value::map(std::move(entries));
  spend(value.weight());
  return value;
}

/// One operand may decide whatever the others are, errors too.
Value Evaluator::logic(const Node& node) {
  const bool deciding = node.op == Op::kOr;
  std::optional<Value> failure;
  for (const Node& part : node.parts) {
    Value value = evaluate(part);
    if (value.is(Kind::kBool)) {
      if (value.truth() == deciding) return value;
    } else if (!failure) {
      failure = value.is_error() ? std::move(value) : mismatch();
    }
  }
  return failure ? *failure : Value::boolean(!deciding);
}

Value Evaluator::choice(const Node& node) {
  Value condition = evaluate(node.parts[0]);
  if (condition.is_error()) return condition;
  if (!condition.is(Kind::kBool)) return mismatch();
  return locate(node.parts[condition.truth() ? 1 : 2]);
}

// ---- macros -----------------------------------------------------------------------------------------

struct Evaluator::Tally {
  List items;                    // of filter and map
  size_t hits = 0;               // of exists_one
  std::optional<Value> failure;  // the first
  std::optional<Value> verdict;  // it is decided
};

/// False: no more items need be looked at.
bool Evaluator::visit(const Node& node, Value item, Tally& tally) {
  variables_.emplace_back(node.name, item);
  const Value answer = evaluate(node.parts[1]);
  const bool kept = answer.is(Kind::kBool) && answer.truth();
  const bool failed = node.op != Op::kEach && !answer.is(Kind::kBool);
  if ((failed || answer.is_error()) && !tally.failure)
    tally.failure = answer.is_error() ? answer : mismatch();
  if (node.op == Op::kEach) tally.items.push_back(answer);
  if (node.op == Op::kEachFiltered && kept) tally.items.push_back(evaluate(node.parts[2]));
  variables_.pop_back();
  if (node.op == Op::kFilter && kept) tally.items.push_back(std::move(item));
  if (node.op == Op::kExistsOne && kept) ++tally.hits;
  if (node.op == Op::kExists && kept) tally.verdict = Value::boolean(true);
  if (node.op == Op::kAll && answer.is(Kind::kBool) && !kept) tally.verdict = Value::boolean(false);
  if (!tally.items.empty() && tally.items.back().is_error() && !tally.failure)
    tally.failure = tally.items.back();
  // Errors are absorbed by what comes later in exists and all alone.
  const bool absorbs = node.op == Op::kExists || node.op == Op::kAll;
  return !tally.verdict && (absorbs || !tally.failure) && spend(0);
}

Value Evaluator::go_through(const Node& node) {
  const Value range = evaluate(node.parts[0]);
  if (range.is_error()) return range;
  Tally tally;
  if (range.is(Kind::kList)) {
    for (const Value& item : range.items())
      if (!visit(node, item, tally)) break;
  } else if (range.is(Kind::kMap)) {
    for (const auto& [key, unused] : range.entries())
      if (!visit(node, key, tally)) break;
  } else {
    return mismatch();
  }
  if (tally.verdict) return *tally.verdict;
  if (tally.failure) return *tally.failure;
  if (node.op == Op::kAll || node.op == Op::kExists) return Value::boolean(node.op == Op::kAll);
  if (node.op == Op::kExistsOne) return Value::boolean(tally.hits == 1);
  Value value = Value::list(std::move(tally.items));
  spend(value.weight());
  return value;
}

}  // namespace weir::wasm::cel
