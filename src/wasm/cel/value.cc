#include "wasm/cel/value.h"

#include <algorithm>
#include <cmath>

#include "wasm/pairs.h"

namespace weir::wasm::cel {
namespace {

using Kind = Value::Kind;

constexpr double kTwoTo63 = 9223372036854775808.0;
constexpr double kTwoTo64 = 18446744073709551616.0;

Order reverse(Order order) noexcept {
  return order == Order::kLess ? Order::kGreater : order == Order::kGreater ? Order::kLess : order;
}

template <typename T>
Order order_of(const T& left, const T& right) noexcept {
  return left < right ? Order::kLess : right < left ? Order::kGreater : Order::kEqual;
}

/// Exact: a double need not be able to hold the whole number, nor the other way round.
template <typename Whole>
Order order_with_real(Whole whole, double real, double least, double beyond) noexcept {
  if (std::isnan(real)) return Order::kNone;
  if (real >= beyond) return Order::kLess;
  if (real < least) return Order::kGreater;
  const double floor = std::floor(real);
  const Order order = order_of(whole, static_cast<Whole>(floor));
  return order == Order::kEqual && floor < real ? Order::kLess : order;
}

Order compare_reals(double left, double right) noexcept {
  if (std::isnan(left) || std::isnan(right)) return Order::kNone;
  return order_of(left, right);
}

/// `left` is of a kind that stands before that of `right`, or of the same.
Order compare_sorted(const Value& left, const Value& right) noexcept {
  if (left.is(Kind::kDouble)) return compare_reals(left.real(), right.real());
  if (left.is(Kind::kUint))
    return right.is(Kind::kUint) ? order_of(left.natural(), right.natural())
                                 : order_with_real(left.natural(), right.real(), 0, kTwoTo64);
  if (right.is(Kind::kDouble))
    return order_with_real(left.whole(), right.real(), -kTwoTo63, kTwoTo63);
  if (right.is(Kind::kInt)) return order_of(left.whole(), right.whole());
  return left.whole() < 0 ? Order::kLess
                          : order_of(static_cast<uint64_t>(left.whole()), right.natural());
}

Order compare_numbers(const Value& left, const Value& right) noexcept {
  return left.kind() <= right.kind() ? compare_sorted(left, right)
                                     : reverse(compare_sorted(right, left));
}

bool equal_lists(const List& left, const List& right) noexcept {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), equal);
}

bool equal_maps(const Value& left, const Value& right) noexcept {
  if (left.entries().size() != right.entries().size()) return false;
  return std::all_of(left.entries().begin(), left.entries().end(), [&right](const auto& entry) {
    const Value* other = right.find(entry.first);
    return other != nullptr && equal(entry.second, *other);
  });
}

template <typename T>
Status put_raw(T value, std::string& out) {
  out.assign(reinterpret_cast<const char*>(&value), sizeof value);
  return Status::kOk;
}

using Texts = std::vector<std::pair<std::string, std::string>>;

Status put_pairs(const Texts& texts, size_t max_bytes, std::string& out) {
  size_t bytes = 0;
  for (const auto& [key, value] : texts) bytes += key.size() + value.size();
  if (pairs_size(texts.size(), bytes) > max_bytes) return Status::kSerializationFailure;
  const PairViews views(texts.begin(), texts.end());
  out = encode_pairs(views);
  return Status::kOk;
}

/// The two parts of what becomes one pair.
Status put_pair(const Value& key, const Value* value, size_t& left, Texts& texts) {
  auto& [first, second] = texts.emplace_back();
  Status status = serialise(key, left, first);
  if (status == Status::kOk && value != nullptr) status = serialise(*value, left, second);
  const size_t bytes = first.size() + second.size();
  if (status != Status::kOk || bytes > left) return Status::kSerializationFailure;
  left -= bytes;
  return Status::kOk;
}

Status put_items(const Value& value, size_t max_bytes, std::string& out) {
  Texts texts;
  size_t left = max_bytes;
  if (value.is(Kind::kList)) {
    for (const Value& item : value.items())
      if (const Status bad = put_pair(item, nullptr, left, texts); bad != Status::kOk) return bad;
  } else {
    for (const auto& [key, item] : value.entries())
      if (const Status bad = put_pair(key, &item, left, texts); bad != Status::kOk) return bad;
  }
  return put_pairs(texts, max_bytes, out);
}

}  // namespace

void Value::Size::add(const Value& part) noexcept {
  depth = std::max(depth, part.depth_);
  weight += part.weight_;
  maps = maps || part.maps_;
}

Value Value::list(List items) {
  Size size;
  for (const Value& item : items) size.add(item);
  if (size.too_large()) return error("a list is too large");
  return {Kind::kList, size, std::make_shared<const List>(std::move(items))};
}

Value Value::map(Entries entries) {
  Size size;
  for (const auto& [key, value] : entries) size.add(key), size.add(value);
  if (size.too_large()) return error("a map is too large");
  return {Kind::kMap, size, std::make_shared<const Entries>(std::move(entries))};
}

const Value* Value::find(const Value& key) const noexcept {
  for (const auto& [name, value] : entries())
    if (equal(name, key)) return &value;
  return nullptr;
}

bool equal(const Value& left, const Value& right) noexcept {
  if (left.is_number() && right.is_number()) return compare_numbers(left, right) == Order::kEqual;
  if (left.kind() != right.kind()) return false;
  switch (left.kind()) {
    case Kind::kNull:
      return true;
    case Kind::kBool:
      return left.truth() == right.truth();
    case Kind::kText:
    case Kind::kBytes:
    case Kind::kMessage:
      return left.raw() == right.raw();
    case Kind::kDuration:
    case Kind::kTimestamp:
      return left.whole() == right.whole();
    case Kind::kList:
      return equal_lists(left.items(), right.items());
    case Kind::kMap:
      return equal_maps(left, right);
    default:
      return false;
  }
}

std::optional<Order> compare(const Value& left, const Value& right) noexcept {
  if (left.is_number() && right.is_number()) return compare_numbers(left, right);
  if (left.kind() != right.kind()) return std::nullopt;
  switch (left.kind()) {
    case Kind::kBool:
      return order_of(left.truth(), right.truth());
    case Kind::kText:
    case Kind::kBytes:
      return order_of(left.raw(), right.raw());
    case Kind::kDuration:
    case Kind::kTimestamp:
      return order_of(left.whole(), right.whole());
    default:
      return std::nullopt;
  }
}

Status serialise(const Value& value, size_t max_bytes, std::string& out) {
  switch (value.kind()) {
    case Kind::kBool:
      return put_raw<uint8_t>(value.truth() ? 1 : 0, out);
    case Kind::kInt:
    case Kind::kDuration:
    case Kind::kTimestamp:
      return put_raw<int64_t>(value.whole(), out);
    case Kind::kUint:
      return put_raw<uint64_t>(value.natural(), out);
    case Kind::kDouble:
      return put_raw<double>(value.real(), out);
    case Kind::kText:
    case Kind::kBytes:
    case Kind::kMessage:
      if (value.raw().size() > max_bytes) return Status::kSerializationFailure;
      out = value.raw();
      return Status::kOk;
    case Kind::kList:
    case Kind::kMap:
      return put_items(value, max_bytes, out);
    default:
      return Status::kSerializationFailure;
  }
}

}  // namespace weir::wasm::cel
