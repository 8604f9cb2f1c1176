// Foreign functions: named extensions behind one import.
#include "wasm/abi/foreign.h"
#include "wasm/abi/abi.h"
#include "wasm/embedder.h"

namespace weir::wasm::abi {
namespace {

Status foreign_clear_route_cache(Vm& vm, std::string_view, std::string&) {
  return clear_route_cache(vm, nullptr);
}

using Foreign = Status (*)(Vm& vm, std::string_view argument, std::string& result);

struct Named {
  std::string_view name;
  Foreign function;
};
constexpr Named kForeign[] = {
    {"clear_route_cache", &foreign_clear_route_cache},
    {"compress", &foreign_compress},
    {"uncompress", &foreign_uncompress},
    {"verify_signature", &foreign_verify_signature},
    {"sign", &foreign_sign},
    {"set_envoy_filter_state", &foreign_set_filter_state},
    {"declare_property", &foreign_declare_property},
    {"expr_create", &foreign_expr_create},
    {"expr_evaluate", &foreign_expr_evaluate},
    {"expr_delete", &foreign_expr_delete},
    // Higress
    {"get_log_level", &foreign_get_log_level},
    {"inject_encoded_data_to_filter_chain", &foreign_inject},
    {"inject_encoded_data_to_filter_chain_on_header", &foreign_inject},
    {"set_global_max_requests_per_io_cycle", &foreign_max_requests_per_cycle},
};

Status call(Vm& vm, std::string_view name, std::string_view argument, std::string& result) {
  if (const HostFunctions* own = vm.vm_config().host_functions; own != nullptr)
    if (const HostFunctions::Foreign* foreign = own->find_foreign(name))
      return call_embedder_foreign(vm, *foreign, argument, result);
  for (const Named& each : kForeign)
    if (each.name == name) return each.function(vm, argument, result);
  return Status::kNotFound;
}

}  // namespace

Status call_foreign_function(Vm& vm, const Value* args) {
  const auto name = vm.memory().view(args[0], args[1]);
  const auto argument = vm.memory().view(args[2], args[3]);
  if (!name || !argument) return Status::kInvalidMemoryAccess;
  std::string result;
  const Status status = call(vm, *name, *argument, result);
  if (status == Status::kNotFound && result.empty()) return status;
  if (u32(args[4]) == 0) return status;  // the guest does not want it
  const Status given = vm.give(result, args[4], args[5]);
  return given == Status::kOk ? status : given;
}

}  // namespace weir::wasm::abi
