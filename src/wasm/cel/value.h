// Value: what an expression of the Common Expression Language computes with.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "wasm/enums.h"

namespace weir::wasm::cel {

class Value;
using List = std::vector<Value>;
using Entries = std::vector<std::pair<Value, Value>>;  // in the order in which they were written

/// Immutable, cheap to copy.
class Value {
 public:
  enum class Kind : uint8_t {
    kError,
    kNull,
    kBool,
    kInt,
    kUint,
    kDouble,
    kText,
    kBytes,
    kDuration,   // nanoseconds
    kTimestamp,  // nanoseconds since 1970
    kMessage,    // protobuf, of which nothing but the bytes is known
    kList,
    kMap,
    kAttribute,  // one that has not been read yet: the segments of its path joined by NUL
  };
  // Lists and maps are walked by recursion, and what is in them may be in them many times.
  static constexpr unsigned kMaxDepth = 64;
  static constexpr size_t kMaxWeight = 50000;

  Value() noexcept : kind_(Kind::kNull) {}
  static Value boolean(bool value) noexcept { return {Kind::kBool, value}; }
  static Value integer(int64_t value) noexcept { return {Kind::kInt, value}; }
  static Value natural(uint64_t value) noexcept { return {Kind::kUint, value}; }
  static Value real(double value) noexcept { return {Kind::kDouble, value}; }
  static Value text(std::string value) { return of_bytes(Kind::kText, std::move(value)); }
  static Value bytes(std::string value) { return of_bytes(Kind::kBytes, std::move(value)); }
  static Value message(std::string value) { return of_bytes(Kind::kMessage, std::move(value)); }
  static Value attribute(std::string path) { return of_bytes(Kind::kAttribute, std::move(path)); }
  static Value duration(int64_t nanoseconds) noexcept { return {Kind::kDuration, nanoseconds}; }
  static Value timestamp(int64_t nanoseconds) noexcept { return {Kind::kTimestamp, nanoseconds}; }
  /// An error when they would be nested too deep, or too large.
  static Value list(List items);
  static Value map(Entries entries);
  /// `why` lives forever.
  static Value error(const char* why) noexcept { return {Kind::kError, why}; }

  Kind kind() const noexcept { return kind_; }
  bool is(Kind kind) const noexcept { return kind_ == kind; }
  bool is_error() const noexcept { return kind_ == Kind::kError; }
  bool is_number() const noexcept {
    return kind_ == Kind::kInt || kind_ == Kind::kUint || kind_ == Kind::kDouble;
  }

  // Require the kind.
  bool truth() const noexcept { return *std::get_if<bool>(&data_); }
  int64_t whole() const noexcept { return *std::get_if<int64_t>(&data_); }  // of times too
  uint64_t natural() const noexcept { return *std::get_if<uint64_t>(&data_); }
  double real() const noexcept { return *std::get_if<double>(&data_); }
  const std::string& raw() const noexcept { return **std::get_if<Bytes>(&data_); }
  const List& items() const noexcept { return **std::get_if<Items>(&data_); }
  const Entries& entries() const noexcept { return **std::get_if<Pairs>(&data_); }
  const char* why() const noexcept { return *std::get_if<const char*>(&data_); }

  /// The value of a key; null if there is none. Requires: a map.
  const Value* find(const Value& key) const noexcept;
  /// What it costs to look at all of it: 1 for each value in it, and something for the length of texts.
  size_t weight() const noexcept { return weight_; }
  /// It is a map, or there is one in it.
  bool holds_map() const noexcept { return maps_; }

 private:
  using Bytes = std::shared_ptr<const std::string>;
  using Items = std::shared_ptr<const List>;
  using Pairs = std::shared_ptr<const Entries>;
  using Data = std::variant<std::monostate, bool, int64_t, uint64_t, double, const char*, Bytes,
                            Items, Pairs>;
  static constexpr size_t kBytesPerWeight = 64;
  struct Size {  // of what holds others
    uint8_t depth = 0;
    size_t weight = 1;
    bool maps = false;
    void add(const Value& part) noexcept;
    bool too_large() const noexcept { return depth >= kMaxDepth || weight > kMaxWeight; }
  };
  Value(Kind kind, Size size, Data data) noexcept
      : kind_(kind),
        depth_(static_cast<uint8_t>(size.depth + 1)),
        maps_(size.maps || kind == Kind::kMap),
        weight_(size.weight),
        data_(std::move(data)) {}
  Value(Kind kind, Data data) noexcept : kind_(kind), data_(std::move(data)) {}
  static Value of_bytes(Kind kind, std::string value) {
    const size_t size = value.size();
    Value out(kind, std::make_shared<const std::string>(std::move(value)));
    out.weight_ = 1 + size / kBytesPerWeight;
    return out;
  }

  Kind kind_;
  uint8_t depth_ = 0;
  bool maps_ = false;
  size_t weight_ = 1;
  Data data_;
};

/// Whether they are the same; values of different kinds are not, but numbers are compared as numbers.
bool equal(const Value& left, const Value& right) noexcept;

enum class Order : uint8_t { kLess, kEqual, kGreater, kNone };  // kNone: one of them is NaN
/// Not there: values of these kinds have no order.
std::optional<Order> compare(const Value& left, const Value& right) noexcept;

/// As properties are written for guests: texts raw, numbers 8 bytes, maps and lists as pairs. kSerializationFailure: null,
/// errors, and what would be larger than `max_bytes`.
Status serialise(const Value& value, size_t max_bytes, std::string& out);

}  // namespace weir::wasm::cel
