#include "wasm/expression.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/log.h"
#include "wasm/cel/evaluator.h"
#include "wasm/cel/tree.h"
#include "wasm/pairs.h"
#include "wasm/property.h"
#include "wasm/property_value.h"
#include "wasm/vm.h"

namespace weir::wasm {
namespace {

constexpr size_t kNoLimit = SIZE_MAX;

/// How many segments the path of a property below this one may have: texts and numbers have no parts.
size_t most_segments(std::string_view group, std::string_view name) noexcept {
  if (group == "request" || group == "response")
    return name == "headers" || name == "trailers" ? 3 : 2;
  if (group == "source" || group == "destination" || group == "connection") return 2;
  if (group == "upstream") return name == "locality" ? 3 : 2;
  if (group == "node") return name == "metadata" ? kNoLimit : name == "locality" ? 3 : 2;
  constexpr std::string_view kSingle[] = {
      "connection_id",     "cluster_name",    "route_name",   "listener_direction",
      "virtual_host_name", "plugin_name",     "plugin_vm_id", "filter_chain_name",
      "plugin_root_id",    "plugin_vm_memory"};
  const bool single = std::find(std::begin(kSingle), std::end(kSingle), group) != std::end(kSingle);
  return single ? 1 : kNoLimit;
}

bool may_be(const PropertyPath& path) noexcept {
  const size_t most = path.at(0) == "xds" ? most_segments(path.at(1), path.at(2))
                                          : most_segments(path.at(0), path.at(1));
  return most == kNoLimit || path.size() <= most + (path.at(0) == "xds" ? 1 : 0);
}

template <typename T>
T raw(const std::string& bytes) noexcept {
  T value{};
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
  return value;
}

cel::Value tree_value(const StructValue& from) {
  switch (from.kind()) {
    case StructValue::Kind::kNull:
      return {};
    case StructValue::Kind::kBool:
      return cel::Value::boolean(from.boolean());
    case StructValue::Kind::kNumber:
      return cel::Value::real(from.number());
    case StructValue::Kind::kText:
      return cel::Value::text(from.text());
    default:
      break;
  }
  cel::Entries entries;
  cel::List items;
  const bool list = from.kind() == StructValue::Kind::kList;
  for (const auto& [name, member] : from.members()) {
    cel::Value value = tree_value(member);
    if (value.is_error()) return value;
    if (list)
      items.push_back(std::move(value));
    else
      entries.emplace_back(cel::Value::text(name), std::move(value));
  }
  return list ? cel::Value::list(std::move(items)) : cel::Value::map(std::move(entries));
}

cel::Value map_value(std::string_view bytes) {
  const auto pairs = decode_pairs(bytes);
  if (!pairs) return cel::Value::error("a map is too large");
  cel::Entries entries;
  for (const auto& [name, value] : *pairs)
    entries.emplace_back(cel::Value::text(std::string(name)), cel::Value::text(std::string(value)));
  return cel::Value::map(std::move(entries));
}

cel::Value value_of(PropertyValue&& property) {
  std::string& bytes = property.bytes;
  switch (property.type) {
    case PropertyType::kText:
      return cel::Value::text(std::move(bytes));
    case PropertyType::kBytes:
      return cel::Value::bytes(std::move(bytes));
    case PropertyType::kInt:
      return cel::Value::integer(raw<int64_t>(bytes));
    case PropertyType::kUint:
      return cel::Value::natural(raw<uint64_t>(bytes));
    case PropertyType::kDouble:
      return cel::Value::real(raw<double>(bytes));
    case PropertyType::kBool:
      return cel::Value::boolean(raw<uint8_t>(bytes) != 0);
    case PropertyType::kDuration:
      return cel::Value::duration(raw<int64_t>(bytes));
    case PropertyType::kTimestamp:
      return cel::Value::timestamp(raw<int64_t>(bytes));
    case PropertyType::kMap:
      return map_value(bytes);
    case PropertyType::kStruct:
      return tree_value(property.tree);
    case PropertyType::kMessage:
      break;
  }
  return cel::Value::message(std::move(bytes));
}

class PropertyAttributes final : public cel::Attributes {
 public:
  explicit PropertyAttributes(Vm& vm) noexcept : vm_(vm) {}
  std::optional<cel::Value> read(const std::string& path) override {
    PropertyValue value;
    const Status status = read(path, value);
    if (status == Status::kSerializationFailure) return cel::Value();
    if (status != Status::kOk) return std::nullopt;
    return value_of(std::move(value));
  }
  Status read(const std::string& path, PropertyValue& out) {
    if (path.size() > kMaxPathBytes) return Status::kNotFound;
    const PropertyPath parts(path);
    return may_be(parts) ? read_property(vm_, parts, out) : Status::kNotFound;
  }

 private:
  Vm& vm_;
};

/// What a tree takes.
struct Size {
  size_t nodes = 0, patterns = 0;
};
void measure(const cel::Node& node, Size& size) {
  ++size.nodes;
  if (node.regex) ++size.patterns;
  for (const cel::Node& part : node.parts) measure(part, size);
}

}  // namespace

Expressions::Expressions() noexcept = default;
Expressions::~Expressions() = default;

Result<uint32_t> Expressions::add(std::string_view source) {
  const auto too_many = [] {
    return weir::fail(Code::kInvalidArgument, Side::kLocal, "there are too many expressions");
  };
  if (all_.size() >= kMaxCount) return too_many();
  WEIR_TRY(tree, cel::parse(source));
  Size size;
  measure(tree, size);
  const size_t bytes = source.size() + size.nodes * sizeof(cel::Node);
  if (bytes_ + bytes > kMaxBytes || patterns_ + size.patterns > kMaxPatterns) return too_many();
  while (all_.contains(next_)) ++next_;
  all_[next_] = {std::make_unique<const cel::Node>(std::move(tree)), bytes, size.patterns};
  bytes_ += bytes;
  patterns_ += size.patterns;
  return next_++;
}

const cel::Node* Expressions::find(uint32_t token) const noexcept {
  const auto found = all_.find(token);
  return found != all_.end() ? found->second.tree.get() : nullptr;
}

void Expressions::remove(uint32_t token) noexcept {
  const auto found = all_.find(token);
  if (found == all_.end()) return;
  bytes_ -= found->second.bytes;
  patterns_ -= found->second.patterns;
  all_.erase(found);
}

Status evaluate(Vm& vm, const cel::Node& expression, std::string& out) {
  PropertyAttributes properties(vm);
  cel::Evaluator evaluator(properties);
  const cel::Value value = evaluator.run(expression);
  Status status = Status::kOk;
  if (value.is_error()) {
    WEIR_LOG(kWasm, kDebug, "an expression has no value",
             {{"plugin", vm.root().plugin().label()}, {"error", value.why()}});
    return Status::kInternalFailure;
  }
  if (value.is(cel::Value::Kind::kAttribute)) {
    // As a guest would read it: a struct stays a message.
    PropertyValue property;
    status = properties.read(value.raw(), property);
    if (status == Status::kOk) out = property.take();
  } else {
    status = cel::serialise(value, kMaxPropertyBytes, out);
  }
  if (out.size() > kMaxPropertyBytes) {
    out.clear();
    return Status::kSerializationFailure;
  }
  return status == Status::kNotFound ? Status::kInternalFailure : status;
}

}  // namespace weir::wasm
