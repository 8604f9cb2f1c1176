// Logs, clocks and get_status.
#include <chrono>

#include "base/log.h"
#include "wasm/abi/abi.h"

namespace weir::wasm::abi {
namespace {

constexpr uint32_t kMaxLevel = 5;

}  // namespace

Status log(Vm& vm, const Value* args) {
  if (u32(args[0]) > kMaxLevel) return Status::kBadArgument;
  const auto text = vm.memory().view(args[1], args[2]);
  if (!text) return Status::kInvalidMemoryAccess;
  vm.log(u32(args[0]), *text);
  return Status::kOk;
}

Status get_log_level(Vm& vm, const Value* args) {
  auto level = static_cast<uint32_t>(base::log_level(base::Component::kWasm));
  if (level > kMaxLevel) level = kMaxLevel;
  return vm.memory().store<uint32_t>(args[0], level) ? Status::kOk : Status::kInvalidMemoryAccess;
}

Status get_current_time(Vm& vm, const Value* args) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ns =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  return vm.memory().store<uint64_t>(args[0], ns) ? Status::kOk : Status::kInvalidMemoryAccess;
}

Status get_status(Vm& vm, const Value* args) {
  RootContext& root = vm.root();
  if (!vm.memory().store<uint32_t>(args[0], root.status_code)) return Status::kInvalidMemoryAccess;
  return vm.give(root.status_text, args[1], args[2]);
}

}  // namespace weir::wasm::abi
