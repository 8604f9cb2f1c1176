// Properties.
#include <map>
#include <string>
#include <utility>

#include "wasm/abi/abi.h"
#include "wasm/property.h"

namespace weir::wasm::abi {
namespace {

// Of one stream or root.
constexpr size_t kMaxProperties = 256;
constexpr size_t kMaxPropertyBytes = 1024 * 1024;

using Properties = std::map<std::string, std::string, std::less<>>;

/// Whether `key` may get a value of that size.
bool has_room(const Properties& all, const std::string& key, size_t size) {
  size_t count = 1;
  size_t bytes = size;
  for (const auto& [name, value] : all) {
    if (name == key) continue;
    ++count;
    bytes += value.size();
  }
  return count <= kMaxProperties && bytes <= kMaxPropertyBytes;
}

}  // namespace

Status get_property(Vm& vm, const Value* args) {
  const auto path = vm.memory().view(args[0], args[1]);
  if (!path) return Status::kInvalidMemoryAccess;
  if (path->size() > kMaxPathBytes) return Status::kNotFound;
  std::string value;
  const Status status = read_property(vm, PropertyPath(*path), value);
  return status == Status::kOk ? vm.give(value, args[2], args[3]) : status;
}

Status set_property(Vm& vm, const Value* args) {
  const auto bytes = vm.memory().view(args[0], args[1]);
  const auto value = vm.memory().view(args[2], args[3]);
  if (!bytes || !value) return Status::kInvalidMemoryAccess;
  if (bytes->size() > kMaxPathBytes || value->size() > kMaxPropertyBytes)
    return Status::kBadArgument;
  const PropertyPath path(*bytes);
  StreamContext* stream = vm.stream();
  if (stream == nullptr || stream->callbacks == nullptr) {
    auto& own = vm.root().properties;
    std::string key(path.whole());
    if (!has_room(own, key, value->size())) return Status::kBadArgument;
    own.insert_or_assign(std::move(key), std::string(*value));
    return Status::kOk;
  }
  StreamInfo& info = stream->callbacks->stream_info();
  const std::string key = filter_state_key(path.whole());
  const auto* all = info.all_filter_state();
  if (all != nullptr && !has_room(*all, key, value->size())) return Status::kBadArgument;
  info.set_filter_state(key, *value);
  return Status::kOk;
}

}  // namespace weir::wasm::abi
