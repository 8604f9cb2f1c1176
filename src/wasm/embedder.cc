#include "wasm/embedder.h"

#include "wasm/property.h"
#include "wasm/vm.h"

namespace weir::wasm {
namespace {

GuestStatus public_status(Status status) noexcept { return static_cast<GuestStatus>(status); }

class VmCall final : public GuestCall {
 public:
  explicit VmCall(Vm& vm) noexcept : vm_(vm) {}
  std::optional<std::string_view> view(uint32_t at, uint32_t size) const noexcept override {
    return vm_.memory().view(at, size);
  }
  bool write(uint32_t at, std::string_view bytes) noexcept override {
    return vm_.memory().write(at, bytes);
  }
  GuestStatus give(std::string_view bytes, uint32_t pointer_at, uint32_t size_at) override {
    return public_status(vm_.give(bytes, pointer_at, size_at));
  }
  GuestStatus property(std::string_view path, std::string& out) override {
    if (path.size() > kMaxPathBytes) return GuestStatus::kNotFound;
    return public_status(read_property(vm_, PropertyPath(path), out));
  }
  std::string_view plugin_name() const noexcept override { return vm_.root().plugin().label(); }
  std::string_view vm_id() const noexcept override { return vm_.vm_config().vm_id; }
  bool trial() const noexcept override { return vm_.canary(); }

 private:
  Vm& vm_;
};

}  // namespace

Value call_embedder(void* data, const Value* args, size_t count) noexcept {
  const auto& binding = *static_cast<const ImportBinding*>(data);
  binding.vm->note_host_call();
  if (binding.vm->restricted()) [[unlikely]]
    return static_cast<Value>(Status::kInternalFailure);
  VmCall call(*binding.vm);
  return binding.import->function(binding.import->data, call, {args, count});
}

Status call_embedder_foreign(Vm& vm, const HostFunctions::Foreign& foreign,
                             std::string_view argument, std::string& result) {
  VmCall call(vm);
  return static_cast<Status>(foreign.function(foreign.data, call, argument, result));
}

}  // namespace weir::wasm
