// Properties.
#include "wasm/abi/abi.h"
#include "wasm/property.h"

namespace weir::wasm::abi {
namespace {

constexpr size_t kMaxValueBytes = 1024 * 1024;
constexpr size_t kMaxProperties = 256;  // of one stream or root

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
  if (bytes->size() > kMaxPathBytes || value->size() > kMaxValueBytes) return Status::kBadArgument;
  const PropertyPath path(*bytes);
  StreamContext* stream = vm.stream();
  if (stream == nullptr || stream->callbacks == nullptr) {
    auto& own = vm.root().properties;
    if (own.size() >= kMaxProperties && own.find(path.whole()) == own.end())
      return Status::kBadArgument;
    own.insert_or_assign(std::string(path.whole()), std::string(*value));
    return Status::kOk;
  }
  StreamInfo& info = stream->callbacks->stream_info();
  const std::string key = filter_state_key(path.whole());
  const auto* all = info.all_filter_state();
  if (all != nullptr && all->size() >= kMaxProperties && info.filter_state(key) == nullptr)
    return Status::kBadArgument;
  info.set_filter_state(key, *value);
  return Status::kOk;
}

}  // namespace weir::wasm::abi
