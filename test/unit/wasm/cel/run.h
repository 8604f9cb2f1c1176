// Expressions as tests write them: their values as texts.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "wasm/cel/evaluator.h"

namespace weir::wasm::cel {

/// Attributes by path; segments are joined by '/' here.
class FakeAttributes final : public Attributes {
 public:
  std::optional<Value> read(const std::string& path) override {
    std::string name(path);
    for (char& c : name)
      if (c == '\0') c = '/';
    ++reads;
    const auto found = all.find(name);
    return found != all.end() ? std::optional(found->second) : std::nullopt;
  }
  std::map<std::string, Value> all;
  size_t reads = 0;
};

inline std::string shown(const Value& value) {
  using Kind = Value::Kind;
  std::string out;
  switch (value.kind()) {
    case Kind::kError:
      return std::string("error: ") + value.why();
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return value.truth() ? "true" : "false";
    case Kind::kInt:
      return std::to_string(value.whole());
    case Kind::kUint:
      return std::to_string(value.natural()) + "u";
    case Kind::kDouble: {
      out = std::to_string(value.real());
      return out.substr(0, out.find_last_not_of('0') + 1);
    }
    case Kind::kText:
      return '"' + value.raw() + '"';
    case Kind::kBytes:
      return "b\"" + value.raw() + '"';
    case Kind::kDuration:
      return std::to_string(value.whole()) + "ns";
    case Kind::kTimestamp:
      return "@" + std::to_string(value.whole());
    case Kind::kMessage:
      return "message";
    case Kind::kAttribute:
      return "attribute " + value.raw();
    case Kind::kList:
      for (const Value& item : value.items()) out += (out.empty() ? "" : ", ") + shown(item);
      return "[" + out + "]";
    case Kind::kMap:
      for (const auto& [key, item] : value.entries())
        out += (out.empty() ? "" : ", ") + shown(key) + ": " + shown(item);
      return "{" + out + "}";
  }
  return {};
}

/// The value, or what was wrong with the source behind "refused: ".
inline std::string run(std::string_view source, FakeAttributes& attributes) {
  const auto tree = parse(source);
  if (!tree) return "refused: " + tree.error().detail;
  Evaluator evaluator(attributes);
  const Value value = evaluator.run(*tree);
  return shown(value.is(Value::Kind::kAttribute) ? evaluator.read(value) : value);
}
inline std::string run(std::string_view source) {
  FakeAttributes none;
  return run(source, none);
}

}  // namespace weir::wasm::cel
