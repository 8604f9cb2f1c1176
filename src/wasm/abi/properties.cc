// Properties.
#include <string>

#include "wasm/abi/abi.h"
#include "wasm/filter_state.h"
#include "wasm/privacy/private_property.h"
#include "wasm/property.h"

namespace weir::wasm::abi {
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
  if (Status special = Status::kOk; set_special_property(vm, path.whole(), *value, special))
    return special;
  if (const Privacy* privacy = vm.privacy(); privacy != nullptr) [[unlikely]] {
    const Sight sight = property_sight(privacy->properties(), path);
    if (sight == Sight::kMasked && *value == kMask) return Status::kOk;
    if (sight == Sight::kHidden) {
      vm.count_limit(LimitKind::kPrivacy);
      return Status::kOk;
    }
  }
  RootContext& root = vm.root();
  const DeclaredProperty* declared = root.declared.find(path.whole());
  const bool once = declared != nullptr && declared->read_only;
  const StateSpan span = declared != nullptr ? declared->span : StateSpan::kFilterChain;
  const Status status = put_filter_state(vm, filter_state_key(path.whole()), *value, span, once);
  if (status != Status::kNotFound) return status;
  // Without a stream.
  std::string key(path.whole());
  if (once && root.properties.contains(key)) return Status::kBadArgument;
  return put_bounded(root.properties, key, *value);
}

}  // namespace weir::wasm::abi
