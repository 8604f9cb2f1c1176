// Expressions of guests (expr_create, expr_evaluate): the whole input is the source.
//
// Properties: what is read ends, in a bounded number of steps and of bytes; the same source has the same value each time, in brackets
// too; an operand that decides does so whatever the other is.
#include <string>

#include "base/strings.h"
#include "fuzz/require.h"
#include "wasm/cel/evaluator.h"

namespace {

using namespace weir;
using namespace weir::wasm;
using weir::fuzz::Input;
using weir::fuzz::require;

constexpr size_t kMaxBytes = 64 * 1024;

/// A request, and some of everything.
class SomeAttributes final : public cel::Attributes {
 public:
  std::optional<cel::Value> read(const std::string& path) override {
    require(++reads <= cel::Evaluator::kMaxSteps, "reads are steps");
    using cel::Value;
    if (path == std::string_view("request\0path", 12)) return Value::text("/v1/users?q=1");
    if (path == std::string_view("request\0size", 12)) return Value::integer(12);
    if (path == std::string_view("request\0time", 12))
      return Value::timestamp(1'700'000'000'000'000'000);
    if (path == std::string_view("request\0duration", 16)) return Value::duration(1'500'000);
    if (path == std::string_view("request\0headers\0x-a", 19)) return Value::text("a");
    if (path == std::string_view("request\0headers", 15))
      return Value::map({{Value::text("x-a"), Value::text("a")}});
    if (path == std::string_view("connection\0id", 13)) return Value::natural(7);
    if (path == std::string_view("connection\0mtls", 15)) return Value::boolean(true);
    if (path == std::string_view("node\0metadata", 13))
      return Value::map({{Value::text("list"), Value::list({Value::real(1.5), Value()})}});
    if (path == "node") return Value::message("\x0a\x01n");
    if (path == "state") return Value::bytes("\xff\x00");
    return std::nullopt;
  }
  size_t reads = 0;
};

struct Outcome {
  bool error = false;
  Status status = Status::kOk;
  std::string bytes;
  bool operator==(const Outcome&) const = default;
};

Outcome outcome_of(const cel::Node& tree) {
  SomeAttributes attributes;
  cel::Evaluator evaluator(attributes);
  cel::Value value = evaluator.run(tree);
  if (value.is(cel::Value::Kind::kAttribute)) value = evaluator.read(value);
  Outcome out;
  out.error = value.is_error();
  if (out.error) require(*value.why() != '\0', "an error says something");
  require(value.weight() <= 2 * cel::Value::kMaxWeight, "a value is not too large");
  out.status = cel::serialise(value, kMaxBytes, out.bytes);
  require(out.bytes.size() <= kMaxBytes, "what is written is not too large");
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  const std::string_view source = input.rest();
  const auto tree = cel::parse(source);
  if (!tree) {
    require(!tree.error().detail.empty(), "an error says something");
    return 0;
  }
  require(source.size() <= cel::kMaxSourceBytes, "the length is bounded");
  const Outcome outcome = outcome_of(*tree);
  require(outcome_of(*tree) == outcome, "the same value each time");
  if (const auto again = cel::parse(base::concat('(', source, "\n)")))
    require(outcome_of(*again) == outcome, "brackets change nothing");
  const Outcome yes{false, Status::kOk, "\1"};
  if (const auto either = cel::parse(base::concat("true || (", source, "\n)")))
    require(outcome_of(*either) == yes, "one operand decides");
  if (const auto either = cel::parse(base::concat('(', source, "\n) || true"))) {
    const Outcome decided = outcome_of(*either);
    require(decided.error ? outcome.error : decided == yes, "errors are absorbed");
  }
  return 0;
}
