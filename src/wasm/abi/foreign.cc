// Foreign functions: named extensions behind one import.
#include "wasm/abi/abi.h"

namespace weir::wasm::abi {
namespace {

using Foreign = Status (*)(Vm& vm, std::string_view argument, std::string& result);

Status foreign_clear_route_cache(Vm& vm, std::string_view, std::string&) {
  return clear_route_cache(vm, nullptr);
}

struct Named {
  std::string_view name;
  Foreign function;
};
constexpr Named kForeign[] = {
    {"clear_route_cache", &foreign_clear_route_cache},
};

}  // namespace

Status call_foreign_function(Vm& vm, const Value* args) {
  const auto name = vm.memory().view(args[0], args[1]);
  const auto argument = vm.memory().view(args[2], args[3]);
  if (!name || !argument) return Status::kInvalidMemoryAccess;
  for (const Named& each : kForeign) {
    if (each.name != *name) continue;
    std::string result;
    const Status status = each.function(vm, *argument, result);
    if (u32(args[4]) == 0) return status;  // the guest does not want it
    const Status given = vm.give(result, args[4], args[5]);
    return given == Status::kOk ? status : given;
  }
  return Status::kNotFound;
}

}  // namespace weir::wasm::abi
