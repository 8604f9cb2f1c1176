// The functions and operators of the language.
#include <charconv>
#include <cmath>
#include <tuple>
#include <utility>

#include "base/strings.h"
#include "wasm/cel/evaluator.h"
#include "wasm/cel/time.h"
#include "wasm/cel/tree.h"

namespace weir::wasm::cel {
namespace {

using Kind = Value::Kind;
using Args = std::vector<Value>;

constexpr size_t kPatternSteps = 5000;  // compiling one
constexpr size_t kMaxPatternBytes = 1024;
constexpr double kTwoTo63 = 9223372036854775808.0;
constexpr double kTwoTo64 = 18446744073709551616.0;

bool both(const Args& args, Kind kind) noexcept { return args[0].is(kind) && args[1].is(kind); }
Value overflow() noexcept { return Value::error("a number is out of range"); }

// ---- arithmetic -------------------------------------------------------------------------------------

bool is_time(const Value& value) noexcept {
  return value.is(Kind::kTimestamp) || value.is(Kind::kDuration);
}

/// Sums and differences of times. A moment and a length give a moment, two moments their distance.
Value add_times(const Value& left, const Value& right) noexcept {
  int64_t sum = 0;
  const bool moments = left.is(Kind::kTimestamp) && right.is(Kind::kTimestamp);
  if (moments) return Evaluator::mismatch();
  if (__builtin_add_overflow(left.whole(), right.whole(), &sum)) return overflow();
  const bool moment = left.is(Kind::kTimestamp) || right.is(Kind::kTimestamp);
  return moment ? Value::timestamp(sum) : Value::duration(sum);
}

Value subtract_times(const Value& left, const Value& right) noexcept {
  int64_t difference = 0;
  if (left.is(Kind::kDuration) && right.is(Kind::kTimestamp)) return Evaluator::mismatch();
  if (__builtin_sub_overflow(left.whole(), right.whole(), &difference)) return overflow();
  return left.is(Kind::kTimestamp) && right.is(Kind::kDuration) ? Value::timestamp(difference)
                                                                : Value::duration(difference);
}

Value add(Evaluator& evaluator, const Args& args) {
  const auto& [left, right] = std::tie(args[0], args[1]);
  if (both(args, Kind::kInt)) {
    int64_t sum = 0;
    return __builtin_add_overflow(left.whole(), right.whole(), &sum) ? overflow()
                                                                     : Value::integer(sum);
  }
  if (both(args, Kind::kUint)) {
    uint64_t sum = 0;
    return __builtin_add_overflow(left.natural(), right.natural(), &sum) ? overflow()
                                                                         : Value::natural(sum);
  }
  if (both(args, Kind::kDouble)) return Value::real(left.real() + right.real());
  if (both(args, Kind::kText)) return Value::text(left.raw() + right.raw());
  if (both(args, Kind::kBytes)) return Value::bytes(left.raw() + right.raw());
  if (both(args, Kind::kList)) {
    if (!evaluator.spend(left.items().size() + right.items().size())) return overflow();
    List items = left.items();
    items.insert(items.end(), right.items().begin(), right.items().end());
    return Value::list(std::move(items));
  }
  return is_time(left) && is_time(right) ? add_times(left, right) : Evaluator::mismatch();
}

Value subtract(Evaluator&, const Args& args) {
  const auto& [left, right] = std::tie(args[0], args[1]);
  if (both(args, Kind::kInt)) {
    int64_t difference = 0;
    return __builtin_sub_overflow(left.whole(), right.whole(), &difference)
               ? overflow()
               : Value::integer(difference);
  }
  if (both(args, Kind::kUint))
    return left.natural() < right.natural() ? overflow()
                                            : Value::natural(left.natural() - right.natural());
  if (both(args, Kind::kDouble)) return Value::real(left.real() - right.real());
  return is_time(left) && is_time(right) ? subtract_times(left, right) : Evaluator::mismatch();
}

Value multiply(Evaluator&, const Args& args) {
  if (both(args, Kind::kInt)) {
    int64_t product = 0;
    return __builtin_mul_overflow(args[0].whole(), args[1].whole(), &product)
               ? overflow()
               : Value::integer(product);
  }
  if (both(args, Kind::kUint)) {
    uint64_t product = 0;
    return __builtin_mul_overflow(args[0].natural(), args[1].natural(), &product)
               ? overflow()
               : Value::natural(product);
  }
  return both(args, Kind::kDouble) ? Value::real(args[0].real() * args[1].real())
                                   : Evaluator::mismatch();
}

Value by_zero() noexcept { return Value::error("division by zero"); }

Value divide(Evaluator&, const Args& args) {
  if (both(args, Kind::kInt)) {
    if (args[1].whole() == 0) return by_zero();
    if (args[0].whole() == INT64_MIN && args[1].whole() == -1) return overflow();
    return Value::integer(args[0].whole() / args[1].whole());
  }
  if (both(args, Kind::kUint))
    return args[1].natural() == 0 ? by_zero()
                                  : Value::natural(args[0].natural() / args[1].natural());
  if (!both(args, Kind::kDouble)) return Evaluator::mismatch();
  const double divisor = args[1].real();
  if (divisor != 0) return Value::real(args[0].real() / divisor);
  const bool undefined = args[0].real() == 0 || std::isnan(args[0].real());
  const bool negative = std::signbit(args[0].real()) != std::signbit(divisor);
  return Value::real(undefined ? NAN : negative ? -HUGE_VAL : HUGE_VAL);
}

Value remainder(Evaluator&, const Args& args) {
  if (both(args, Kind::kInt)) {
    if (args[1].whole() == 0) return by_zero();
    if (args[1].whole() == -1) return Value::integer(0);
    return Value::integer(args[0].whole() % args[1].whole());
  }
  if (!both(args, Kind::kUint)) return Evaluator::mismatch();
  return args[1].natural() == 0 ? by_zero() : Value::natural(args[0].natural() % args[1].natural());
}

Value negate(Evaluator&, const Args& args) {
  if (args[0].is(Kind::kDouble)) return Value::real(-args[0].real());
  if (!args[0].is(Kind::kInt)) return Evaluator::mismatch();
  return args[0].whole() == INT64_MIN ? overflow() : Value::integer(-args[0].whole());
}

Value invert(Evaluator&, const Args& args) {
  return args[0].is(Kind::kBool) ? Value::boolean(!args[0].truth()) : Evaluator::mismatch();
}

// ---- comparison -------------------------------------------------------------------------------------

/// Entries of maps are looked for one by one.
bool spend_to_compare(Evaluator& evaluator, const Value& left, const Value& right) {
  constexpr size_t kPairsPerStep = 64;
  return !left.holds_map() || !right.holds_map() ||
         evaluator.spend(left.weight() * right.weight() / kPairsPerStep);
}

Value same(Evaluator& evaluator, const Args& args) {
  if (!spend_to_compare(evaluator, args[0], args[1])) return overflow();
  return Value::boolean(equal(args[0], args[1]));
}

Value different(Evaluator& evaluator, const Args& args) {
  if (!spend_to_compare(evaluator, args[0], args[1])) return overflow();
  return Value::boolean(!equal(args[0], args[1]));
}

template <Order kOne, Order kOther>
Value ordered(Evaluator&, const Args& args) {
  const auto order = compare(args[0], args[1]);
  return order ? Value::boolean(*order == kOne || *order == kOther) : Evaluator::mismatch();
}

Value contained(Evaluator& evaluator, const Args& args) {
  if (args[1].is(Kind::kMap)) return Value::boolean(args[1].find(args[0]) != nullptr);
  if (!args[1].is(Kind::kList)) return Evaluator::mismatch();
  if (!spend_to_compare(evaluator, args[0], args[1])) return overflow();
  for (const Value& item : args[1].items())
    if (equal(item, args[0])) return Value::boolean(true);
  return Value::boolean(false);
}

// ---- texts ------------------------------------------------------------------------------------------

Value size(Evaluator&, const Args& args) {
  const Value& of = args[0];
  size_t count = 0;
  if (of.is(Kind::kText)) {
    for (const char c : of.raw()) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
  } else if (of.is(Kind::kBytes)) {
    count = of.raw().size();
  } else if (of.is(Kind::kList)) {
    count = of.items().size();
  } else if (of.is(Kind::kMap)) {
    count = of.entries().size();
  } else {
    return Evaluator::mismatch();
  }
  return Value::integer(static_cast<int64_t>(count));
}

Value starts_with(Evaluator&, const Args& args) {
  return both(args, Kind::kText) ? Value::boolean(args[0].raw().starts_with(args[1].raw()))
                                 : Evaluator::mismatch();
}
Value ends_with(Evaluator&, const Args& args) {
  return both(args, Kind::kText) ? Value::boolean(args[0].raw().ends_with(args[1].raw()))
                                 : Evaluator::mismatch();
}
Value contains(Evaluator& evaluator, const Args& args) {
  if (!both(args, Kind::kText)) return Evaluator::mismatch();
  // The search may compare the part anew at every place.
  if (!evaluator.spend(args[0].weight() * args[1].weight())) return overflow();
  return Value::boolean(args[0].raw().find(args[1].raw()) != std::string::npos);
}
Value matches(Evaluator& evaluator, const Args& args) {
  if (!both(args, Kind::kText)) return Evaluator::mismatch();
  if (args[1].raw().size() > kMaxPatternBytes || !evaluator.spend(kPatternSteps))
    return Value::error("a pattern is too long");
  const auto regex = base::Regex::compile_small(args[1].raw());
  return regex ? evaluator.search(args[0], *regex) : Value::error("a pattern is wrong");
}

// ---- conversions ------------------------------------------------------------------------------------

Value unreadable() noexcept { return Value::error("a text cannot be converted"); }

Value to_int(Evaluator&, const Args& args) {
  const Value& from = args[0];
  switch (from.kind()) {
    case Kind::kInt:
      return from;
    case Kind::kUint:
      return from.natural() > INT64_MAX ? overflow()
                                        : Value::integer(static_cast<int64_t>(from.natural()));
    case Kind::kDouble:
      if (!(from.real() > -kTwoTo63 && from.real() < kTwoTo63)) return overflow();
      return Value::integer(static_cast<int64_t>(from.real()));
    case Kind::kText: {
      const auto parsed = base::parse_i64(from.raw());
      return parsed ? Value::integer(*parsed) : unreadable();
    }
    case Kind::kTimestamp:
      return Value::integer(whole_seconds(from.whole()));
    default:
      return Evaluator::mismatch();
  }
}

Value to_uint(Evaluator&, const Args& args) {
  const Value& from = args[0];
  switch (from.kind()) {
    case Kind::kUint:
      return from;
    case Kind::kInt:
      return from.whole() < 0 ? overflow() : Value::natural(static_cast<uint64_t>(from.whole()));
    case Kind::kDouble:
      if (!(from.real() > -1 && from.real() < kTwoTo64)) return overflow();
      return Value::natural(static_cast<uint64_t>(from.real()));
    case Kind::kText: {
      const auto parsed = base::parse_u64(from.raw());
      return parsed ? Value::natural(*parsed) : unreadable();
    }
    default:
      return Evaluator::mismatch();
  }
}

Value to_double(Evaluator&, const Args& args) {
  const Value& from = args[0];
  switch (from.kind()) {
    case Kind::kDouble:
      return from;
    case Kind::kInt:
      return Value::real(static_cast<double>(from.whole()));
    case Kind::kUint:
      return Value::real(static_cast<double>(from.natural()));
    case Kind::kText: {
      const auto parsed = base::parse_double(from.raw());
      return parsed ? Value::real(*parsed) : unreadable();
    }
    default:
      return Evaluator::mismatch();
  }
}

Value to_text(Evaluator&, const Args& args) {
  const Value& from = args[0];
  switch (from.kind()) {
    case Kind::kText:
      return from;
    case Kind::kBytes:
      return base::valid_utf8(from.raw()) ? Value::text(from.raw())
                                          : Value::error("bytes that are not UTF-8");
    case Kind::kBool:
      return Value::text(from.truth() ? "true" : "false");
    case Kind::kInt:
      return Value::text(std::to_string(from.whole()));
    case Kind::kUint:
      return Value::text(std::to_string(from.natural()));
    case Kind::kDouble: {
      char digits[32];
      const auto end = std::to_chars(digits, digits + sizeof digits, from.real());
      return Value::text(std::string(digits, end.ptr));
    }
    case Kind::kDuration:
      return Value::text(duration_text(from.whole()));
    case Kind::kTimestamp:
      return Value::text(timestamp_text(from.whole()));
    default:
      return Evaluator::mismatch();
  }
}

Value to_bytes(Evaluator&, const Args& args) {
  if (args[0].is(Kind::kBytes)) return args[0];
  return args[0].is(Kind::kText) ? Value::bytes(args[0].raw()) : Evaluator::mismatch();
}

Value to_bool(Evaluator&, const Args& args) {
  if (args[0].is(Kind::kBool)) return args[0];
  if (!args[0].is(Kind::kText)) return Evaluator::mismatch();
  const std::string& text = args[0].raw();
  if (text == "true" || text == "True" || text == "TRUE" || text == "t" || text == "1")
    return Value::boolean(true);
  if (text == "false" || text == "False" || text == "FALSE" || text == "f" || text == "0")
    return Value::boolean(false);
  return unreadable();
}

Value to_duration(Evaluator&, const Args& args) {
  if (args[0].is(Kind::kDuration)) return args[0];
  if (!args[0].is(Kind::kText)) return Evaluator::mismatch();
  const auto parsed = parse_duration(args[0].raw());
  return parsed ? Value::duration(*parsed) : unreadable();
}

Value to_timestamp(Evaluator&, const Args& args) {
  if (args[0].is(Kind::kTimestamp)) return args[0];
  int64_t nanoseconds = 0;
  if (args[0].is(Kind::kInt))
    return __builtin_mul_overflow(args[0].whole(), int64_t{1000000000}, &nanoseconds)
               ? overflow()
               : Value::timestamp(nanoseconds);
  if (!args[0].is(Kind::kText)) return Evaluator::mismatch();
  const auto parsed = parse_timestamp(args[0].raw());
  return parsed ? Value::timestamp(*parsed) : unreadable();
}

Value as_it_is(Evaluator&, const Args& args) { return args[0]; }

template <TimePart kPart>
Value time_part(Evaluator&, const Args& args) {
  const bool moment = args[0].is(Kind::kTimestamp);
  if (!moment && !args[0].is(Kind::kDuration)) return Evaluator::mismatch();
  const auto part =
      moment ? part_of_timestamp(args[0].whole(), kPart) : part_of_duration(args[0].whole(), kPart);
  return part ? Value::integer(*part) : Evaluator::mismatch();
}

// ---- tables -----------------------------------------------------------------------------------------

struct Known {
  std::string_view name;
  size_t args;  // the receiver too
  enum class As : uint8_t { kGlobal, kReceiver, kEither } as;
  Function function;
};
using As = Known::As;

constexpr Known kFunctions[] = {
    {"size", 1, As::kEither, &size},
    {"startsWith", 2, As::kReceiver, &starts_with},
    {"endsWith", 2, As::kReceiver, &ends_with},
    {"contains", 2, As::kReceiver, &contains},
    {"matches", 2, As::kEither, &matches},
    {"int", 1, As::kGlobal, &to_int},
    {"uint", 1, As::kGlobal, &to_uint},
    {"double", 1, As::kGlobal, &to_double},
    {"string", 1, As::kGlobal, &to_text},
    {"bytes", 1, As::kGlobal, &to_bytes},
    {"bool", 1, As::kGlobal, &to_bool},
    {"duration", 1, As::kGlobal, &to_duration},
    {"timestamp", 1, As::kGlobal, &to_timestamp},
    {"dyn", 1, As::kGlobal, &as_it_is},
    {"getFullYear", 1, As::kReceiver, &time_part<TimePart::kYear>},
    {"getMonth", 1, As::kReceiver, &time_part<TimePart::kMonth>},
    {"getDate", 1, As::kReceiver, &time_part<TimePart::kDate>},
    {"getDayOfMonth", 1, As::kReceiver, &time_part<TimePart::kDayOfMonth>},
    {"getDayOfWeek", 1, As::kReceiver, &time_part<TimePart::kDayOfWeek>},
    {"getDayOfYear", 1, As::kReceiver, &time_part<TimePart::kDayOfYear>},
    {"getHours", 1, As::kReceiver, &time_part<TimePart::kHours>},
    {"getMinutes", 1, As::kReceiver, &time_part<TimePart::kMinutes>},
    {"getSeconds", 1, As::kReceiver, &time_part<TimePart::kSeconds>},
    {"getMilliseconds", 1, As::kReceiver, &time_part<TimePart::kMilliseconds>},
};

constexpr Known kOperators[] = {
    {"+", 2, As::kGlobal, &add},
    {"-", 2, As::kGlobal, &subtract},
    {"*", 2, As::kGlobal, &multiply},
    {"/", 2, As::kGlobal, &divide},
    {"%", 2, As::kGlobal, &remainder},
    {"-", 1, As::kGlobal, &negate},
    {"!", 1, As::kGlobal, &invert},
    {"==", 2, As::kGlobal, &same},
    {"!=", 2, As::kGlobal, &different},
    {"<", 2, As::kGlobal, &ordered<Order::kLess, Order::kLess>},
    {"<=", 2, As::kGlobal, &ordered<Order::kLess, Order::kEqual>},
    {">", 2, As::kGlobal, &ordered<Order::kGreater, Order::kGreater>},
    {">=", 2, As::kGlobal, &ordered<Order::kGreater, Order::kEqual>},
    {"in", 2, As::kGlobal, &contained},
};

/// Of a list: a number that is whole, of whatever type.
std::optional<uint64_t> position(const Value& at) noexcept {
  if (at.is(Kind::kUint)) return at.natural();
  if (at.is(Kind::kInt) && at.whole() >= 0) return static_cast<uint64_t>(at.whole());
  if (at.is(Kind::kDouble) && at.real() >= 0 && at.real() < kTwoTo63 &&
      std::floor(at.real()) == at.real())
    return static_cast<uint64_t>(at.real());
  return std::nullopt;
}

}  // namespace

Function find_function(std::string_view name, size_t args, Style style) noexcept {
  const As other = style == Style::kGlobal ? As::kReceiver : As::kGlobal;
  for (const Known& each : kFunctions)
    if (each.name == name && each.args == args && each.as != other) return each.function;
  return nullptr;
}

Function find_operator(std::string_view symbol, size_t operands) noexcept {
  for (const Known& each : kOperators)
    if (each.name == symbol && each.args == operands) return each.function;
  return nullptr;
}

Value index(const Value& of, const Value& at) {
  if (of.is(Kind::kMap)) {
    const Value* found = of.find(at);
    return found != nullptr ? *found : Value::error("no such key");
  }
  if (!of.is(Kind::kList)) return Evaluator::mismatch();
  if (!at.is_number()) return Evaluator::mismatch();
  const auto place = position(at);
  return place && *place < of.items().size() ? of.items()[*place]
                                             : Value::error("an index is out of range");
}

}  // namespace weir::wasm::cel
