#include "wasm/import_binding.h"

#include <utility>

#include "base/log.h"
#include "base/strings.h"
#include "wasm/embedder.h"
#include "wasm/vm.h"

namespace weir::wasm {
namespace {

/// What a guest may not do it may try with every request, in VM after VM.
void tell(ImportBinding& binding) {
  if (std::exchange(binding.told, true)) [[likely]]
    return;
  Vm& vm = *binding.vm;
  const std::string_view plugin = vm.speaker().label();
  if (vm.services().stats.plugin(plugin).is_new_refusal(binding.refused, vm.group().generation))
    WEIR_LOG(kWasm, kWarn, "guest called a function that allowed_capabilities lacks",
             {{"plugin", plugin}, {"function", binding.refused}});
}

}  // namespace

Value refuse_proxy(void* data, const Value*, size_t) noexcept {
  tell(*static_cast<ImportBinding*>(data));
  return static_cast<Value>(Status::kInternalFailure);
}

Value refuse_wasi(void* data, const Value*, size_t) noexcept {
  tell(*static_cast<ImportBinding*>(data));
  return static_cast<Value>(Errno::kNotcapable);
}

std::vector<Binding> bind_imports(Vm& vm, std::vector<ImportBinding>& made) {
  const auto& functions = vm.group().imports;
  const auto& infos = vm.group().module->imports();
  std::vector<Binding> out;
  out.reserve(functions.size());
  made.reserve(functions.size());  // its elements keep their place
  for (size_t i = 0; i < functions.size(); ++i) {
    void* data = &vm;
    if (functions[i] == &call_embedder) {
      const std::string name = base::concat(infos[i].module, ".", infos[i].name);
      data =
          &made.emplace_back(ImportBinding{&vm, vm.vm_config().host_functions->find_import(name)});
    } else if (functions[i] == &refuse_proxy || functions[i] == &refuse_wasi) {
      data = &made.emplace_back(ImportBinding{&vm, nullptr, infos[i].name});
    }
    out.push_back(Binding{functions[i], data});
  }
  return out;
}

}  // namespace weir::wasm
